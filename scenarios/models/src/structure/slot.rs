//! The slot for "who is asking": set when a request is let in, read by code further down.

use std::collections::HashMap;

use crate::sync::{Mutex, Std, SyncTypes};

/// How far one slot reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotScope {
    /// Guilty: one slot for the process, which the next request overwrites. Right for as long as nothing happens between
    /// set and read, wrong after an await.
    Process,
    /// Guilty: a slot for each request, which outlives it, and greets the next request of that number.
    RequestAndAfter,
    /// Guilty: a slot for each request, but whichever ends first clears them all.
    RequestUntilAnyEnds,
    /// Right: a slot for each request, gone with it.
    Request,
}

/// Holds the context of requests that are being served. Its size is bounded by the number of those.
pub struct ContextSlot<C: Send, S: SyncTypes = Std> {
    scope: SlotScope,
    contexts: S::Mutex<HashMap<u64, C>>,
}

impl<C: Clone + Send, S: SyncTypes> ContextSlot<C, S> {
    /// An empty slot.
    pub fn new(scope: SlotScope) -> Self {
        Self { scope, contexts: S::Mutex::new(HashMap::new()) }
    }

    /// Sets the context of `request`. The number must be unique in the process.
    pub fn enter(&self, request: u64, context: C) {
        self.contexts.lock().insert(self.place(request), context);
    }

    /// The context that code serving `request` sees.
    pub fn current(&self, request: u64) -> Option<C> {
        self.contexts.lock().get(&self.place(request)).cloned()
    }

    /// Ends `request`. A guilty slot stays as it is until somebody overwrites it.
    pub fn leave(&self, request: u64) {
        let mut contexts = self.contexts.lock();
        match self.scope {
            SlotScope::Process | SlotScope::RequestAndAfter => {}
            SlotScope::RequestUntilAnyEnds => contexts.clear(),
            SlotScope::Request => {
                contexts.remove(&self.place(request));
            }
        }
    }

    fn place(&self, request: u64) -> u64 {
        match self.scope {
            SlotScope::Process => 0,
            SlotScope::RequestAndAfter | SlotScope::RequestUntilAnyEnds | SlotScope::Request => request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_slot_shows_whoever_came_last() {
        let slot = ContextSlot::<_>::new(SlotScope::Process);
        slot.enter(1, "a");
        assert_eq!(slot.current(1), Some("a"), "alone it is right");
        slot.enter(2, "b");
        assert_eq!(slot.current(1), Some("b"));
    }

    #[test]
    fn request_slot_shows_its_own_request_until_it_ends() {
        let slot = ContextSlot::<_>::new(SlotScope::Request);
        slot.enter(1, "a");
        slot.enter(2, "b");
        assert_eq!(slot.current(1), Some("a"));
        slot.leave(2);
        assert_eq!((slot.current(1), slot.current(2)), (Some("a"), None));
    }
}
