//! A session that the target no longer accepts is made anew, and the refused operation is sent once more.
//!
//! What is tried at others' objects may be refused for good reason, and a new session changes nothing about that: so it is made once,
//! and then only after something of the session's own has worked again. All answers are recorded, so that none hides a leak.

use std::sync::Arc;

use coalmine_core::history::{Answer, Happening};
use coalmine_core::perturb::Manner;
use coalmine_core::plan::{FlowId, Op, Purpose, Renewal};
use coalmine_core::step::{Action, Request, Step};

use super::{Lane, limit};
use crate::due::Unsent;

/// How a lane's session has fared. Groups of operations at the same time share it, so that one of them makes it anew for all.
#[derive(Default)]
pub(super) struct Session {
    /// Whether an operation ended ok since it was made.
    worked: bool,
    renewals: u32,
}

impl Lane {
    /// The operation, and once more with a new session where the old one has expired.
    pub(super) async fn act_renewing(&mut self, op: &Op, step: &Step) -> Result<Happening, Unsent> {
        let plan = self.round.plan.clone();
        let Some(renewal) = plan.renewal.as_ref().filter(|_| self.renews(op, step)) else {
            return self.act(op, step).await;
        };
        let session = Arc::clone(&self.session);
        let before = session.lock().await.renewals;
        let ended = self.act(op, step).await?;
        if !says_expired(renewal, &ended) {
            session.lock().await.worked |= matches!(ended, Happening::Ok(_));
            return Ok(ended);
        }
        // The target was shaken by the first try, as far as it was to be.
        let plain = Op { manner: Manner::default(), ..op.clone() };
        let renewed = self.renew(&plain, renewal, before).await;
        if renewed == Renewed::No {
            return Ok(ended);
        }
        if let Happening::Fail { answer, why } = ended {
            self.round.recorder.event(op.id, Happening::Attempt { answer, why, step: None });
        }
        if renewed == Renewed::Here {
            self.round.recorder.event(op.id, Happening::Renewed);
        }
        let ended = self.act(&plain, step).await?;
        session.lock().await.worked |= matches!(ended, Happening::Ok(_));
        Ok(ended)
    }

    /// Whether the operation shows the session, and was not meant to be refused.
    fn renews(&self, op: &Op, step: &Step) -> bool {
        let shows = matches!(step.action, Action::Request(_) | Action::Open(_) | Action::Subscribe(_));
        let is_apart = matches!(
            op.purpose,
            Purpose::Shake
                | Purpose::Short { .. }
                | Purpose::Anonymous { .. }
                | Purpose::Timed { .. }
                | Purpose::Twin { .. }
        );
        let is_session = self.round.plan.scope(op.scope).flow == FlowId::SESSION;
        shows && !is_apart && !is_session && !self.principal.is_anonymous()
    }

    /// Makes the session anew, unless another group of operations has done so since there were `before` renewals.
    async fn renew(&mut self, op: &Op, renewal: &Renewal, before: u32) -> Renewed {
        let session = Arc::clone(&self.session);
        let mut session = session.lock().await;
        if session.renewals > before {
            return Renewed::Elsewhere;
        }
        if !session.worked || session.renewals >= renewal.renewals_max {
            return Renewed::No;
        }
        session.renewals += 1;
        session.worked = false;
        if self.log_in_again(op, renewal).await { Renewed::Here } else { Renewed::No }
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
            round.recorder.event(op.id, Happening::Attempt { answer, why, step: Some(*id) });
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

/// What came of the wish for a new session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Renewed {
    /// It was made for this operation.
    Here,
    /// Another group of operations had made it.
    Elsewhere,
    /// There is none.
    No,
}

fn says_expired(renewal: &Renewal, ended: &Happening) -> bool {
    let Happening::Fail { answer, .. } = ended else { return false };
    answer.status.is_some_and(|status| renewal.statuses.contains(&status))
}
