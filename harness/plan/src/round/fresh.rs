//! Tenants that make nothing look whether there is something: beside the flows of the others, and once more after them.

use coalmine_core::model::Asks;
use coalmine_core::plan::{FlowId, Phase, Purpose};
use coalmine_core::step::{Step, StepId};

use super::room::Rooms;
use super::stage::{Stages, Todo};
use crate::compile::Compiled;

/// How often a fresh principal looks beside the flows at most.
const LOOKS_MAX: usize = 64;

/// Whether those who have made nothing find nothing there.
pub(super) fn is_look(step: &Step) -> bool {
    step.models.iter().any(|model| model.asks == Asks::Nothing)
}

/// Lets the fresh look as long as the flows of the others go on.
pub(super) fn look_beside(compiled: &Compiled, rooms: &mut Rooms<'_>, lanes: &mut [Vec<Todo>]) {
    let busy = lanes.iter().map(Vec::len).max().unwrap_or_default();
    let fresh = rooms.people().fresh_places();
    for (place, lane) in lanes.iter_mut().enumerate().filter(|(place, _)| fresh.contains(place)) {
        let looks = looks(compiled, rooms, place);
        let times = (busy / looks.len().max(1)).clamp(1, LOOKS_MAX);
        lane.extend((0..times).flat_map(|_| todos(&looks)));
    }
}

/// Lets them look once more, when all others are through.
pub(super) fn look_after(compiled: &Compiled, rooms: &mut Rooms<'_>, stages: &mut Stages) {
    let mut lanes = vec![];
    for place in 0..rooms.people().count() {
        lanes.push(if rooms.people().fresh_places().contains(&place) {
            todos(&looks(compiled, rooms, place)).collect()
        } else {
            vec![]
        });
    }
    stages.add(Phase::Flows, rooms, lanes);
}

type Look = (StepId, coalmine_core::plan::ScopeId);

fn looks(compiled: &Compiled, rooms: &mut Rooms<'_>, place: usize) -> Vec<Look> {
    let mut looks = vec![];
    for (flow, course) in (0..).map(FlowId).zip(&compiled.courses).skip(1) {
        for step in course.steps.iter().filter(|step| is_look(&compiled.steps[usize::from(step.0)])) {
            looks.push((*step, rooms.idle(place, flow)));
        }
    }
    looks
}

fn todos(looks: &[Look]) -> impl Iterator<Item = Todo> + '_ {
    looks.iter().map(|(step, scope)| Todo::plain(*step, *scope, Purpose::Fresh))
}
