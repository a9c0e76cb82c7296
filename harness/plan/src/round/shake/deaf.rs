//! Passes whose WebSocket is not read while events are sent on it, or does not answer pings.
//!
//! They end where events are waited for the first time, or where it is proved that those were sent: the target may hang up on somebody
//! who does not read.

use std::collections::BTreeSet;

use coalmine_core::perturb::{Manner, Pace, Perturbation};
use coalmine_core::plan::{FlowId, Purpose, ScopeId};
use coalmine_core::step::{Action, Receive, SocketSlot, StepId, Wire};

use super::Mood;
use super::pass::{Sacrifice, beginning, is_narrow};
use crate::compile::Compiled;
use crate::draw::Draw;
use crate::round::room::Rooms;
use crate::round::stage::Todo;

/// A pass has several operations, and only few of them can be stalled so.
const PASSES_FOR_OPERATIONS: u32 = 5;
/// Besides those that are drawn, so many users of each flow have one: of a WebSocket that nobody stalls nothing is known.
const SURE_LANES: u32 = 2;
/// Of a hundred of those that are drawn, so many do not answer pings.
const MUTE_PERCENT: u32 = 25;
/// When events are waited for, nothing is read for at least, and less than, this much longer: time for the target to send them.
const WAITS_US: (u32, u32) = (100_000, 500_000);

/// Users, by their places, and the flows of which their first pass has a WebSocket that is not read.
pub(crate) type Deaf = BTreeSet<(usize, FlowId)>;

/// Draws them for a round.
pub(crate) fn draw_deaf(compiled: &Compiled, mood: &Mood, orders: &[Vec<(FlowId, u32)>], draw: &mut Draw) -> Deaf {
    let mut deaf = Deaf::new();
    if mood.permille(Perturbation::Stall) == 0 {
        return deaf;
    }
    let flows = (0..).map(FlowId).take(compiled.courses.len());
    for flow in flows.filter(|flow| stretch(compiled, mood, *flow).is_some()) {
        let goes = |place: &usize| orders[*place].iter().any(|(other, _)| *other == flow);
        let lanes: Vec<usize> = (0..orders.len()).filter(goes).collect();
        let drawn = draw.distinct_below(u32::try_from(lanes.len()).unwrap_or(u32::MAX), SURE_LANES);
        deaf.extend(drawn.into_iter().map(|nth| (lanes[nth as usize], flow)));
    }
    deaf
}

/// Passes besides those of one lane, each drawn where one of its passes is.
pub(crate) fn stalled_passes(
    compiled: &Compiled,
    (mood, deaf): (&Mood, &Deaf),
    order: &[(FlowId, u32)],
    place: usize,
    rooms: &mut Rooms<'_>,
    draw: &mut Draw,
) -> Vec<Sacrifice> {
    let permille = mood.permille(Perturbation::Stall) * PASSES_FOR_OPERATIONS;
    let mut all = vec![];
    let mut begun = BTreeSet::new();
    for (after, (flow, _)) in order.iter().enumerate() {
        let is_sure = begun.insert(*flow) && deaf.contains(&(place, *flow));
        let strikes = draw.below(1000) < permille;
        let Some(stretch) = stretch(compiled, mood, *flow).filter(|_| is_sure || strikes) else { continue };
        if is_narrow(compiled, *flow, place, rooms) {
            continue;
        }
        let pace = if is_sure { deafness(draw) } else { pace(draw) };
        let scope = rooms.open(place, *flow);
        all.push(stretch.pass(compiled, (*flow, scope), after, pace));
    }
    all
}

fn pace(draw: &mut Draw) -> Pace {
    if draw.below(100) < MUTE_PERCENT { Pace::Mute } else { deafness(draw) }
}

fn deafness(draw: &mut Draw) -> Pace {
    Pace::Deaf { wait_us: WAITS_US.0 + draw.below(WAITS_US.1 - WAITS_US.0) }
}

/// The beginning of a flow, up to where events of a WebSocket are waited for the first time, and what proves that they were sent.
struct Stretch {
    steps: Vec<StepId>,
    socket: SocketSlot,
}

fn stretch(compiled: &Compiled, mood: &Mood, flow: FlowId) -> Option<Stretch> {
    let course = &compiled.courses[usize::from(flow.0)];
    if course.block.is_some() || course.is_anonymous {
        return None;
    }
    let mut steps = beginning(compiled, flow);
    let action = |step: &StepId| &compiled.steps[usize::from(step.0)].action;
    let waits = steps.iter().position(|step| matches!(action(step), Action::Receive(_)))?;
    let Action::Receive(receive) = action(&steps[waits]) else { return None };
    let opens =
        |step: &&StepId| matches!(action(step), Action::Open(open) if open.socket == receive.socket && !open.keep);
    let open = steps[..waits].iter().find(opens)?;
    let is_meant = mood.is_for(Perturbation::Stall, *open) || mood.is_for(Perturbation::Stall, steps[waits]);
    if !is_meant || receive.wire != Wire::WebSocket {
        return None;
    }
    let end = proof(compiled, &steps, waits, receive).unwrap_or(waits);
    steps.truncate(end + 1);
    Some(Stretch { socket: receive.socket, steps })
}

/// Where a ping follows the request that shows that the events were sent; if nothing needs what comes with them.
fn proof(compiled: &Compiled, steps: &[StepId], waits: usize, receive: &Receive) -> Option<usize> {
    let step = |at: usize| &compiled.steps[usize::from(steps[at].0)];
    let confirmed_by = receive.confirmed_by.filter(|_| step(waits).captures.is_empty())?;
    let confirms = (waits..steps.len()).find(|at| steps[*at] == confirmed_by)?;
    let is_ping = |at: &usize| matches!(step(*at).action, Action::Ping { socket } if socket == receive.socket);
    (confirms..steps.len()).find(is_ping)
}

impl Stretch {
    fn pass(self, compiled: &Compiled, (flow, scope): (FlowId, ScopeId), after: usize, pace: Pace) -> Sacrifice {
        let todo = |step: StepId| match &compiled.steps[usize::from(step.0)].action {
            Action::Open(open) if open.socket == self.socket => {
                let manner = Manner { pace, ..Manner::default() };
                Todo { manner, ..Todo::plain(step, scope, Purpose::Shake) }
            }
            // What goes over the WebSocket itself ends with it.
            Action::Send { socket, .. } | Action::Ping { socket } | Action::Close { socket, .. }
                if *socket == self.socket =>
            {
                Todo::plain(step, scope, Purpose::Shake)
            }
            Action::Receive(_) | Action::AwaitClose { .. } => Todo::plain(step, scope, Purpose::Shake),
            _ => Todo::plain(step, scope, Purpose::Flow),
        };
        let course = &compiled.courses[usize::from(flow.0)];
        let cleanup = course.cleanup.iter().map(|step| Todo::plain(*step, scope, Purpose::Shake)).collect();
        Sacrifice { after, todos: self.steps.into_iter().map(todo).collect(), cleanup }
    }
}
