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
    /// None once the door is shut.
    waiting: S::Mutex<Option<Vec<(W, E)>>>,
}

impl<W: Clone + Send, E: Send, S: SyncTypes> Drain<W, E, S> {
    /// An open door.
    pub fn new(leftovers: Leftovers, accept: Accept) -> Self {
        Self { leftovers, accept, waiting: S::Mutex::new(Some(Vec::new())) }
    }

    /// Takes a thing in, to be delivered to its owner. Says whether it was accepted.
    pub fn accept(&self, owner: W, thing: E) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.is_none() {
            return false;
        }
        if self.accept == Accept::LookThenTake {
            drop(waiting);
            waiting = self.waiting.lock();
        }
        waiting.get_or_insert_default().push((owner, thing));
        true
    }

    /// Shuts the door. What is still to be delivered, and to whom.
    pub fn shut(&self) -> Vec<(W, E)> {
        let waiting = self.waiting.lock().take().unwrap_or_default();
        let last = waiting.last().map(|(owner, _)| owner.clone());
        let receiver = |owner| match self.leftovers {
            Leftovers::ToTheLast => last.clone().unwrap_or(owner),
            Leftovers::ToTheOwner => owner,
        };
        waiting.into_iter().map(|(owner, thing)| (receiver(owner), thing)).collect()
    }
}
