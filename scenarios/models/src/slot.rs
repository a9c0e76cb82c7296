//! The slot for "who is asking": set when a request is let in, read by code further down.

use std::collections::HashMap;

use crate::sync::{Mutex, lock};

/// How far one slot reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotScope {
    /// Guilty: one slot for the process, which the next request overwrites. Right for as long as nothing happens between
    /// set and read, wrong after an await.
    Process,
    /// Right: a slot for each request, gone with it.
    Request,
}

/// Holds the context of requests that are being served. Its size is bounded by the number of those.
#[derive(Debug)]
pub struct ContextSlot<C> {
    scope: SlotScope,
    contexts: Mutex<HashMap<u64, C>>,
}

impl<C: Clone> ContextSlot<C> {
    /// An empty slot.
    pub fn new(scope: SlotScope) -> Self {
        Self { scope, contexts: Mutex::new(HashMap::new()) }
    }

    /// Sets the context of `request`. The number must be unique in the process.
    pub fn enter(&self, request: u64, context: C) {
        lock(&self.contexts).insert(self.place(request), context);
    }

    /// The context that code serving `request` sees.
    pub fn current(&self, request: u64) -> Option<C> {
        lock(&self.contexts).get(&self.place(request)).cloned()
    }

    /// Ends `request`. The process-wide slot stays as it is until somebody overwrites it.
    pub fn leave(&self, request: u64) {
        if self.scope == SlotScope::Request {
            lock(&self.contexts).remove(&self.place(request));
        }
    }

    fn place(&self, request: u64) -> u64 {
        match self.scope {
            SlotScope::Process => 0,
            SlotScope::Request => request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_slot_shows_whoever_came_last() {
        let slot = ContextSlot::new(SlotScope::Process);
        slot.enter(1, "a");
        assert_eq!(slot.current(1), Some("a"), "alone it is right");
        slot.enter(2, "b");
        assert_eq!(slot.current(1), Some("b"));
    }

    #[test]
    fn request_slot_shows_its_own_request_until_it_ends() {
        let slot = ContextSlot::new(SlotScope::Request);
        slot.enter(1, "a");
        slot.enter(2, "b");
        assert_eq!(slot.current(1), Some("a"));
        slot.leave(2);
        assert_eq!((slot.current(1), slot.current(2)), (Some("a"), None));
    }
}
