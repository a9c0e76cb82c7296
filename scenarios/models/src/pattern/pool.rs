//! The connection pool, where a request is cancelled between send and answer.

use std::collections::VecDeque;
use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{Connection, ConnectionPool, GiveBack, Take};
use crate::sync::{Mutex, SyncTypes};

/// A pool of connections that tenants share.
pub trait Pool: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// How many connections it lends at the same time; one or two make a small model.
    fn capacity(&self) -> usize;

    /// A connection, or none when all are lent. It opens them by [`Wire::open`].
    fn acquire(&self) -> Option<Wire<Self::Sync>>;

    /// Takes a connection back, from a request that is over or was cancelled.
    fn give_back(&self, wire: Wire<Self::Sync>);
}

/// A connection to a backend that answers in the order of the requests. Clones are the same connection.
pub struct Wire<S: SyncTypes> {
    answers: Arc<S::Mutex<VecDeque<Canary>>>,
}

impl<S: SyncTypes> Wire<S> {
    /// Sends a request, which the backend answers with what it was sent.
    fn send(&self, canary: Canary) {
        self.answers.lock().push_back(canary);
    }

    /// The next answer.
    fn receive(&self) -> Option<Canary> {
        self.answers.lock().pop_front()
    }
}

impl<S: SyncTypes> Connection for Wire<S> {
    fn open() -> Self {
        Self { answers: Arc::new(S::Mutex::new(VecDeque::new())) }
    }

    fn has_unread(&self) -> bool {
        !self.answers.lock().is_empty()
    }
}

impl<S: SyncTypes> Clone for Wire<S> {
    fn clone(&self) -> Self {
        Self { answers: Arc::clone(&self.answers) }
    }
}

const CANCELLED: &str = "a request was cancelled with its answer unread";
const A_READ: &str = "A read its own answer";
const B_READ: &str = "B read its own answer";
const ANSWER: &str = "answer";
const CAPACITY: &str = "capacity";

/// What it is about.
pub static POOL: Pattern = Pattern {
    name: "pool",
    risk: "a cancelled request leaves its answer to the next holder of the connection",
    witnesses: &[CANCELLED, A_READ, B_READ],
    flaws: &["agents.pool-desync"],
};

/// Explores a pool: one tenant is cancelled and comes again, while another asks.
///
/// # Errors
///
/// Where a tenant reads another's answer, or its own to another question; where the pool is smaller in the end.
pub fn check_pool<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: Pool<Sync: Explorer> + Default,
{
    play(&POOL, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: Pool<Sync: Explorer>>(stage: &Stage<P::Sync>, pool: &Arc<P>) {
    let shared = Arc::clone(pool);
    stage.enter("A", Tenant::A, move |me| {
        is_cancelled(me, &*shared);
        if asks(me, &*shared) {
            me.witnesses(A_READ);
        }
    });
    let shared = Arc::clone(pool);
    stage.enter("B", Tenant::B, move |me| {
        if asks(me, &*shared) {
            me.witnesses(B_READ);
        }
    });
    stage.clear();
    let me = stage.actor("main", Tenant::A);
    let mut held = Vec::new();
    while let Some(wire) = pool.acquire().filter(|_| held.len() <= pool.capacity()) {
        held.push(wire);
    }
    me.expects(held.len() == pool.capacity(), CAPACITY, "the pool lends another number of connections than it should");
}

fn is_cancelled<P: Pool>(me: &Actor, pool: &P) {
    me.does("asks for a connection");
    if let Some(wire) = pool.acquire() {
        me.does("sends a request");
        wire.send(me.canary());
        me.does("is cancelled, and the connection goes back");
        pool.give_back(wire);
        me.witnesses(CANCELLED);
    }
}

/// Says whether it got its answer.
fn asks<P: Pool>(me: &Actor, pool: &P) -> bool {
    me.does("asks for a connection");
    let Some(wire) = pool.acquire() else {
        return false;
    };
    let canary = me.canary();
    me.does("sends a request");
    wire.send(canary);
    let answer = wire.receive();
    match answer {
        None => me.breaks(ANSWER, "somebody else took the answer"),
        Some(answer) if me.receives("reads the answer", answer) => {
            me.expects(answer == canary, ANSWER, "this is the answer to a cancelled request");
        }
        Some(_) => {}
    }
    pool.give_back(wire);
    answer == Some(canary)
}

impl<S: SyncTypes> Pool for ConnectionPool<Wire<S>, S> {
    type Sync = S;

    fn capacity(&self) -> usize {
        1
    }

    fn acquire(&self) -> Option<Wire<S>> {
        self.acquire()
    }

    fn give_back(&self, wire: Wire<S>) {
        self.give_back(wire);
    }
}

impl<S: SyncTypes> Pool for Hollow<S> {
    type Sync = S;

    fn capacity(&self) -> usize {
        0
    }

    fn acquire(&self) -> Option<Wire<S>> {
        None
    }

    fn give_back(&self, _: Wire<S>) {}
}

pub(crate) const ENTRIES: &[Entry] = &[
    Entry::right(),
    Entry::guilty("unread-answer", LEAK),
    Entry::guilty("two-holders", LEAK),
    Entry::guilty("shrinks", CAPACITY),
    Entry::hollow(),
];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (give_back, take) = match name {
        RIGHT => (GiveBack::ReplaceUnclean, Take::AtOnce),
        "unread-answer" => (GiveBack::AsItIs, Take::AtOnce),
        "two-holders" => (GiveBack::ReplaceUnclean, Take::LookThenRemove),
        "shrinks" => (GiveBack::DropUnclean, Take::AtOnce),
        _ => return play(&POOL, name, Hollow::<E>::new, scene, bounds),
    };
    play(&POOL, name, move || ConnectionPool::<Wire<E>, E>::new(give_back, take, 1), scene, bounds)
}
