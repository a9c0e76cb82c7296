//! The sending end of a socket: a bounded queue of events, narrowed to the kinds that were asked for.

use axum::extract::ws::Utf8Bytes;
use tokio::sync::{Notify, mpsc};

use super::event::Kind;

/// A socket that falls behind by more events than this is closed, so that it knows it has missed some.
const QUEUE_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Outlet {
    kinds: Vec<Kind>,
    queue: mpsc::Sender<Utf8Bytes>,
    overflowed: Notify,
}

impl Outlet {
    /// An outlet for `kinds`, for all if there are none, and the end from which its socket takes what to send.
    pub(super) fn new(kinds: Vec<Kind>) -> (Self, mpsc::Receiver<Utf8Bytes>) {
        let (queue, events) = mpsc::channel(QUEUE_MAX);
        let overflowed = Notify::new();
        (Self { kinds, queue, overflowed }, events)
    }

    /// Queues an event if its kind is wanted.
    pub(super) fn offer(&self, kind: Kind, event: &Utf8Bytes) {
        let wanted = self.kinds.is_empty() || self.kinds.contains(&kind);
        if wanted && let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(event.clone()) {
            self.overflowed.notify_one();
        }
    }

    /// Waits until an event did not fit.
    pub(super) async fn overflow(&self) {
        self.overflowed.notified().await;
    }
}
