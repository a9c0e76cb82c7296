//! The limit on each tenant's requests.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{BudgetOf, Count, Limiter};
use crate::sync::SyncTypes;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts requests. Each tenant may send one.
pub trait RateLimit: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// Lets a request pass.
    ///
    /// # Errors
    ///
    /// What the one who is refused is told: the requests that have used the budget up.
    fn pass(&self, owner: Tenant, request: Canary) -> Result<(), Vec<Canary>>;
}

const TOGETHER: &str = "two requests of one tenant were counted at once";
const REFUSED: &str = "a request over the budget was refused";
const B_PASSED: &str = "B passed while A was over its budget";
const OVER: &str = "over-budget";

/// What it is about.
pub static LIMITER: Pattern = Pattern {
    name: "limiter",
    risk: "a tenant is refused for what another has done, and told of it",
    witnesses: &[TOGETHER, REFUSED, B_PASSED],
    flaws: &["leads.noisy-neighbour"],
};

/// Explores a limiter: one tenant sends more than its budget of one, another stays within.
///
/// # Errors
///
/// Where a refusal tells of another tenant's requests; where more pass than may; where a tenant within its budget is refused.
pub fn check_limiter<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: RateLimit<Sync: Explorer> + Default,
{
    play(&LIMITER, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: RateLimit<Sync: Explorer>>(stage: &Stage<P::Sync>, limiter: &Arc<P>) {
    let passed = Arc::new(AtomicU64::new(0));
    for who in ["A", "A, elsewhere"] {
        let (shared, passed) = (Arc::clone(limiter), Arc::clone(&passed));
        stage.enter(who, Tenant::A, move |me| {
            let witness = if me.together(TOGETHER, || passes(me, &*shared)) { None } else { Some(REFUSED) };
            let before = passed.fetch_add(u64::from(witness.is_none()), Ordering::Relaxed);
            me.expects(before == 0 || witness.is_some(), OVER, "more requests pass than may");
            if let Some(witness) = witness {
                me.witnesses(witness);
            }
        });
    }
    let (shared, others) = (Arc::clone(limiter), Arc::clone(&passed));
    stage.enter("B", Tenant::B, move |me| {
        if !passes(me, &*shared) {
            me.misses("it is refused within its budget");
        } else if others.load(Ordering::Relaxed) > 0 {
            me.witnesses(B_PASSED);
        }
    });
    stage.clear();
    let me = stage.actor("A, in the end", Tenant::A);
    if passed.load(Ordering::Relaxed) == 0 {
        me.misses("it is refused within its budget");
    }
}

fn passes<P: RateLimit>(me: &Actor, limiter: &P) -> bool {
    me.does("sends a request");
    match limiter.pass(me.tenant(), me.canary()) {
        Ok(()) => true,
        Err(because) => {
            for request in because {
                me.receives("is refused because of", request);
            }
            false
        }
    }
}

impl<S: SyncTypes> RateLimit for Limiter<Tenant, Canary, S> {
    type Sync = S;

    fn pass(&self, owner: Tenant, request: Canary) -> Result<(), Vec<Canary>> {
        self.pass(&owner, request)
    }
}

impl<S: SyncTypes> RateLimit for Hollow<S> {
    type Sync = S;

    fn pass(&self, _: Tenant, _: Canary) -> Result<(), Vec<Canary>> {
        Err(Vec::new())
    }
}

pub(crate) const ENTRIES: &[Entry] =
    &[Entry::right(), Entry::guilty("one-budget", LEAK), Entry::guilty("counted-late", OVER), Entry::hollow()];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (budget_of, count) = match name {
        RIGHT => (BudgetOf::Owner, Count::AtOnce),
        "one-budget" => (BudgetOf::Everyone, Count::AtOnce),
        "counted-late" => (BudgetOf::Owner, Count::LookThenCount),
        _ => return play(&LIMITER, name, Hollow::<E>::new, scene, bounds),
    };
    play(&LIMITER, name, move || Limiter::<_, Canary, E>::new(budget_of, count, 1), scene, bounds)
}
