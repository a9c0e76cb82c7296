//! What runs tell, on its way to the sockets: straight, or through a channel of Redis, as where a service is several processes.

use axum::extract::ws::Utf8Bytes;
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::{Event, Kind};
use crate::error::StartError;
use crate::server::stopped;
use crate::service::App;

const CHANNEL: &str = "events";

/// What a run tells.
#[derive(Serialize, Deserialize)]
pub(super) struct Announcement {
    pub(super) kind: Kind,
    pub(super) run_id: String,
    pub(super) thread_id: String,
    pub(super) user_id: String,
    /// Counts from 1 in each run.
    pub(super) seq: u64,
    pub(super) data: Value,
}

impl Announcement {
    /// Tells it to whom it is for. The last of a run closes its route.
    pub(super) async fn announce(self, service: &App) {
        let Some(remote) = &service.remote else { return self.deliver(service) };
        let mut publish = redis::cmd("PUBLISH");
        let text = serde_json::to_string(&self).expect("an event has string keys only");
        // Where Redis is gone, nobody hears of it.
        let _ = remote.ask::<()>(publish.arg(remote.name(CHANNEL)).arg(text)).await;
    }

    fn deliver(self, service: &App) {
        let Self { kind, run_id, thread_id, user_id, seq, data } = &self;
        let text = |id| {
            let event = Event { id, kind: *kind, run_id, thread_id, user_id, seq: *seq, data };
            Utf8Bytes::from(serde_json::to_string(&event).expect("an event has string keys only"))
        };
        let wing = &service.agents;
        wing.journal.tell(user_id, *kind, text, |told| {
            for outlet in wing.router.outlets(run_id) {
                outlet.offer(told);
            }
        });
        if *kind == Kind::AgentCompleted {
            wing.router.close_route(run_id);
        }
    }
}

/// Hears what is announced through Redis from now on, until the service stops.
pub(crate) async fn tune_in(service: &App) -> Result<(), StartError> {
    let Some(remote) = &service.remote else { return Ok(()) };
    let news = remote.subscribe(&remote.name(CHANNEL)).await?;
    let service = App::clone(service);
    tokio::spawn(async move {
        tokio::select! {
            () = hear(&service, news) => {}
            () = stopped(service.stopping.clone()) => {}
        }
    });
    Ok(())
}

async fn hear(service: &App, news: impl Stream<Item = Vec<u8>>) {
    let mut news = std::pin::pin!(news);
    while let Some(message) = news.next().await {
        if let Ok(announcement) = serde_json::from_slice::<Announcement>(&message) {
            announcement.deliver(service);
        }
    }
}
