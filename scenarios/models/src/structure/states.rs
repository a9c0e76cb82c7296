//! The working state of agent runs: what a run knows while it thinks.

use std::sync::Arc;

use crate::sync::{Mutex, Std, SyncTypes};

/// How far one agent state reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateScope {
    /// Guilty: one object serves every run of the process. Each run overwrites it when it begins, so that runs one after
    /// another look right; runs that overlap read each other.
    Process,
    /// Right: every run has an object of its own.
    Run,
}

/// How steps of one run that overlap change its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Guilty: on a copy that is put back, so that one step undoes what another did meanwhile.
    OnACopy,
    /// Right: under the lock.
    UnderLock,
}

/// Hands out the state that a run works on.
pub struct AgentStates<T: Send, S: SyncTypes = Std> {
    scope: StateScope,
    update: Update,
    shared: AgentState<T, S>,
}

impl<T: Clone + Default + Send, S: SyncTypes> AgentStates<T, S> {
    /// States that reach as far as `scope` says.
    pub fn new(scope: StateScope, update: Update) -> Self {
        Self { scope, update, shared: AgentState::new(update) }
    }

    /// The state for a run that begins now. It may hold what an earlier run left: the run sets it before it reads.
    pub fn open(&self) -> AgentState<T, S> {
        match self.scope {
            StateScope::Process => self.shared.clone(),
            StateScope::Run => AgentState::new(self.update),
        }
    }
}

/// The state of a run. Clones are the same state.
pub struct AgentState<T: Send, S: SyncTypes = Std> {
    update: Update,
    state: Arc<S::Mutex<T>>,
}

impl<T: Clone + Default + Send, S: SyncTypes> AgentState<T, S> {
    fn new(update: Update) -> Self {
        Self { update, state: Arc::new(S::Mutex::new(T::default())) }
    }

    /// Reads or changes the state.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        match self.update {
            Update::OnACopy => {
                let mut copy = self.state.lock().clone();
                let result = work(&mut copy);
                *self.state.lock() = copy;
                result
            }
            Update::UnderLock => work(&mut self.state.lock()),
        }
    }
}

impl<T: Send, S: SyncTypes> Clone for AgentState<T, S> {
    fn clone(&self) -> Self {
        Self { update: self.update, state: Arc::clone(&self.state) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What run A reads at its end, when B begins before that (overlap) or after.
    fn a_reads(scope: StateScope, overlap: bool) -> String {
        let states = AgentStates::<String>::new(scope, Update::UnderLock);
        let a = states.open();
        a.with(|state| "a".clone_into(state));
        if overlap {
            states.open().with(|state| "b".clone_into(state));
        }
        a.with(|state| state.clone())
    }

    #[test]
    fn shared_state_shows_the_other_run_only_under_overlap() {
        assert_eq!(a_reads(StateScope::Process, true), "b");
        assert_eq!(a_reads(StateScope::Process, false), "a");
    }

    #[test]
    fn state_of_a_run_is_its_own() {
        assert_eq!(a_reads(StateScope::Run, true), "a");
    }
}
