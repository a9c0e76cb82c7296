//! How a session ends, and which steps make one more.

use std::collections::BTreeSet;

use coalmine_core::plan::{Logout, Voiding};
use coalmine_core::step::{Action, Request, StepId};
use coalmine_core::template::{Segment, VariableRef};

use super::{Compiler, Stretch};
use crate::document::{AuthText, Document, Either, RenewText, StepText, Switch};
use crate::span::Spanned;
use crate::suggestion;

impl Compiler<'_> {
    /// Called when it is known how a session is made, and what it sends.
    pub(super) fn logout(&mut self, auth: &AuthText, session: &[StepId]) -> Option<Logout> {
        let written = auth.logout.as_ref()?;
        if session.is_empty() {
            let help = "say under `auth.steps` how a session is made".to_owned();
            self.problems.absent(written.span, "there is no session to end", Some(help));
        }
        if written.value.is_empty() {
            self.problems.absent(written.span, "`logout` has no steps, so that nothing would end", None);
        }
        let canaries = self.room.canaries.len();
        self.stretch = Stretch::Logout;
        let steps = self.plain_steps(&written.value);
        self.stretch = Stretch::Course;
        if self.room.canaries.len() > canaries {
            self.problems.add(written.span, "a secret is not planted when a session ends", None);
        }
        for step in &written.value {
            self.check_logout(step);
        }
        let login = self.login(session, &steps);
        let makes = |step: &StepId| self.request_of(*step).is_some();
        if !login.iter().all(makes) {
            let help = "sessions that are made by events cannot be made once more".to_owned();
            self.problems.absent(written.span, "a session that ends must be made by requests alone", Some(help));
        }
        Some(Logout { login, steps })
    }

    /// Called when it is known what sessions send. Only captured values are told apart from what they were before.
    pub(super) fn voiding(&self, document: &Document) -> Option<Voiding> {
        let Either::Long(RenewText { voids: Some(written), .. }) = document.auth.as_ref()?.renew.as_ref()? else {
            return None;
        };
        if written.value == Switch::Off {
            return None;
        }
        let session = self.courses.first().map_or(&[][..], |session| &session.steps);
        let voiding = Voiding { login: self.bringing(session, &[]), renew: self.login(session, &[]) };
        let shown = self.credentials();
        let mut captures = voiding.renew.iter().flat_map(|step| &self.steps[usize::from(step.0)].captures);
        if !captures.any(|capture| shown.contains(&capture.variable)) {
            let help =
                "capture it in `auth.steps`, and send it with `auth.send` with no attribute and no secret beside it";
            let message = "nothing becomes void that a session shows itself by";
            self.problems.absent(written.span, message, Some(help.to_owned()));
        }
        if !voiding.login.iter().all(|step| self.request_of(*step).is_some()) {
            let help = "sessions that are made by events cannot be made once more".to_owned();
            self.problems.absent(written.span, "a session that ends must be made by requests alone", Some(help));
        }
        Some(voiding)
    }

    fn check_logout(&mut self, step: &Spanned<StepText>) {
        let is_request = super::step::verbs(&step.value).iter().all(|(.., verb)| verb.is_request());
        if !is_request {
            self.problems.add(step.span, "a session is ended by requests alone", None);
        }
        if let Some(capture) = &step.value.capture {
            let help = "nothing comes after it that could use it".to_owned();
            self.problems.add(capture.span, "nothing is captured when a session ends", Some(help));
        }
    }

    /// The steps that bring what a session shows itself by, and those that bring what these need. Where none of them does more than
    /// look, it is cookies by which the session shows itself, and all steps may have brought these.
    pub(super) fn login(&self, session: &[StepId], logout: &[StepId]) -> Vec<StepId> {
        self.renewed_by.clone().unwrap_or_else(|| self.bringing(session, logout))
    }

    fn bringing(&self, session: &[StepId], logout: &[StepId]) -> Vec<StepId> {
        let mut wanted = self.shows();
        wanted.extend(logout.iter().flat_map(|step| self.variables(*step)));
        let mut login = vec![];
        for step in session.iter().rev() {
            let brought = self.steps.get(usize::from(step.0)).into_iter().flat_map(|step| &step.captures);
            // What a step brings, those before it need not bring.
            let of_use = brought.filter(|capture| wanted.remove(&capture.variable)).count();
            if of_use > 0 {
                wanted.extend(self.variables(*step));
                login.push(*step);
            }
        }
        login.reverse();
        let asks =
            |step: &StepId| self.request_of(*step).is_none_or(|it| !matches!(it.method.as_str(), "GET" | "HEAD"));
        if login.iter().any(asks) { login } else { session.to_vec() }
    }

    /// The steps that the scenario names, in the order in which a session is made.
    pub(super) fn renewed_by(&self, auth: &AuthText, session: &[StepId]) -> Option<Vec<StepId>> {
        let Some(Either::Long(RenewText { steps: Some(written), .. })) = &auth.renew else { return None };
        let named: Vec<StepId> =
            written.value.as_slice().iter().filter_map(|name| self.step_of_session(name, session)).collect();
        if written.value.as_slice().is_empty() {
            let help = "write `renew: off` where none is to be".to_owned();
            self.problems.add(written.span, "a session is not made by no steps", Some(help));
        }
        Some(session.iter().copied().filter(|step| named.contains(step)).collect())
    }

    fn step_of_session(&self, name: &Spanned<String>, session: &[StepId]) -> Option<StepId> {
        let known = |step: &StepId| Some((self.steps.get(usize::from(step.0))?.name.as_str(), *step));
        let Some((_, step)) = session.iter().filter_map(known).find(|(known, _)| *known == name.as_str()) else {
            let names = session.iter().filter_map(known).map(|(name, _)| name);
            let message = format!("none of `auth.steps` is called `{}`", name.value);
            self.problems.absent(name.span, message, suggestion::help(name.as_str(), names));
            return None;
        };
        if self.request_of(step).is_none() {
            self.problems.absent(name.span, "a session is made anew by requests alone", None);
        }
        Some(step)
    }

    fn variables(&self, step: StepId) -> BTreeSet<VariableRef> {
        let mut found = BTreeSet::new();
        let mut note = |hole: &Segment| {
            if let Segment::Variable(variable) = hole {
                found.insert(*variable);
            }
        };
        self.request_of(step).into_iter().for_each(|request| request.each_hole(&mut note));
        found
    }

    fn request_of(&self, step: StepId) -> Option<&Request> {
        match &self.steps.get(usize::from(step.0))?.action {
            Action::Request(request) => Some(request),
            _ => None,
        }
    }
}
