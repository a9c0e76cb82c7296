//! The context of a run, and those of the children that it starts.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::sync::{Mutex, Std, SyncTypes};

/// What a child gets from its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherit {
    /// Guilty: the parent's own variables, which its siblings have as well.
    Share,
    /// Guilty: nothing.
    Nothing,
    /// Right: a copy.
    Copy,
}

/// Variables of a run or of a child. Clones are the same context.
pub struct Context<K: Send, V: Send, S: SyncTypes = Std> {
    inherit: Inherit,
    variables: Arc<S::Mutex<HashMap<K, V>>>,
}

impl<K: Clone + Eq + Hash + Send, V: Clone + Send, S: SyncTypes> Context<K, V, S> {
    /// The context of a run, with no variables.
    pub fn new(inherit: Inherit) -> Self {
        Self::with(inherit, HashMap::new())
    }

    /// The context of a child.
    #[must_use]
    pub fn child(&self) -> Self {
        match self.inherit {
            Inherit::Share => Self { inherit: self.inherit, variables: Arc::clone(&self.variables) },
            Inherit::Nothing => Self::new(self.inherit),
            Inherit::Copy => Self::with(self.inherit, self.variables.lock().clone()),
        }
    }

    /// Sets a variable.
    pub fn set(&self, name: K, value: V) {
        self.variables.lock().insert(name, value);
    }

    /// The value of a variable.
    pub fn value(&self, name: &K) -> Option<V> {
        self.variables.lock().get(name).cloned()
    }

    fn with(inherit: Inherit, variables: HashMap<K, V>) -> Self {
        Self { inherit, variables: Arc::new(S::Mutex::new(variables)) }
    }
}
