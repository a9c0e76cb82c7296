//! JSON-RPC of which each answer is a short event stream: news of the progress, then the result. The flaw: results find
//! their way back by the number of the call, which every client counts for itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::trial::{Build, assert_told_apart};

type Server = State<(Build, Arc<Mutex<Calls>>)>;

#[derive(Default)]
struct Calls {
    sessions: usize,
    /// Text and session of each.
    notes: Vec<(Value, usize)>,
    /// Who waits for a result, by session and number of the call.
    waiting: HashMap<(usize, u64), UnboundedSender<Value>>,
}

impl Calls {
    fn result(&mut self, session: usize, call: &Value) -> Value {
        let params = &call["params"];
        if call["method"] == "notes/add" {
            self.notes.push((params["text"].clone(), session));
            return json!({"note": self.notes.len() - 1, "text": params["text"]});
        }
        let note = params["note"].as_u64().and_then(|note| self.notes.get(usize::try_from(note).unwrap()));
        note.filter(|(_, owner)| *owner == session).map_or(Value::Null, |(text, _)| json!({"text": text}))
    }
}

async fn rpc(State((build, calls)): Server, headers: HeaderMap, Json(call): Json<Value>) -> Response {
    if call["method"] == "initialize" {
        let mut calls = calls.lock().unwrap();
        calls.sessions += 1;
        let answer = json!({"jsonrpc": "2.0", "id": call["id"], "result": {}});
        return ([("session-id", calls.sessions.to_string())], Json(answer)).into_response();
    }
    let session = headers.get("session-id").and_then(|id| id.to_str().ok()?.parse::<usize>().ok());
    let (Some(session), Some(id)) = (session, call["id"].as_u64()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let waiting = (if build == Build::Flawed { 0 } else { session }, id);
    let (sender, receiver) = unbounded_channel();
    sender.send(json!({"jsonrpc": "2.0", "method": "progress", "params": {"percent": 50}})).unwrap();
    calls.lock().unwrap().waiting.insert(waiting, sender);
    tokio::spawn(async move {
        // Not all alike: timers of one moment come in an order that hides the flaw.
        tokio::time::sleep(Duration::from_millis(5 + session as u64 % 3)).await;
        let mut calls = calls.lock().unwrap();
        let result = calls.result(session, &call);
        if let Some(waiting) = calls.waiting.remove(&waiting) {
            // A client that has gone is told nothing.
            let _ = waiting.send(json!({"jsonrpc": "2.0", "id": id, "result": result}));
        }
    });
    messages(receiver)
}

fn messages(receiver: UnboundedReceiver<Value>) -> Response {
    let messages = stream::unfold(receiver, |mut receiver| async {
        let message = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Event::default().json_data(message).unwrap()), receiver))
    });
    Sse::new(messages).into_response()
}

pub(crate) fn service(build: Build) -> Router {
    Router::new().route("/rpc", post(rpc)).with_state((build, Arc::default()))
}

#[test]
fn results_that_go_by_the_number_of_the_call_are_found() {
    assert_told_apart(include_str!("json_rpc_sse.yaml"), service, &["foreign-canary"]);
}
