//! Twin looks: one user looks again and again at what is its own, and between its looks another tenant works, or is silent.
//!
//! Looks and works have stages of their own, in which nothing else goes on, and the seed draws before which looks the other works. So
//! whatever the user's own looks, time or a cold start change comes over both alike (non-interference: J. Goguen, J. Meseguer 1982).
//! Rounds 0 and 1 look at the same, rounds 2 and 3, and so on: what one of them shows the next has to confirm.

use coalmine_core::Seed;
use coalmine_core::plan::{FlowId, Neighbour, Phase, Purpose, ScopeId};
use coalmine_core::step::{Action, StepId};
use coalmine_core::verdict::OracleId;

use super::probe::sees_everything;
use super::room::Rooms;
use super::shake::{beginning, empty_lanes, is_narrow, traces};
use super::stage::{Stages, Todo};
use crate::compile::Compiled;
use crate::draw::Draw;

/// Steps that are looked at in one round.
const STEPS_MAX: usize = 4;
/// Looks after which the other has worked, and as many after which it was silent.
const TRIALS: usize = 16;
/// Of three rounds, the other works in two in the flow that is looked at, if it can.
const OWN_FLOW_OF_THREE: u32 = 2;

/// Who looks at which steps, and who works in which flow.
struct Cast {
    looking: (usize, FlowId),
    steps: Vec<StepId>,
    working: (usize, FlowId),
}

/// Operations of a round at most.
pub(super) fn ops_max(compiled: &Compiled) -> u64 {
    if !compiled.policy.asks(OracleId::Interference) {
        return 0;
    }
    let passes = compiled.courses.iter().skip(1).map(|course| (course.steps.len() + course.cleanup.len()) as u64);
    let trials = TRIALS as u64;
    (2 + trials) * passes.max().unwrap_or_default() + (2 + 2 * trials) * STEPS_MAX as u64
}

/// Adds the stages of the looks. Returns what removes the traces of both, lane by lane.
pub(super) fn stages(
    compiled: &Compiled,
    (seed, round): (Seed, u32),
    rooms: &mut Rooms<'_>,
    stages: &mut Stages,
) -> Vec<Vec<Todo>> {
    let mut cleanup = empty_lanes(rooms);
    if !compiled.policy.asks(OracleId::Interference) {
        return cleanup;
    }
    let mut draw = Draw::new(seed, "coalmine interference v1", round / 2, 0);
    let Some(cast) = cast(compiled, rooms, &mut draw) else { return cleanup };
    let Some(own) = pass(compiled, cast.looking, rooms, stages, &mut cleanup) else { return cleanup };
    let mut order = [[Neighbour::Silent; TRIALS], [Neighbour::Active; TRIALS]].concat();
    Draw::new(seed, "coalmine order of looks v1", round, 0).shuffle(&mut order);
    let Some(mut with) = pass(compiled, cast.working, rooms, stages, &mut cleanup) else { return cleanup };
    cast.look(own, (with, Neighbour::WarmingUp), rooms, stages);
    for neighbour in std::iter::once(Neighbour::WarmingUp).chain(order) {
        if neighbour != Neighbour::Silent {
            let Some(pass) = pass(compiled, cast.working, rooms, stages, &mut cleanup) else { break };
            with = pass;
        }
        cast.look(own, (with, neighbour), rooms, stages);
    }
    cleanup
}

fn cast(compiled: &Compiled, rooms: &Rooms<'_>, draw: &mut Draw) -> Option<Cast> {
    let flows = (0..).map(FlowId).zip(&compiled.courses).skip(1);
    let flows = flows.filter(|(_, course)| course.block.is_none() && !course.is_anonymous);
    let flows: Vec<FlowId> = flows.map(|(flow, _)| flow).collect();
    let read: Vec<FlowId> = flows.iter().copied().filter(|flow| !looks(compiled, *flow).is_empty()).collect();
    let written: Vec<FlowId> = flows.into_iter().filter(|flow| writes(compiled, *flow)).collect();
    let flow = *one_of(&read, draw)?;
    let mut steps = looks(compiled, flow);
    draw.shuffle(&mut steps);
    steps.truncate(STEPS_MAX);
    let stays = written.contains(&flow) && draw.below(3) < OWN_FLOW_OF_THREE;
    let works_in = if stays { flow } else { *one_of(&written, draw)? };
    let able = |flow: FlowId| {
        let course = &compiled.courses[usize::from(flow.0)];
        let people = rooms.people();
        let is_able = |place: &usize| people.goes_through(*place, course) && !people.at(*place).is_anonymous();
        (0..people.count()).filter(is_able).collect::<Vec<_>>()
    };
    let people = rooms.people();
    let lookers = able(flow).into_iter().filter(|place| !sees_everything(compiled, people.at(*place)));
    let looking = *one_of(&lookers.collect::<Vec<_>>(), draw)?;
    let others = able(works_in).into_iter().filter(|place| people.at(*place).tenant != people.at(looking).tenant);
    let working = *one_of(&others.collect::<Vec<_>>(), draw)?;
    Some(Cast { looking: (looking, flow), steps, working: (working, works_in) })
}

fn one_of<'t, T>(items: &'t [T], draw: &mut Draw) -> Option<&'t T> {
    let bound = u32::try_from(items.len()).ok().filter(|bound| *bound > 0)?;
    items.get(draw.below(bound) as usize)
}

/// Steps that show somebody what is its own, and can be done as often as one likes.
fn looks(compiled: &Compiled, flow: FlowId) -> Vec<StepId> {
    let is_look = |id: &StepId| {
        let step = &compiled.steps[usize::from(id.0)];
        let is_own = step.public.is_none() && !compiled.without_auth.contains(id);
        let is_plain = step.due.is_empty() && step.until.is_none() && step.sends().is_empty();
        matches!(&step.action, Action::Request(request) if request.method == "GET")
            && is_own
            && is_plain
            && !compiled.writes.contains(id)
    };
    beginning(compiled, flow).into_iter().filter(is_look).collect()
}

/// Whether something is made in it, and nobody else is meant to see that.
fn writes(compiled: &Compiled, flow: FlowId) -> bool {
    let is_shared = !compiled.flows[usize::from(flow.0)].members.is_empty();
    let is_public = |step: &StepId| compiled.steps[usize::from(step.0)].public.is_some();
    let steps = beginning(compiled, flow);
    !is_shared && steps.iter().any(|step| compiled.writes.contains(step)) && !steps.iter().any(is_public)
}

/// Somebody goes through a flow while nobody else does anything; none where its canaries would run out.
fn pass(
    compiled: &Compiled,
    (place, flow): (usize, FlowId),
    rooms: &mut Rooms<'_>,
    stages: &mut Stages,
    cleanup: &mut [Vec<Todo>],
) -> Option<ScopeId> {
    if is_narrow(compiled, flow, place, rooms) {
        return None;
    }
    let scope = rooms.open(place, flow);
    let mut lanes = empty_lanes(rooms);
    let steps = beginning(compiled, flow).into_iter();
    lanes[place].extend(steps.map(|step| Todo::plain(step, scope, Purpose::Flow)));
    cleanup[place].extend(traces(compiled, flow, scope));
    stages.add(Phase::Flows, rooms, lanes);
    Some(scope)
}

impl Cast {
    fn look(&self, own: ScopeId, (with, neighbour): (ScopeId, Neighbour), rooms: &Rooms<'_>, stages: &mut Stages) {
        let mut lanes = empty_lanes(rooms);
        let look = |step: &StepId| Todo::plain(*step, own, Purpose::Twin { with, neighbour });
        lanes[self.looking.0].extend(self.steps.iter().map(look));
        stages.add(Phase::Probe, rooms, lanes);
    }
}
