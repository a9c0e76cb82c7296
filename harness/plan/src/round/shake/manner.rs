//! Delays, other connections, slowness, second copies and wider searches for the operations of the flows.

use coalmine_core::perturb::{Manner, Pace, Perturbation, Start, Via, Widen};
use coalmine_core::plan::{HttpVersion, Purpose};
use coalmine_core::step::{Action, Request, StepId};
use coalmine_core::template::{Segment, Template};

use super::Mood;
use crate::compile::Compiled;
use crate::draw::Draw;
use crate::round::stage::Todo;

/// Operations that are delayed wait less than this.
const DELAY_US_MAX: u32 = 6_000;
/// A slow request or answer pauses at most so often.
const PAUSES_MAX: u16 = 12;

/// Goes through the lanes of the flows once everything that is done in them stands. Returns how many connections are shared.
pub(crate) fn shake_lanes(compiled: &Compiled, mood: &Mood, lanes: &mut [Vec<Todo>], draw: &mut Draw) -> u16 {
    let shared = shared_connections(lanes.len());
    let mut uses_shared = false;
    for lane in lanes.iter_mut() {
        let is_slow = draw.below(1000) < mood.slow_lanes_permille;
        let mut shaken = Vec::with_capacity(lane.len());
        for mut todo in lane.drain(..) {
            let again = second_copy(compiled, mood, &todo, draw);
            let wider = wider_copy(compiled, mood, &todo, draw);
            if todo.purpose == Purpose::Flow {
                todo.manner = manner(compiled, mood, todo.step, (is_slow, shared), draw);
            }
            uses_shared |= matches!(todo.manner.via, Via::Shared(_));
            shaken.push(todo);
            shaken.extend(again);
            shaken.extend(wider);
        }
        *lane = shaken;
    }
    if uses_shared { shared } else { 0 }
}

/// Few, so that tenants really follow one another on them.
fn shared_connections(lanes: usize) -> u16 {
    u16::try_from(lanes / 6).unwrap_or(u16::MAX).clamp(1, 8)
}

fn manner(compiled: &Compiled, mood: &Mood, step: StepId, (is_slow, shared): (bool, u16), draw: &mut Draw) -> Manner {
    let mut manner = Manner::default();
    let action = &compiled.steps[usize::from(step.0)].action;
    let is_request = matches!(action, Action::Request(_));
    if !is_request && !matches!(action, Action::Send { .. }) {
        return manner;
    }
    if is_slow || mood.strikes(Perturbation::Delay, step, draw) {
        manner.start = Start::After { delay_us: 1 + draw.below(DELAY_US_MAX) };
    }
    if !is_request {
        return manner;
    }
    if mood.strikes(Perturbation::Share, step, draw) {
        manner.via = Via::Shared(u16::try_from(draw.below(shared.into())).unwrap_or(0));
    } else if mood.strikes(Perturbation::Reconnect, step, draw) {
        manner.via = Via::Fresh;
    }
    // On a connection that others use at the same time, they would be slowed as well.
    let is_alone = compiled.target.http == HttpVersion::Http1 || !matches!(manner.via, Via::Shared(_));
    if is_alone && mood.strikes(Perturbation::Stall, step, draw) {
        manner.pace = pace(draw);
        if matches!((manner.pace, manner.via), (Pace::Read { .. }, Via::Own)) {
            manner.via = Via::Fresh;
        }
    }
    manner
}

fn pace(draw: &mut Draw) -> Pace {
    let (slice_bytes, pause_us) = (1 + draw.below(64), 200 + draw.below(4_000));
    if draw.below(2) == 0 {
        Pace::Write { slice_bytes, pause_us, pauses_max: PAUSES_MAX }
    } else {
        Pace::Read { slice_bytes: slice_bytes * 16, pause_us, pauses_max: PAUSES_MAX }
    }
}

fn second_copy(compiled: &Compiled, mood: &Mood, todo: &Todo, draw: &mut Draw) -> Option<Todo> {
    let step = &compiled.steps[usize::from(todo.step.0)];
    let Action::Request(request) = &step.action else { return None };
    // What is captured may be a ticket or a form's token, which a second answer would replace.
    if !step.captures.is_empty() {
        return None;
    }
    let strikes =
        todo.purpose == Purpose::Flow && may_repeat(request) && mood.strikes(Perturbation::Retry, todo.step, draw);
    let manner = Manner { again: true, ..Manner::default() };
    strikes.then_some(Todo { step: todo.step, scope: todo.scope, purpose: Purpose::Shake, manner })
}

/// A search that asks for less than a secret, where the secret stands in the query of a request that only reads.
fn wider_copy(compiled: &Compiled, mood: &Mood, todo: &Todo, draw: &mut Draw) -> Option<Todo> {
    let step = &compiled.steps[usize::from(todo.step.0)];
    let Action::Request(request) = &step.action else { return None };
    // What is captured of a wider answer may be another row's.
    let is_search = step.captures.is_empty() && request.method == "GET" && searches(&request.path);
    if todo.purpose != Purpose::Flow || !is_search || !mood.strikes(Perturbation::Widen, todo.step, draw) {
        return None;
    }
    let manner = Manner { widen: Some(wider(draw)), ..Manner::default() };
    Some(Todo { step: todo.step, scope: todo.scope, purpose: Purpose::Shake, manner })
}

/// Mostly what is a part of every text: services make what they like of nothing and of wildcards.
fn wider(draw: &mut Draw) -> Widen {
    match draw.below(100) {
        0..45 => Widen::Stem,
        45..70 => Widen::Word,
        70..80 => Widen::Empty,
        80..90 => Widen::Percent,
        _ => Widen::Star,
    }
}

/// Whether a canary stands in the query, and none before it.
fn searches(path: &Template) -> bool {
    let is_query = |segment: &Segment| matches!(segment, Segment::Text(text) if text.contains('?'));
    let query = path.segments.iter().position(is_query).unwrap_or(path.segments.len());
    let first = path.segments.iter().position(|segment| matches!(segment, Segment::Canary(_)));
    first.is_some_and(|first| first > query)
}

/// Whether it may be sent twice without harm: it is idempotent by RFC 9110, section 9.2.2, or has a key that says so.
pub(super) fn may_repeat(request: &Request) -> bool {
    let has_key = request.has_idempotency_key();
    has_key || matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "PUT")
}
