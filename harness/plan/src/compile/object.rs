//! Objects that others must not reach, and fields that say whose an answer is.

use coalmine_core::plan::{FlowId, IdentityRule, Mine, ObjectRule};
use coalmine_core::step::{Action, Payload, StepId};
use coalmine_core::template::VariableRef;

use super::settings::json_path;
use super::{Compiler, Place};
use crate::document::{Document, Either, IdentityText, ObjectText};
use crate::span::Spanned;
use crate::suggestion;

impl Compiler<'_> {
    pub(super) fn objects(&self, document: &Document) -> Vec<ObjectRule> {
        document.objects.0.iter().filter_map(|(name, object)| self.object(name, object)).collect()
    }

    fn object(&self, name: &Spanned<String>, object: &ObjectText) -> Option<ObjectRule> {
        self.check_name(name, "object");
        let read = self.object_step(&object.read, None);
        let flow = read.map(|place| place.flow);
        let others = [&object.update, &object.delete, &object.list, &object.export];
        let others = others.map(|step| step.as_ref().map(|step| (step, self.object_step(step, flow))));
        let read = read?;
        let id = self.object_id(&object.id, read)?;
        for (step, place) in std::iter::once((&object.read, Some(read))).chain(others.into_iter().flatten()) {
            self.check_use(step, place, &object.id, id);
        }
        if let [_, Some((written, Some(place))), ..] = others {
            self.check_survives(written, place);
        }
        let [update, delete, list, export] = others.map(|step| step.and_then(|(_, place)| Some(place?.step)));
        let refused = object.refused.iter().flat_map(Either::as_slice);
        Some(ObjectRule {
            name: name.value.clone(),
            flow: read.flow,
            id,
            read: read.step,
            update,
            delete,
            list,
            export,
            refused: refused.map(|status| self.status(status)).collect(),
            indistinguishable: object.indistinguishable,
        })
    }

    fn object_step(&self, written: &Spanned<String>, flow: Option<FlowId>) -> Option<Place> {
        let Some(place) = self.places.get(written.as_str()).copied() else {
            let help = suggestion::help(written.as_str(), self.places.keys().map(String::as_str));
            self.problems.absent(written.span, format!("there is no step `{}`", written.value), help);
            return None;
        };
        if place.flow == FlowId::SESSION {
            self.problems.add(written.span, "a step of `auth` cannot be tried on another's object", None);
            return None;
        }
        if flow.is_some_and(|flow| flow != place.flow) {
            self.problems.add(written.span, "the steps of an object belong to one flow", None);
            return None;
        }
        let is_request = self.step_at(place.step).is_some_and(|action| matches!(action, Action::Request(_)));
        if !is_request {
            self.problems.absent(written.span, format!("the step `{}` is not a request", written.value), None);
        }
        is_request.then_some(place)
    }

    fn step_at(&self, id: StepId) -> Option<&Action> {
        self.steps.get(usize::from(id.0)).map(|step| &step.action)
    }

    fn object_id(&self, written: &Spanned<String>, read: Place) -> Option<VariableRef> {
        let flow = &self.flows[usize::from(read.flow.0)];
        let slot = flow.variables.iter().position(|variable| *variable == written.value);
        let Some(slot) = slot else {
            let message = format!("the flow `{}` captures nothing called `{}`", flow.name, written.value);
            let help = suggestion::help(written.as_str(), flow.variables.iter().map(String::as_str));
            self.problems.absent(written.span, message, help);
            return None;
        };
        let slot = self.slot(slot, written.span);
        Some(VariableRef { level: coalmine_core::template::Level::Flow, slot })
    }

    /// A step that does not send the object's id would try nothing.
    fn check_use(&self, written: &Spanned<String>, place: Option<Place>, name: &Spanned<String>, id: VariableRef) {
        let Some(action) = place.and_then(|place| self.step_at(place.step)) else { return };
        if !uses(action, id) {
            let message = format!("the step `{}` does not send `{{{{{}}}}}`", written.value, name.value);
            self.problems.absent(written.span, message, None);
        }
    }

    /// An object that its own flow removes is not there any more when others try it.
    fn check_survives(&self, written: &Spanned<String>, place: Place) {
        if !place.in_cleanup {
            let message = format!("the step `{}` removes the object before others can try it", written.value);
            self.problems.add(written.span, message, Some("move the step to the flow's `cleanup`".to_owned()));
        }
    }

    pub(super) fn identities(&self, document: &Document) -> Vec<IdentityRule> {
        document.identity.0.iter().filter_map(|(name, identity)| self.identity(name, identity)).collect()
    }

    fn identity(&self, name: &Spanned<String>, identity: &IdentityText) -> Option<IdentityRule> {
        self.check_name(name, "identity");
        let path = json_path(&identity.field, self.problems);
        let mine = self.mine(&identity.mine)?;
        Some(IdentityRule { name: name.value.clone(), path, mine, scope: identity.may_see })
    }

    fn mine(&self, written: &Spanned<String>) -> Option<Mine> {
        if let Some(slot) = self.attribute(written.as_str()) {
            self.check_not_secret(written.as_str(), written.span);
            return Some(Mine::Attribute(slot));
        }
        let found = self.captured_as(written.as_str());
        if let [flow, _, ..] = found.as_slice()
            && *flow != FlowId::SESSION
        {
            let help = format!("say which one: `flow.{}`", written.value);
            self.problems.absent(written.span, format!("several flows capture `{}`", written.value), Some(help));
        }
        let Some(flow) = found.first().copied() else {
            let names = self.flows.iter().flat_map(|flow| flow.variables.iter().map(String::as_str));
            let help = suggestion::help(written.as_str(), names.chain(self.attribute_names()));
            self.problems.absent(written.span, format!("nothing is captured as `{}`", written.value), help);
            return None;
        };
        let variable = written.value.rsplit('.').next().unwrap_or_default();
        let slot = self.flows[usize::from(flow.0)].variables.iter().position(|name| name == variable)?;
        Some(Mine::Variable { flow, slot: self.slot(slot, written.span) })
    }

    /// The flows that capture `name`, or the flow of `flow.name`.
    pub(super) fn captured_as(&self, name: &str) -> Vec<FlowId> {
        let (flow_name, variable) = name.split_once('.').map_or((None, name), |(flow, name)| (Some(flow), name));
        let flows = self.flows.iter().enumerate().filter(|(_, flow)| {
            flow_name.is_none_or(|name| name == flow.name) && flow.variables.iter().any(|name| name == variable)
        });
        flows.filter_map(|(at, _)| u16::try_from(at).ok().map(FlowId)).collect()
    }
}

fn uses(action: &Action, variable: VariableRef) -> bool {
    let Action::Request(request) = action else { return false };
    let mut fields = request.headers.iter().chain(&request.cookies);
    request.path.uses(variable)
        || fields.any(|(_, value)| value.uses(variable))
        || request.body.as_ref().is_some_and(|body| match body {
            Payload::Json(tree) => tree.uses(variable),
            Payload::Form(fields) => fields.iter().any(|(_, value)| value.uses(variable)),
            Payload::Text(template) | Payload::Binary(template) => template.uses(variable),
            Payload::Bytes(_) => false,
            Payload::Multipart(parts) => {
                parts.iter().flat_map(|part| part.content.templates()).any(|text| text.uses(variable))
            }
        })
}
