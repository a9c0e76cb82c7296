//! Orders behind an API key, told as server-sent events. The flaw: whoever comes back with `Last-Event-ID` is told what was
//! missed from a log of all accounts.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{Stream, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::trial::{Build, assert_told_apart};

type Shop = State<(Build, Arc<Mutex<Orders>>)>;

#[derive(Default)]
struct Orders {
    keys: HashMap<String, usize>,
    /// An event's place in it is its id.
    log: Vec<Order>,
    listeners: Vec<(usize, UnboundedSender<Event>)>,
}

struct Order {
    account: usize,
    text: Value,
}

impl Orders {
    fn account(&self, headers: &HeaderMap) -> Result<usize, StatusCode> {
        let key = headers.get("x-api-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
        self.keys.get(key).copied().ok_or(StatusCode::UNAUTHORIZED)
    }

    fn event(&self, id: usize) -> Event {
        let Order { account, text } = &self.log[id];
        let data = json!({"order": id, "account": account, "text": text});
        Event::default().event("order-placed").id(id.to_string()).json_data(data).unwrap()
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
    orders.log.push(Order { account, text: body["text"].clone() });
    let event = orders.event(id);
    orders.listeners.retain(|(of, listener)| *of != account || listener.send(event.clone()).is_ok());
    Ok(Json(json!({"order": id, "account": account})))
}

async fn listen(
    State((build, orders)): Shop,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, StatusCode> {
    let mut orders = orders.lock().unwrap();
    let account = orders.account(&headers)?;
    let (sender, receiver) = unbounded_channel();
    let last_seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<usize>().ok());
    for id in last_seen.map_or(0..0, |id| id + 1..orders.log.len()) {
        if build == Build::Flawed || orders.log[id].account == account {
            sender.send(orders.event(id)).unwrap();
        }
    }
    orders.listeners.push((account, sender));
    Ok(Sse::new(events(receiver)))
}

fn events(receiver: UnboundedReceiver<Event>) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|event| (Ok(event), receiver)) })
}

fn service(build: Build) -> Router {
    let router = Router::new().route("/accounts", post(sign_up)).route("/orders", post(order));
    router.route("/stream", get(listen)).with_state((build, Arc::default()))
}

#[test]
fn a_log_of_all_accounts_is_found_when_a_stream_is_resumed() {
    assert_told_apart(include_str!("api_key_sse.yaml"), service, &["misrouted-event"]);
}
