//! Locks that are held for a moment, and never across an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock. Whoever panicked under it has left it in order: nothing under these locks is half done.
pub(crate) fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
