//! Sessions by number, where the number of one that ended is given out again.

use crate::sync::{Mutex, Std, SyncTypes};

/// Which of a session's calls ask whether the number still means the same session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Guilty: a stale number finds whoever has it now.
    BeforeClose,
    /// Guilty: a stale number ends the session of whoever has it now.
    BeforeFind,
    /// Right: all.
    Always,
}

/// What a session is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId {
    slot: usize,
    generation: u64,
}

/// Sessions that are open.
pub struct Registry<V: Send, S: SyncTypes = Std> {
    ask: Ask,
    inner: S::Mutex<Inner<V>>,
}

struct Inner<V> {
    slots: Vec<Slot<V>>,
    free: Vec<usize>,
}

struct Slot<V> {
    generation: u64,
    session: Option<V>,
}

impl<V: Clone + Send, S: SyncTypes> Registry<V, S> {
    /// No sessions.
    pub fn new(ask: Ask) -> Self {
        Self { ask, inner: S::Mutex::new(Inner { slots: Vec::new(), free: Vec::new() }) }
    }

    /// Opens a session, with the number that was freed last.
    pub fn open(&self, session: V) -> SessionId {
        let mut inner = self.inner.lock();
        let freed = inner.free.pop();
        let slot = freed.unwrap_or_else(|| inner.add_slot());
        let place = &mut inner.slots[slot];
        place.generation += 1;
        place.session = Some(session);
        SessionId { slot, generation: place.generation }
    }

    /// The session, while it is open.
    pub fn find(&self, id: SessionId) -> Option<V> {
        let inner = self.inner.lock();
        let place = &inner.slots[id.slot];
        let is_stale = place.generation != id.generation && self.ask != Ask::BeforeClose;
        if is_stale { None } else { place.session.clone() }
    }

    /// Ends a session, if it is still open.
    pub fn close(&self, id: SessionId) {
        let mut inner = self.inner.lock();
        let place = &mut inner.slots[id.slot];
        let is_stale = place.generation != id.generation && self.ask != Ask::BeforeFind;
        let ends = !is_stale && place.session.take().is_some();
        if ends {
            inner.free.push(id.slot);
        }
    }
}

impl<V> Inner<V> {
    fn add_slot(&mut self) -> usize {
        self.slots.push(Slot { generation: 0, session: None });
        self.slots.len() - 1
    }
}
