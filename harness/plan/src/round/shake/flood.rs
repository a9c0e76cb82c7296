//! Floods: one tenant sends an operation many times at once while others go through the same flow, and before and after it.
//!
//! Quiet stages and floods take turns, so that whatever else changes in the course of a round comes over both alike. Like poisonings
//! they stand behind everything that the round is there for.

use coalmine_core::perturb::{Manner, Perturbation};
use coalmine_core::plan::{FlowId, Phase, Purpose, ScopeId};
use coalmine_core::step::StepId;

use super::Mood;
use super::manner::may_repeat;
use super::pass::{beginning, is_narrow};
use super::poison::{cast, empty_lanes, request, traces};
use crate::compile::Compiled;
use crate::draw::Draw;
use crate::round::room::Rooms;
use crate::round::stage::{Stages, Todo};

/// Steps that are flooded in one round.
const STEPS_MAX: usize = 2;
/// Requests of one flood.
const REQUESTS: usize = 48;
/// The others begin when so many of them are on their way.
const REQUESTS_AHEAD: usize = 40;
/// Floods of one step in a round: an interval with a confidence of 95 % (see the oracle `noisy-neighbour`) then leaves one of them out on
/// either side, in which the machine may have done something else.
const FLOODS: usize = 9;
/// Others who go through the flow meanwhile: many would be a flood themselves.
const WATCHERS_MAX: usize = 8;

/// What one tenant sends, and who is there beside it.
struct Flood<'p> {
    flow: FlowId,
    /// The flooded step and those before it.
    steps: &'p [StepId],
    by: usize,
    /// Of other tenants.
    watchers: Vec<usize>,
}

/// Whether all requests of a flood belong to one pass.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copies {
    /// They are copies of one another.
    OfOnePass,
    /// Each is that of a pass of its own.
    OfPassesEach,
}

/// Adds the stages of the round's floods. Returns what removes their traces, lane by lane.
pub(crate) fn floods(
    compiled: &Compiled,
    mood: &Mood,
    draw: &mut Draw,
    rooms: &mut Rooms<'_>,
    stages: &mut Stages,
) -> Vec<Vec<Todo>> {
    let mut cleanup = empty_lanes(rooms);
    let mut able = able(compiled, mood);
    draw.shuffle(&mut able);
    able.truncate(STEPS_MAX);
    for (flow, steps) in able {
        if draw.below(1000) >= mood.permille(Perturbation::Flood) {
            continue;
        }
        let Some((by, mut watchers)) = cast(compiled, flow, rooms, draw) else { continue };
        draw.shuffle(&mut watchers);
        watchers.truncate(WATCHERS_MAX);
        let flood = Flood { flow, steps: &steps, by, watchers };
        for _ in 0..FLOODS {
            flood.add(compiled, rooms, stages, &mut cleanup);
        }
        let lanes = flood.watch(compiled, rooms, &mut cleanup);
        stages.add(Phase::Flows, rooms, lanes);
    }
    cleanup
}

/// Operations of the floods of one round at most, where the passes of no flow with what removes their traces take more than these steps.
pub(crate) fn flood_ops_max(steps: u64) -> u64 {
    let watched = WATCHERS_MAX as u64 * steps;
    let flood = REQUESTS as u64 * (1 + steps) + steps + 2 * watched;
    STEPS_MAX as u64 * (FLOODS as u64 * flood + watched)
}

impl Flood<'_> {
    /// What it takes before the flood, quiet, and the flood.
    fn add(&self, compiled: &Compiled, rooms: &mut Rooms<'_>, stages: &mut Stages, cleanup: &mut [Vec<Todo>]) {
        let Some((step, before)) = self.steps.split_last() else { return };
        let scopes = self.scopes(compiled, *step, rooms);
        let mut lanes = empty_lanes(rooms);
        for scope in &scopes {
            lanes[self.by].extend(before.iter().map(|step| Todo::plain(*step, *scope, Purpose::Shake)));
            cleanup[self.by].extend(traces(compiled, self.flow, *scope));
        }
        stages.add(Phase::Flows, rooms, lanes);
        let lanes = self.watch(compiled, rooms, cleanup);
        stages.add(Phase::Flows, rooms, lanes);

        let mut lanes = self.watch(compiled, rooms, cleanup);
        let manner = Manner { flood: true, ..Manner::default() };
        let copy = |scope: &ScopeId| Todo { manner, ..Todo::plain(*step, *scope, Purpose::Shake) };
        lanes[self.by].extend(scopes.iter().cycle().take(REQUESTS).map(copy));
        self.wait_for_the_end(compiled, rooms, &mut lanes, cleanup);
        let numbers = stages.add(Phase::Flows, rooms, lanes);
        if let Some(op) = numbers[self.by].get(REQUESTS_AHEAD) {
            stages.hold_back_others(rooms.principal(self.by).id, *op);
        }
    }

    /// Once more as an honest client, so that what the target does behind a queue has come over the flood before it is quiet again.
    fn wait_for_the_end(
        &self,
        compiled: &Compiled,
        rooms: &mut Rooms<'_>,
        lanes: &mut [Vec<Todo>],
        cleanup: &mut [Vec<Todo>],
    ) {
        if is_narrow(compiled, self.flow, self.by, rooms) {
            return;
        }
        let scope = rooms.open(self.by, self.flow);
        let steps = beginning(compiled, self.flow).into_iter();
        lanes[self.by].extend(steps.map(|step| Todo::plain(step, scope, Purpose::Shake)));
        cleanup[self.by].extend(traces(compiled, self.flow, scope));
    }

    /// The others go through the flow, each once.
    fn watch(&self, compiled: &Compiled, rooms: &mut Rooms<'_>, cleanup: &mut [Vec<Todo>]) -> Vec<Vec<Todo>> {
        let steps = beginning(compiled, self.flow);
        let mut lanes = empty_lanes(rooms);
        for place in self
            .watchers
            .iter()
            .copied()
            .filter(|place| !is_narrow(compiled, self.flow, *place, rooms))
            .collect::<Vec<_>>()
        {
            let scope = rooms.open(place, self.flow);
            lanes[place].extend(steps.iter().map(|step| Todo::plain(*step, scope, Purpose::Flow)));
            cleanup[place].extend(traces(compiled, self.flow, scope));
        }
        lanes
    }

    fn scopes(&self, compiled: &Compiled, step: StepId, rooms: &mut Rooms<'_>) -> Vec<ScopeId> {
        let count = if copies(compiled, step) == Copies::OfOnePass { 1 } else { REQUESTS };
        let mut scopes = vec![];
        while scopes.len() < count && !is_narrow(compiled, self.flow, self.by, rooms) {
            scopes.push(rooms.open(self.by, self.flow));
        }
        scopes
    }
}

/// What may be repeated, and hands nothing on that a second answer would replace, is sent again and again in one pass.
fn copies(compiled: &Compiled, step: StepId) -> Copies {
    let has_captures = !compiled.steps[usize::from(step.0)].captures.is_empty();
    if request(compiled, step).is_some_and(may_repeat) && !has_captures {
        Copies::OfOnePass
    } else {
        Copies::OfPassesEach
    }
}

/// Steps that can be flooded, each with those before it in its flow: where the scenario names none, those that may be repeated.
/// Accounts that exist already are left in peace unless the scenario asks for it.
fn able(compiled: &Compiled, mood: &Mood) -> Vec<(FlowId, Vec<StepId>)> {
    let is_named = mood.names_steps(Perturbation::Flood);
    let is_demanded = compiled.shaking.demanded.contains(&Perturbation::Flood);
    if compiled.tenants.accounts.is_some() && !is_demanded {
        return vec![];
    }
    let is_able = |step: StepId| {
        let is_request = request(compiled, step).is_some() && mood.is_for(Perturbation::Flood, step);
        is_request && (is_named || copies(compiled, step) == Copies::OfOnePass)
    };
    let mut all = vec![];
    for (flow, course) in (0..).map(FlowId).zip(&compiled.courses).skip(1) {
        if course.block.is_some() || course.is_anonymous || !mood.has(flow) {
            continue;
        }
        let steps = beginning(compiled, flow);
        let ends = (0..steps.len()).filter(|at| is_able(steps[*at]));
        all.extend(ends.map(|at| (flow, steps[..=at].to_vec())));
    }
    all
}
