//! The slot for "who is asking", set when a request is let in and read further down.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, MISSED, Pattern, Stage, Tenant};
use crate::structure::{ContextSlot, SlotScope};
use crate::sync::SyncTypes;

/// Where the context of a request is kept.
pub trait Slot: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// A request begins. Its number may be given to another when it has ended.
    fn enter(&self, request: u64, context: Canary);

    /// The context that code sees which serves the request.
    fn current(&self, request: u64) -> Option<Canary>;

    /// The request ends.
    fn leave(&self, request: u64);
}

const TOGETHER: &str = "requests of both tenants were served at once";
const A_READ: &str = "A read its own context";
const B_READ: &str = "B read its own context";
const OUTLIVES: &str = "outlives";

/// What it is about.
pub static SLOT: Pattern = Pattern {
    name: "slot",
    risk: "code reads the context of whoever came last",
    witnesses: &[TOGETHER, A_READ, B_READ],
    flaws: &["agents.context-slot", "agents.merge", "agents.thread-echo", "leads.api-key-shared"],
};

/// Explores a slot: requests of two tenants, then one more that is given the number of the first.
///
/// # Errors
///
/// Where a request reads the context of another tenant, or not its own; where a context outlives its request.
pub fn check_slot<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: Slot<Sync: Explorer> + Default,
{
    play(&SLOT, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: Slot<Sync: Explorer>>(stage: &Stage<P::Sync>, slot: &Arc<P>) {
    let shared = Arc::clone(slot);
    stage.enter("A", Tenant::A, move |me| is_served(me, &*shared, 1, A_READ));
    let shared = Arc::clone(slot);
    stage.enter("B", Tenant::B, move |me| is_served(me, &*shared, 2, B_READ));
    stage.clear();
    let me = stage.actor("B, later", Tenant::B);
    me.does("is given the number of A's request");
    finds_nothing(&me, &**slot, 1);
}

fn is_served<P: Slot>(me: &Actor, slot: &P, request: u64, witness: &str) {
    me.together(TOGETHER, || {
        let canary = me.canary();
        me.does("enters");
        slot.enter(request, canary);
        match slot.current(request) {
            None => me.misses("its context is not there"),
            Some(current) if me.receives("reads the current context", current) => me.witnesses(witness),
            Some(_) => {}
        }
        me.does("leaves");
        slot.leave(request);
    });
    finds_nothing(me, slot, request);
}

fn finds_nothing<P: Slot>(me: &Actor, slot: &P, request: u64) {
    if let Some(left) = slot.current(request) {
        me.receives("reads the context of a request that has ended", left);
        me.breaks(OUTLIVES, "a context outlives its request");
    }
}

impl<S: SyncTypes> Slot for ContextSlot<Canary, S> {
    type Sync = S;

    fn enter(&self, request: u64, context: Canary) {
        self.enter(request, context);
    }

    fn current(&self, request: u64) -> Option<Canary> {
        self.current(request)
    }

    fn leave(&self, request: u64) {
        self.leave(request);
    }
}

impl<S: SyncTypes> Slot for Hollow<S> {
    type Sync = S;

    fn enter(&self, _: u64, _: Canary) {}

    fn current(&self, _: u64) -> Option<Canary> {
        None
    }

    fn leave(&self, _: u64) {}
}

pub(crate) const ENTRIES: &[Entry] = &[
    Entry::right(),
    Entry::guilty("process-wide", LEAK),
    Entry::guilty("never-left", LEAK),
    Entry::guilty("cleared-for-all", MISSED),
    Entry::hollow(),
];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let scope = match name {
        RIGHT => SlotScope::Request,
        "process-wide" => SlotScope::Process,
        "cleared-for-all" => SlotScope::RequestUntilAnyEnds,
        "never-left" => SlotScope::RequestAndAfter,
        _ => return play(&SLOT, name, Hollow::<E>::new, scene, bounds),
    };
    play(&SLOT, name, move || ContextSlot::<Canary, E>::new(scope), scene, bounds)
}
