//! A pool of backend connections.

use std::collections::VecDeque;

use coalmine_models::sync::{Mutex, Std, SyncTypes};

/// Connections that wait for the next request, the one that waits longest first.
pub struct BackendPool<C: Send, S: SyncTypes = Std> {
    size: usize,
    checks: bool,
    idle: S::Mutex<VecDeque<C>>,
}

impl<C: Send, S: SyncTypes> BackendPool<C, S> {
    /// A pool of `size` connections. With `checks`, one that is not clean is closed when it comes back.
    pub fn new(size: usize, checks: bool, connect: impl Fn() -> C) -> Self {
        Self { size, checks, idle: S::Mutex::new((0..size).map(|_| connect()).collect()) }
    }

    /// How many connections there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The next connection, if one is free.
    pub fn checkout(&self) -> Option<C> {
        self.idle.lock().pop_front()
    }

    /// Gives a connection back, or what takes its place.
    pub fn checkin(&self, connection: C, is_clean: impl Fn(&C) -> bool, connect: impl Fn() -> C) {
        let kept = if self.checks && !is_clean(&connection) { connect() } else { connection };
        self.idle.lock().push_back(kept);
    }
}
