//! The router of events to sockets that come and go.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, MISSED, Pattern, Stage, Tenant};
use crate::structure::{EventRouter, Fanout, Seat, Unplug};
use crate::sync::SyncTypes;
use std::sync::PoisonError;

/// Routes events of runs to the sockets of their owners.
pub trait Router: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// The place of a socket.
    type Seat: Send;

    /// The run of `owner` begins, or begins anew; there is one for each tenant.
    fn begin(&self, owner: Tenant);

    /// The run of `owner` is over, and is heard no more.
    fn end(&self, owner: Tenant);

    /// A socket of `owner` comes.
    fn plug(&self, owner: Tenant, mailbox: Mailbox) -> Option<Self::Seat>;

    /// The socket drops.
    fn unplug(&self, seat: Self::Seat);

    /// The run of `owner` has something to say: it goes into mailboxes.
    fn publish(&self, owner: Tenant, event: Canary);
}

/// The sending end of a socket. Clones are the same socket.
#[derive(Clone)]
pub struct Mailbox {
    reader: Actor,
    heard: Arc<std::sync::Mutex<Vec<Canary>>>,
}

impl Mailbox {
    pub(super) fn new(reader: &Actor) -> Self {
        Self { reader: reader.clone(), heard: Arc::default() }
    }

    /// Sends an event.
    pub fn deliver(&self, event: Canary) {
        self.reader.receives("hears an event", event);
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    pub(super) fn heard(&self) -> Vec<Canary> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

const TOGETHER: &str = "both tenants had a socket at once";
const DROPPED: &str = "a socket dropped while its run went on";
const A_READ: &str = "A heard its own event";
const B_READ: &str = "B heard its own event";
const TWICE: &str = "twice";
const OUTLIVES: &str = "outlives";

/// What it is about.
pub static ROUTER: Pattern = Pattern {
    name: "router",
    risk: "an event goes to a socket of another tenant",
    witnesses: &[TOGETHER, DROPPED, A_READ, B_READ],
    flaws: &["agents.ws-broadcast", "agents.ws-stale-route"],
};

/// Explores a router: a tenant's socket drops and comes back while its run goes on, and another tenant's socket comes.
///
/// # Errors
///
/// Where a socket hears another tenant's event, or one of a run that is over; where the owner's socket does not hear one, or hears
/// it twice.
pub fn check_router<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: Router<Sync: Explorer> + Default,
{
    play(&ROUTER, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: Router<Sync: Explorer>>(stage: &Stage<P::Sync>, router: &Arc<P>) {
    router.begin(Tenant::A);
    let shared = Arc::clone(router);
    stage.enter("runs", Tenant::B, move |me| {
        me.does("B's run begins");
        shared.begin(Tenant::B);
        me.does("A's run begins anew");
        shared.begin(Tenant::A);
    });
    let shared = Arc::clone(router);
    stage.enter("A", Tenant::A, move |me| {
        if me.together(TOGETHER, || connects_and_hears(me, &*shared, true)) {
            me.does("has something to say while nobody listens");
            shared.publish(Tenant::A, me.canary());
            me.witnesses(DROPPED);
            me.witnesses(A_READ);
        }
        connects_and_hears(me, &*shared, false);
    });
    let shared = Arc::clone(router);
    let mailbox = Mailbox::new(&stage.actor("B", Tenant::B));
    let end = mailbox.clone();
    stage.enter("B", Tenant::B, move |me| {
        me.does("connects, while its run begins");
        me.together(TOGETHER, || shared.plug(Tenant::B, end));
    });
    stage.clear();
    let me = stage.actor("B, later", Tenant::B);
    if hears(&me, &**router, &mailbox) {
        me.witnesses(B_READ);
        me.does("ends its run");
        router.end(Tenant::B);
        let (event, before) = (me.canary(), mailbox.heard().len());
        router.publish(Tenant::B, event);
        me.expects(mailbox.heard().len() == before, OUTLIVES, "its socket hears a run that is over");
    }
}

/// Says whether it heard its event.
fn connects_and_hears<P: Router>(me: &Actor, router: &P, drops: bool) -> bool {
    let mailbox = Mailbox::new(me);
    me.does("connects");
    let Some(seat) = router.plug(me.tenant(), mailbox.clone()) else {
        return false;
    };
    let hears = hears(me, router, &mailbox);
    if drops {
        me.does("drops");
        router.unplug(seat);
    }
    hears
}

fn hears<P: Router>(me: &Actor, router: &P, mailbox: &Mailbox) -> bool {
    let event = me.canary();
    me.does("has something to say");
    router.publish(me.tenant(), event);
    let times = mailbox.heard().iter().filter(|heard| **heard == event).count();
    match times {
        0 => me.misses("its socket did not hear the event"),
        1 => {}
        _ => me.breaks(TWICE, "its socket heard the event twice"),
    }
    times == 1
}

impl<S: SyncTypes> Router for EventRouter<Tenant, Tenant, Mailbox, S> {
    type Sync = S;
    type Seat = Seat;

    fn begin(&self, owner: Tenant) {
        self.open_route(owner, &owner);
    }

    fn end(&self, owner: Tenant) {
        self.close_route(&owner);
    }

    fn plug(&self, owner: Tenant, mailbox: Mailbox) -> Option<Seat> {
        self.plug(&owner, mailbox)
    }

    fn unplug(&self, seat: Seat) {
        self.unplug(seat);
    }

    fn publish(&self, owner: Tenant, event: Canary) {
        for mailbox in self.outlets(&owner) {
            mailbox.deliver(event);
        }
    }
}

impl<S: SyncTypes> Router for Hollow<S> {
    type Sync = S;
    type Seat = ();

    fn begin(&self, _: Tenant) {}

    fn end(&self, _: Tenant) {}

    fn plug(&self, _: Tenant, _: Mailbox) -> Option<()> {
        None
    }

    fn unplug(&self, (): ()) {}

    fn publish(&self, _: Tenant, _: Canary) {}
}

pub(crate) const ENTRIES: &[Entry] = &[
    Entry::right(),
    Entry::guilty("to-everyone", LEAK),
    Entry::guilty("stale-route", LEAK),
    Entry::guilty("cleared-late", MISSED),
    Entry::guilty("route-ended", MISSED),
    Entry::hollow(),
];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (fanout, unplug) = match name {
        RIGHT => (Fanout::Route, Unplug::ClearRoutes),
        "to-everyone" => (Fanout::Everyone, Unplug::ClearRoutes),
        "stale-route" => (Fanout::Route, Unplug::KeepRoutes),
        "cleared-late" => (Fanout::Route, Unplug::FreeThenClear),
        "route-ended" => (Fanout::Route, Unplug::EndRoutes),
        _ => return play(&ROUTER, name, Hollow::<E>::new, scene, bounds),
    };
    play(&ROUTER, name, move || EventRouter::<_, _, Mailbox, E>::new(fanout, unplug, 4), scene, bounds)
}
