//! Orders behind an API key, told as server-sent events. The flaw: whoever comes back with `Last-Event-ID` is told what was
//! missed from a log of all accounts. An order's two events come in one piece, so that whoever hangs up after the first has the
//! second as well, and is not told it again.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::trial::{Build, assert_told_apart};

type Shop = State<(Build, Arc<Mutex<Orders>>)>;

#[derive(Default)]
struct Orders {
    keys: HashMap<String, usize>,
    /// Whose each event is, and its text. Its place is its id.
    log: Vec<(usize, String)>,
    listeners: Vec<(usize, UnboundedSender<String>)>,
}

impl Orders {
    fn account(&self, headers: &HeaderMap) -> Result<usize, StatusCode> {
        let key = headers.get("x-api-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
        self.keys.get(key).copied().ok_or(StatusCode::UNAUTHORIZED)
    }

    fn write(&mut self, account: usize, kind: &str, data: &Value) -> String {
        let id = self.log.len();
        let text = format!("id: {id}\nevent: {kind}\ndata: {data}\n\n");
        self.log.push((account, text.clone()));
        text
    }
}

async fn sign_up(State((_, orders)): Shop) -> Json<Value> {
    let mut orders = orders.lock().unwrap();
    let account = orders.keys.len();
    let key = format!("key-{account}");
    orders.keys.insert(key.clone(), account);
    Json(json!({"key": key, "account": account}))
}

async fn order(
    State((_, orders)): Shop,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let mut orders = orders.lock().unwrap();
    let account = orders.account(&headers)?;
    let id = orders.log.len();
    let data = json!({"order": id, "account": account, "text": body["text"]});
    let events = ["order-placed", "order-packed"].map(|kind| orders.write(account, kind, &data)).concat();
    orders.listeners.retain(|(of, listener)| *of != account || listener.send(events.clone()).is_ok());
    Ok(Json(json!({"order": id, "account": account})))
}

async fn listen(
    State((build, orders)): Shop,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], Body), StatusCode> {
    let mut orders = orders.lock().unwrap();
    let account = orders.account(&headers)?;
    let (sender, receiver) = unbounded_channel();
    let last_seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<usize>().ok());
    for (whose, event) in last_seen.map_or(&[][..], |id| &orders.log[id + 1..]) {
        if build == Build::Flawed || *whose == account {
            sender.send(event.clone()).unwrap();
        }
    }
    orders.listeners.push((account, sender));
    Ok(([(CONTENT_TYPE, "text/event-stream")], events(receiver)))
}

fn events(receiver: UnboundedReceiver<String>) -> Body {
    Body::from_stream(stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|event| (Ok::<_, Infallible>(event), receiver))
    }))
}

fn service(build: Build) -> Router {
    let router = Router::new().route("/accounts", post(sign_up)).route("/orders", post(order));
    router.route("/stream", get(listen)).with_state((build, Arc::default()))
}

#[test]
fn a_log_of_all_accounts_is_found_when_a_stream_is_resumed() {
    assert_told_apart(include_str!("api_key_sse.yaml"), service, &["misrouted-event"]);
}
