//! Poisonings: one tenant sends what no honest client sends, and others go through the same flow before and after it.
//!
//! They have stages of their own behind everything that the round is there for, so that nothing else of it depends on how the target
//! bears them, and what the others meet afterwards can have no other cause in the round.

use coalmine_core::perturb::{Manner, Perturbation, Poison, PoisonKind};
use coalmine_core::plan::{FlowId, Phase, Purpose, ScopeId};
use coalmine_core::step::{Action, Payload, Request, StepId};

use super::Mood;
use super::pass::{beginning, is_narrow};
use crate::compile::Compiled;
use crate::draw::Draw;
use crate::round::room::Rooms;
use crate::round::stage::{Stages, Todo};

/// Steps that are poisoned in one round.
const STEPS_MAX: usize = 2;
/// The others go through the flow so often in a stage, all together, unless they are too few.
const PASSES_WANTED: usize = 8;
/// One principal goes through the flow at most so often in a stage.
const PASSES_EACH_MAX: usize = 4;
/// Stages after a poisoning in which the others go through the flow: the second confirms the first.
const STAGES_AFTER: usize = 2;

/// What one tenant does to the others.
struct Poisoning<'p> {
    flow: FlowId,
    /// The poisoned step and those before it.
    steps: &'p [StepId],
    by: usize,
    /// Of other tenants.
    watchers: Vec<usize>,
}

/// Adds the stages of the round's poisonings. Returns what removes their traces, lane by lane.
pub(crate) fn poisonings(
    compiled: &Compiled,
    mood: &Mood,
    draw: &mut Draw,
    rooms: &mut Rooms<'_>,
    stages: &mut Stages,
) -> Vec<Vec<Todo>> {
    let mut cleanup = empty_lanes(rooms);
    let mut flows: Vec<(FlowId, Vec<StepId>)> = able(compiled, mood);
    draw.shuffle(&mut flows);
    flows.truncate(STEPS_MAX);
    for (flow, steps) in flows {
        if draw.below(1000) >= mood.permille(Perturbation::Poison) {
            continue;
        }
        let Some((by, watchers)) = cast(compiled, flow, rooms, draw) else { continue };
        let poisoning = Poisoning { flow, steps: &steps, by, watchers };
        poisoning.watch(compiled, rooms, stages, &mut cleanup);
        poisoning.poison(compiled, draw, rooms, stages, &mut cleanup);
        for _ in 0..STAGES_AFTER {
            poisoning.watch(compiled, rooms, stages, &mut cleanup);
        }
    }
    cleanup
}

/// Operations of the poisonings of one round at most, where the passes of no flow with what removes their traces take more than these steps.
pub(crate) fn poison_ops_max(steps: u64, principals: u64) -> u64 {
    let watched = principals.max(PASSES_WANTED as u64) * steps;
    let poisoned = (PoisonKind::ALL.len() as u64 + 1) * steps;
    STEPS_MAX as u64 * (poisoned + (1 + STAGES_AFTER as u64) * watched)
}

impl Poisoning<'_> {
    /// The others go through the flow.
    fn watch(&self, compiled: &Compiled, rooms: &mut Rooms<'_>, stages: &mut Stages, cleanup: &mut [Vec<Todo>]) {
        let passes = (PASSES_WANTED / self.watchers.len().max(1)).clamp(1, PASSES_EACH_MAX);
        let steps = beginning(compiled, self.flow);
        let mut lanes = empty_lanes(rooms);
        for place in &self.watchers {
            for _ in 0..passes {
                if is_narrow(compiled, self.flow, *place, rooms) {
                    continue;
                }
                let scope = rooms.open(*place, self.flow);
                lanes[*place].extend(steps.iter().map(|step| Todo::plain(*step, scope, Purpose::Flow)));
                cleanup[*place].extend(traces(compiled, self.flow, scope));
            }
        }
        stages.add(Phase::Flows, rooms, lanes);
    }

    /// One goes through the flow once for each kind of poison, up to the poisoned step; and once more as an honest client would,
    /// so that what the target does behind a queue has come over the poison by then.
    fn poison(
        &self,
        compiled: &Compiled,
        draw: &mut Draw,
        rooms: &mut Rooms<'_>,
        stages: &mut Stages,
        cleanup: &mut [Vec<Todo>],
    ) {
        let Some((step, before)) = self.steps.split_last() else { return };
        let mut kinds = request(compiled, *step).map(kinds).unwrap_or_default();
        draw.shuffle(&mut kinds);
        let mut lanes = empty_lanes(rooms);
        for kind in kinds {
            if is_narrow(compiled, self.flow, self.by, rooms) {
                continue;
            }
            let scope = rooms.open(self.by, self.flow);
            let value = u16::try_from(draw.below(1 << 16)).unwrap_or(u16::MAX);
            let manner = Manner { poison: Some(Poison { kind, value }), ..Manner::default() };
            lanes[self.by].extend(before.iter().map(|step| Todo::plain(*step, scope, Purpose::Shake)));
            lanes[self.by].push(Todo { step: *step, scope, purpose: Purpose::Shake, manner });
            cleanup[self.by].extend(traces(compiled, self.flow, scope));
        }
        if !is_narrow(compiled, self.flow, self.by, rooms) {
            let scope = rooms.open(self.by, self.flow);
            let steps = beginning(compiled, self.flow).into_iter();
            lanes[self.by].extend(steps.map(|step| Todo::plain(step, scope, Purpose::Shake)));
            cleanup[self.by].extend(traces(compiled, self.flow, scope));
        }
        stages.add(Phase::Flows, rooms, lanes);
    }
}

/// One for each principal.
pub(crate) fn empty_lanes(rooms: &Rooms<'_>) -> Vec<Vec<Todo>> {
    (0..rooms.people().count()).map(|_| vec![]).collect()
}

/// What removes what a pass has made.
pub(crate) fn traces(compiled: &Compiled, flow: FlowId, scope: ScopeId) -> impl Iterator<Item = Todo> + '_ {
    let steps = compiled.courses[usize::from(flow.0)].cleanup.iter();
    steps.map(move |step| Todo::plain(*step, scope, Purpose::Shake))
}

/// Steps that can be poisoned, each with those before it in its flow. Accounts that exist already are left in peace unless the
/// scenario asks for it: what is taken of the poison stays theirs.
fn able(compiled: &Compiled, mood: &Mood) -> Vec<(FlowId, Vec<StepId>)> {
    let is_demanded = compiled.shaking.demanded.contains(&Perturbation::Poison);
    if compiled.tenants.accounts.is_some() && !is_demanded {
        return vec![];
    }
    let mut all = vec![];
    for (flow, course) in (0..).map(FlowId).zip(&compiled.courses).skip(1) {
        if course.block.is_some() || course.is_anonymous || !mood.has(flow) {
            continue;
        }
        let steps = beginning(compiled, flow);
        let is_able = |step: StepId| {
            mood.is_for(Perturbation::Poison, step)
                && request(compiled, step).is_some_and(|request| request.body.is_some())
        };
        let ends = (0..steps.len()).filter(|at| is_able(steps[*at]));
        all.extend(ends.map(|at| (flow, steps[..=at].to_vec())));
    }
    all
}

pub(super) fn request(compiled: &Compiled, step: StepId) -> Option<&Request> {
    match &compiled.steps[usize::from(step.0)].action {
        Action::Request(request) => Some(request),
        _ => None,
    }
}

fn kinds(request: &Request) -> Vec<PoisonKind> {
    let is_json = matches!(request.body, Some(Payload::Json(_)));
    PoisonKind::ALL.into_iter().filter(|kind| is_json || !kind.needs_json()).collect()
}

/// Who does it, and those of at least two other tenants who see how they fare.
pub(super) fn cast(
    compiled: &Compiled,
    flow: FlowId,
    rooms: &Rooms<'_>,
    draw: &mut Draw,
) -> Option<(usize, Vec<usize>)> {
    let people = rooms.people();
    let course = &compiled.courses[usize::from(flow.0)];
    let is_in = |place: &usize| !people.at(*place).is_anonymous() && people.goes_through(*place, course);
    let all: Vec<usize> = (0..people.count()).filter(is_in).collect();
    let bound = u32::try_from(all.len()).ok().filter(|bound| *bound > 0)?;
    let by = all[draw.below(bound) as usize];
    let tenant = |place: usize| people.at(place).tenant;
    let watchers: Vec<usize> = all.into_iter().filter(|place| tenant(*place) != tenant(by)).collect();
    let first = tenant(*watchers.first()?);
    watchers.iter().any(|place| tenant(*place) != first).then_some((by, watchers))
}
