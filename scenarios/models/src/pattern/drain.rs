//! The shutdown, when what was accepted must still be delivered.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{Accept, Drain, Leftovers};
use crate::sync::SyncTypes;
use std::sync::{Mutex, PoisonError};

/// Takes things in until it is shut.
pub trait Shutdown: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// Takes a thing in, to be delivered to its owner. Says whether it was accepted.
    fn accept(&self, owner: Tenant, thing: Canary) -> bool;

    /// Shuts the door. What is still to be delivered, and to whom.
    fn shut(&self) -> Vec<(Tenant, Canary)>;
}

const LEFT: &str = "things of both tenants were left when the door was shut";
const CLOSED: &str = "a thing was refused because the door was shut";
const A_READ: &str = "A was delivered its own thing";
const B_READ: &str = "B was delivered its own thing";
const LOST: &str = "lost";
const OPEN: &str = "open";

/// What it is about.
pub static DRAIN: Pattern = Pattern {
    name: "drain",
    risk: "what is left goes to the wrong tenant, or is lost",
    witnesses: &[LEFT, CLOSED, A_READ, B_READ],
    flaws: &[],
};

/// Explores a shutdown: two tenants hand things in while the door is shut.
///
/// # Errors
///
/// Where a thing is delivered to another tenant; where one is lost or comes twice that was accepted; where one is accepted behind the shut door.
pub fn check_drain<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: Shutdown<Sync: Explorer> + Default,
{
    play(&DRAIN, short_name::<P>(), P::default, scene, bounds)
}

type Things = Arc<Mutex<Vec<Canary>>>;

fn scene<P: Shutdown<Sync: Explorer>>(stage: &Stage<P::Sync>, drain: &Arc<P>) {
    let accepted = Things::default();
    for (who, tenant) in [("A", Tenant::A), ("B", Tenant::B)] {
        let (shared, accepted) = (Arc::clone(drain), Arc::clone(&accepted));
        stage.enter(who, tenant, move |me| {
            let thing = me.canary();
            me.does("hands a thing in");
            if shared.accept(tenant, thing) {
                accepted.lock().unwrap_or_else(PoisonError::into_inner).push(thing);
            } else {
                me.witnesses(CLOSED);
            }
        });
    }
    let (shared, delivered) = (Arc::clone(drain), Things::default());
    let list = Arc::clone(&delivered);
    stage.enter("shutdown", Tenant::A, move |me| {
        me.does("shuts the door");
        let left = shared.shut();
        if left.len() > 1 {
            me.witnesses(LEFT);
        }
        for (receiver, thing) in left {
            let is_own = me.acting_for(receiver).receives("delivers what is left", thing);
            if is_own {
                me.witnesses(if receiver == Tenant::A { A_READ } else { B_READ });
            }
            list.lock().unwrap_or_else(PoisonError::into_inner).push(thing);
        }
    });
    stage.clear();
    is_settled(&stage.actor("main", Tenant::A), &**drain, &accepted, &delivered);
}

fn is_settled<P: Shutdown>(me: &Actor, drain: &P, accepted: &Things, delivered: &Things) {
    let accepted = accepted.lock().unwrap_or_else(PoisonError::into_inner);
    let delivered = delivered.lock().unwrap_or_else(PoisonError::into_inner);
    let times = |thing| delivered.iter().filter(|other| **other == thing).count();
    me.expects(accepted.iter().all(|thing| times(*thing) == 1), LOST, "a thing was accepted and not delivered once");
    me.expects(!drain.accept(Tenant::A, me.canary()), OPEN, "a thing is accepted behind the shut door");
}

impl<S: SyncTypes> Shutdown for Drain<Tenant, Canary, S> {
    type Sync = S;

    fn accept(&self, owner: Tenant, thing: Canary) -> bool {
        self.accept(owner, thing)
    }

    fn shut(&self) -> Vec<(Tenant, Canary)> {
        self.shut()
    }
}

impl<S: SyncTypes> Shutdown for Hollow<S> {
    type Sync = S;

    fn accept(&self, _: Tenant, _: Canary) -> bool {
        false
    }

    fn shut(&self) -> Vec<(Tenant, Canary)> {
        Vec::new()
    }
}

pub(crate) const ENTRIES: &[Entry] =
    &[Entry::right(), Entry::guilty("to-the-last", LEAK), Entry::guilty("taken-late", LOST), Entry::hollow()];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (leftovers, accept) = match name {
        RIGHT => (Leftovers::ToTheOwner, Accept::AtOnce),
        "to-the-last" => (Leftovers::ToTheLast, Accept::AtOnce),
        "taken-late" => (Leftovers::ToTheOwner, Accept::LookThenTake),
        _ => return play(&DRAIN, name, Hollow::<E>::new, scene, bounds),
    };
    play(&DRAIN, name, move || Drain::<_, Canary, E>::new(leftovers, accept), scene, bounds)
}
