//! Users ask with the ETags that users of other tenants were given.

use coalmine_core::plan::{FlowId, Phase, Purpose};

use super::room::Rooms;
use super::shake::Mood;
use super::size::Size;
use super::stage::{Stages, Todo};
use crate::compile::Compiled;

/// Adds a stage in which everybody asks once with the ETag of the next tenant, for each step that wants it.
pub(super) fn stage(compiled: &Compiled, (size, mood): (&Size, &Mood), rooms: &mut Rooms<'_>, stages: &mut Stages) {
    let mut lanes: Vec<Vec<Todo>> = vec![];
    for place in 0..rooms.people().makers() {
        let own = rooms.people().tenant_of(place);
        let makers = rooms.people().tenants().len() - rooms.people().fresh();
        let other = rooms.people().tenants()[(own + 1) % makers].start;
        lanes.push(if makers > 1 { asks(compiled, (size, mood), rooms, (place, other)) } else { vec![] });
    }
    stages.add(Phase::Probe, rooms, lanes);
}

fn asks(
    compiled: &Compiled,
    (size, mood): (&Size, &Mood),
    rooms: &mut Rooms<'_>,
    (place, other): (usize, usize),
) -> Vec<Todo> {
    let mut todos = vec![];
    for (flow, course) in (0..).map(FlowId).zip(&compiled.courses).skip(1) {
        // Nobody was given an ETag in a flow that the round leaves out.
        if !mood.has(flow) || ![place, other].into_iter().all(|it| rooms.people().goes_through(it, course)) {
            continue;
        }
        let pass = rooms.pass(other, flow, size.repeats[usize::from(flow.0)] - 1);
        for step in course.steps.iter().filter(|step| compiled.steps[usize::from(step.0)].revalidated) {
            let scope = rooms.idle(place, flow);
            todos.push(Todo::plain(*step, scope, Purpose::Revalidate { other: pass }));
        }
    }
    todos
}
