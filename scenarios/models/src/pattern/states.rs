//! The working state of agent runs.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{AgentState, AgentStates, StateScope, Update};
use crate::sync::SyncTypes;

/// Hands out the states that runs work on.
pub trait RunStates: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// The state of one run, held by each of its steps.
    type State: Clone + Send;

    /// The state for a run that begins.
    fn open(&self) -> Self::State;

    /// A step adds to what the run knows.
    fn note(&self, state: &Self::State, canary: Canary);

    /// All that the run knows.
    fn notes(&self, state: &Self::State) -> Vec<Canary>;
}

const TOGETHER: &str = "runs of both tenants were under way at once";
const A_READ: &str = "A read what its run had noted";
const B_READ: &str = "B read what its run had noted";
const UNDONE: &str = "undone";

/// What it is about.
pub static STATES: Pattern = Pattern {
    name: "states",
    risk: "a run works on the state of another",
    witnesses: &[TOGETHER, A_READ, B_READ],
    flaws: &["agents.shared-state"],
};

/// Explores the states of runs: two steps of one tenant's run at once, and a run of another tenant.
///
/// # Errors
///
/// Where a run reads what another tenant's noted; where a step undoes another.
pub fn check_states<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: RunStates<Sync: Explorer> + Default,
{
    play(&STATES, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: RunStates<Sync: Explorer>>(stage: &Stage<P::Sync>, states: &Arc<P>) {
    let run = states.open();
    for (who, witness) in [("A, step 1", A_READ), ("A, step 2", A_READ)] {
        let (shared, run) = (Arc::clone(states), run.clone());
        stage.enter(who, Tenant::A, move |me| works(me, &*shared, &run, witness));
    }
    let shared = Arc::clone(states);
    stage.enter("B", Tenant::B, move |me| {
        me.does("begins a run");
        works(me, &*shared, &shared.open(), B_READ);
    });
    stage.clear();
    let me = stage.actor("A, in the end", Tenant::A);
    let notes = states.notes(&run);
    let own = notes.iter().filter(|note| me.receives("concludes from", **note)).count();
    me.expects(own != 1, UNDONE, "one step has undone what the other noted");
}

fn works<P: RunStates>(me: &Actor, states: &P, run: &P::State, witness: &str) {
    me.together(TOGETHER, || {
        let canary = me.canary();
        me.does("notes something");
        states.note(run, canary);
        let notes = states.notes(run);
        for note in &notes {
            me.receives("reads a note", *note);
        }
        if notes.contains(&canary) {
            me.witnesses(witness);
        } else {
            me.misses("its note is not there");
        }
    });
}

impl<S: SyncTypes> RunStates for AgentStates<Vec<Canary>, S> {
    type Sync = S;
    type State = AgentState<Vec<Canary>, S>;

    fn open(&self) -> Self::State {
        self.open()
    }

    fn note(&self, state: &Self::State, canary: Canary) {
        state.with(|notes| notes.push(canary));
    }

    fn notes(&self, state: &Self::State) -> Vec<Canary> {
        state.with(|notes| notes.clone())
    }
}

impl<S: SyncTypes> RunStates for Hollow<S> {
    type Sync = S;
    type State = ();

    fn open(&self) {}

    fn note(&self, (): &(), _: Canary) {}

    fn notes(&self, (): &()) -> Vec<Canary> {
        Vec::new()
    }
}

pub(crate) const ENTRIES: &[Entry] =
    &[Entry::right(), Entry::guilty("one-for-all", LEAK), Entry::guilty("on-a-copy", UNDONE), Entry::hollow()];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (scope, update) = match name {
        RIGHT => (StateScope::Run, Update::UnderLock),
        "one-for-all" => (StateScope::Process, Update::UnderLock),
        "on-a-copy" => (StateScope::Run, Update::OnACopy),
        _ => return play(&STATES, name, Hollow::<E>::new, scene, bounds),
    };
    play(&STATES, name, move || AgentStates::<Vec<Canary>, E>::new(scope, update), scene, bounds)
}
