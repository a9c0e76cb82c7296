//! Who listens to the events of a user's runs, over a WebSocket or a stream. Home of `http.logout`.

use std::future::pending;
use std::sync::Arc;

use coalmine_models::Seat;
use schemars::JsonSchema;
use serde::Deserialize;

use super::event::Kind;
use super::journal::Told;
use super::outlet::{Outlet, Overflow};
use crate::refusal::Refusal;
use crate::server::stopped;
use crate::service::App;
use crate::token::Identity;

/// What a connection that is open cares for the end of its session.
#[derive(Clone, Copy)]
pub(super) enum Logout {
    /// Guilty: nothing. It was let in once.
    IsIgnored,
    /// Right: it ends as well.
    EndsConnections,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Subscription {
    /// Kinds of event, separated by commas. All if it is absent.
    #[schemars(with = "Option<Vec<Kind>>")]
    types: Option<String>,
    /// The last event that was heard, so that those after it are heard again.
    pub(super) last_event_id: Option<u64>,
}

impl Subscription {
    fn kinds(&self) -> Result<Vec<Kind>, Refusal> {
        let names = self.types.iter().flat_map(|types| types.split(','));
        names
            .map(|name| name.parse().map_err(|_| Refusal::BadRequest("types holds an unknown kind of event")))
            .collect()
    }
}

/// A connection's hold on its seat, given back when it is gone, or never came to be.
pub(super) struct Listener {
    pub(super) service: App,
    pub(super) identity: Identity,
    outlet: Arc<Outlet>,
    seat: Option<Seat>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            self.service.agents.router.unplug(seat);
        }
    }
}

/// Why a connection ends.
pub(super) enum End {
    Gone,
    Lagging,
    LoggedOut,
    Stopping,
}

impl Listener {
    pub(super) fn plug(service: App, identity: Identity, subscription: &Subscription) -> Result<Self, Refusal> {
        let wing = &service.agents;
        let outlet = Arc::new(Outlet::new(subscription.kinds()?, wing.when_full));
        let user = &identity.user_id;
        let plug = || wing.router.plug(user, Arc::clone(&outlet));
        let seat = wing.journal.join(user, subscription.last_event_id, &outlet, plug).ok_or(Refusal::Busy)?;
        Ok(Self { service, identity, outlet, seat: Some(seat) })
    }

    /// Waits for the next event, or for the end.
    pub(super) async fn next(&self) -> Result<Told, End> {
        tokio::select! {
            () = stopped(self.service.stopping.clone()) => Err(End::Stopping),
            () = self.logout() => Err(End::LoggedOut),
            told = self.outlet.next() => told.map_err(|Overflow| End::Lagging),
        }
    }

    /// Whether what the other side says is still to be obeyed.
    pub(super) fn may_speak(&self) -> bool {
        match self.service.agents.logout {
            Logout::IsIgnored => true,
            Logout::EndsConnections => !self.service.logouts.has_ended(&self.identity.session),
        }
    }

    async fn logout(&self) {
        match self.service.agents.logout {
            Logout::IsIgnored => pending().await,
            Logout::EndsConnections => self.service.logouts.end_of(&self.identity.session).await,
        }
    }
}
