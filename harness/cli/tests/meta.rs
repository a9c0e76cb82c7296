//! The harness against a service that cannot leak by itself: what it finds there would be its own doing.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{any, post};
use support::{Coalmine, Service};
use tokio::sync::{Mutex, oneshot};

const SCENARIO: &str = r#"
coalmine: 1
name: echo
target: {url: http://127.0.0.1:1}
tenants: 64
canaries: {secret: token, words: text, number: integer, address: email, key: uuid, spoken: text}
flows:
  echo:
    repeat: 10
    steps:
      - id: say
        post: /echo
        json: {secret: "{{canary.secret}}", words: "{{canary.words}}", number: "{{canary.number}}", to: "{{canary.address}}", key: "{{canary.key}}"}
        sees: [secret, words, number, address, key]
  talk:
    repeat: 3
    steps:
      - {id: open, websocket: /talk}
      - {id: speak, send: {type: said, words: "{{canary.spoken}}"}}
      - {id: hear, receive: [said], within: 20s, sees: [spoken]}
events: {type: $.type}
"#;

/// Answers with what was sent. Every `swap_every`th answer waits for another request and is exchanged with its answer.
#[derive(Default)]
struct Echo {
    swap_every: u32,
    count: AtomicU32,
    waiting: Mutex<Option<(Bytes, oneshot::Sender<Bytes>)>>,
}

async fn echo(State(echo): State<Arc<Echo>>, body: Bytes) -> Bytes {
    let number = echo.count.fetch_add(1, Ordering::Relaxed);
    let mut waiting = echo.waiting.lock().await;
    if let Some((theirs, partner)) = waiting.take() {
        return if partner.send(body.clone()).is_ok() { theirs } else { body };
    }
    if echo.swap_every == 0 || number % echo.swap_every != 0 {
        return body;
    }
    let (sender, answer) = oneshot::channel();
    *waiting = Some((body.clone(), sender));
    drop(waiting);
    // The very last request finds no partner and keeps its answer.
    match tokio::time::timeout(Duration::from_secs(5), answer).await {
        Ok(Ok(theirs)) => theirs,
        _ => body,
    }
}

async fn talk(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket: WebSocket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

fn service(swap_every: u32) -> Service {
    let echo_state = Arc::new(Echo { swap_every, ..Echo::default() });
    Service::start(Router::new().route("/echo", post(echo)).route("/talk", any(talk)).with_state(echo_state))
}

#[test]
fn an_echo_service_has_no_finding_with_64_tenants() {
    let service = service(0);
    let run = Coalmine::new().scenario(SCENARIO).gate(&service.url());
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn two_answers_swapped_now_and_then_are_found() {
    let service = service(50);
    let run = Coalmine::new().scenario(SCENARIO).gate(&service.url());
    assert_eq!(run.code, 1, "{run}");
    assert_eq!(run.kinds(), ["foreign-canary"], "{run}");
}
