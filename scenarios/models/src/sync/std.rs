//! The standard library's.

use std::sync::{self, MutexGuard, PoisonError, atomic::AtomicU64};

use super::{Atomic, Condvar, Guard, Mutex, Ordering, SyncTypes};

/// Runs for real.
#[derive(Clone, Copy, Debug)]
pub struct Std;

impl SyncTypes for Std {
    type Mutex<T: Send> = sync::Mutex<T>;
    type Condvar = sync::Condvar;
    type Atomic = AtomicU64;
}

impl<T: Send> Mutex<T> for sync::Mutex<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    fn new(value: T) -> Self {
        Self::new(value)
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condvar<Std> for sync::Condvar {
    fn new() -> Self {
        Self::new()
    }

    fn wait<'a, T: Send>(&self, guard: Guard<'a, Std, T>) -> Guard<'a, Std, T> {
        self.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    fn notify_all(&self) {
        self.notify_all();
    }
}

impl Atomic for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }

    fn store(&self, value: u64, order: Ordering) {
        self.store(value, order);
    }

    fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.fetch_add(value, order)
    }
}
