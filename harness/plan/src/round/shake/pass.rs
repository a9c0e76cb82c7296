//! Passes that are given up in the middle: a client that hangs up.

use coalmine_canary::Shape;
use coalmine_core::perturb::{Cut, HangUp, Manner, Perturbation, Point};
use coalmine_core::plan::{FlowId, HttpVersion, Purpose, ScopeId};
use coalmine_core::step::{Action, Request, StepId, Wire};

use super::Mood;
use crate::compile::{Compiled, Leg};
use crate::draw::Draw;
use crate::round::room::Rooms;
use crate::round::stage::Todo;

/// In HTTP/2, so many of a hundred cuts end the whole connection.
const CONNECTION_PERCENT: u32 = 30;

/// A pass that is given up, and what removes its traces.
pub(crate) struct Sacrifice {
    /// After so many of the lane's whole passes.
    pub(crate) after: usize,
    pub(crate) todos: Vec<Todo>,
    pub(crate) cleanup: Vec<Todo>,
}

/// Passes besides those of one lane, each drawn where one of its passes is.
pub(crate) fn sacrifices(
    compiled: &Compiled,
    mood: &Mood,
    order: &[(FlowId, u32)],
    place: usize,
    rooms: &mut Rooms<'_>,
    draw: &mut Draw,
) -> Vec<Sacrifice> {
    let mut all = vec![];
    for (after, (flow, _)) in order.iter().enumerate() {
        let steps = beginning(compiled, *flow);
        let able: Vec<usize> = (0..steps.len())
            .filter(|at| mood.is_for(Perturbation::Cancel, steps[*at]) && can_be_cut(compiled, steps[*at]))
            .collect();
        if able.is_empty()
            || draw.below(1000) >= mood.permille(Perturbation::Cancel)
            || is_narrow(compiled, *flow, place, rooms)
        {
            continue;
        }
        let at = able[draw.below(u32::try_from(able.len()).unwrap_or(u32::MAX)) as usize];
        let scope = rooms.open(place, *flow);
        all.push(sacrifice(compiled, *flow, scope, (after, at), draw));
    }
    all
}

fn sacrifice(
    compiled: &Compiled,
    flow: FlowId,
    scope: ScopeId,
    (after, at): (usize, usize),
    draw: &mut Draw,
) -> Sacrifice {
    let course = &compiled.courses[usize::from(flow.0)];
    let mut todos: Vec<Todo> = course.steps[..at].iter().map(|step| Todo::plain(*step, scope, Purpose::Flow)).collect();
    let step = course.steps[at];
    let action = &compiled.steps[usize::from(step.0)].action;
    let is_framed = compiled.target.http == HttpVersion::Http2 && matches!(action, Action::Request(_));
    let cut = if is_framed { on_its_stream(cut(action, draw), draw) } else { cut(action, draw) };
    let manner = Manner { cut: Some(cut), ..Manner::default() };
    todos.push(Todo { step, scope, purpose: Purpose::Shake, manner });
    let cleanup = course.cleanup.iter().map(|step| Todo::plain(*step, scope, Purpose::Shake)).collect();
    Sacrifice { after, todos, cleanup }
}

/// The steps before the first block: what comes after it may need what its turns make, and groups of steps wait for each other.
pub(crate) fn beginning(compiled: &Compiled, flow: FlowId) -> Vec<StepId> {
    let legs = compiled.courses[usize::from(flow.0)].legs.iter();
    let step = |leg: &Leg| match leg {
        Leg::Step(step) => Some(*step).filter(|step| compiled.steps[usize::from(step.0)].group.is_none()),
        Leg::Block(_) => None,
    };
    legs.map_while(step).collect()
}

fn can_be_cut(compiled: &Compiled, step: StepId) -> bool {
    match &compiled.steps[usize::from(step.0)].action {
        Action::Request(_) => true,
        Action::Receive(receive) => receive.wire == Wire::WebSocket,
        _ => false,
    }
}

/// Shapes with few serials for each owner are left to the flows.
pub(crate) fn is_narrow(compiled: &Compiled, flow: FlowId, place: usize, rooms: &Rooms<'_>) -> bool {
    let owner = rooms.principal(place).id.owner();
    let used = |shape: Shape| u64::from(rooms.serials_used(place, shape));
    let canaries = &compiled.flows[usize::from(flow.0)].canaries;
    canaries.iter().any(|canary| (used(canary.shape) + canaries.len() as u64) * 2 > canary.shape.serials(owner))
}

fn cut(action: &Action, draw: &mut Draw) -> Cut {
    match action {
        Action::Request(request) => {
            let at = point(request, draw);
            Cut { at, by: hang_up(at, draw) }
        }
        Action::Receive(receive) => {
            let events = u32::try_from(receive.events.len()).unwrap_or(u32::MAX).max(1);
            let count = u16::try_from(draw.below(events)).unwrap_or(u16::MAX);
            let by = [HangUp::Reset, HangUp::Close, HangUp::CloseFrame][draw.below(3) as usize];
            Cut { at: Point::Frames { count }, by }
        }
        _ => Cut { at: Point::Sent { wait_permille: 0 }, by: HangUp::Reset },
    }
}

/// Most cuts come while the target is at work: that is where it holds something of its own for the request.
fn point(request: &Request, draw: &mut Draw) -> Point {
    let has_body = request.body.is_some();
    match draw.below(100) {
        0..14 => Point::Sent { wait_permille: 0 },
        14..78 => Point::Sent { wait_permille: u16::try_from(20 + draw.below(950)).unwrap_or(u16::MAX) },
        78..84 => Point::AllButLast,
        84..88 if has_body => Point::Head,
        88..91 if has_body => Point::Body,
        84..92 => Point::Nothing,
        92..95 => Point::StatusLine,
        _ => Point::AnswerBody { bytes: draw.below(64) },
    }
}

/// Where the target is at work, most hang up for all to see: who only falls silent is waited for.
fn hang_up(at: Point, draw: &mut Draw) -> HangUp {
    match draw.below(100) {
        82..94 if matches!(at, Point::Sent { .. }) => HangUp::Reset,
        0..45 => HangUp::Reset,
        45..82 => HangUp::Close,
        82..90 => HangUp::HalfClose,
        _ => HangUp::Silence,
    }
}

/// In HTTP/2 a client mostly gives up a stream and keeps the connection. It cannot do so in the middle of a frame.
fn on_its_stream(cut: Cut, draw: &mut Draw) -> Cut {
    if cut.by != HangUp::HalfClose && draw.below(100) < CONNECTION_PERCENT {
        return cut;
    }
    let at = match cut.at {
        Point::Body | Point::AllButLast => Point::Sent { wait_permille: 0 },
        at => at,
    };
    Cut { at, by: HangUp::Stream }
}
