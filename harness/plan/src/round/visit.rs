//! Members look at what was shared with them, once all are through the flows.

use coalmine_core::plan::{FlowId, Phase, Purpose, ScopeId};
use coalmine_core::step::StepId;
use coalmine_core::template::Level;

use super::room::Rooms;
use super::size::Size;
use super::stage::{Stages, Todo};
use crate::compile::Compiled;

/// Adds a stage with all visits to all passes.
pub(super) fn stage(compiled: &Compiled, size: &Size, rooms: &mut Rooms<'_>, stages: &mut Stages) {
    let mut lanes: Vec<Vec<Todo>> = (0..size.principals()).map(|_| vec![]).collect();
    for (flow, course) in (0..).map(FlowId).zip(&compiled.courses) {
        for host in (0..size.principals() as usize).filter(|_| !course.visits.is_empty()) {
            if !course.is_for(rooms.principal(host)) {
                continue;
            }
            for pass in 0..size.repeats[usize::from(flow.0)] {
                let host = rooms.pass(host, flow, pass);
                for (member, steps) in &course.visits {
                    let visitor = rooms.members(host).nth(usize::from(*member));
                    if let Some(visitor) = visitor {
                        lanes[visitor].extend(visit(compiled, rooms, visitor, (flow, host), steps));
                    }
                }
            }
        }
    }
    stages.add(Phase::Flows, rooms, lanes);
}

fn visit(
    compiled: &Compiled,
    rooms: &mut Rooms<'_>,
    visitor: usize,
    (flow, host): (FlowId, ScopeId),
    steps: &[StepId],
) -> Vec<Todo> {
    let sends = |step: &StepId| compiled.steps[usize::from(step.0)].sends();
    let plants = steps.iter().flat_map(sends).any(|canary| canary.level == Level::Flow);
    let scope = if plants { rooms.open(visitor, flow) } else { rooms.idle(visitor, flow) };
    steps.iter().map(|step| Todo::plain(*step, scope, Purpose::Visit { host })).collect()
}
