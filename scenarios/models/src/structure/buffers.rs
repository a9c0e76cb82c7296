//! Buffers that answers are written into, kept for the next answer.

use crate::sync::{Mutex, Std, SyncTypes};

/// What is in a buffer that is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Guilty: what the last answer left.
    AsItIs,
    /// Right: nothing.
    Cleared,
}

/// How it is decided whether a buffer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Guilty: counted under one lock, kept under the next, so that more are kept than there should be.
    CountThenKeep,
    /// Right: both under one lock.
    AtOnce,
}

/// Lends buffers, and keeps some.
pub struct Buffers<T: Send, S: SyncTypes = Std> {
    reuse: Reuse,
    keep: Keep,
    idle_max: usize,
    idle: S::Mutex<Vec<Vec<T>>>,
}

impl<T: Send, S: SyncTypes> Buffers<T, S> {
    /// Keeps at most `idle_max` buffers.
    pub fn new(reuse: Reuse, keep: Keep, idle_max: usize) -> Self {
        Self { reuse, keep, idle_max, idle: S::Mutex::new(Vec::new()) }
    }

    /// Does `work` with a buffer.
    pub fn with<R>(&self, work: impl FnOnce(&mut Vec<T>) -> R) -> R {
        let kept = self.idle.lock().pop();
        let mut buffer = kept.unwrap_or_default();
        if self.reuse == Reuse::Cleared {
            buffer.clear();
        }
        let result = work(&mut buffer);
        self.take_back(buffer);
        result
    }

    /// How many are kept.
    pub fn idle(&self) -> usize {
        self.idle.lock().len()
    }

    fn take_back(&self, buffer: Vec<T>) {
        let mut idle = self.idle.lock();
        if idle.len() >= self.idle_max {
            return;
        }
        if self.keep == Keep::CountThenKeep {
            drop(idle);
            idle = self.idle.lock();
        }
        idle.push(buffer);
    }
}
