//! Answers by idempotency key, so that a request that is sent again does nothing again.

use std::collections::HashMap;
use std::hash::Hash;

use super::KeyedBy;
use crate::sync::{Mutex, Std, SyncTypes};

/// How a key is reserved for the request that does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// Guilty: looked up under one lock, reserved under the next, so that the work is done twice.
    LookThenReserve,
    /// Right: both under one lock.
    AtOnce,
}

/// What becomes of the reservation when the work fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Guilty: it stays, and nobody can ever try again.
    Keep,
    /// Right: it ends.
    Release,
}

/// What a request with a key gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<V> {
    /// The answer, new or from before.
    Done(V),
    /// Another request is doing it.
    Busy,
    /// It could not be done.
    Failed,
}

/// `None` while the work is being done.
type Answers<O, V> = HashMap<Key<O>, Option<V>>;

type Key<O> = (Option<O>, String);

/// Answers that were given.
pub struct Idempotency<O: Send, V: Send, S: SyncTypes = Std> {
    keyed_by: KeyedBy,
    reserve: Reserve,
    failed: Failed,
    answers: S::Mutex<Answers<O, V>>,
}

impl<O: Clone + Eq + Hash + Send, V: Clone + Send, S: SyncTypes> Idempotency<O, V, S> {
    /// No answers.
    pub fn new(keyed_by: KeyedBy, reserve: Reserve, failed: Failed) -> Self {
        Self { keyed_by, reserve, failed, answers: S::Mutex::new(HashMap::new()) }
    }

    /// Does `work` unless it was done for this key.
    pub fn once(&self, owner: &O, key: &str, work: impl FnOnce() -> Option<V>) -> Answer<V> {
        let key = match self.keyed_by {
            KeyedBy::Name => (None, key.to_owned()),
            KeyedBy::OwnerAndName => (Some(owner.clone()), key.to_owned()),
        };
        let mut answers = self.answers.lock();
        match answers.get(&key) {
            Some(Some(answer)) => return Answer::Done(answer.clone()),
            Some(None) => return Answer::Busy,
            None => {}
        }
        if self.reserve == Reserve::LookThenReserve {
            drop(answers);
            answers = self.answers.lock();
        }
        answers.insert(key.clone(), None);
        drop(answers);
        self.settle(key, work())
    }

    fn settle(&self, key: Key<O>, answer: Option<V>) -> Answer<V> {
        match (answer, self.failed) {
            (Some(answer), _) => {
                self.answers.lock().insert(key, Some(answer.clone()));
                Answer::Done(answer)
            }
            (None, Failed::Release) => {
                self.answers.lock().remove(&key);
                Answer::Failed
            }
            (None, Failed::Keep) => Answer::Failed,
        }
    }
}
