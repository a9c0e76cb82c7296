//! A session that the target no longer accepts is made anew, and the refused operation is sent once more.
//!
//! Only what the scenario allows to its sender is a reason: that a try at another's object is refused says nothing about the
//! session. All answers are recorded, so that none hides a leak.

use coalmine_core::history::{Answer, Happening};
use coalmine_core::perturb::Manner;
use coalmine_core::plan::{FlowId, Op, Purpose, Renewal};
use coalmine_core::step::{Action, Request, Step};

use super::{Lane, limit};
use crate::due::Unsent;

/// How a lane's session has fared.
#[derive(Default)]
pub(super) struct Session {
    /// Whether an operation ended ok since it was made.
    worked: bool,
    renewals: u32,
}

impl Lane {
    /// The request, and once more with a new session where the old one has expired.
    pub(super) async fn request_renewing(
        &mut self,
        op: &Op,
        step: &Step,
        request: &Request,
    ) -> Result<Happening, Unsent> {
        let ended = self.request(op, step, request).await?;
        let plan = self.round.plan.clone();
        let is_session = plan.scope(op.scope).flow == FlowId::SESSION;
        if is_session || !matches!(op.purpose, Purpose::Flow | Purpose::Visit { .. } | Purpose::Confirm { .. }) {
            return Ok(ended);
        }
        let Some(renewal) = plan.renewal.as_ref().filter(|renewal| self.is_due(renewal, &ended)) else {
            self.session.worked |= matches!(ended, Happening::Ok(_));
            return Ok(ended);
        };
        self.session.renewals += 1;
        self.session.worked = false;
        // The target was shaken by the first try, as far as it was to be.
        let plain = Op { manner: Manner::default(), ..op.clone() };
        if !self.log_in_again(&plain, renewal).await {
            return Ok(ended);
        }
        if let Happening::Fail { answer, why } = ended {
            self.round.recorder.event(op.id, Happening::Attempt { answer, why });
        }
        self.round.recorder.event(op.id, Happening::Renewed);
        let ended = self.request(&plain, step, request).await?;
        self.session.worked = matches!(ended, Happening::Ok(_));
        Ok(ended)
    }

    fn is_due(&self, renewal: &Renewal, ended: &Happening) -> bool {
        let Happening::Fail { answer, .. } = ended else { return false };
        let expired = answer.status.is_some_and(|status| renewal.statuses.contains(&status));
        let may = self.session.worked && self.session.renewals < renewal.renewals_max;
        expired && may && !self.principal.is_anonymous()
    }

    /// Sends the steps that make a session once more. What they bring belongs to the operation that needs it.
    async fn log_in_again(&mut self, op: &Op, renewal: &Renewal) -> bool {
        let round = self.round.clone();
        let scope = round.plan.session_scope(self.principal.id);
        for id in &renewal.steps {
            let step = round.plan.step(*id);
            let Action::Request(request) = &step.action else { return false };
            let login = Op { step: *id, scope, purpose: Purpose::Flow, ..op.clone() };
            let Ok((answer, is_ok)) = self.send_again(&login, step, request).await else { return false };
            let why = format!("the session is made anew by `{}`", step.name);
            round.recorder.event(op.id, Happening::Attempt { answer, why });
            if !is_ok {
                return false;
            }
        }
        true
    }

    async fn send_again(&mut self, op: &Op, step: &Step, request: &Request) -> Result<(Answer, bool), Unsent> {
        let exchanged = self.exchange(op, step, request, (false, limit(step))).await?;
        Ok(match self.classify(op, step, request, exchanged) {
            Happening::Ok(answer) => (answer, true),
            Happening::Fail { answer, .. } | Happening::Info { answer, .. } => (answer, false),
            _ => (Answer::default(), false),
        })
    }
}
