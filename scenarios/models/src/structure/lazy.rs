//! What each tenant has one of, made when it is first needed.

use std::collections::HashMap;
use std::hash::Hash;

use crate::sync::{Mutex, Std, SyncTypes};

/// Who shares a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellOf {
    /// Guilty: everybody has what was made for the first.
    Everyone,
    /// Right: each owner has its own.
    Owner,
}

/// How a cell is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Guilty: looked at under one lock, filled under the next, so that two are made and one is lost with what was put in it.
    LookThenFill,
    /// Right: both under one lock.
    AtOnce,
}

/// One value for each owner.
pub struct LazyCells<O: Send, V: Send, S: SyncTypes = Std> {
    cell_of: CellOf,
    make: Make,
    cells: S::Mutex<HashMap<Option<O>, V>>,
}

impl<O: Clone + Eq + Hash + Send, V: Clone + Send, S: SyncTypes> LazyCells<O, V, S> {
    /// Empty cells.
    pub fn new(cell_of: CellOf, make: Make) -> Self {
        Self { cell_of, make, cells: S::Mutex::new(HashMap::new()) }
    }

    /// The value of `owner`, made here if it is the first time.
    pub fn value(&self, owner: &O, make: impl FnOnce() -> V) -> V {
        let key = match self.cell_of {
            CellOf::Everyone => None,
            CellOf::Owner => Some(owner.clone()),
        };
        match self.make {
            Make::LookThenFill => {
                let found = self.cells.lock().get(&key).cloned();
                found.unwrap_or_else(|| {
                    let value = make();
                    self.cells.lock().insert(key, value.clone());
                    value
                })
            }
            Make::AtOnce => self.cells.lock().entry(key).or_insert_with(make).clone(),
        }
    }
}
