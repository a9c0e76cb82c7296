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
    slots: S::Mutex<Vec<Slot<V>>>,
}

struct Slot<V> {
    generation: u64,
    session: Option<V>,
}

impl<V: Clone + Send, S: SyncTypes> Registry<V, S> {
    /// No sessions.
    pub fn new(ask: Ask) -> Self {
        Self { ask, slots: S::Mutex::new(Vec::new()) }
    }

    /// Opens a session, with the lowest number that is free.
    pub fn open(&self, session: V) -> SessionId {
        let mut slots = self.slots.lock();
        let free = slots.iter().position(|slot| slot.session.is_none());
        let slot = free.unwrap_or_else(|| add_slot(&mut slots));
        let place = &mut slots[slot];
        place.generation += 1;
        place.session = Some(session);
        SessionId { slot, generation: place.generation }
    }

    /// The session, while it is open.
    pub fn find(&self, id: SessionId) -> Option<V> {
        let slots = self.slots.lock();
        let place = &slots[id.slot];
        let is_stale = place.generation != id.generation && self.ask != Ask::BeforeClose;
        if is_stale { None } else { place.session.clone() }
    }

    /// Ends a session, if it is still open.
    pub fn close(&self, id: SessionId) {
        let mut slots = self.slots.lock();
        let place = &mut slots[id.slot];
        let is_stale = place.generation != id.generation && self.ask != Ask::BeforeFind;
        if !is_stale {
            place.session = None;
        }
    }
}

fn add_slot<V>(slots: &mut Vec<Slot<V>>) -> usize {
    slots.push(Slot { generation: 0, session: None });
    slots.len() - 1
}
