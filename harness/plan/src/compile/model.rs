//! What answers must agree with: lists, counts and sums of what was made, values that come back.

use coalmine_core::Scope;
use coalmine_core::function::Function;
use coalmine_core::model::{Asks, Echo, EchoPlace, Key, Model};
use coalmine_core::plan::{FlowId, ObjectRule};
use coalmine_core::step::{Action, CaptureFrom, Step, StepId, Which};
use coalmine_core::template::{Level, Segment, Template};

use super::settings::json_path;
use super::words::Planting;
use super::{Compiler, Tenants};
use crate::document::{Document, OneOrMore, RevalidateText, StepText};
use crate::span::Spanned;
use crate::suggestion;

/// What a step says of its answer, before all steps are known.
pub(super) struct Claim {
    step: StepId,
    path: String,
    scope: Scope,
    removed_by: Option<Vec<Spanned<String>>>,
    kind: Kind,
}

enum Kind {
    Rows { of: Spanned<String>, asks: Box<dyn FnOnce(Key) -> Asks> },
    Count { of: Vec<Spanned<String>> },
    Sum { of: Spanned<String> },
    Nothing,
}

/// What is made: by which steps, in which flow, and recognised by what.
struct Made {
    flow: FlowId,
    by: Vec<StepId>,
    key: Option<Key>,
}

impl Compiler<'_> {
    /// Remembers what the step says of its answer.
    pub(super) fn claim(&mut self, step: &StepText, id: StepId) {
        let path = |path: &Spanned<String>| json_path(path, self.problems);
        let mut claims = vec![];
        if let Some(list) = step.lists.as_ref().map(|list| &list.value) {
            let (holds, unknown) = (list.holds, list.unknown);
            let name = list.list.as_ref().map(|list| list.value.clone());
            let asks = Box::new(move |key| Asks::Rows { key, holds, unknown, list: name });
            let kind = Kind::Rows { of: list.of.clone(), asks };
            let removed_by = names(list.removed_by.as_ref());
            claims.push(Claim { step: id, path: path(&list.rows), scope: list.may_see, removed_by, kind });
        }
        if let Some(count) = step.counts.as_ref().map(|count| &count.value) {
            let kind = Kind::Count { of: count.of.value.as_slice().to_vec() };
            let removed_by = names(count.removed_by.as_ref());
            claims.push(Claim { step: id, path: path(&count.value), scope: count.may_see, removed_by, kind });
        }
        if let Some(sum) = step.sums.as_ref().map(|sum| &sum.value) {
            let kind = Kind::Sum { of: sum.of.clone() };
            let removed_by = names(sum.removed_by.as_ref());
            claims.push(Claim { step: id, path: path(&sum.value), scope: sum.may_see, removed_by, kind });
        }
        if let Some(empty) = &step.empty_for_fresh {
            let (path, scope) = (path(empty), Scope::Tenant);
            claims.push(Claim { step: id, path, scope, removed_by: Some(vec![]), kind: Kind::Nothing });
        }
        self.claims.append(&mut claims);
    }

    /// Finds the steps of which the claims speak, once all are known.
    pub(super) fn models(&mut self, objects: &[ObjectRule]) {
        for claim in std::mem::take(&mut self.claims) {
            let step = claim.step;
            let Some(model) = self.model(claim, objects) else { continue };
            if let Some(step) = self.steps.get_mut(usize::from(step.0)) {
                step.models.push(model);
            }
        }
    }

    fn model(&self, claim: Claim, objects: &[ObjectRule]) -> Option<Model> {
        let Claim { path, scope, removed_by, kind, .. } = claim;
        let (made, asks) = match kind {
            Kind::Rows { of, asks } => {
                let made = self.made(&of)?;
                let key = made.key?;
                (made, asks(key))
            }
            Kind::Count { of } => (self.counted(&of)?, Asks::Count),
            Kind::Sum { of } => {
                let made = self.summed(&of)?;
                let Some(Key::Canary { slot, .. }) = made.key else { return None };
                (made, Asks::Sum { slot })
            }
            Kind::Nothing => (Made { flow: FlowId::SESSION, by: vec![], key: None }, Asks::Nothing),
        };
        let removed_by = match removed_by {
            Some(names) => names.iter().filter_map(|name| self.step_of(name, made.flow)).collect(),
            None => {
                objects.iter().filter(|object| object.flow == made.flow).filter_map(|object| object.delete).collect()
            }
        };
        Some(Model { path, asks, made_by: made.by, removed_by, scope })
    }

    fn made(&self, written: &Spanned<String>) -> Option<Made> {
        match written.value.strip_prefix("canary.") {
            Some(name) => self.made_with(written, name),
            None => self.captured_by(written),
        }
    }

    /// Made by the steps that capture a variable.
    fn captured_by(&self, written: &Spanned<String>) -> Option<Made> {
        let flows = self.captured_as(written.as_str());
        let (flow, slot) = self.one_of(written, flows.into_iter().filter(|flow| *flow != FlowId::SESSION), |flow| {
            flow.variables.iter().position(|name| name == last(written))
        })?;
        let captures = |step: &Step| step.captures.iter().any(|it| is(it.variable, slot));
        let by: Vec<StepId> = self.steps_of(flow).filter(|(_, step)| captures(step)).map(|(id, _)| id).collect();
        let whole = self.steps_of(flow).flat_map(|(_, step)| &step.captures).filter(|it| is(it.variable, slot));
        if whole.into_iter().any(|it| it.which != Which::First || it.from == CaptureFrom::Body) {
            let help = "rows are recognised by one value each: capture that".to_owned();
            self.problems.absent(written.span, format!("`{}` is not one value", written.value), Some(help));
        }
        Some(Made { flow, by, key: Some(Key::Variable { flow, slot }) })
    }

    /// Made by the step that sends a canary first.
    fn made_with(&self, written: &Spanned<String>, name: &str) -> Option<Made> {
        let (flow_name, name) = name.split_once('.').map_or((None, name), |(flow, name)| (Some(flow), name));
        let flows = (0..).map(FlowId).zip(&self.flows).skip(1);
        let sends = flows.filter(|(_, flow)| {
            flow_name.is_none_or(|name| name == flow.name) && flow.canaries.iter().any(|canary| canary.name == name)
        });
        let (flow, slot) = self.one_of(written, sends.map(|(flow, _)| flow), |flow| {
            flow.canaries.iter().position(|canary| canary.name == name)
        })?;
        let by = self.flows[usize::from(flow.0)].canaries[usize::from(slot)].planted_by;
        Some(Made { flow, by: vec![by], key: Some(Key::Canary { flow, slot }) })
    }

    /// The only flow of these, and the slot in it.
    fn one_of(
        &self,
        written: &Spanned<String>,
        mut flows: impl Iterator<Item = FlowId>,
        slot: impl Fn(&coalmine_core::plan::Flow) -> Option<usize>,
    ) -> Option<(FlowId, u16)> {
        let Some(flow) = flows.next() else {
            let help = suggestion::help(last(written), self.flows.iter().skip(1).flat_map(known_in));
            self.problems.absent(written.span, format!("no flow makes anything called `{}`", written.value), help);
            return None;
        };
        if flows.next().is_some() {
            let help = "say which flow's: `FLOW.NAME`, or `canary.FLOW.NAME`".to_owned();
            self.problems.absent(written.span, format!("several flows have `{}`", written.value), Some(help));
            return None;
        }
        let slot = slot(&self.flows[usize::from(flow.0)])?;
        Some((flow, self.slot(slot, written.span)))
    }

    fn counted(&self, written: &[Spanned<String>]) -> Option<Made> {
        let first = written.first()?;
        let flow = self.places.get(first.as_str()).map_or(FlowId::SESSION, |place| place.flow);
        let by: Vec<StepId> = written.iter().filter_map(|name| self.step_of(name, flow)).collect();
        Some(Made { flow, by, key: None })
    }

    fn summed(&self, written: &Spanned<String>) -> Option<Made> {
        let made = self.made_with(written, &written.value)?;
        let Some(Key::Canary { flow, slot }) = made.key else { return None };
        let shape = self.flows[usize::from(flow.0)].canaries[usize::from(slot)].shape;
        if !matches!(shape, coalmine_canary::Shape::Integer | coalmine_canary::Shape::Decimal) {
            let help = "a sum is one of canaries of the shapes `integer` and `decimal`".to_owned();
            let message = format!("the canary `{}` has the shape `{shape}`", written.value);
            self.problems.absent(written.span, message, Some(help));
        }
        Some(made)
    }

    /// A step of that flow, by name.
    fn step_of(&self, written: &Spanned<String>, flow: FlowId) -> Option<StepId> {
        let place = self.places.get(written.as_str());
        let fits = place.filter(|place| place.flow == flow && flow != FlowId::SESSION);
        if fits.is_none() {
            let is_near = |place: &&super::Place| match flow {
                FlowId::SESSION => place.flow != flow,
                _ => place.flow == flow,
            };
            let of_flow = self.places.iter().filter(|(_, place)| is_near(place));
            let help = suggestion::help(written.as_str(), of_flow.map(|(name, _)| name.as_str()));
            let message = match place {
                Some(_) if flow == FlowId::SESSION => format!("the step `{}` belongs to no flow", written.value),
                Some(_) => format!("the step `{}` belongs to another flow", written.value),
                None => format!("there is no step `{}`", written.value),
            };
            self.problems.absent(written.span, message, help);
        }
        fits.map(|place| place.step)
    }

    fn steps_of(&self, flow: FlowId) -> impl Iterator<Item = (StepId, &Step)> {
        let name = &self.flows[usize::from(flow.0)].name;
        (0..).map(StepId).zip(&self.steps).filter(move |(_, step)| step.flow == *name)
    }

    /// Values that the answer gives back.
    pub(super) fn echoes(&mut self, step: &StepText) -> Vec<Echo> {
        let written = step.echoes.iter().flat_map(|echoes| &echoes.value.0);
        let mut echoes = vec![];
        for (place, text) in written {
            let value = self.template_with(text, Planting::Refused, str::to_owned);
            self.check_unique(text, &value);
            let place = if place.value.starts_with('$') {
                EchoPlace::Json(json_path(place, self.problems))
            } else {
                EchoPlace::Header(self.header_name(place))
            };
            echoes.push(Echo { place, value });
        }
        echoes
    }

    /// What all operations send tells none from another, and what changes by itself is not what was sent.
    fn check_unique(&self, text: &Spanned<String>, value: &Template) {
        let (mut is_unique, mut is_fickle) = (false, false);
        value.each_hole(&mut |hole| match hole {
            Segment::Canary(canary) => is_unique |= canary.level == Level::Flow,
            Segment::Variable(variable) => is_unique |= variable.level == Level::Flow,
            Segment::Call { function, .. } => {
                is_unique |= *function == Function::Uuid;
                is_fickle |= matches!(function, Function::Now | Function::Date);
            }
            _ => {}
        });
        if is_fickle {
            self.problems.absent(text.span, "a time is another one when it is compared", None);
        } else if !is_unique {
            let help = "put a canary of the flow into it, a value of the pass, or `{{uuid(\"request\")}}`".to_owned();
            self.problems.absent(text.span, "this does not tell one request from another", Some(help));
        }
    }

    /// Whether others ask with the ETag that somebody else was given: only where all ask for the same URL.
    pub(super) fn revalidated(&self, step: &StepText, action: &Action) -> bool {
        let Some(written) = &step.revalidate else { return false };
        let RevalidateText::Others = written.value;
        let is_common = |path: &Template| path.segments.iter().all(|part| matches!(part, Segment::Text(_)));
        let fits = matches!(action, Action::Request(request) if request.method == "GET" && is_common(&request.path));
        if !fits {
            let help = "ETags are compared where all users send GET to the same path, without holes".to_owned();
            self.problems.add(written.span, "another's ETag says nothing here", Some(help));
        }
        if step.sees.is_none() {
            let help = "name own canaries under `sees`: they make the answers of two users differ".to_owned();
            self.problems.add(written.span, "two users may be given the same answer here", Some(help));
        }
        fits
    }

    /// Those who have made nothing ask for what is empty for them, with nothing but their session.
    pub(super) fn check_fresh(&self, tenants: &Tenants, document: &Document) {
        let steps = document.flows.value.0.iter().flat_map(|(_, flow)| flow.steps.value.iter());
        for written in steps {
            let step = &written.value;
            let Some(empty) = &step.empty_for_fresh else { continue };
            if tenants.fresh == 0 {
                let help = "let there be some: `tenants: {count: 8, fresh: 1}`".to_owned();
                self.problems.absent(empty.span, "there are no fresh tenants", Some(help));
            }
            let Some(name) = &step.id else { continue };
            let Some(place) = self.places.get(name.as_str()) else { continue };
            if self.steps.get(usize::from(place.step.0)).is_some_and(needs_a_pass) {
                let help = "leave out what other steps of the flow capture, and what it would make".to_owned();
                let message = format!("a fresh tenant cannot do `{}`", name.value);
                self.problems.absent(empty.span, message, Some(help));
            }
        }
    }
}

/// Whether the step uses what its flow captures or sends.
fn needs_a_pass(step: &Step) -> bool {
    let Action::Request(request) = &step.action else { return true };
    let mut needs = false;
    request.each_hole(&mut |hole| match hole {
        Segment::Canary(canary) => needs |= canary.level != Level::Session,
        Segment::Variable(variable) => needs |= variable.level != Level::Session,
        Segment::Member { .. } => needs = true,
        _ => {}
    });
    needs
}

fn names(written: Option<&Spanned<OneOrMore>>) -> Option<Vec<Spanned<String>>> {
    written.map(|names| names.value.as_slice().to_vec())
}

fn last(written: &Spanned<String>) -> &str {
    written.value.rsplit('.').next().unwrap_or_default()
}

fn known_in(flow: &coalmine_core::plan::Flow) -> impl Iterator<Item = &str> {
    let canaries = flow.canaries.iter().map(|canary| canary.name.as_str());
    flow.variables.iter().map(String::as_str).chain(canaries)
}

fn is(variable: coalmine_core::template::VariableRef, slot: u16) -> bool {
    variable.level == Level::Flow && variable.slot == slot
}
