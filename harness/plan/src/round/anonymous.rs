//! Somebody without credentials tries to read others' objects, and steps of flows.

use coalmine_core::plan::{Access, FlowId, Phase, Purpose, ScopeId};
use coalmine_core::sharing::Public;
use coalmine_core::step::StepId;
use coalmine_core::template::Level;

use super::room::Rooms;
use super::size::Size;
use super::stage::{Stages, Todo};
use crate::compile::{Anonymous, Compiled};
use crate::draw::Draw;

/// Others whose objects are tried in each way, and in whose passes each step is tried: what needs no credentials needs them from
/// nobody.
const HOSTS: u32 = 4;

/// One try.
struct Try {
    host: usize,
    scope: ScopeId,
    flow: FlowId,
    step: StepId,
    /// The object and what is done with it; none for a step of a flow.
    object: Option<(u16, Access)>,
}

/// Adds a stage of tries, and one in which the owners look at their objects.
pub(super) fn stages(compiled: &Compiled, size: &Size, draw: &mut Draw, rooms: &mut Rooms<'_>, stages: &mut Stages) {
    let (Some(anonymous), Some(place)) = (&compiled.anonymous, rooms.people().anonymous()) else { return };
    let mut tries = of_objects(compiled, anonymous, size, draw, rooms);
    for (flow, step) in &anonymous.tries {
        let hosts = hosts(compiled, size, draw, rooms, *flow);
        let one = |(host, scope)| Try { host, scope, flow: *flow, step: *step, object: None };
        tries.extend(hosts.into_iter().take(1).map(one));
    }
    let mut lanes: Vec<Vec<Todo>> = (0..rooms.people().count()).map(|_| vec![]).collect();
    lanes[place] = tries.iter().map(|it| it.todo(compiled, place, rooms)).collect();
    let numbers = stages.add(Phase::Probe, rooms, lanes);
    let mut looks: Vec<Vec<Todo>> = (0..rooms.people().count()).map(|_| vec![]).collect();
    for (tried, probe) in tries.iter().zip(numbers.into_iter().flatten()) {
        if let Some((object, _)) = tried.object {
            let read = compiled.objects[usize::from(object)].read;
            looks[tried.host].push(Todo::plain(read, tried.scope, Purpose::Confirm { probe }));
        }
    }
    stages.add(Phase::Confirm, rooms, looks);
}

fn of_objects(compiled: &Compiled, anonymous: &Anonymous, size: &Size, draw: &mut Draw, rooms: &Rooms<'_>) -> Vec<Try> {
    let mut tries = vec![];
    for (object, rule) in (0..).zip(&compiled.objects) {
        for access in [Access::Read, Access::List, Access::Export] {
            let step = rule.step(access).and_then(|step| anonymous.bare.get(&step));
            let is_public = |step: &&StepId| compiled.steps[usize::from(step.0)].public == Some(Public::Everything);
            let Some(step) = step.filter(|step| !is_public(step)) else { continue };
            let hosts = hosts(compiled, size, draw, rooms, rule.flow);
            let object = Some((object, access));
            tries.extend(hosts.into_iter().map(|(host, scope)| Try {
                host,
                scope,
                flow: rule.flow,
                step: *step,
                object,
            }));
        }
    }
    tries
}

/// A few who go through the flow, and a pass of each.
fn hosts(compiled: &Compiled, size: &Size, draw: &mut Draw, rooms: &Rooms<'_>, flow: FlowId) -> Vec<(usize, ScopeId)> {
    let (people, course) = (rooms.people(), &compiled.courses[usize::from(compiled.flow_of(flow).0)]);
    let able: Vec<usize> = (0..people.count_in_tenants()).filter(|place| people.goes_through(*place, course)).collect();
    let drawn = draw.distinct_below(u32::try_from(able.len()).unwrap_or(u32::MAX), HOSTS);
    let hosts = drawn.into_iter().map(|nth| {
        let host = able[nth as usize];
        let passes = super::probe::passes(compiled, size, flow);
        let drawn = draw.below(u32::try_from(passes.len()).unwrap_or(u32::MAX));
        (host, rooms.pass(host, flow, passes[drawn as usize]))
    });
    hosts.collect()
}

impl Try {
    fn todo(&self, compiled: &Compiled, place: usize, rooms: &mut Rooms<'_>) -> Todo {
        let sends = compiled.steps[usize::from(self.step.0)].sends();
        let plants = sends.iter().any(|canary| canary.level == Level::Flow);
        let scope = if plants { rooms.open(place, self.flow) } else { rooms.idle(place, self.flow) };
        let purpose = match self.object {
            Some((object, access)) => Purpose::Probe { victim: self.scope, object, access },
            None => Purpose::Anonymous { host: self.scope },
        };
        Todo::plain(self.step, scope, purpose)
    }
}
