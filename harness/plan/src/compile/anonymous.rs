//! Somebody without credentials: which steps it tries, and what they are without credentials.
//!
//! Only what certainly carries no credential any more is sent: where a secret may be part of an address, or of a body, the step
//! is left out. That costs some tries, and no false alarm.

use std::collections::{BTreeMap, BTreeSet};

use coalmine_core::plan::{Cookies, FlowId, ObjectRule};
use coalmine_core::sharing::Public;
use coalmine_core::step::{Action, Payload, Request, Step, StepId};
use coalmine_core::template::{Level, Segment, Template, VariableRef};

use super::room::Room;
use super::step::Verb;
use super::{Compiler, Course, Sends, Stretch};
use crate::attribute::ROLE;
use crate::document::{AnonymousText, AuthText, Document, Either, OneOrMore, StepText, Switch};
use crate::span::Spanned;
use crate::suggestion;

const FLOW: &str = "anonymous";
/// Attributes that say where something stands, and are no secrets.
const ADDRESSES: [&str; 7] = ["tenant.name", "tenant.index", "user.name", "user.index", "run.id", ROLE, "user.session"];

/// What somebody without credentials does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Anonymous {
    /// Steps of flows without their credentials, each with its flow.
    pub(crate) tries: Vec<(FlowId, StepId)>,
    /// The same steps with and without credentials.
    pub(crate) bare: BTreeMap<StepId, StepId>,
    /// The flow that is its own.
    pub(crate) flow: Option<FlowId>,
}

/// By what sessions show who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShownBy {
    /// By values that they captured, and perhaps cookies.
    Captures,
    /// By nothing but the cookies of their jars, if at all.
    Jar,
    /// By what is theirs without a session as well, or by nothing.
    Otherwise,
}

impl Compiler<'_> {
    /// Remembers what a request of a flow is without what the session sends.
    pub(super) fn note_bare(&mut self, id: StepId, step: &StepText, verb: &Verb<'_>) {
        let of_flow = self.session.is_some() && self.stretch == Stretch::Course;
        if !of_flow || !verb.is_request() || self.problems.has_some() {
            return;
        }
        let sends = std::mem::take(&mut self.sends);
        let action = self.action(step, verb);
        self.sends = sends;
        if let Action::Request(request) = action {
            self.bare.extend(self.without_credentials(request).map(|request| (id, request)));
        }
    }

    fn without_credentials(&self, mut request: Request) -> Option<Request> {
        let personal = |template: &Template| holes(template).iter().any(|hole| self.is_personal(hole));
        request.headers.retain(|(_, value)| !personal(value));
        request.cookies.retain(|(_, value)| !personal(value));
        let body = request.body.as_ref().map(texts).unwrap_or_default();
        let harmless = self.is_address(&request.path) && !body.iter().any(|hole| self.is_personal(hole));
        harmless.then_some(request)
    }

    /// Whether the value is one that only some have: it may be a credential.
    fn is_personal(&self, hole: &Segment) -> bool {
        match hole {
            Segment::Variable(variable) => variable.level == Level::Session,
            Segment::Input(slot) => self.inputs.get(usize::from(*slot)).is_none_or(|input| input.is_secret),
            Segment::Attribute(_) | Segment::Member { .. } | Segment::Webhook(_) => true,
            Segment::Text(_) | Segment::Canary(_) | Segment::Call { .. } | Segment::Named(_) => false,
        }
    }

    /// Whether the path says only where something stands. A value of the session does, where the session shows who it is by
    /// others.
    fn is_address(&self, path: &Template) -> bool {
        let mut in_query = false;
        let shows = self.shows();
        let has_credential = self.sent().iter().any(|hole| self.is_personal(hole));
        path.segments.iter().all(|segment| {
            in_query |= matches!(segment, Segment::Text(text) if text.contains('?'));
            holes_of(segment).iter().all(|hole| match hole {
                Segment::Variable(variable) if variable.level == Level::Session => {
                    has_credential && !in_query && !shows.contains(variable)
                }
                Segment::Attribute(slot) => {
                    let name = self.attribute_names().nth(usize::from(*slot)).unwrap_or_default();
                    ADDRESSES.contains(&name) || self.tenant_attributes.iter().any(|it| it.name == name)
                }
                other => !self.is_personal(other),
            })
        })
    }

    /// All holes in what the session sends.
    fn sent(&self) -> Vec<Segment> {
        let Sends { headers, cookies, query } = &self.sends;
        headers.iter().chain(cookies).chain(query).flat_map(|(_, value)| holes(value)).collect()
    }

    /// Values of the session by which it shows who it is.
    pub(super) fn shows(&self) -> BTreeSet<VariableRef> {
        let variables = self.sent().into_iter().filter_map(|hole| match hole {
            Segment::Variable(variable) => Some(variable),
            _ => None,
        });
        variables.collect()
    }

    /// The same where nothing else may say who it is.
    pub(super) fn credentials(&self) -> Vec<VariableRef> {
        let is_other = |hole: &Segment| self.is_personal(hole) && !matches!(hole, Segment::Variable(_));
        if self.sent().iter().any(is_other) { vec![] } else { self.shows().into_iter().collect() }
    }

    /// By what sessions show who they are.
    pub(super) fn shown_by(&self, auth: Option<&AuthText>) -> ShownBy {
        let has_jar = auth.is_some_and(|auth| !auth.steps.is_empty() && auth.cookies == Cookies::Jar);
        match self.credentials().is_empty() {
            false => ShownBy::Captures,
            true if has_jar && !self.sent().iter().any(|hole| self.is_personal(hole)) => ShownBy::Jar,
            true => ShownBy::Otherwise,
        }
    }

    /// The flow of somebody without credentials. Nothing of a session is known in it.
    pub(super) fn anonymous_flow(&mut self, document: &Document) -> Option<FlowId> {
        let Some(Either::Long(AnonymousText { steps, repeat, .. })) = &document.anonymous else { return None };
        let first = steps.first()?;
        if let Some((name, _)) = document.flows.value.0.iter().find(|(name, _)| name.value == FLOW) {
            let message = format!("`{FLOW}` is the flow of those without credentials");
            self.problems.add(name.span, message, Some("give the flow another name".to_owned()));
        }
        let id = self.new_flow(first.span);
        let session = self.session.take();
        self.room = Room::new(id, FLOW, Level::Flow);
        self.room.is_anonymous = true;
        self.room.captured_somewhere = super::flow::captured(steps);
        let legs = self.legs(steps);
        let (repeat, steps) = (self.repeat(repeat.as_ref()), super::flow::steps_of(&legs));
        self.fill_flow(Course { repeat, legs, steps, is_anonymous: true, ..Course::default() });
        self.room = Room::default();
        self.session = session;
        Some(id)
    }

    /// Called when all flows and objects are known.
    pub(super) fn anonymous(
        &mut self,
        document: &Document,
        objects: &[ObjectRule],
        flow: Option<FlowId>,
    ) -> Option<Anonymous> {
        let written = match &document.anonymous {
            Some(Either::Short(switch)) if switch.value == Switch::Off => return None,
            Some(Either::Long(text)) => text.tries.as_ref(),
            Some(Either::Short(_)) | None => None,
        };
        let logs_in = document.auth.as_ref().is_some_and(|auth| !auth.steps.is_empty() && auth.cookies == Cookies::Jar);
        let mut anonymous = Anonymous { flow, ..Anonymous::default() };
        let of_objects = objects.iter().flat_map(|rule| [Some(rule.read), rule.list, rule.export]).flatten();
        let of_objects: BTreeSet<StepId> = of_objects.collect();
        let tries = match written {
            Some(written) => self.named_tries(written),
            None => self.usual_tries(&of_objects),
        };
        for step in of_objects.iter().chain(&tries) {
            let is_named = written.is_some() && tries.contains(step);
            if is_named || self.loses_something(*step, logs_in) {
                self.add_bare(*step, &mut anonymous);
            }
        }
        let bare = |step: &StepId| Some((self.flow_of(*step)?, *anonymous.bare.get(step)?));
        anonymous.tries = tries.iter().filter_map(bare).collect();
        let does_something = anonymous.flow.is_some() || !anonymous.bare.is_empty();
        does_something.then_some(anonymous)
    }

    fn named_tries(&self, written: &Spanned<OneOrMore>) -> Vec<StepId> {
        let known = |name: &Spanned<String>| {
            let place = self.places.get(name.as_str());
            let Some(place) = place else {
                let help = suggestion::help(name.as_str(), self.places.keys().map(String::as_str));
                self.problems.absent(name.span, format!("there is no step `{}`", name.value), help);
                return None;
            };
            if !self.bare.contains_key(&place.step) {
                let message = format!("the step `{}` cannot be sent without credentials", name.value);
                let help = "name a request of a flow that has them in headers, cookies or `auth.send`".to_owned();
                self.problems.absent(name.span, message, Some(help));
            }
            Some(place.step)
        };
        written.value.as_slice().iter().filter_map(known).collect()
    }

    /// Steps that read, and that need nothing which was captured: who knows a link may be meant to follow it.
    fn usual_tries(&self, of_objects: &BTreeSet<StepId>) -> Vec<StepId> {
        let is_usual = |(id, request): &(&StepId, &Request)| {
            let is_public = self.steps[usize::from(id.0)].public == Some(Public::Everything);
            let captured = |hole: &Segment| matches!(hole, Segment::Variable(_));
            let reads = matches!(request.method.as_str(), "GET" | "HEAD");
            reads && !is_public && !of_objects.contains(id) && !holes(&request.path).iter().any(captured)
        };
        self.bare.iter().filter(is_usual).map(|(id, _)| *id).collect()
    }

    /// Whether the step carries credentials at all.
    fn loses_something(&self, step: StepId, logs_in: bool) -> bool {
        let Action::Request(whole) = &self.steps[usize::from(step.0)].action else { return false };
        self.bare.get(&step).is_some_and(|bare| bare != whole || logs_in)
    }

    fn add_bare(&mut self, step: StepId, anonymous: &mut Anonymous) {
        let (Some(request), Ok(id)) = (self.bare.get(&step).cloned(), u16::try_from(self.steps.len())) else { return };
        let (sees, allowed, captures) = (vec![], vec![], vec![]);
        let whole = self.steps[usize::from(step.0)].clone();
        self.steps.push(Step { action: Action::Request(request), sees, allowed, captures, ..whole });
        anonymous.bare.insert(step, StepId(id));
    }

    fn flow_of(&self, step: StepId) -> Option<FlowId> {
        self.places.values().find(|place| place.step == step).map(|place| place.flow)
    }
}

fn holes(template: &Template) -> Vec<Segment> {
    let mut found = vec![];
    template.each_hole(&mut |hole| found.push(hole.clone()));
    found
}

fn holes_of(segment: &Segment) -> Vec<Segment> {
    holes(&Template { segments: vec![segment.clone()] })
}

/// All holes of a body.
fn texts(body: &Payload) -> Vec<Segment> {
    match body {
        Payload::Json(tree) => {
            let mut found = vec![];
            tree.each_hole(&mut |hole| found.push(hole.clone()));
            found
        }
        Payload::Form(fields) => fields.iter().flat_map(|(_, value)| holes(value)).collect(),
        Payload::Text(template) | Payload::Binary(template) => holes(template),
        Payload::Bytes(_) => vec![],
        Payload::Multipart(parts) => parts.iter().flat_map(|part| part.content.templates()).flat_map(holes).collect(),
    }
}
