//! The working state of agent runs: what a run knows while it thinks.

use crate::sync::{Arc, Mutex, lock};

/// How far one agent state reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateScope {
    /// Guilty: one object serves every run of the process. Each run overwrites it when it begins, so that runs one after
    /// another look right; runs that overlap read each other.
    Process,
    /// Right: every run has an object of its own.
    Run,
}

/// Hands out the state that a run works on.
#[derive(Debug)]
pub struct AgentStates<S> {
    scope: StateScope,
    shared: AgentState<S>,
}

impl<S: Default> AgentStates<S> {
    /// States that reach as far as `scope` says.
    pub fn new(scope: StateScope) -> Self {
        Self { scope, shared: AgentState::default() }
    }

    /// The state for a run that begins now. It may hold what an earlier run left: the run sets it before it reads.
    pub fn open(&self) -> AgentState<S> {
        match self.scope {
            StateScope::Process => self.shared.clone(),
            StateScope::Run => AgentState::default(),
        }
    }
}

/// The state of a run. Clones are the same state.
#[derive(Debug, Default)]
pub struct AgentState<S>(Arc<Mutex<S>>);

impl<S> AgentState<S> {
    /// Reads or changes the state under its lock.
    pub fn with<R>(&self, work: impl FnOnce(&mut S) -> R) -> R {
        work(&mut lock(&self.0))
    }
}

impl<S> Clone for AgentState<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What run A reads at its end, when B begins before that (overlap) or after.
    fn a_reads(scope: StateScope, overlap: bool) -> String {
        let states = AgentStates::<String>::new(scope);
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
