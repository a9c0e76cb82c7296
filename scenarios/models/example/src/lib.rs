//! A pool as somebody writes it who has never seen Coalmine's own, and the test that finds its bug.

use std::collections::VecDeque;

use coalmine_models::sync::{Mutex, Std, SyncTypes};

/// A connection to the backend, which answers in the order of the requests.
pub trait Backend: Send {
    /// A fresh one.
    fn connect() -> Self;

    /// Whether all answers have been read.
    fn is_clean(&self) -> bool;
}

/// Connections that wait for the next request, the one that waits longest first.
pub struct BackendPool<C: Send, S: SyncTypes = Std> {
    size: usize,
    checks: bool,
    idle: S::Mutex<VecDeque<C>>,
}

impl<C: Backend, S: SyncTypes> BackendPool<C, S> {
    /// A pool of `size` connections. With `checks`, one that is not clean is replaced when it comes back.
    pub fn new(size: usize, checks: bool) -> Self {
        Self { size, checks, idle: S::Mutex::new((0..size).map(|_| C::connect()).collect()) }
    }

    /// How many connections there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The next connection, if one is free.
    pub fn checkout(&self) -> Option<C> {
        self.idle.lock().pop_front()
    }

    /// Gives a connection back.
    pub fn checkin(&self, connection: C) {
        let kept = if self.checks && !connection.is_clean() { C::connect() } else { connection };
        self.idle.lock().push_back(kept);
    }
}

#[cfg(test)]
mod tests;
