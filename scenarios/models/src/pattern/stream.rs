//! The stream of events that is replayed to a socket that comes back.

use std::sync::Arc;

use super::hollow::Hollow;
use super::router::Mailbox;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{Backlog, EventStream, Outlet, Reconnect};
use crate::sync::SyncTypes;

/// Events of tenants, for one socket each.
pub trait Stream: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// The run of `owner` has something to say.
    fn publish(&self, owner: Tenant, event: Canary);

    /// A socket of `owner` comes that has heard its first `seen` events.
    fn connect(&self, owner: Tenant, seen: usize, mailbox: Mailbox);

    /// The socket drops.
    fn disconnect(&self, owner: Tenant);
}

const BETWEEN: &str = "a run spoke while its socket was away";
const A_READ: &str = "A heard all of its events";
const B_READ: &str = "B heard its own event";
const LOST: &str = "lost";
const TWICE: &str = "twice";

/// What it is about.
pub static STREAM: Pattern = Pattern {
    name: "stream",
    risk: "what a tenant has missed is replayed to another; or an event falls between replay and live",
    witnesses: &[BETWEEN, A_READ, B_READ],
    flaws: &["agents.ws-replay"],
};

/// Explores a stream: a tenant's socket drops and comes back while its run speaks, and another tenant listens to its own.
///
/// # Errors
///
/// Where a socket hears another tenant's event; where one is lost or comes twice.
pub fn check_stream<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: Stream<Sync: Explorer> + Default,
{
    play(&STREAM, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: Stream<Sync: Explorer>>(stage: &Stage<P::Sync>, stream: &Arc<P>) {
    let events = [stage.actor("A", Tenant::A).canary(), stage.actor("A", Tenant::A).canary()];
    let shared = Arc::clone(stream);
    stage.enter("A's run", Tenant::A, move |me| {
        for event in events {
            me.does("says something");
            shared.publish(Tenant::A, event);
        }
    });
    let shared = Arc::clone(stream);
    let reader = stage.actor("A", Tenant::A);
    let (before, after) = (Mailbox::new(&reader), Mailbox::new(&reader));
    let (first, second) = (before.clone(), after.clone());
    stage.enter("A", Tenant::A, move |me| {
        me.does("connects");
        shared.connect(Tenant::A, 0, first.clone());
        me.does("drops");
        shared.disconnect(Tenant::A);
        me.does("comes back");
        shared.connect(Tenant::A, first.heard().len(), second);
    });
    let shared = Arc::clone(stream);
    stage.enter("B", Tenant::B, move |me| {
        let (event, mailbox) = (me.canary(), Mailbox::new(me));
        me.does("has something to say");
        shared.publish(Tenant::B, event);
        shared.connect(Tenant::B, 0, mailbox.clone());
        if mailbox.heard().contains(&event) {
            me.witnesses(B_READ);
        } else {
            me.misses("its socket did not hear the event");
        }
    });
    stage.clear();
    heard_each_once(&reader, events, &before.heard(), &after.heard());
}

fn heard_each_once(me: &Actor, events: [Canary; 2], before: &[Canary], after: &[Canary]) {
    let heard: Vec<_> = before.iter().chain(after).copied().collect();
    if heard == events {
        me.witnesses(A_READ);
        if !after.is_empty() {
            me.witnesses(BETWEEN);
        }
    } else if heard.is_empty() {
        me.misses("its socket heard nothing at all");
    } else if events.iter().all(|event| heard.contains(event)) {
        me.breaks(TWICE, "an event came twice, or out of order");
    } else {
        me.breaks(LOST, "an event was lost");
    }
}

impl Outlet<Canary> for Mailbox {
    fn deliver(&self, event: Canary) {
        self.deliver(event);
    }
}

impl<S: SyncTypes> Stream for EventStream<Tenant, Canary, Mailbox, S> {
    type Sync = S;

    fn publish(&self, owner: Tenant, event: Canary) {
        self.publish(&owner, event);
    }

    fn connect(&self, owner: Tenant, seen: usize, mailbox: Mailbox) {
        self.connect(&owner, seen, mailbox);
    }

    fn disconnect(&self, owner: Tenant) {
        self.disconnect(&owner);
    }
}

impl<S: SyncTypes> Stream for Hollow<S> {
    type Sync = S;

    fn publish(&self, _: Tenant, _: Canary) {}

    fn connect(&self, _: Tenant, _: usize, _: Mailbox) {}

    fn disconnect(&self, _: Tenant) {}
}

pub(crate) const ENTRIES: &[Entry] = &[
    Entry::right(),
    Entry::guilty("everyones-backlog", LEAK),
    Entry::guilty("replay-then-join", LOST),
    Entry::guilty("join-then-replay", TWICE),
    Entry::hollow(),
];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (backlog, reconnect) = match name {
        RIGHT => (Backlog::Owners, Reconnect::AtOnce),
        "everyones-backlog" => (Backlog::Everyones, Reconnect::AtOnce),
        "replay-then-join" => (Backlog::Owners, Reconnect::ReplayThenJoin),
        "join-then-replay" => (Backlog::Owners, Reconnect::JoinThenReplay),
        _ => return play(&STREAM, name, Hollow::<E>::new, scene, bounds),
    };
    play(&STREAM, name, move || EventStream::<_, Canary, Mailbox, E>::new(backlog, reconnect), scene, bounds)
}
