//! How far a run is, and what it has spent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use coalmine_core::Budget;

use crate::ledger::Ledger;

/// How far a run is, and what it has spent.
#[derive(Debug, Default)]
pub struct Progress {
    ops_ended: AtomicU64,
    pub(crate) ledger: Arc<Ledger>,
}

impl Progress {
    /// Of a run, with all its rounds, that may spend so much.
    pub fn within(budget: Budget) -> Self {
        Self { ops_ended: AtomicU64::new(0), ledger: Arc::new(Ledger::new(budget)) }
    }

    /// Operations that have ended, over all rounds.
    pub fn ops_ended(&self) -> u64 {
        self.ops_ended.load(Ordering::Relaxed)
    }

    pub(crate) fn op_ended(&self) {
        self.ops_ended.fetch_add(1, Ordering::Relaxed);
    }
}
