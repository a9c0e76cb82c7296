//! What each tenant has one of, made when it is first needed.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{CellOf, LazyCells, Make};
use crate::sync::SyncTypes;
use std::sync::PoisonError;

/// One value for each tenant.
pub trait Lazy: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// The value of `owner`, made by `make` if it is the first time.
    fn value(&self, owner: Tenant, make: &mut dyn FnMut() -> Canary) -> Option<Canary>;
}

const TOGETHER: &str = "two requests of one tenant were first at once";
const A_READ: &str = "A got its own";
const B_READ: &str = "B got its own";
const TWO: &str = "two";

/// What it is about.
pub static LAZY: Pattern = Pattern {
    name: "lazy",
    risk: "what was made for the first tenant serves all",
    witnesses: &[TOGETHER, A_READ, B_READ],
    flaws: &[],
};

/// Explores lazy values: two first requests of one tenant, and one of another.
///
/// # Errors
///
/// Where a tenant gets what was made for another; where one tenant gets two.
pub fn check_lazy<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: Lazy<Sync: Explorer> + Default,
{
    play(&LAZY, short_name::<P>(), P::default, scene, bounds)
}

type Got = Arc<std::sync::Mutex<Vec<Canary>>>;

fn scene<P: Lazy<Sync: Explorer>>(stage: &Stage<P::Sync>, lazy: &Arc<P>) {
    let got = Got::default();
    for who in ["A", "A, elsewhere"] {
        let (shared, got) = (Arc::clone(lazy), Arc::clone(&got));
        stage.enter(who, Tenant::A, move |me| {
            let value = me.together(TOGETHER, || asks(me, &*shared, A_READ));
            got.lock().unwrap_or_else(PoisonError::into_inner).extend(value);
        });
    }
    let shared = Arc::clone(lazy);
    stage.enter("B", Tenant::B, move |me| {
        asks(me, &*shared, B_READ);
    });
    stage.clear();
    let me = stage.actor("A, later", Tenant::A);
    let last = asks(&me, &**lazy, A_READ);
    let got = got.lock().unwrap_or_else(PoisonError::into_inner);
    let is_one = got.iter().all(|value| Some(*value) == last);
    me.expects(is_one, TWO, "two were made for one tenant");
}

fn asks<P: Lazy>(me: &Actor, lazy: &P, witness: &str) -> Option<Canary> {
    me.does("asks");
    let value = lazy.value(me.tenant(), &mut || {
        me.does("makes one");
        me.canary()
    });
    match value {
        None => me.misses("there is none"),
        Some(value) if me.receives("gets", value) => me.witnesses(witness),
        Some(_) => {}
    }
    value
}

impl<S: SyncTypes> Lazy for LazyCells<Tenant, Canary, S> {
    type Sync = S;

    fn value(&self, owner: Tenant, make: &mut dyn FnMut() -> Canary) -> Option<Canary> {
        Some(self.value(&owner, make))
    }
}

impl<S: SyncTypes> Lazy for Hollow<S> {
    type Sync = S;

    fn value(&self, _: Tenant, _: &mut dyn FnMut() -> Canary) -> Option<Canary> {
        None
    }
}

pub(crate) const ENTRIES: &[Entry] =
    &[Entry::right(), Entry::guilty("one-for-all", LEAK), Entry::guilty("two-made", TWO), Entry::hollow()];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (cell_of, make) = match name {
        RIGHT => (CellOf::Owner, Make::AtOnce),
        "one-for-all" => (CellOf::Everyone, Make::AtOnce),
        "two-made" => (CellOf::Owner, Make::LookThenFill),
        _ => return play(&LAZY, name, Hollow::<E>::new, scene, bounds),
    };
    play(&LAZY, name, move || LazyCells::<_, Canary, E>::new(cell_of, make), scene, bounds)
}
