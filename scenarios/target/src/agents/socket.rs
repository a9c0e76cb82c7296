//! The WebSocket of a user: hears the events of the user's runs, and may start runs. Home of `agents.ws-broadcast` and
//! `agents.ws-stale-route`, by way of the router that it plugs into.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::listener::{End, Listener, Subscription};
use super::runs;
use crate::caller::Caller;
use crate::document::{Answered, Operation};
use crate::input::Params;
use crate::refusal::Refusal;
use crate::service::App;

const MESSAGE_BYTES_MAX: usize = 64 * 1024;
const READ_BUFFER_BYTES: usize = 2 * 1024;
const WRITE_BUFFER_BYTES_MAX: usize = 256 * 1024;

/// A reader that takes no byte for this long is given up.
const SEND_MAX: Duration = Duration::from_secs(5);

/// The socket has its seat before the client hears that it is connected, so that no event can slip through between.
pub(super) async fn connect(
    State(service): State<App>,
    caller: Caller,
    Params(subscription): Params<Subscription>,
    upgrade: WebSocketUpgrade,
) -> Result<Upgraded, Refusal> {
    let connection = Connection(Listener::plug(service, caller.identity.clone(), &subscription)?);
    let upgraded = upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_upgrade(move |socket| connection.serve(socket));
    Ok(Upgraded(upgraded))
}

/// From here on, messages go both ways.
pub(super) struct Upgraded(Response);

impl IntoResponse for Upgraded {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Answered for Upgraded {
    fn tell(operation: &mut Operation) {
        let description =
            "A WebSocket: text messages to the client are the schemas `Event` and `Failure`, those from it `Command`.";
        operation.answers(101, description, &[]);
    }
}

/// A WebSocket whose handshake is answered.
struct Connection(Listener);

impl Connection {
    async fn serve(self, mut socket: WebSocket) {
        let (code, reason) = match self.talk(&mut socket).await {
            End::Gone => return,
            End::Lagging => (close_code::AGAIN, "too slow, events were lost"),
            End::LoggedOut => (close_code::POLICY, "logged out"),
            End::Stopping => (close_code::AWAY, "the service stops"),
        };
        drop(self);
        let frame = CloseFrame { code, reason: reason.into() };
        // The other side may be gone, or not read any more.
        let _ = timeout(SEND_MAX, socket.send(Message::Close(Some(frame)))).await;
    }

    async fn talk(&self, socket: &mut WebSocket) -> End {
        loop {
            let answer = tokio::select! {
                told = self.0.next() => match told {
                    Ok(told) => Some(told.text),
                    Err(end) => return end,
                },
                message = socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => self.obey(&text).await,
                    Some(Ok(Message::Binary(_))) => Some(self.failure("only text is understood")),
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
        let Ok(Command::AgentRequest { thread_id, request }) = self.read(text) else {
            return Some(self.failure("this is no agent_request"));
        };
        if !self.0.may_speak() {
            return Some(self.failure(Refusal::Unauthenticated.reason()));
        }
        let begun = runs::begin(&self.0.service, &self.0.identity, thread_id, request).await;
        begun.err().map(|refusal| self.failure(refusal.reason()))
    }

    fn read(&self, text: &str) -> serde_json::Result<Command> {
        let names = &self.0.service.config.names;
        serde_json::from_str(text).and_then(|said| serde_json::from_value(names.renamed(said)))
    }

    fn failure(&self, reason: &'static str) -> Utf8Bytes {
        let failure = self.0.service.config.names.json(&Failure::Error { error: reason });
        failure.expect("a failure has string keys only").into()
    }
}

/// What a client may say.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Command {
    AgentRequest {
        thread_id: String,
        #[serde(flatten)]
        request: runs::Request,
    },
}

/// What a client is told that could not be obeyed.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Failure {
    Error { error: &'static str },
}
