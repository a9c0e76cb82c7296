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

/// What is left of a stream that was closed: the id of the last event that came, and events that came and no step has taken.
pub(crate) struct Rest {
    pub(crate) last_id: String,
    pub(crate) untaken: Vec<Event>,
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
            // It is woken by what comes from here on, also before it is waited for.
            let changed = self.changed.notified();
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

    /// What a stream that is resumed goes on from; none if no id ever came.
    pub(crate) fn rest(&self) -> Option<Rest> {
        let mut inbox = self.lock();
        let last_id = inbox.last_id.clone()?;
        Some(Rest { last_id, untaken: inbox.take_where(|_| true) })
    }

    /// A block of a stream came: its event, if it is one, and the id that holds from then on, at once. Were they two moments, an
    /// event could be missing from both the rest and what the target sends after the rest's id.
    pub(crate) fn deliver(&self, event: Option<Event>, last_id: &str) {
        let mut inbox = self.lock();
        inbox.last_id = Some(last_id.to_owned());
        if let Some(event) = event {
            inbox.push(event);
        }
        drop(inbox);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, event: Event) {
        self.lock().push(event);
        self.changed.notify_waiters();
    }

    pub(crate) fn end(&self, why: String) {
        self.lock().ended.get_or_insert(why);
        self.changed.notify_waiters();
    }
}

impl Inbox {
    fn push(&mut self, event: Event) {
        if self.events.len() == INBOX_EVENTS_MAX {
            self.events.pop_front();
            self.forgotten = true;
        }
        self.events.push_back(event);
    }

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
    fn an_event_is_either_in_the_rest_or_after_its_id() {
        explore(|| {
            let mailbox = Arc::new(Mailbox::default());
            mailbox.deliver(None, "1");
            let reading = thread::spawn({
                let mailbox = Arc::clone(&mailbox);
                move || mailbox.deliver(Some(event("second")), "2")
            });
            let rest = mailbox.rest().expect("an id came");
            assert_eq!(rest.untaken.len(), usize::from(rest.last_id == "2"));
            reading.join().expect("reading does not panic");
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

    #[test]
    fn who_waits_is_told_of_the_end() {
        explore(|| {
            let mailbox = Arc::new(Mailbox::default());
            let reading = thread::spawn({
                let mailbox = Arc::clone(&mailbox);
                move || mailbox.end("the other side hung up".to_owned())
            });
            assert_eq!(wait_for(&mailbox, "a"), Err("the other side hung up".to_owned()));
            reading.join().expect("reading does not panic");
        });
    }
}
