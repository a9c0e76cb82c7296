//! What runs tell, on its way to the sockets: straight, or through a channel of Redis, as where a service is several processes.

use std::sync::{Arc, OnceLock};

use axum::extract::ws::Utf8Bytes;
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::event::{Detail, Event, Kind};
use crate::error::StartError;
use crate::remote::Remote;
use crate::server::stopped;
use crate::service::App;

const CHANNEL: &str = "events";

/// Announcements that wait to be published: some of each run that may be under way.
const WAITING_MAX: usize = 65_536;

/// Where announcements wait, once Redis is heard.
pub(super) type Outbox = OnceLock<mpsc::Sender<Announcement>>;

/// What a run tells.
#[derive(Serialize, Deserialize)]
pub(super) struct Announcement {
    pub(super) kind: Kind,
    pub(super) run_id: String,
    pub(super) thread_id: String,
    pub(super) user_id: String,
    /// Counts from 1 in each run.
    pub(super) seq: u64,
    pub(super) data: Detail,
}

impl Announcement {
    /// Tells it to whom it is for. The last of a run closes its route.
    pub(super) fn announce(self, service: &App) {
        match service.agents.outbox.get() {
            None => self.deliver(service),
            // A Redis that is so far behind is as good as gone, and then nobody hears of it.
            Some(outbox) => drop(outbox.try_send(self)),
        }
    }

    fn deliver(self, service: &App) {
        let Self { kind, run_id, thread_id, user_id, seq, data } = &self;
        let text = |id| {
            let event = Event { id, kind: *kind, run_id, thread_id, user_id, seq: *seq, data };
            Utf8Bytes::from(service.config.names.json(&event).expect("an event has string keys only"))
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

/// Announces through Redis from now on, where there is one, and hears what is announced there, until the service stops.
pub(crate) async fn tune_in(service: &App) -> Result<(), StartError> {
    let Some(remote) = &service.remote else { return Ok(()) };
    let news = remote.subscribe(&remote.name(CHANNEL)).await?;
    let (outbox, announcements) = mpsc::channel(WAITING_MAX);
    service.agents.outbox.get_or_init(|| outbox);
    let (service, remote) = (App::clone(service), Arc::clone(remote));
    tokio::spawn(async move {
        tokio::select! {
            () = hear(&service, news) => {}
            () = publish(&remote, announcements) => {}
            () = stopped(service.stopping.clone()) => {}
        }
    });
    Ok(())
}

async fn publish(remote: &Remote, mut announcements: mpsc::Receiver<Announcement>) {
    let channel = remote.name(CHANNEL);
    while let Some(announcement) = announcements.recv().await {
        let text = serde_json::to_string(&announcement).expect("an event has string keys only");
        if remote.ask::<()>(redis::cmd("PUBLISH").arg(&channel).arg(text)).await.is_err() {
            return;
        }
    }
}

async fn hear(service: &App, news: impl Stream<Item = Vec<u8>>) {
    let mut news = std::pin::pin!(news);
    while let Some(message) = news.next().await {
        if let Ok(announcement) = serde_json::from_slice::<Announcement>(&message) {
            announcement.deliver(service);
        }
    }
}
