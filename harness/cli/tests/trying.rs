//! `coalmine try`: what somebody sees who writes a scenario step by step.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

mod support;

use std::sync::{Arc, Mutex};

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use support::{Coalmine, Run, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TOKEN: &str = "tok_7f3a9c1e5b7d2f4a6c8e0b1d3f5a7c9e";

const NOTES: &str = r#"
coalmine: 1
name: notes
tenants: 8
canaries: {email: email, text: text}
auth:
  steps:
    - {id: login, post: /login, json: {email: "{{canary.email}}", password: "{{user.password}}"}, capture: {token: $.token}}
  send: {headers: {authorization: "Bearer {{token}}"}}
flows:
  notes:
    repeat: 10
    steps:
      - {id: write, post: /notes, json: {text: "{{canary.text}}"}, capture: {note: $.id}}
      - {id: read, get: "/notes/{{note}}", sees: text}
      - {id: empty, get: /empty, sees: text}
    cleanup:
      - {id: remove, delete: "/notes/{{note}}", expect: {status: 204}}
objects:
  note: {id: note, read: read}
"#;

type Notes = Arc<Mutex<Vec<Value>>>;

async fn write(State(notes): State<Notes>, headers: HeaderMap, Json(note): Json<Value>) -> (StatusCode, Json<Value>) {
    if headers.get("authorization").is_none_or(|value| value.to_str().unwrap() != format!("Bearer {TOKEN}")) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "who are you?"})));
    }
    let mut notes = notes.lock().unwrap();
    notes.push(note);
    (StatusCode::OK, Json(json!({"id": notes.len() - 1})))
}

async fn read(State(notes): State<Notes>, Path(id): Path<usize>) -> Json<Value> {
    Json(notes.lock().unwrap()[id].clone())
}

/// A service of notes, and what it was asked to keep.
fn service() -> (Service, Notes) {
    let notes = Notes::default();
    let login = post(|| async { ([("set-cookie", "sid=0123456789")], Json(json!({"token": TOKEN}))) });
    let router = Router::new()
        .route("/login", login)
        .route("/notes", post(write))
        .route("/notes/{id}", get(read).delete(|| async { StatusCode::NO_CONTENT }))
        .route("/empty", get(|| async { Json(json!([])) }))
        .with_state(notes.clone());
    (Service::start(router), notes)
}

fn attempt(scenario: &str, more: &[&str]) -> (Run, Vec<String>) {
    let (service, notes) = service();
    let url = service.url();
    let arguments = ["try", "scenario.yaml", "--target", &url, "--seed", "1"];
    let run = Coalmine::new().scenario(scenario).run(&[&arguments, more].concat());
    let texts = notes.lock().unwrap().iter().map(|note| note["text"].as_str().unwrap().to_owned()).collect();
    (run, texts)
}

#[test]
fn every_exchange_is_shown_and_no_secret_of_it() {
    let (run, texts) = attempt(&NOTES.replace(", sees: text}\n    cleanup", "}\n    cleanup"), &[]);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(texts.len(), 1, "one tenant goes through the flow once: {run}");
    let in_order = [
        "> POST http://127.0.0.1:",
        "> {\"email\":\"<canary email>\",\"password\":\"<password: 24 letters>\"}",
        "< 200 OK",
        "< set-cookie: sid=<10 letters>",
        "< {\"token\":\"<token: 36 letters>\"}",
        "> authorization: Bearer <token: 36 letters>",
        "> {\"text\":\"<canary text>\"}",
        "< {\"text\":\"<canary text>\"}",
        "< 204 No Content",
        "ok 5 operations did what they should",
    ];
    let mut rest = run.stdout.as_str();
    for line in in_order {
        let at = rest.find(line).unwrap_or_else(|| panic!("`{line}` is missing: {run}"));
        rest = &rest[at + line.len()..];
    }
    for secret in [TOKEN, "0123456789", texts[0].as_str()] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{secret}: {run}");
    }
}

#[test]
fn secrets_are_shown_to_whoever_asks_for_them() {
    let (run, texts) = attempt(NOTES, &["--show-secrets", "--step", "read"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.contains(&format!("> authorization: Bearer {TOKEN}")), "{run}");
    assert!(run.stdout.contains(&texts[0]), "{run}");
}

#[test]
fn it_ends_after_the_named_step_and_cleans_up() {
    let (run, _) = attempt(NOTES, &["--step", "write"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(!run.stdout.contains("step read") && run.stdout.contains("step remove"), "{run}");
}

#[test]
fn an_answer_that_does_not_show_what_it_should_has_its_place_in_the_scenario() {
    let (run, _) = attempt(NOTES, &[]);
    assert_eq!(run.code, 3, "{run}");
    assert!(run.stderr.contains("error: `empty`: it does not show `text`\n"), "{run}");
    assert!(run.stderr.contains("--> scenario.yaml:16:14"), "{run}");
    assert!(run.stderr.contains("^^^^^"), "{run}");
}

#[test]
fn a_refused_step_is_the_last() {
    let (run, texts) = attempt(&NOTES.replace("Bearer {{token}}", "Token {{token}}"), &[]);
    assert_eq!((run.code, texts.len()), (3, 0), "{run}");
    assert!(run.stdout.contains("< {\"error\":\"who are you?\"}"), "{run}");
    assert!(run.stderr.contains("error: `write`: status 401\n"), "{run}");
    assert!(!run.stdout.contains("step read"), "{run}");
}

#[test]
fn a_step_of_an_included_file_is_shown_in_its_file() {
    let (auth, rest) = (NOTES.find("auth:").unwrap(), NOTES.find("flows:").unwrap());
    let login = NOTES[auth..rest].replace("post: /login", "post: /nowhere");
    let (service, _) = service();
    let coalmine = Coalmine::new().scenario(&format!("include: login.yaml\n{}{}", &NOTES[..auth], &NOTES[rest..]));
    std::fs::write(coalmine.path().join("login.yaml"), login).unwrap();
    let run = coalmine.run(&["try", "scenario.yaml", "--target", &service.url()]);
    assert_eq!(run.code, 3, "{run}");
    assert!(run.stderr.contains("error: `login`: status 404\n --> login.yaml:3:12"), "{run}");
}

#[test]
fn a_step_that_is_not_there_is_an_error_that_names_the_others() {
    let (run, texts) = attempt(NOTES, &["--step", "raed"]);
    assert_eq!((run.code, texts.len()), (2, 0), "{run}");
    assert!(run.stderr.contains("no step `raed`") && run.stderr.contains("read"), "{run}");
}

const BELLS: &str = r#"
coalmine: 1
name: bells
tenants: 4
canaries: {asked: text, wanted: text}
events: {type: $.type}
webhooks: {}
flows:
  bells:
    steps:
      - {id: open, websocket: /ws}
      - {id: ask, send: {type: ask, text: "{{canary.asked}}"}}
      - {id: reply, receive: reply, sees: asked, capture: {ticket: $.ticket}}
      - {id: order, post: /orders, json: {text: "{{canary.wanted}}", call: "{{webhook.url}}", ticket: "{{ticket}}"}}
      - {id: called, await_webhook: url, sees: wanted}
      - {id: listen, sse: "/stream?ticket={{ticket}}"}
      - {id: told, receive: ready, on: stream, sees: wanted}
"#;

type Wanted = Arc<Mutex<String>>;

/// Gives a ticket with the first answer.
async fn reply(mut socket: WebSocket) {
    while let Some(Ok(Message::Text(text))) = socket.recv().await {
        let asked: Value = serde_json::from_str(&text).unwrap();
        let reply = json!({"type": "reply", "ticket": TOKEN, "text": asked["text"]});
        let _ = socket.send(Message::text(reply.to_string())).await;
    }
}

async fn order(State(wanted): State<Wanted>, Json(order): Json<Value>) -> StatusCode {
    order["text"].as_str().unwrap().clone_into(&mut wanted.lock().unwrap());
    let (host, path) = order["call"].as_str().unwrap().trim_start_matches("http://").split_once('/').unwrap();
    let body = json!({"text": order["text"], "ticket": order["ticket"]}).to_string();
    let head = format!("POST /{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer 0123456789\r\n");
    let mut socket = TcpStream::connect(host).await.unwrap();
    let call = format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    socket.write_all(call.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    if answer.starts_with("HTTP/1.1 200 ") { StatusCode::OK } else { StatusCode::BAD_GATEWAY }
}

async fn stream(State(wanted): State<Wanted>) -> ([(&'static str, &'static str); 1], String) {
    let data = json!({"type": "ready", "text": *wanted.lock().unwrap(), "ticket": TOKEN});
    ([("content-type", "text/event-stream")], format!("data: {data}\n\n"))
}

#[test]
fn what_comes_by_itself_is_shown_to_whom_it_came_and_no_secret_of_it() {
    let wanted = Wanted::default();
    let router = Router::new()
        .route("/ws", any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(reply) }))
        .route("/orders", post(order))
        .route("/stream", get(stream))
        .with_state(wanted.clone());
    let service = Service::start(router);
    let run = Coalmine::new().scenario(BELLS).run(&["try", "scenario.yaml", "--target", &service.url(), "--seed", "1"]);
    assert_eq!(run.code, 0, "{run}");
    let in_order = [
        "< 101 Switching Protocols",
        "> {\"text\":\"<canary asked>\",\"type\":\"ask\"}",
        "came text frame, tenant 0",
        "< {\"text\":\"<canary asked>\",\"ticket\":\"<ticket: 36 letters>\",\"type\":\"reply\"}",
        "ok reply",
        "came webhook, tenant 0",
        "< POST /",
        "< authorization: Bearer <10 letters>",
        "< {\"text\":\"<canary wanted>\",\"ticket\":\"<ticket: 36 letters>\"}",
        "ok order",
        "< content-type: text/event-stream",
        "came SSE event, tenant 0",
        "ok 7 operations did what they should",
    ];
    let mut rest = run.stdout.as_str();
    for line in in_order {
        let at = rest.find(line).unwrap_or_else(|| panic!("`{line}` is missing: {run}"));
        rest = &rest[at + line.len()..];
    }
    let wanted = wanted.lock().unwrap().clone();
    for secret in [TOKEN, "0123456789", wanted.as_str()] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{secret}: {run}");
    }
}
