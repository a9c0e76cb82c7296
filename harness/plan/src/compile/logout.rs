//! How a session ends, and which steps make one more.

use std::collections::BTreeSet;

use coalmine_core::plan::Logout;
use coalmine_core::step::{Action, Request, StepId};
use coalmine_core::template::{Segment, VariableRef};

use super::{Compiler, Stretch};
use crate::document::{AuthText, StepText};
use crate::span::Spanned;

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

    /// The steps that bring what a session shows itself by, and those that bring what these need. Where it shows itself by nothing
    /// that was captured, as with cookies, all of them.
    fn login(&self, session: &[StepId], logout: &[StepId]) -> Vec<StepId> {
        let mut wanted = self.shows();
        wanted.extend(logout.iter().flat_map(|step| self.variables(*step)));
        let mut login = vec![];
        for step in session.iter().rev() {
            let mut captures = self.steps.get(usize::from(step.0)).into_iter().flat_map(|step| &step.captures);
            if captures.any(|capture| wanted.contains(&capture.variable)) {
                wanted.extend(self.variables(*step));
                login.push(*step);
            }
        }
        login.reverse();
        if login.is_empty() { session.to_vec() } else { login }
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
