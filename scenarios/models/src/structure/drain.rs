//! What has been accepted and not yet delivered, when the process is to end.

use crate::sync::{Mutex, Std, SyncTypes};

/// To whom the last things go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// Guilty: to whoever came last.
    ToTheLast,
    /// Right: to their owners.
    ToTheOwner,
}

/// How a thing is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Guilty: the door is looked at under one lock, the thing taken in under the next, behind a door that was shut meanwhile.
    LookThenTake,
    /// Right: both under one lock.
    AtOnce,
}

/// Things on their way, until the door is shut.
pub struct Drain<W: Send, E: Send, S: SyncTypes = Std> {
    leftovers: Leftovers,
    accept: Accept,
    inner: S::Mutex<Inner<W, E>>,
}

struct Inner<W, E> {
    is_shut: bool,
    waiting: Vec<(W, E)>,
}

impl<W: Clone + Send, E: Send, S: SyncTypes> Drain<W, E, S> {
    /// An open door.
    pub fn new(leftovers: Leftovers, accept: Accept) -> Self {
        Self { leftovers, accept, inner: S::Mutex::new(Inner { is_shut: false, waiting: Vec::new() }) }
    }

    /// Takes a thing in, to be delivered to its owner. Says whether it was accepted.
    pub fn accept(&self, owner: W, thing: E) -> bool {
        let mut inner = self.inner.lock();
        if inner.is_shut {
            return false;
        }
        if self.accept == Accept::LookThenTake {
            drop(inner);
            inner = self.inner.lock();
        }
        inner.waiting.push((owner, thing));
        true
    }

    /// Shuts the door. What is still to be delivered, and to whom.
    pub fn shut(&self) -> Vec<(W, E)> {
        let mut inner = self.inner.lock();
        inner.is_shut = true;
        let waiting = std::mem::take(&mut inner.waiting);
        let last = waiting.last().map(|(owner, _)| owner.clone());
        let receiver = |owner| match self.leftovers {
            Leftovers::ToTheLast => last.clone().unwrap_or(owner),
            Leftovers::ToTheOwner => owner,
        };
        waiting.into_iter().map(|(owner, thing)| (receiver(owner), thing)).collect()
    }
}
