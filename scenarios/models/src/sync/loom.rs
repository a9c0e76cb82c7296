//! Loom's, each lock noted on the tape of the model that runs.

use std::panic::Location;
use std::sync::PoisonError;

use loom::sync::atomic::AtomicU64;
use loom::sync::{self, MutexGuard};

use super::{Atomic, Condvar, Guard, Mutex, Ordering, SyncTypes};
use crate::model::Tape;

/// Explores every interleaving within bounds; see [`crate::Bounds`].
#[derive(Clone, Copy, Debug)]
pub struct Loom;

impl SyncTypes for Loom {
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

    #[track_caller]
    fn lock(&self) -> MutexGuard<'_, T> {
        let place = Location::caller();
        let guard = self.lock().unwrap_or_else(PoisonError::into_inner);
        note(place);
        guard
    }
}

fn note(place: &'static Location<'static>) {
    Tape::with_current(|tape| tape.lock_taken(loom::thread::current().name(), place));
}

impl Condvar<Loom> for sync::Condvar {
    fn new() -> Self {
        Self::new()
    }

    fn wait<'a, T: Send>(&self, guard: Guard<'a, Loom, T>) -> Guard<'a, Loom, T> {
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
