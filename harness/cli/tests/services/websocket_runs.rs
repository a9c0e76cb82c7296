//! Runs that are told on a WebSocket, to clients that say who they are in their first message and answer pings while they
//! are idle. The flaw: the last event of every third run is forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::trial::{Build, assert_told_apart};

type Office = (Build, Arc<Mutex<Runs>>);

#[derive(Default)]
struct Runs {
    tokens: HashMap<String, usize>,
    /// Account and text of each.
    started: Vec<(usize, Value)>,
    listeners: Vec<(usize, UnboundedSender<Value>)>,
}

impl Runs {
    fn account(&self, headers: &HeaderMap) -> Result<usize, StatusCode> {
        let token = headers.get("x-token").and_then(|token| token.to_str().ok()).unwrap_or_default();
        self.tokens.get(token).copied().ok_or(StatusCode::UNAUTHORIZED)
    }

    fn tell(&mut self, account: usize, event: &Value) {
        self.listeners.retain(|(of, listener)| *of != account || listener.send(event.clone()).is_ok());
    }
}

async fn sign_up(State((_, runs)): State<Office>) -> Json<Value> {
    let mut runs = runs.lock().unwrap();
    let account = runs.tokens.len();
    let token = format!("token-{account}");
    runs.tokens.insert(token.clone(), account);
    Json(json!({"token": token}))
}

async fn start(
    State((build, runs)): State<Office>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let mut runs = runs.lock().unwrap();
    let account = runs.account(&headers)?;
    let (run, text) = (runs.started.len(), body["text"].clone());
    runs.started.push((account, text.clone()));
    for number in 0..2 {
        runs.tell(account, &json!({"type": "part", "run": run, "number": number, "text": text}));
    }
    runs.tell(account, &json!({"type": "billed", "run": run}));
    // The same accounts each time: an event of a later run would look like one that came late.
    if build == Build::Twin || account.is_multiple_of(2) {
        runs.tell(account, &json!({"type": "done", "run": run}));
    }
    Ok(Json(json!({"run": run})))
}

async fn result(
    State((_, runs)): State<Office>,
    headers: HeaderMap,
    Path(run): Path<usize>,
) -> Result<Json<Value>, StatusCode> {
    let runs = runs.lock().unwrap();
    let account = runs.account(&headers)?;
    let (_, text) = runs.started.get(run).filter(|(owner, _)| *owner == account).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({"text": text})))
}

async fn connect(State((_, runs)): State<Office>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        // A client that has gone is told nothing.
        let _ = serve(socket, runs).await;
    })
}

async fn serve(mut socket: WebSocket, runs: Arc<Mutex<Runs>>) -> Result<(), axum::Error> {
    let Some(Ok(Message::Text(hello))) = socket.recv().await else { return Ok(()) };
    let token = serde_json::from_str::<Value>(&hello).unwrap_or_default()["token"].clone();
    let account = runs.lock().unwrap().tokens.get(token.as_str().unwrap_or_default()).copied();
    let Some(account) = account else {
        let close = CloseFrame { code: 4401, reason: "nobody knows you".into() };
        return socket.send(Message::Close(Some(close))).await;
    };
    socket.send(Message::Ping("are you there?".into())).await?;
    while !matches!(socket.recv().await.transpose()?, Some(Message::Pong(_)) | None) {}
    let (sender, mut events) = unbounded_channel();
    runs.lock().unwrap().listeners.push((account, sender));
    socket.send(Message::text(json!({"type": "ready"}).to_string())).await?;
    loop {
        tokio::select! {
            Some(event) = events.recv() => socket.send(Message::text(event.to_string())).await?,
            message = socket.recv() => if message.transpose()?.is_none() {
                return Ok(());
            },
        }
    }
}

pub(crate) fn service(build: Build) -> Router {
    let router = Router::new().route("/accounts", post(sign_up)).route("/runs", post(start));
    router.route("/runs/{run}", get(result)).route("/ws", any(connect)).with_state((build, Arc::default()))
}

#[test]
fn an_event_that_was_forgotten_is_found() {
    assert_told_apart(include_str!("websocket_runs.yaml"), service, &["missing-event"]);
}
