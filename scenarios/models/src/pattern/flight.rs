//! Loads that are made once for all who ask at the same time.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, DEADLOCK, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{Crash, Flights, KeyedBy, TakeOff};
use crate::sync::{Atomic, Ordering, SyncTypes};

/// Merges loads.
pub trait SingleFlight: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// What `owner` gets to see under `name`. `None` when the load fails that is made for this call.
    fn load(&self, owner: Tenant, name: &'static str, load: &mut dyn FnMut() -> Option<Canary>) -> Option<Canary>;
}

const CANCELLED: &str = "a load failed";
const A_READ: &str = "A got its own value";
const B_READ: &str = "B got its own value";
const NAME: &str = "may";
const TWICE: &str = "twice";

/// What it is about.
pub static FLIGHT: Pattern = Pattern {
    name: "flight",
    risk: "the load of one tenant lands at another that asked for the same name",
    witnesses: &[CANCELLED, A_READ, B_READ],
    flaws: &["finance.single-flight"],
};

/// Explores loads: a tenant asks twice at once, where one load may fail, and another tenant asks for the same name.
///
/// # Errors
///
/// Where a tenant gets another's value; where two loads of one tenant's value are in the air at once; where somebody waits forever.
pub fn check_flight<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: SingleFlight<Sync: Explorer> + Default,
{
    play(&FLIGHT, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: SingleFlight<Sync: Explorer>>(stage: &Stage<P::Sync>, flights: &Arc<P>) {
    let backend = Arc::new(<P::Sync as SyncTypes>::Atomic::new(0));
    let (shared, loads) = (Arc::clone(flights), Arc::clone(&backend));
    stage.enter("A, cancelled", Tenant::A, move |me| {
        let got = shared.load(Tenant::A, NAME, &mut || {
            is_alone(me, &*loads, || me.does("loads, and is cancelled"));
            me.witnesses(CANCELLED);
            None
        });
        if let Some(value) = got {
            me.receives("gets", value);
        }
    });
    let (shared, loads) = (Arc::clone(flights), backend);
    stage.enter("A", Tenant::A, move |me| {
        let load = || Some(is_alone(me, &*loads, || me.canary()));
        gets(me, shared.load(Tenant::A, NAME, &mut { load }), A_READ);
    });
    let shared = Arc::clone(flights);
    stage.enter("B", Tenant::B, move |me| {
        gets(me, shared.load(Tenant::B, NAME, &mut || Some(me.canary())), B_READ);
    });
}

fn is_alone<R>(me: &Actor, loads: &impl Atomic, load: impl FnOnce() -> R) -> R {
    me.does("begins a load");
    let others = loads.fetch_add(1, Ordering::AcqRel);
    me.expects(others == 0, TWICE, "two loads of one value are in the air");
    let loaded = load();
    loads.fetch_add(u64::MAX, Ordering::AcqRel);
    loaded
}

fn gets(me: &Actor, value: Option<Canary>, witness: &str) {
    match value {
        None => me.misses("its value was not loaded"),
        Some(value) if me.receives("gets", value) => me.witnesses(witness),
        Some(_) => {}
    }
}

impl<S: SyncTypes> SingleFlight for Flights<Tenant, &'static str, Canary, S> {
    type Sync = S;

    fn load(&self, owner: Tenant, name: &'static str, load: &mut dyn FnMut() -> Option<Canary>) -> Option<Canary> {
        self.load(&owner, &name, load)
    }
}

impl<S: SyncTypes> SingleFlight for Hollow<S> {
    type Sync = S;

    fn load(&self, _: Tenant, _: &'static str, _: &mut dyn FnMut() -> Option<Canary>) -> Option<Canary> {
        None
    }
}

pub(crate) const ENTRIES: &[Entry] = &[
    Entry::right(),
    Entry::guilty("merged-by-name", LEAK),
    Entry::guilty("two-take-offs", TWICE),
    Entry::guilty("crash-untold", DEADLOCK),
    Entry::hollow(),
];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (keyed_by, take_off, crash) = match name {
        RIGHT => (KeyedBy::OwnerAndName, TakeOff::AtOnce, Crash::NextTries),
        "merged-by-name" => (KeyedBy::Name, TakeOff::AtOnce, Crash::NextTries),
        "two-take-offs" => (KeyedBy::OwnerAndName, TakeOff::LookThenGo, Crash::NextTries),
        "crash-untold" => (KeyedBy::OwnerAndName, TakeOff::AtOnce, Crash::WaitForever),
        _ => return play(&FLIGHT, name, Hollow::<E>::new, scene, bounds),
    };
    play(&FLIGHT, name, move || Flights::<_, _, Canary, E>::new(keyed_by, take_off, crash), scene, bounds)
}
