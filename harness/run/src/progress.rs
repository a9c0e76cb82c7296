//! How far a run is, and what it has spent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use coalmine_core::Budget;

use crate::ledger::Ledger;
use crate::onlooker::Onlooker;

/// More leftovers than this are not listed.
const LEFTOVERS_MAX: usize = 10_000;

/// Something that a run made and could not remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The step that would have removed it.
    pub step: String,
    /// A line for a shell that removes it, with names in angle brackets where credentials stand.
    pub command: String,
}

/// How far a run is, and what it has spent.
#[derive(Debug, Default)]
pub struct Progress {
    ops_ended: AtomicU64,
    ops_failed: AtomicU64,
    leftovers: Mutex<Vec<Leftover>>,
    onlooker: Option<Arc<dyn Onlooker>>,
    pub(crate) ledger: Arc<Ledger>,
}

impl Progress {
    /// Of a run, with all its rounds, that may spend so much.
    pub fn within(budget: Budget) -> Self {
        Self { ledger: Arc::new(Ledger::new(budget)), ..Self::default() }
    }

    /// Of another part of the same run: what both spend is spent together, and each counts its own operations.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { ledger: Arc::clone(&self.ledger), ..Self::default() }
    }

    /// The same, with somebody who looks on.
    #[must_use]
    pub fn shown_to(self, onlooker: Arc<dyn Onlooker>) -> Self {
        Self { onlooker: Some(onlooker), ..self }
    }

    pub(crate) fn onlooker(&self) -> Option<&Arc<dyn Onlooker>> {
        self.onlooker.as_ref()
    }

    /// Operations that have ended, over all rounds.
    pub fn ops_ended(&self) -> u64 {
        self.ops_ended.load(Ordering::Relaxed)
    }

    /// Those of them that were sent and did not end ok.
    pub fn ops_failed(&self) -> u64 {
        self.ops_failed.load(Ordering::Relaxed)
    }

    /// What was made and could not be removed, over all rounds that are over.
    pub fn leftovers(&self) -> Vec<Leftover> {
        self.leftovers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn op_ended(&self) {
        self.ops_ended.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn op_failed(&self) {
        self.ops_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self, leftovers: impl Iterator<Item = Leftover>) {
        let mut all = self.leftovers.lock().unwrap_or_else(PoisonError::into_inner);
        let room = LEFTOVERS_MAX.saturating_sub(all.len());
        all.extend(leftovers.take(room));
    }
}
