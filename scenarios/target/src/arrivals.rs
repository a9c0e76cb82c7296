//! When requests came, for those who want to know how fast a client is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Older ones are forgotten.
const KEPT_MAX: usize = 100_000;

/// When the last requests came, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrivals(Arc<Mutex<VecDeque<Instant>>>);

impl Arrivals {
    /// A request is here.
    pub(crate) fn note(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Instant::now());
    }

    pub(crate) fn all(&self) -> Vec<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}
