//! Events that have arrived on a WebSocket or an event stream, until a step waits for them.

use std::collections::VecDeque;
use std::sync::PoisonError;

use hyper::HeaderMap;
use serde_json::Value;

use crate::sync::{Mutex, MutexGuard, Notify};

/// Events that nobody has waited for yet; beyond it the oldest are forgotten, and a wait that would need them says so.
const INBOX_EVENTS_MAX: usize = 4096;

/// An event as the steps see it.
#[derive(Default)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) json: Value,
    /// Its bytes, where a step wants to look into them.
    pub(crate) bytes: Option<Box<[u8]>>,
    /// The header fields of a webhook.
    pub(crate) fields: Option<Box<HeaderMap>>,
}

/// How the target has closed a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// 1005 where it gave none.
    pub(crate) code: u16,
    pub(crate) reason: String,
}

/// What has arrived and nobody has taken.
#[derive(Default)]
pub(crate) struct Inbox {
    events: VecDeque<Event>,
    forgotten: bool,
    ended: Option<String>,
    /// What the last pong carried.
    last_pong: Option<u64>,
    closed: Option<Closed>,
    /// The id that an event stream is resumed from.
    last_id: Option<String>,
}

/// Shared by the reading task and the waiting step.
#[derive(Default)]
pub(crate) struct Mailbox {
    inbox: Mutex<Inbox>,
    changed: Notify,
}

impl Mailbox {
    /// Shows the inbox to `take`, again after each change, until it returns true.
    pub(crate) async fn wait(&self, mut take: impl FnMut(&mut Inbox) -> bool) -> Result<(), String> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut inbox = self.lock();
                if take(&mut inbox) {
                    return Ok(());
                }
                if let Some(why) = &inbox.ended {
                    return Err(why.clone());
                }
                if inbox.forgotten {
                    return Err(format!("more than {INBOX_EVENTS_MAX} events were waiting"));
                }
            }
            changed.await;
        }
    }

    /// Waits until the ping of this number was answered.
    pub(crate) async fn pong(&self, number: u64) -> Result<(), String> {
        self.wait(|inbox| inbox.last_pong >= Some(number)).await
    }

    /// A ping was answered.
    pub(crate) fn set_pong(&self, number: u64) {
        self.lock().last_pong = Some(number);
        self.changed.notify_waiters();
    }

    /// Waits until the target has closed the WebSocket; says how.
    pub(crate) async fn closed(&self) -> Result<Closed, String> {
        let mut closed = None;
        let waited = self.wait(|inbox| {
            closed.clone_from(&inbox.closed);
            closed.is_some()
        });
        waited.await?;
        closed.ok_or_else(|| "the WebSocket was closed".to_owned())
    }

    /// The target has closed the WebSocket.
    pub(crate) fn set_closed(&self, closed: Closed) {
        self.lock().closed = Some(closed);
        self.changed.notify_waiters();
    }

    /// Takes out all that no step has taken.
    pub(crate) fn take_all(&self) -> Vec<Event> {
        self.lock().take_where(|_| true)
    }

    /// The id of the last event that came.
    pub(crate) fn last_id(&self) -> Option<String> {
        self.lock().last_id.clone()
    }

    /// Remembers the id of the last event.
    pub(crate) fn set_last_id(&self, id: &str) {
        self.lock().last_id = Some(id.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, event: Event) {
        let mut inbox = self.lock();
        if inbox.events.len() == INBOX_EVENTS_MAX {
            inbox.events.pop_front();
            inbox.forgotten = true;
        }
        inbox.events.push_back(event);
        drop(inbox);
        self.changed.notify_waiters();
    }

    pub(crate) fn end(&self, why: String) {
        self.lock().ended.get_or_insert(why);
        self.changed.notify_waiters();
    }
}

impl Inbox {
    /// Takes out the events for which `wanted` is true; the others stay for later steps.
    pub(crate) fn take_where(&mut self, mut wanted: impl FnMut(&Event) -> bool) -> Vec<Event> {
        let (taken, kept) = std::mem::take(&mut self.events).into_iter().partition(|event| wanted(event));
        self.events = kept;
        Vec::from(taken)
    }
}

#[cfg(all(test, coalmine_loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::sync::{block_on, explore};

    fn event(kind: &str) -> Event {
        Event { kind: kind.to_owned(), ..Event::default() }
    }

    /// Waits for an event of this kind; the kinds of all that it was given.
    fn wait_for(mailbox: &Mailbox, kind: &str) -> Result<Vec<String>, String> {
        let mut taken = vec![];
        let waited = mailbox.wait(|inbox| {
            taken.extend(inbox.take_where(|event| event.kind == kind).into_iter().map(|event| event.kind));
            !taken.is_empty()
        });
        block_on(waited)?;
        Ok(taken)
    }

    #[test]
    fn each_of_two_who_wait_gets_its_own_event_once() {
        explore(|| {
            let mailbox = Arc::new(Mailbox::default());
            let waiting = ["a", "b"].map(|kind| {
                let mailbox = Arc::clone(&mailbox);
                thread::spawn(move || wait_for(&mailbox, kind))
            });
            mailbox.push(event("b"));
            mailbox.push(event("a"));
            let given = waiting.map(|thread| thread.join().expect("waiting does not panic"));
            assert_eq!(given, [Ok(vec!["a".to_owned()]), Ok(vec!["b".to_owned()])]);
        });
    }

    #[test]
    fn what_came_before_the_end_is_not_lost() {
        explore(|| {
            let mailbox = Arc::new(Mailbox::default());
            let reading = thread::spawn({
                let mailbox = Arc::clone(&mailbox);
                move || {
                    mailbox.push(event("a"));
                    mailbox.end("the other side hung up".to_owned());
                }
            });
            assert_eq!(wait_for(&mailbox, "a"), Ok(vec!["a".to_owned()]));
            reading.join().expect("reading does not panic");
            assert_eq!(wait_for(&mailbox, "a"), Err("the other side hung up".to_owned()));
        });
    }
}
