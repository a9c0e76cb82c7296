//! Sessions that are found by a number.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{Ask, Registry, SessionId};
use crate::sync::SyncTypes;

/// Sessions that are open.
pub trait Sessions: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// What a session is found by.
    type Id: Copy + Send;

    /// Opens a session, if it can.
    fn open(&self, session: Canary) -> Option<Self::Id>;

    /// The session, while it is open.
    fn find(&self, id: Self::Id) -> Option<Canary>;

    /// Ends the session, if it is still open.
    fn close(&self, id: Self::Id);
}

const REUSED: &str = "a session was looked for after it had ended";
const A_READ: &str = "A found its own session";
const B_READ: &str = "B found its own session";
const OUTLIVES: &str = "outlives";
const ENDED: &str = "ended";

/// What it is about.
pub static REGISTRY: Pattern = Pattern {
    name: "registry",
    risk: "a number that was given out again leads to the session of another",
    witnesses: &[REUSED, A_READ, B_READ],
    flaws: &[],
};

/// Explores a registry: a tenant's session ends and is looked for once more, while another tenant opens one.
///
/// # Errors
///
/// Where a stale number leads to another's session, or ends it; where a session lives on after its end.
pub fn check_registry<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: Sessions<Sync: Explorer> + Default,
{
    play(&REGISTRY, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: Sessions<Sync: Explorer>>(stage: &Stage<P::Sync>, sessions: &Arc<P>) {
    let shared = Arc::clone(sessions);
    stage.enter("A", Tenant::A, move |me| {
        me.does("opens a session");
        let Some(id) = shared.open(me.canary()) else {
            return;
        };
        if finds(me, &*shared, id) {
            me.witnesses(A_READ);
        }
        me.does("ends its session");
        shared.close(id);
        if let Some(found) = shared.find(id) {
            me.receives("finds, by the number of the session that has ended", found);
            me.breaks(OUTLIVES, "a session outlives its end");
        }
        me.witnesses(REUSED);
        me.does("ends its session once more");
        shared.close(id);
        me.does("opens another session");
        let another = shared.open(me.canary());
        me.expects(another.is_some_and(|id| finds(me, &*shared, id)), ENDED, "its other session is not there");
    });
    let shared = Arc::clone(sessions);
    stage.enter("B", Tenant::B, move |me| {
        me.does("opens a session");
        let Some(id) = shared.open(me.canary()) else {
            return;
        };
        for _ in 0..2 {
            if finds(me, &*shared, id) {
                me.witnesses(B_READ);
            } else {
                me.breaks(ENDED, "somebody else has ended its session");
            }
        }
    });
}

fn finds<P: Sessions>(me: &Actor, sessions: &P, id: P::Id) -> bool {
    sessions.find(id).is_some_and(|found| me.receives("finds its session", found))
}

impl<S: SyncTypes> Sessions for Registry<Canary, S> {
    type Sync = S;
    type Id = SessionId;

    fn open(&self, session: Canary) -> Option<SessionId> {
        Some(self.open(session))
    }

    fn find(&self, id: SessionId) -> Option<Canary> {
        self.find(id)
    }

    fn close(&self, id: SessionId) {
        self.close(id);
    }
}

impl<S: SyncTypes> Sessions for Hollow<S> {
    type Sync = S;
    type Id = ();

    fn open(&self, _: Canary) -> Option<()> {
        None
    }

    fn find(&self, (): ()) -> Option<Canary> {
        None
    }

    fn close(&self, (): ()) {}
}

pub(crate) const ENTRIES: &[Entry] =
    &[Entry::right(), Entry::guilty("stale-find", LEAK), Entry::guilty("stale-close", ENDED), Entry::hollow()];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let ask = match name {
        RIGHT => Ask::Always,
        "stale-find" => Ask::BeforeClose,
        "stale-close" => Ask::BeforeFind,
        _ => return play(&REGISTRY, name, Hollow::<E>::new, scene, bounds),
    };
    play(&REGISTRY, name, move || Registry::<Canary, E>::new(ask), scene, bounds)
}
