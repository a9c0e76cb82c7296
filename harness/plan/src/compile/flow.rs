//! Flows: the session's own first, then those of the scenario.

use coalmine_core::plan::{FlowId, Renewal};
use coalmine_core::step::{Action, StepId};
use coalmine_core::template::Level;

use super::room::Room;
use super::settings::bounded;
use super::words::Planting;
use super::{Compiler, Course, Leg, Sends, Stretch};
use crate::document::{Document, Either, FlowText, SendText, StepText, Switch};
use crate::span::{Span, Spanned};

const REPEAT_MAX: u32 = 100_000;
const RENEWALS_DEFAULT: u32 = 8;
const RENEWALS_MAX: u32 = 1_000;
const SESSION_FLOW: &str = "auth";

impl Compiler<'_> {
    pub(super) fn flows(&mut self, document: &Document) {
        self.session(document);
        if document.flows.value.0.is_empty() {
            self.problems.absent(document.flows.span, "there is no flow, so nothing would be done", None);
        }
        for (name, flow) in &document.flows.value.0 {
            self.flow(name, flow);
        }
    }

    fn session(&mut self, document: &Document) {
        let auth = document.auth.as_ref();
        self.room = Room::default();
        let steps = auth.map_or(&[][..], |auth| &auth.steps);
        let once = [&document.register.tenant, &document.register.user];
        self.room.captured_somewhere = once.into_iter().flat_map(|steps| captured(steps)).collect();
        self.room.captured_somewhere.extend(captured(steps));
        self.register = self.register(document);
        let draws = auth.map_or(vec![], |auth| self.members(&auth.members));
        let steps = self.plain_steps(steps);
        if let Some(auth) = auth {
            self.sends = self.sends(&auth.send);
        }
        self.renewed_by = auth.and_then(|auth| self.renewed_by(auth, &steps));
        self.logout = auth.and_then(|auth| self.logout(auth, &steps));
        self.teardown = self.teardown(document);
        self.flows.push(self.room.names());
        let legs = steps.iter().copied().map(Leg::Step).collect();
        self.courses.push(Course { repeat: 1, legs, steps, draws, ..Course::default() });
        self.session = Some(std::mem::take(&mut self.room));
    }

    /// By default a session is made anew when it worked and an operation is then answered with 401.
    pub(super) fn renewal(&self, document: &Document) -> Option<Renewal> {
        let session = self.courses.first().map_or(&[][..], |session| &session.steps);
        let steps = self.login(session, &[]);
        let is_request = |step: &StepId| {
            self.steps.get(usize::from(step.0)).is_some_and(|step| matches!(step.action, Action::Request(_)))
        };
        let text = match document.auth.as_ref()?.renew.as_ref() {
            Some(Either::Short(switch)) if switch.value == Switch::Off => return None,
            Some(Either::Long(text)) => Some(text),
            Some(Either::Short(_)) | None => None,
        };
        let statuses = text.and_then(|text| text.status.as_ref());
        let statuses = statuses.map(|written| written.as_slice().iter().map(|status| self.status(status)).collect());
        let at_most = text.and_then(|text| text.at_most.as_ref());
        let renewals_max = bounded(at_most, RENEWALS_DEFAULT, 1..=RENEWALS_MAX, "renewals", self.problems);
        let able = !steps.is_empty() && steps.iter().all(is_request);
        able.then(|| Renewal { steps, statuses: statuses.unwrap_or_else(|| vec![401]), renewals_max })
    }

    fn sends(&mut self, send: &SendText) -> Sends {
        Sends {
            headers: self.header_fields(&send.headers, Planting::Refused),
            cookies: self.cookie_fields(&send.cookies, Planting::Refused),
            query: self.query_fields(&send.query, Planting::Refused),
        }
    }

    fn flow(&mut self, name: &Spanned<String>, flow: &FlowText) {
        self.check_name(name, "flow");
        if name.value == SESSION_FLOW {
            self.problems.add(name.span, "`auth` is the name of the flow that makes the session", None);
        }
        if flow.steps.value.is_empty() {
            self.problems.absent(flow.steps.span, format!("the flow `{}` has no steps", name.value), None);
        }
        let id = self.new_flow(name.span);
        self.room = Room::new(id, name.as_str(), Level::Flow);
        self.room.captured_somewhere = [captured(&flow.steps.value), captured(&flow.cleanup)].concat();
        let draws = self.members(&flow.members);
        self.by = flow.by.iter().flat_map(|by| by.value.as_slice()).filter_map(|role| self.role(role)).collect();
        let legs = self.legs(&flow.steps.value);
        let cleanup = self.cleanup(&flow.cleanup);
        let visits = self.visits(&flow.visits);
        self.member_canaries(&flow.members);
        let by = std::mem::take(&mut self.by);
        let (repeat, steps) = (self.repeat(flow.repeat.as_ref()), steps_of(&legs));
        self.fill_flow(Course { repeat, legs, steps, cleanup, by, draws, visits, ..Course::default() });
    }

    /// Room for a flow or a block, which come in the order in which they begin.
    pub(super) fn new_flow(&mut self, span: Span) -> FlowId {
        let id = FlowId(self.slot(self.flows.len(), span));
        self.flows.push(Room::new(id, "", Level::Flow).names());
        self.courses.push(Course::default());
        id
    }

    /// Enters what was compiled of the flow or block.
    pub(super) fn fill_flow(&mut self, course: Course) {
        let at = usize::from(self.room.flow.0);
        if let (Some(flow), Some(place)) = (self.flows.get_mut(at), self.courses.get_mut(at)) {
            *flow = self.room.names();
            *place = course;
        }
    }

    pub(super) fn cleanup(&mut self, steps: &[Spanned<StepText>]) -> Vec<StepId> {
        self.stretch = Stretch::Cleanup;
        let cleanup = self.plain_steps(steps);
        self.stretch = Stretch::Course;
        cleanup
    }

    pub(super) fn repeat(&self, written: Option<&Spanned<u32>>) -> u32 {
        let Some(written) = written else { return 1 };
        if !(1..=REPEAT_MAX).contains(&written.value) {
            self.problems.add(written.span, format!("a flow is repeated 1 to {REPEAT_MAX} times"), None);
        }
        written.value
    }
}

/// The steps that stand there themselves, and not in blocks.
pub(super) fn steps_of(legs: &[Leg]) -> Vec<StepId> {
    let step = |leg: &Leg| match leg {
        Leg::Step(step) => Some(*step),
        Leg::Block(_) => None,
    };
    legs.iter().filter_map(step).collect()
}

/// Names that the steps capture; what the turns of a block capture is their own.
pub(super) fn captured(steps: &[Spanned<StepText>]) -> Vec<String> {
    let mut names = vec![];
    for step in steps.iter().map(|step| &step.value).filter(|step| step.repeat.is_none() && step.each.is_none()) {
        names.extend(step.capture.iter().flat_map(|it| it.value.0.iter().map(|(name, _)| name.value.clone())));
        names.extend(step.steps.iter().flat_map(|steps| captured(&steps.value)));
        names.extend(step.parallel.iter().flat_map(|it| it.value.iter().flat_map(|group| captured(&group.value))));
    }
    names
}
