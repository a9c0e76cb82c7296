//! Sockets on which nothing moves, for longer than an operation lasts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::Valve;

/// What stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stillness {
    /// Nothing does, and nobody asks what had been waiting.
    #[default]
    None,
    /// Nothing is read.
    Deaf,
    /// Nothing is read or written.
    Frozen,
    /// Nothing does any more; whether something had been waiting, the next look at the socket shows.
    Thawed,
    /// It has shown.
    Seen {
        /// There was something to be read at once.
        waited: bool,
    },
}

impl Stillness {
    pub(super) fn is_any(self) -> bool {
        self != Self::None
    }

    pub(super) fn stops_reading(self) -> bool {
        matches!(self, Self::Deaf | Self::Frozen)
    }
}

/// A socket that stands still.
pub(crate) struct Frozen(Arc<Valve>);

impl Drop for Frozen {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.stillness = Stillness::None;
        // In HTTP/2 the request that stands still goes over the same connection as the event stream.
        self.0.is_armed.store(state.is_busy() || state.is_watched, Ordering::Release);
        state.wake();
    }
}

impl Valve {
    /// From now on nothing is read.
    pub(crate) fn deafen(&self) {
        self.stand_still(Stillness::Deaf);
    }

    /// From now on nothing is read or written, until what comes back is dropped. None where it stands still already.
    pub(crate) fn freeze(self: &Arc<Self>) -> Option<Frozen> {
        if self.lock().stillness.is_any() {
            return None;
        }
        self.stand_still(Stillness::Frozen);
        Some(Frozen(Arc::clone(self)))
    }

    fn stand_still(&self, stillness: Stillness) {
        self.lock().stillness = stillness;
        self.is_armed.store(true, Ordering::Release);
    }

    /// Everything moves again, if anything stood still.
    pub(crate) fn thaw(&self) {
        let mut state = self.lock();
        if state.stillness == Stillness::Deaf {
            state.stillness = Stillness::Thawed;
            state.wake();
        }
    }

    /// Returns once it is known whether something had been waiting when it was thawed.
    pub(crate) async fn has_kept_waiting(&self) -> bool {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(waited) = self.forget_stillness() {
                return waited;
            }
            changed.await;
        }
    }

    fn forget_stillness(&self) -> Option<bool> {
        let mut state = self.lock();
        let Stillness::Seen { waited } = state.stillness else { return None };
        state.stillness = Stillness::None;
        self.is_armed.store(state.is_busy(), Ordering::Release);
        Some(waited)
    }

    /// Ready unless nothing may be written.
    pub(super) fn poll_still(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.stillness != Stillness::Frozen || state.is_gone() {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Something was looked for on the socket.
    pub(super) fn note_after_stillness(&self, waited: bool) {
        let mut state = self.lock();
        if state.stillness == Stillness::Thawed {
            state.stillness = Stillness::Seen { waited };
            drop(state);
            self.changed.notify_waiters();
        }
    }
}
