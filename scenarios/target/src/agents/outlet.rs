//! The sending end of a socket or stream: a bounded queue of events, narrowed to the kinds that were asked for. Home of
//! `agents.ws-lost-event`.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::Notify;

use super::event::Kind;
use super::journal::Told;
use crate::lock::hold;

/// Who falls behind by more events than this, or by more bytes, has a full queue.
const QUEUE_MAX: usize = 256;
const QUEUE_BYTES_MAX: usize = 128 * 1024;

/// What is done when an event does not fit.
#[derive(Clone, Copy, Debug)]
pub(super) enum WhenFull {
    /// Guilty: everything is thrown away, and nobody hears of it.
    Empty,
    /// Right: the connection ends, so that the other side knows it has missed some.
    End,
}

#[derive(Debug)]
pub(super) struct Outlet {
    kinds: Vec<Kind>,
    when_full: WhenFull,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Told>,
    bytes: usize,
    has_lost_some: bool,
}

/// An event did not fit.
#[derive(Debug)]
pub(super) struct Overflow;

impl Outlet {
    /// An outlet for `kinds`, for all if there are none.
    pub(super) fn new(kinds: Vec<Kind>, when_full: WhenFull) -> Self {
        Self { kinds, when_full, queue: Mutex::default(), changed: Notify::new() }
    }

    /// Queues an event if its kind is wanted.
    pub(super) fn offer(&self, told: &Told) {
        if !self.kinds.is_empty() && !self.kinds.contains(&told.kind) {
            return;
        }
        let mut queue = hold(&self.queue);
        match self.when_full {
            _ if queue.has_room_for(told) => queue.push(told.clone()),
            WhenFull::Empty => *queue = Queue::default(),
            WhenFull::End => queue.has_lost_some = true,
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Waits for the next event. Only one may wait.
    pub(super) async fn next(&self) -> Result<Told, Overflow> {
        loop {
            if let Some(event) = hold(&self.queue).pop() {
                return event;
            }
            self.changed.notified().await;
        }
    }
}

impl Queue {
    /// One event always fits, however large.
    fn has_room_for(&self, told: &Told) -> bool {
        self.events.is_empty() || self.events.len() < QUEUE_MAX && self.bytes + told.text.len() <= QUEUE_BYTES_MAX
    }

    fn push(&mut self, told: Told) {
        self.bytes += told.text.len();
        self.events.push_back(told);
    }

    fn pop(&mut self) -> Option<Result<Told, Overflow>> {
        if self.has_lost_some {
            return Some(Err(Overflow));
        }
        let told = self.events.pop_front()?;
        self.bytes -= told.text.len();
        Some(Ok(told))
    }
}
