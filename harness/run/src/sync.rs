//! The sync types of the parts that loom checks: the standard library's, or loom's under the private cfg `coalmine_loom`.

#[cfg(coalmine_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(coalmine_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
