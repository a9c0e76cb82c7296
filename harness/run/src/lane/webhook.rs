//! Waiting for webhooks.

use std::sync::Arc;

use coalmine_core::history::{Answer, Happening};
use coalmine_core::plan::Op;
use coalmine_core::step::{AwaitWebhook, Step};

use super::capture::Caught;
use super::events::holds;
use super::{Lane, limit};
use crate::due::Unsent;
use crate::inbox::{Event, Inbox};

impl Lane {
    pub(super) async fn await_webhook(
        &mut self,
        op: &Op,
        step: &Step,
        awaited: &AwaitWebhook,
    ) -> Result<Happening, Unsent> {
        let round = self.round.clone();
        let about = self.about(op, awaited.about.as_ref())?;
        let hook = round.hooks.of(self.principal.id, awaited.webhook).ok_or("no webhooks are received")?;
        let mailbox = Arc::clone(&hook.mailbox);
        self.invoke(op.id, None);
        let mut last: Option<Event> = None;
        let mut answer = Answer::default();
        let take = |inbox: &mut Inbox| {
            let taken = inbox.take_where(|event| {
                let open = answer.arrived.len() < usize::from(awaited.count);
                let wanted = open && about.as_ref().is_none_or(|(path, equals)| holds(path, equals, &event.json));
                if wanted {
                    answer.arrived.push(u16::try_from(answer.arrived.len()).unwrap_or(u16::MAX));
                }
                wanted
            });
            last = taken.into_iter().next_back().or(last.take());
            answer.arrived.len() == usize::from(awaited.count)
        };
        let outcome = tokio::time::timeout(limit(step), mailbox.wait(take)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(format!("after {:?}", limit(step))));
        if let Err(why) = outcome {
            let why = format!("{} of {} webhooks came: {why}", answer.arrived.len(), awaited.count);
            return Ok(Happening::Info { answer, why });
        }
        let last = last.unwrap_or_default();
        let fields = last.fields.unwrap_or_default();
        Ok(match self.capture(op, step, Caught::event(Some(&last.json), &fields), &mut answer.receipt) {
            Ok(()) => Happening::Ok(answer),
            Err(why) => Happening::Fail { answer, why },
        })
    }
}
