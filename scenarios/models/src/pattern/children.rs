//! The contexts of children that a run starts.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{Context, Inherit};
use crate::sync::{Atomic, Ordering, SyncTypes};

/// The context of a run or of a child.
pub trait Children: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// The context of a child.
    #[must_use]
    fn child(&self) -> Self;

    /// Sets a variable.
    fn set(&self, name: &'static str, value: Canary);

    /// The value of a variable.
    fn value(&self, name: &'static str) -> Option<Canary>;
}

const TOGETHER: &str = "two children were at work at once";
const INHERITED: &str = "a child saw what its parent had set for it";
const A_READ: &str = "the child for A read its own variable";
const B_READ: &str = "the child for B read its own variable";
const SCRATCH: &str = "scratch";
const UPWARD: &str = "upward";
const DISOWNED: &str = "disowned";

/// What it is about.
pub static CHILDREN: Pattern = Pattern {
    name: "children",
    risk: "a child sees what its sibling has set",
    witnesses: &[TOGETHER, INHERITED, A_READ, B_READ],
    flaws: &["agents.child-shares-parent"],
};

/// Explores contexts: two children of one run, each with a secret that its sibling may not see.
///
/// # Errors
///
/// Where a child reads what its sibling has set, or not what it or its parent has set; where the parent reads what a child has set.
pub fn check_children<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: Children<Sync: Explorer> + Default,
{
    play(&CHILDREN, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: Children<Sync: Explorer>>(stage: &Stage<P::Sync>, parent: &Arc<P>) {
    let backend = Arc::new(<P::Sync as SyncTypes>::Atomic::new(0));
    for (who, tenant, gift, witness) in [("A", Tenant::A, "for A", A_READ), ("B", Tenant::B, "for B", B_READ)] {
        parent.set(gift, stage.actor("parent", tenant).canary());
        let (shared, backend) = (Arc::clone(parent), Arc::clone(&backend));
        stage.enter(who, tenant, move |me| {
            me.does("begins as a child");
            let child = shared.child();
            me.together(TOGETHER, || works(me, &child, &*backend, gift, witness));
        });
    }
    stage.clear();
    let me = stage.actor("parent", Tenant::A);
    me.expects(parent.value(SCRATCH).is_none(), UPWARD, "the parent reads what a child has set");
}

fn works<P: Children>(me: &Actor, child: &P, backend: &impl Atomic, gift: &'static str, witness: &str) {
    let canary = me.canary();
    me.does("sets a variable");
    child.set(SCRATCH, canary);
    // What both call, so that one may come in between here.
    backend.fetch_add(1, Ordering::AcqRel);
    match child.value(SCRATCH) {
        None => me.misses("its variable is not there"),
        Some(value) if me.receives("reads the variable", value) => me.witnesses(witness),
        Some(_) => {}
    }
    match child.value(gift) {
        None if child.value(SCRATCH).is_some() => me.breaks(DISOWNED, "what the parent had set is not there"),
        Some(value) if me.receives("reads what the parent had set", value) => me.witnesses(INHERITED),
        None | Some(_) => {}
    }
}

impl<S: SyncTypes> Children for Context<&'static str, Canary, S> {
    type Sync = S;

    fn child(&self) -> Self {
        self.child()
    }

    fn set(&self, name: &'static str, value: Canary) {
        self.set(name, value);
    }

    fn value(&self, name: &'static str) -> Option<Canary> {
        self.value(&name)
    }
}

impl<S: SyncTypes> Children for Hollow<S> {
    type Sync = S;

    fn child(&self) -> Self {
        Self::new()
    }

    fn set(&self, _: &'static str, _: Canary) {}

    fn value(&self, _: &'static str) -> Option<Canary> {
        None
    }
}

pub(crate) const ENTRIES: &[Entry] = &[
    Entry::right(),
    Entry::guilty("shares-parent", LEAK),
    Entry::guilty("inherits-nothing", DISOWNED),
    Entry::hollow(),
];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let inherit = match name {
        RIGHT => Inherit::Copy,
        "shares-parent" => Inherit::Share,
        "inherits-nothing" => Inherit::Nothing,
        _ => return play(&CHILDREN, name, Hollow::<E>::new, scene, bounds),
    };
    play(&CHILDREN, name, move || Context::<_, Canary, E>::new(inherit), scene, bounds)
}
