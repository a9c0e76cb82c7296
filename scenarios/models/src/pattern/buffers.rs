//! The pool of buffers that answers are written into.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{Buffers, Keep, Reuse};
use crate::sync::SyncTypes;

/// Lends buffers, and keeps some.
pub trait BufferPool: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// How many it keeps at most; one makes a small model.
    fn idle_max(&self) -> usize;

    /// Does `work` with an empty buffer.
    fn with(&self, work: &mut dyn FnMut(&mut Vec<Canary>));

    /// How many it keeps now.
    fn idle(&self) -> usize;
}

const TOGETHER: &str = "answers of both tenants were written at once";
const REUSED: &str = "a buffer was used again";
const A_READ: &str = "A got its own answer";
const B_READ: &str = "B got its own answer";
const RESIDUE: &str = "residue";
const UNBOUNDED: &str = "unbounded";

/// What it is about.
pub static BUFFERS: Pattern = Pattern {
    name: "buffers",
    risk: "the tail of an older answer goes out with a newer one",
    witnesses: &[TOGETHER, REUSED, A_READ, B_READ],
    flaws: &["http.buffer-reuse"],
};

/// Explores a pool of buffers: answers to two tenants, one after the other and at once.
///
/// # Errors
///
/// Where an answer holds another tenant's bytes, or older ones; where more buffers are kept than there should be.
pub fn check_buffers<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: BufferPool<Sync: Explorer> + Default,
{
    play(&BUFFERS, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: BufferPool<Sync: Explorer>>(stage: &Stage<P::Sync>, buffers: &Arc<P>) {
    for (who, tenant, witness) in [("A", Tenant::A, A_READ), ("B", Tenant::B, B_READ)] {
        let shared = Arc::clone(buffers);
        stage.enter(who, tenant, move |me| {
            answers(me, &*shared, witness);
            answers(me, &*shared, witness);
        });
    }
    stage.clear();
    let me = stage.actor("main", Tenant::A);
    me.expects(buffers.idle() <= buffers.idle_max(), UNBOUNDED, "more buffers are kept than there should be");
}

fn answers<P: BufferPool>(me: &Actor, buffers: &P, witness: &str) {
    me.does("takes a buffer");
    buffers.with(&mut |buffer| {
        me.together(TOGETHER, || {
            if buffer.capacity() > 0 {
                me.witnesses(REUSED);
            }
            let canary = me.canary();
            buffer.push(canary);
            // A lock of the pool, so that another may come in between.
            let _kept_now = buffers.idle();
            for part in buffer.iter() {
                me.receives("sends a part of the answer", *part);
            }
            me.expects(*buffer == [canary], RESIDUE, "the answer holds an older one");
            me.witnesses(witness);
        });
    });
}

impl<S: SyncTypes> BufferPool for Buffers<Canary, S> {
    type Sync = S;

    fn idle_max(&self) -> usize {
        1
    }

    fn with(&self, work: &mut dyn FnMut(&mut Vec<Canary>)) {
        self.with(work);
    }

    fn idle(&self) -> usize {
        self.idle()
    }
}

impl<S: SyncTypes> BufferPool for Hollow<S> {
    type Sync = S;

    fn idle_max(&self) -> usize {
        0
    }

    fn with(&self, _: &mut dyn FnMut(&mut Vec<Canary>)) {}

    fn idle(&self) -> usize {
        0
    }
}

pub(crate) const ENTRIES: &[Entry] =
    &[Entry::right(), Entry::guilty("not-cleared", LEAK), Entry::guilty("too-many-kept", UNBOUNDED), Entry::hollow()];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (reuse, keep) = match name {
        RIGHT => (Reuse::Cleared, Keep::AtOnce),
        "not-cleared" => (Reuse::AsItIs, Keep::AtOnce),
        "too-many-kept" => (Reuse::Cleared, Keep::CountThenKeep),
        _ => return play(&BUFFERS, name, Hollow::<E>::new, scene, bounds),
    };
    play(&BUFFERS, name, move || Buffers::<Canary, E>::new(reuse, keep, 1), scene, bounds)
}
