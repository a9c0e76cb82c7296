//! Jobs that say more on a WebSocket than a client takes in which does not read. The flaw: while it does not, events are forgotten.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use coalmine_core::history::{Happening, Reader, Record};
use coalmine_core::perturb::Pace;
use coalmine_core::plan::Plan;
use serde_json::json;
use tokio::sync::mpsc::{Sender, channel};

use crate::support::{Coalmine, Service};
use crate::trial::{Build, assert_told_apart};

const SCENARIO: &str = include_str!("slow_readers.yaml");
const PADS: usize = 24;
const PAD_BYTES: usize = 16 << 10;
const QUEUE_MAX: usize = 4;
/// A client that reads has taken something in long before.
const PATIENCE: Duration = Duration::from_millis(700);

#[derive(Default)]
struct Desks {
    listeners: Mutex<HashMap<String, Sender<String>>>,
    /// For each WebSocket, how many pongs came.
    pongs: Mutex<BTreeMap<String, usize>>,
}

type Office = (Build, Arc<Desks>);

/// Tells the events of a job; says so when all were told, or when the client was given up.
async fn start(State((build, desks)): State<Office>, Path(desk): Path<String>, text: String) {
    let listener = desks.listeners.lock().unwrap().remove(&desk).unwrap();
    let event = |kind: &str, pad: usize| json!({"type": kind, "text": text, "pad": "x".repeat(pad)}).to_string();
    let mut events = vec![event("begun", 0)];
    events.extend((0..PADS).map(|_| event("pad", PAD_BYTES)));
    events.push(event("half", 0));
    let done = event("done", 0);
    for event in events {
        if listener.send_timeout(event, PATIENCE).await.is_err() {
            if build == Build::Twin {
                // The client is hung up on.
                return;
            }
            break;
        }
    }
    tokio::spawn(async move { listener.send(done).await });
}

async fn connect(State((_, desks)): State<Office>, Path(desk): Path<String>, upgrade: WebSocketUpgrade) -> Response {
    let (sender, mut events) = channel(QUEUE_MAX);
    desks.listeners.lock().unwrap().insert(desk.clone(), sender);
    desks.pongs.lock().unwrap().insert(desk.clone(), 0);
    upgrade.write_buffer_size(0).on_upgrade(move |mut socket: WebSocket| async move {
        let _ = socket.send(Message::Ping("?".into())).await;
        while let Some(event) = events.recv().await {
            if socket.send(Message::text(event)).await.is_err() {
                return;
            }
        }
        let _ = socket.send(Message::Close(Some(CloseFrame { code: 1013, reason: "too slow".into() }))).await;
        while let Some(Ok(message)) = socket.recv().await {
            if matches!(message, Message::Pong(_)) {
                *desks.pongs.lock().unwrap().get_mut(&desk).unwrap() += 1;
            }
        }
    })
}

fn service(office: Office) -> Router {
    let router = Router::new().route("/", get(|| async {})).route("/jobs/{desk}", post(start));
    router.route("/events/{desk}", any(connect)).with_state(office)
}

#[test]
fn events_that_a_slow_reader_loses_are_found_and_a_hang_up_is_none() {
    assert_told_apart(SCENARIO, |build| service((build, Arc::default())), &["missing-event"]);
}

fn paces(plan: &Plan) -> BTreeMap<u32, Pace> {
    plan.ops().map(|(.., op)| (op.id.0, op.manner.pace)).collect()
}

#[test]
fn who_does_not_pong_is_asked_and_says_nothing() {
    let desks = Arc::<Desks>::default();
    let target = Service::start(service((Build::Twin, Arc::clone(&desks))));
    let coalmine = Coalmine::new().scenario(&format!("{SCENARIO}perturb: {{stall: 20%}}\n"));
    let run = coalmine.gate(&target.url());
    assert_eq!(run.code, 0, "{run}");
    let (mut paces_of, mut reached) = (BTreeMap::new(), 0);
    for record in Reader::new(File::open(coalmine.history()).unwrap()).map(Result::unwrap) {
        match record {
            Record::Round(plan) => paces_of = paces(&plan),
            Record::Event(event) => {
                let is_stall = matches!(event.what, Happening::Perturbed(shaken) if shaken.reached);
                reached += usize::from(is_stall && paces_of[&event.op.0] == Pace::Mute);
            }
            _ => {}
        }
    }
    drop(target);
    let silent = desks.pongs.lock().unwrap().values().filter(|pongs| **pongs == 0).count();
    assert!(reached > 0 && silent >= reached, "{reached} {silent}");
}
