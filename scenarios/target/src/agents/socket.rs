//! The WebSocket of a user: hears the events of the user's runs, and may start runs. Home of `agents.ws-broadcast` and
//! `agents.ws-stale-route`, by way of the router that it plugs into.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use coalmine_models::Seat;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::event::Kind;
use super::outlet::Outlet;
use super::runs;
use crate::caller::Caller;
use crate::input::Params;
use crate::refusal::Refusal;
use crate::server::stopped;
use crate::service::App;
use crate::token::Identity;

const MESSAGE_BYTES_MAX: usize = 64 * 1024;
const READ_BUFFER_BYTES: usize = 2 * 1024;
const WRITE_BUFFER_BYTES_MAX: usize = 256 * 1024;

/// A reader that takes no byte for this long is given up.
const SEND_MAX: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
pub(super) struct Subscription {
    /// Kinds of event, separated by commas. All if it is absent.
    types: Option<String>,
}

impl Subscription {
    fn kinds(&self) -> Result<Vec<Kind>, Refusal> {
        let names = self.types.iter().flat_map(|types| types.split(','));
        names
            .map(|name| name.parse().map_err(|_| Refusal::BadRequest("types holds an unknown kind of event")))
            .collect()
    }
}

/// The socket has its seat before the client hears that it is connected, so that no event can slip through between.
pub(super) async fn connect(
    State(service): State<App>,
    caller: Caller,
    Params(subscription): Params<Subscription>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let (outlet, events) = Outlet::new(subscription.kinds()?);
    let connection = Connection::plug(service, caller.identity.clone(), outlet)?;
    Ok(upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_upgrade(move |socket| connection.serve(socket, events)))
}

/// A socket's hold on its seat, given back when the socket is gone, or never came to be.
struct Connection {
    service: App,
    identity: Identity,
    outlet: Arc<Outlet>,
    seat: Option<Seat>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            self.service.agents.router.unplug(seat);
        }
    }
}

/// Why a connection ends.
enum End {
    Gone,
    Lagging,
    Stopping,
}

impl Connection {
    fn plug(service: App, identity: Identity, outlet: Outlet) -> Result<Self, Refusal> {
        let outlet = Arc::new(outlet);
        let router = &service.agents.router;
        let seat = router.plug(&identity.user_id, Arc::clone(&outlet)).ok_or(Refusal::Busy)?;
        Ok(Self { service, identity, outlet, seat: Some(seat) })
    }

    async fn serve(self, mut socket: WebSocket, mut events: mpsc::Receiver<Utf8Bytes>) {
        let (code, reason) = match self.talk(&mut socket, &mut events).await {
            End::Gone => return,
            End::Lagging => (close_code::AGAIN, "too slow, events were lost"),
            End::Stopping => (close_code::AWAY, "the service stops"),
        };
        drop(self);
        let frame = CloseFrame { code, reason: reason.into() };
        // The other side may be gone, or not read any more.
        let _ = timeout(SEND_MAX, socket.send(Message::Close(Some(frame)))).await;
    }

    async fn talk(&self, socket: &mut WebSocket, events: &mut mpsc::Receiver<Utf8Bytes>) -> End {
        let stopping = stopped(self.service.stopping.clone());
        tokio::pin!(stopping);
        loop {
            let answer = tokio::select! {
                () = &mut stopping => return End::Stopping,
                () = self.outlet.overflow() => return End::Lagging,
                event = events.recv() => event,
                message = socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => self.obey(&text).await,
                    Some(Ok(Message::Binary(_))) => Some(error("only text is understood")),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                },
            };
            if let Some(text) = answer
                && !matches!(timeout(SEND_MAX, socket.send(Message::Text(text))).await, Ok(Ok(())))
            {
                return End::Gone;
            }
        }
    }

    /// Starts the run that is asked for. What it has to say comes as events; only a refusal is answered.
    async fn obey(&self, text: &str) -> Option<Utf8Bytes> {
        let Ok(Command::AgentRequest { thread_id, request }) = serde_json::from_str(text) else {
            return Some(error("this is no agent_request"));
        };
        let begun = runs::begin(&self.service, &self.identity, thread_id, request).await;
        begun.err().map(|refusal| error(refusal.reason()))
    }
}

/// What a client may say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Command {
    AgentRequest {
        thread_id: String,
        #[serde(flatten)]
        request: runs::Request,
    },
}

fn error(reason: &str) -> Utf8Bytes {
    json!({ "type": "error", "error": reason }).to_string().into()
}
