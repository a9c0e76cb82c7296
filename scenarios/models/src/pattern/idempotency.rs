//! The store of answers by idempotency key.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, MISSED, Pattern, Stage, Tenant};
use crate::structure::{Answer, Failed, Idempotency, KeyedBy, Reserve};
use crate::sync::{Atomic, Ordering, SyncTypes};

/// Does work once for a key.
pub trait Idempotent: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// Does `work` unless it was done for this key of this owner. Work that gives `None` has failed, and has done nothing.
    fn once(&self, owner: Tenant, key: &'static str, work: &mut dyn FnMut() -> Option<Canary>) -> Answer<Canary>;
}

const FAILED: &str = "work failed";
const AGAIN: &str = "a request that was sent again got the answer from before";
const A_READ: &str = "A got its own answer";
const B_READ: &str = "B got its own answer";
const KEY: &str = "k-1";
const TWICE: &str = "twice";

/// What it is about.
pub static IDEMPOTENCY: Pattern = Pattern {
    name: "idempotency",
    risk: "a key of one tenant brings the answer of another",
    witnesses: &[FAILED, AGAIN, A_READ, B_READ],
    flaws: &["http.idempotency-key"],
};

/// Explores a store: a tenant sends a request twice at once, where one may fail, and another tenant uses the same key.
///
/// # Errors
///
/// Where a tenant gets another's answer; where work is done twice; where a key cannot be used again after a failure.
pub fn check_idempotency<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: Idempotent<Sync: Explorer> + Default,
{
    play(&IDEMPOTENCY, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: Idempotent<Sync: Explorer>>(stage: &Stage<P::Sync>, store: &Arc<P>) {
    let effects = Arc::new(<P::Sync as SyncTypes>::Atomic::new(0));
    let (shared, done) = (Arc::clone(store), Arc::clone(&effects));
    stage.enter("A", Tenant::A, move |me| {
        asks(me, &*shared, &*done, A_READ);
    });
    let (shared, done) = (Arc::clone(store), Arc::clone(&effects));
    stage.enter("A, cancelled", Tenant::A, move |me| {
        let answer = shared.once(Tenant::A, KEY, &mut || {
            me.does("begins the work, and is cancelled");
            // Where another may come in between.
            done.load(Ordering::Acquire);
            me.witnesses(FAILED);
            None
        });
        if let Answer::Done(answer) = answer {
            me.receives("gets the answer", answer);
            me.witnesses(AGAIN);
        }
    });
    let shared = Arc::clone(store);
    stage.enter("B", Tenant::B, move |me| {
        if asks(me, &*shared, &<P::Sync as SyncTypes>::Atomic::new(0), B_READ) {
            me.misses("it is told that its work is being done");
        }
    });
    stage.clear();
    if asks(&stage.actor("A, later", Tenant::A), &**store, &*effects, A_READ) {
        stage.actor("A, later", Tenant::A).misses("it is told forever that its work is being done");
    }
}

/// Says whether it was told that the work is being done elsewhere.
fn asks<P: Idempotent>(me: &Actor, store: &P, effects: &impl Atomic, witness: &str) -> bool {
    me.does("sends the request");
    let answer = store.once(me.tenant(), KEY, &mut || {
        me.does("does the work");
        let before = effects.fetch_add(1, Ordering::AcqRel);
        me.expects(before == 0, TWICE, "the work is done twice");
        Some(me.canary())
    });
    match answer {
        Answer::Done(answer) if me.receives("gets the answer", answer) => me.witnesses(witness),
        Answer::Done(_) => {}
        Answer::Failed => me.misses("its work is said to have failed"),
        Answer::Busy => return true,
    }
    false
}

impl<S: SyncTypes> Idempotent for Idempotency<Tenant, Canary, S> {
    type Sync = S;

    fn once(&self, owner: Tenant, key: &'static str, work: &mut dyn FnMut() -> Option<Canary>) -> Answer<Canary> {
        self.once(&owner, key, work)
    }
}

impl<S: SyncTypes> Idempotent for Hollow<S> {
    type Sync = S;

    fn once(&self, _: Tenant, _: &'static str, _: &mut dyn FnMut() -> Option<Canary>) -> Answer<Canary> {
        Answer::Busy
    }
}

pub(crate) const ENTRIES: &[Entry] = &[
    Entry::right(),
    Entry::guilty("key-alone", LEAK),
    Entry::guilty("reserved-late", TWICE),
    Entry::guilty("never-released", MISSED),
    Entry::hollow(),
];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (keyed_by, reserve, failed) = match name {
        RIGHT => (KeyedBy::OwnerAndName, Reserve::AtOnce, Failed::Release),
        "key-alone" => (KeyedBy::Name, Reserve::AtOnce, Failed::Release),
        "reserved-late" => (KeyedBy::OwnerAndName, Reserve::LookThenReserve, Failed::Release),
        "never-released" => (KeyedBy::OwnerAndName, Reserve::AtOnce, Failed::Keep),
        _ => return play(&IDEMPOTENCY, name, Hollow::<E>::new, scene, bounds),
    };
    play(&IDEMPOTENCY, name, move || Idempotency::<_, Canary, E>::new(keyed_by, reserve, failed), scene, bounds)
}
