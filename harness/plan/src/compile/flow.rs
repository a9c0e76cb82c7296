//! Flows: the session's own first, then those of the scenario.

use coalmine_core::plan::{FlowId, Renewal};
use coalmine_core::step::{Action, StepId};
use coalmine_core::template::Level;

use super::room::Room;
use super::settings::bounded;
use super::words::Planting;
use super::{Compiler, Course, Sends};
use crate::document::{Document, Either, FlowText, SendText, StepText, Switch};
use crate::span::Spanned;

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
        let steps = steps.iter().map(|step| self.step(step)).collect();
        if let Some(auth) = auth {
            self.sends = self.sends(&auth.send);
        }
        self.teardown = self.teardown(document);
        self.flows.push(self.room.names());
        self.courses.push(Course { repeat: 1, steps, draws, ..Course::default() });
        self.session = Some(std::mem::take(&mut self.room));
    }

    /// By default a session is made anew when it worked and an operation is then answered with 401.
    pub(super) fn renewal(&self, document: &Document) -> Option<Renewal> {
        let steps = self.courses.first().map_or(vec![], |session| session.steps.clone());
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
        let id = FlowId(self.slot(self.flows.len(), name.span));
        self.room = Room::new(id, name.as_str(), Level::Flow);
        self.room.captured_somewhere = [captured(&flow.steps.value), captured(&flow.cleanup)].concat();
        let draws = self.members(&flow.members);
        self.by = flow.by.iter().flat_map(|by| by.value.as_slice()).filter_map(|role| self.role(role)).collect();
        let steps = flow.steps.value.iter().map(|step| self.step(step)).collect();
        self.in_cleanup = true;
        let cleanup = flow.cleanup.iter().map(|step| self.step(step)).collect();
        self.in_cleanup = false;
        let visits = self.visits(&flow.visits);
        self.member_canaries(&flow.members);
        self.flows.push(self.room.names());
        let by = std::mem::take(&mut self.by);
        self.courses.push(Course {
            repeat: self.repeat(flow.repeat.as_ref()),
            steps,
            cleanup,
            by,
            draws,
            visits,
            is_anonymous: false,
        });
    }

    pub(super) fn repeat(&self, written: Option<&Spanned<u32>>) -> u32 {
        let Some(written) = written else { return 1 };
        if !(1..=REPEAT_MAX).contains(&written.value) {
            self.problems.add(written.span, format!("a flow is repeated 1 to {REPEAT_MAX} times"), None);
        }
        written.value
    }
}

/// Names that the steps capture.
pub(super) fn captured(steps: &[Spanned<StepText>]) -> Vec<String> {
    let captures = steps.iter().flat_map(|step| step.value.capture.iter());
    captures.flat_map(|capture| capture.value.0.iter().map(|(name, _)| name.value.clone())).collect()
}
