//! A round that changes nothing: steps that write are left out, with what only they make possible.

use coalmine_core::plan::ObjectRule;
use coalmine_core::step::StepId;

use crate::compile::{Compiled, Leg};

/// The scenario without its steps that write. Steps that need what a missing one would have captured are planned all the
/// same, and skipped when their turn comes.
pub(super) fn only(compiled: &Compiled) -> Compiled {
    let mut calm = Compiled { logout: None, voiding: None, ..compiled.clone() };
    let stays = |step: &StepId| !compiled.writes.contains(step);
    let once = [&mut calm.register, &mut calm.teardown];
    for steps in once.into_iter().flat_map(|once| [&mut once.tenant, &mut once.user]) {
        steps.retain(stays);
    }
    for course in &mut calm.courses {
        course.steps.retain(stays);
        course.legs.retain(|leg| match leg {
            Leg::Step(step) => stays(step),
            Leg::Block(_) => true,
        });
        course.cleanup.retain(stays);
        course.visits.iter_mut().for_each(|(_, steps)| steps.retain(stays));
    }
    for step in &mut calm.steps {
        let flow = calm.flows.iter().find(|flow| flow.name == step.flow);
        let is_sent = |planted_by: Option<StepId>| planted_by.is_none_or(|step| stays(&step));
        step.sees.retain(|canary| is_sent(planted_by(flow, *canary)));
    }
    calm.objects.retain(|object| stays(&object.read) && is_captured(compiled, object));
    for object in &mut calm.objects {
        for step in [&mut object.update, &mut object.delete, &mut object.list, &mut object.export] {
            *step = step.filter(stays);
        }
    }
    calm
}

/// The step that sends a canary of its own flow.
fn planted_by(flow: Option<&coalmine_core::plan::Flow>, canary: coalmine_core::template::CanaryRef) -> Option<StepId> {
    let is_own = canary.level == coalmine_core::template::Level::Flow;
    flow.filter(|_| is_own)?.canaries.get(usize::from(canary.slot)).map(|spec| spec.planted_by)
}

/// Whether a step that stays captures the object's id.
fn is_captured(compiled: &Compiled, object: &ObjectRule) -> bool {
    let course = &compiled.courses[usize::from(object.flow.0)];
    let steps = course.steps.iter().filter(|step| !compiled.writes.contains(step));
    let mut captures = steps.flat_map(|step| &compiled.steps[usize::from(step.0)].captures);
    captures.any(|capture| capture.variable == object.id)
}
