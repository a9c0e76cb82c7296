//! How far a run is.

use std::sync::atomic::{AtomicU64, Ordering};

/// How far a run is.
#[derive(Debug, Default)]
pub struct Progress {
    ops_ended: AtomicU64,
}

impl Progress {
    /// Operations that have ended, over all rounds.
    pub fn ops_ended(&self) -> u64 {
        self.ops_ended.load(Ordering::Relaxed)
    }

    pub(crate) fn op_ended(&self) {
        self.ops_ended.fetch_add(1, Ordering::Relaxed);
    }
}
