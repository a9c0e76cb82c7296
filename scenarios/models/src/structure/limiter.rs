//! A budget of requests for each tenant. Who is refused is told which requests have used it up.

use std::collections::HashMap;
use std::hash::Hash;

use crate::sync::{Mutex, Std, SyncTypes};

/// Who shares a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetOf {
    /// Guilty: everybody, so that one tenant's requests refuse another's, and are told to it.
    Everyone,
    /// Right: each owner has its own.
    Owner,
}

/// How a request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Guilty: looked at under one lock, counted under the next, so that more pass than may.
    LookThenCount,
    /// Right: both under one lock.
    AtOnce,
}

/// Counts requests.
pub struct Limiter<O: Send, R: Send, S: SyncTypes = Std> {
    budget_of: BudgetOf,
    count: Count,
    budget: usize,
    passed: S::Mutex<HashMap<Option<O>, Vec<R>>>,
}

impl<O: Clone + Eq + Hash + Send, R: Clone + Send, S: SyncTypes> Limiter<O, R, S> {
    /// Lets `budget` requests pass.
    pub fn new(budget_of: BudgetOf, count: Count, budget: usize) -> Self {
        Self { budget_of, count, budget, passed: S::Mutex::new(HashMap::new()) }
    }

    /// Lets a request pass.
    ///
    /// # Errors
    ///
    /// The requests that have used the budget up.
    pub fn pass(&self, owner: &O, request: R) -> Result<(), Vec<R>> {
        let key = match self.budget_of {
            BudgetOf::Everyone => None,
            BudgetOf::Owner => Some(owner.clone()),
        };
        let mut passed = self.passed.lock();
        let before = passed.get(&key).map(Vec::as_slice).unwrap_or_default();
        if before.len() >= self.budget {
            return Err(before.to_vec());
        }
        if self.count == Count::LookThenCount {
            drop(passed);
            passed = self.passed.lock();
        }
        passed.entry(key).or_default().push(request);
        Ok(())
    }
}
