//! A pool of connections to something that answers in order, where a request may be cancelled between send and answer.

use crate::sync::{Mutex, Std, SyncTypes};

/// A connection, as far as a pool must know it.
pub trait Connection: Clone + Send {
    /// A fresh one.
    fn open() -> Self;

    /// Whether an answer is still to come that nobody waits for.
    fn has_unread(&self) -> bool;
}

/// What becomes of a connection that is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveBack {
    /// Guilty: the next holder gets it, with the answer to a request that was cancelled.
    AsItIs,
    /// Guilty: it is thrown away when it has an unread answer, and none takes its place.
    DropUnclean,
    /// Right: a fresh one takes its place when it has an unread answer.
    ReplaceUnclean,
}

/// How a connection is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Guilty: looked at under one lock, removed under the next.
    LookThenRemove,
    /// Right: both under one lock.
    AtOnce,
}

/// Lends connections, each to one holder at a time.
pub struct ConnectionPool<C: Send, S: SyncTypes = Std> {
    give_back: GiveBack,
    take: Take,
    idle: S::Mutex<Vec<C>>,
}

impl<C: Connection, S: SyncTypes> ConnectionPool<C, S> {
    /// A pool of `capacity` connections.
    pub fn new(give_back: GiveBack, take: Take, capacity: usize) -> Self {
        let idle = (0..capacity).map(|_| C::open()).collect();
        Self { give_back, take, idle: S::Mutex::new(idle) }
    }

    /// A connection, or none when all are lent.
    pub fn acquire(&self) -> Option<C> {
        match self.take {
            Take::LookThenRemove => {
                let found = self.idle.lock().last().cloned();
                self.idle.lock().pop();
                found
            }
            Take::AtOnce => self.idle.lock().pop(),
        }
    }

    /// Ends a loan.
    pub fn give_back(&self, connection: C) {
        let kept = match self.give_back {
            GiveBack::DropUnclean if connection.has_unread() => None,
            GiveBack::ReplaceUnclean if connection.has_unread() => Some(C::open()),
            GiveBack::AsItIs | GiveBack::DropUnclean | GiveBack::ReplaceUnclean => Some(connection),
        };
        self.idle.lock().extend(kept);
    }
}
