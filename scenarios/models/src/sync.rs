//! The sync types of every structure here, named in one place so that a model checker can put its own in theirs.

pub(crate) use std::sync::{Arc, Mutex, MutexGuard};

use std::sync::PoisonError;

/// Locks `mutex`. A panic of another holder is no reason to stop: no structure here is left half changed across a call
/// that can panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
