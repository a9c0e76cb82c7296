//! The cache of what belongs to somebody.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{Cache, Fill, KeyedBy, Lookup};
use crate::sync::{Mutex, SyncTypes};

/// A cache over a store.
pub trait TenantCache: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// What `owner` gets to see under `name`: stored, or loaded by `load` and then stored.
    fn value(&self, owner: Tenant, name: &'static str, load: &mut dyn FnMut() -> Canary) -> Option<Canary>;

    /// `owner` has written, and must read afresh.
    fn forget(&self, owner: Tenant, name: &'static str);
}

const LOADED_BEFORE: &str = "a value was being loaded while its owner wrote";
const A_READ: &str = "A read its own value";
const B_READ: &str = "B read its own value";
const NAME: &str = "may";
const STALE: &str = "stale";

/// What it is about.
pub static CACHE: Pattern = Pattern {
    name: "cache",
    risk: "what was stored for one tenant is served to another",
    witnesses: &[LOADED_BEFORE, A_READ, B_READ],
    flaws: &["finance.cache-key", "agents.instance-by-name"],
};

/// Explores a cache: a tenant reads while it writes elsewhere, and another tenant reads what has the same name.
///
/// # Errors
///
/// Where a tenant reads another's value, or an old one after it has written.
pub fn check_cache<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: TenantCache<Sync: Explorer> + Default,
{
    play(&CACHE, short_name::<P>(), P::default, scene, bounds)
}

/// What the cache stands before: one value for each tenant.
struct Store<S: SyncTypes> {
    rows: [S::Mutex<Canary>; 2],
}

impl<S: SyncTypes> Store<S> {
    fn read(&self, owner: Tenant) -> Canary {
        *self.rows[owner as usize].lock()
    }

    fn write(&self, owner: Tenant, canary: Canary) {
        *self.rows[owner as usize].lock() = canary;
    }
}

fn scene<P: TenantCache<Sync: Explorer>>(stage: &Stage<P::Sync>, cache: &Arc<P>) {
    let rows = [Tenant::A, Tenant::B].map(|owner| Mutex::new(stage.actor("store", owner).canary()));
    let store = Arc::new(Store::<P::Sync> { rows });
    let (shared, rows) = (Arc::clone(cache), Arc::clone(&store));
    stage.enter("A", Tenant::A, move |me| reads(me, &*shared, &rows, A_READ));
    let (shared, rows) = (Arc::clone(cache), Arc::clone(&store));
    stage.enter("A, elsewhere", Tenant::A, move |me| {
        let canary = me.canary();
        me.does("writes");
        me.together(LOADED_BEFORE, || rows.write(Tenant::A, canary));
        shared.forget(Tenant::A, NAME);
        reads_what_it_wrote(me, &*shared, &rows, canary);
    });
    let (shared, rows) = (Arc::clone(cache), Arc::clone(&store));
    stage.enter("B", Tenant::B, move |me| reads(me, &*shared, &rows, B_READ));
    stage.clear();
    let written = store.read(Tenant::A);
    reads_what_it_wrote(&stage.actor("A, later", Tenant::A), &**cache, &store, written);
}

fn value<P: TenantCache>(me: &Actor, cache: &P, store: &Store<P::Sync>) -> Option<Canary> {
    let owner = me.tenant();
    cache.value(owner, NAME, &mut || {
        let load = || {
            me.does("loads from the store");
            store.read(owner)
        };
        if owner == Tenant::A { me.together(LOADED_BEFORE, load) } else { load() }
    })
}

fn reads<P: TenantCache>(me: &Actor, cache: &P, store: &Store<P::Sync>, witness: &str) {
    me.does("reads");
    match value(me, cache, store) {
        None => me.misses("its value is not there"),
        Some(value) if me.receives("gets", value) => me.witnesses(witness),
        Some(_) => {}
    }
}

fn reads_what_it_wrote<P: TenantCache>(me: &Actor, cache: &P, store: &Store<P::Sync>, written: Canary) {
    me.does("reads after the write");
    if let Some(value) = value(me, cache, store)
        && me.receives("gets", value)
    {
        me.expects(value == written, STALE, "this is the value from before the write");
    }
}

impl<S: SyncTypes> TenantCache for Cache<Tenant, &'static str, Canary, S> {
    type Sync = S;

    fn value(&self, owner: Tenant, name: &'static str, load: &mut dyn FnMut() -> Canary) -> Option<Canary> {
        let ticket = match self.look_up(&owner, &name) {
            Lookup::Hit(value) => return Some(value),
            Lookup::Miss(ticket) => ticket,
        };
        let value = load();
        self.fill(ticket, &owner, &name, value);
        Some(value)
    }

    fn forget(&self, owner: Tenant, name: &'static str) {
        self.forget(&owner, &name);
    }
}

impl<S: SyncTypes> TenantCache for Hollow<S> {
    type Sync = S;

    fn value(&self, _: Tenant, _: &'static str, _: &mut dyn FnMut() -> Canary) -> Option<Canary> {
        None
    }

    fn forget(&self, _: Tenant, _: &'static str) {}
}

pub(crate) const ENTRIES: &[Entry] =
    &[Entry::right(), Entry::guilty("keyed-by-name", LEAK), Entry::guilty("late-fill", STALE), Entry::hollow()];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (keyed_by, fill) = match name {
        RIGHT => (KeyedBy::OwnerAndName, Fill::UnlessForgotten),
        "keyed-by-name" => (KeyedBy::Name, Fill::UnlessForgotten),
        "late-fill" => (KeyedBy::OwnerAndName, Fill::Always),
        _ => return play(&CACHE, name, Hollow::<E>::new, scene, bounds),
    };
    play(&CACHE, name, move || Cache::<_, _, Canary, E>::new(keyed_by, fill, 8), scene, bounds)
}
