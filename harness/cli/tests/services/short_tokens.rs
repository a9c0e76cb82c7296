//! A notebook whose tokens are good for a few requests, then the user has to log in again. The flaw: whoever logs in again is
//! greeted with the motto of the one who did before.
//!
//! Beside it the same with events, for which a token is shown as well: whoever has registered cannot do so again.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use futures_util::{Stream, stream};
use serde_json::{Value, json};

use crate::support::Run;
use crate::trial;

type Shared = State<Arc<Mutex<Notebook>>>;
type Answer = Result<Json<Value>, StatusCode>;

const USES: u32 = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Build {
    /// Tokens are taken until they are used up.
    Honest,
    /// The next one sees the motto of the one before.
    Greets,
    /// Nobody logs in a second time.
    OneLogin,
}

struct Notebook {
    build: Build,
    tokens: Vec<(String, u32)>,
    mottos: BTreeMap<String, Value>,
    again: Option<String>,
    notes: Vec<(String, Value)>,
}

impl Notebook {
    fn user(&mut self, headers: &HeaderMap) -> Result<String, StatusCode> {
        let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer t"));
        let place = token.and_then(|token| token.parse::<usize>().ok()).ok_or(StatusCode::UNAUTHORIZED)?;
        let (user, left) = self.tokens.get_mut(place).filter(|(_, left)| *left > 0).ok_or(StatusCode::UNAUTHORIZED)?;
        *left -= 1;
        Ok(user.clone())
    }
}

async fn login(State(notebook): Shared, Json(body): Json<Value>) -> Answer {
    let mut notebook = notebook.lock().unwrap();
    let name = body["name"].as_str().ok_or(StatusCode::BAD_REQUEST)?.to_owned();
    let known = notebook.mottos.insert(name.clone(), body["motto"].clone()).is_some();
    if known && notebook.build == Build::OneLogin {
        return Err(StatusCode::CONFLICT);
    }
    notebook.tokens.push((name.clone(), USES));
    let token = format!("t{}", notebook.tokens.len() - 1);
    let before = if known { notebook.again.replace(name) } else { None };
    let greeting = before.filter(|_| notebook.build == Build::Greets).map(|name| notebook.mottos[&name].clone());
    Ok(Json(json!({"token": token, "greeting": greeting})))
}

async fn write(State(notebook): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut notebook = notebook.lock().unwrap();
    let user = notebook.user(&headers)?;
    notebook.notes.push((user, body["text"].clone()));
    Ok(Json(json!({"id": notebook.notes.len() - 1})))
}

async fn read(State(notebook): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let mut notebook = notebook.lock().unwrap();
    let user = notebook.user(&headers)?;
    let (_, text) = notebook.notes.get(id).filter(|(owner, _)| *owner == user).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({"text": text, "motto": notebook.mottos[&user]})))
}

async fn register(State(notebook): Shared, Json(body): Json<Value>) -> Answer {
    let mut notebook = notebook.lock().unwrap();
    let name = body["name"].as_str().ok_or(StatusCode::BAD_REQUEST)?.to_owned();
    match notebook.mottos.insert(name.clone(), body["motto"].clone()) {
        None => Ok(Json(json!({"name": name}))),
        Some(_) => Err(StatusCode::CONFLICT),
    }
}

async fn begin_session(State(notebook): Shared, Json(body): Json<Value>) -> Answer {
    let mut notebook = notebook.lock().unwrap();
    let name = body["name"].as_str().ok_or(StatusCode::BAD_REQUEST)?.to_owned();
    notebook.tokens.push((name, USES));
    Ok(Json(json!({"token": format!("t{}", notebook.tokens.len() - 1)})))
}

/// What everybody is told who listens.
fn greeting(notebook: &Mutex<Notebook>, headers: &HeaderMap) -> Result<Value, StatusCode> {
    let mut notebook = notebook.lock().unwrap();
    let user = notebook.user(headers)?;
    Ok(json!({"type": "hello", "motto": notebook.mottos[&user]}))
}

async fn listen(
    State(notebook): Shared,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, StatusCode> {
    let hello = Event::default().event("hello").json_data(greeting(&notebook, &headers)?).unwrap();
    Ok(Sse::new(stream::iter([Ok(hello)])))
}

async fn connect(
    State(notebook): Shared,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, StatusCode> {
    let hello = greeting(&notebook, &headers)?.to_string();
    Ok(upgrade.on_upgrade(|mut socket| async move {
        // A client that has gone is told nothing.
        let _ = socket.send(Message::text(hello)).await;
        while let Some(Ok(_)) = socket.recv().await {}
    }))
}

fn gate(scenario: &str, build: Build) -> Run {
    gate_counting(scenario, build).0
}

/// With how many tokens there were.
fn gate_counting(scenario: &str, build: Build) -> (Run, usize) {
    let notebook = Notebook { build, tokens: vec![], mottos: BTreeMap::new(), again: None, notes: vec![] };
    let notebook = Arc::new(Mutex::new(notebook));
    let router = Router::new()
        .route("/login", post(login))
        .route("/register", post(register))
        .route("/sessions", post(begin_session))
        .route("/events", get(listen))
        .route("/socket", any(connect))
        .route("/notes", post(write))
        .route("/notes/{id}", get(read))
        .with_state(notebook.clone());
    let run = trial::gate(scenario, router, 1);
    let tokens = notebook.lock().unwrap().tokens.len();
    (run, tokens)
}

const SCENARIO: &str = include_str!("short_tokens.yaml");
const LIVE: &str = include_str!("short_tokens_live.yaml");

#[test]
fn openings_of_sockets_and_streams_renew_a_session_and_nobody_registers_twice() {
    let (run, tokens) = gate_counting(LIVE, Build::Honest);
    assert_eq!(run.code, 0, "{run}");
    let coverage = &run.json()["verdict"]["coverage"];
    let mut flows = coverage["operations"].as_array().unwrap().iter();
    assert!(flows.all(|operation| operation["sent"]["fail"] == 0), "{run}");
    assert_eq!(coverage["renewals"].as_u64(), Some(tokens as u64 - 4), "one new login each: {run}");
}

#[test]
fn a_session_that_ended_with_the_flows_is_renewed_before_it_tries_what_is_others() {
    for (renew, counted) in [("{steps: login, at_most: 100}", true), ("off", false)] {
        let scenario = LIVE.replace("repeat: 5", "repeat: 1").replace("{steps: login}", renew);
        let run = gate(&scenario, Build::Honest);
        let probes = &run.json()["verdict"]["coverage"]["probes"];
        let of_tenants = probes.as_array().unwrap().iter().find(|probes| probes.get("by").is_none()).unwrap();
        assert_eq!(of_tenants["counted"].as_u64() > Some(0), counted, "{run}");
    }
}

#[test]
fn expired_tokens_are_renewed_and_counted_and_the_run_passes() {
    let run = gate(SCENARIO, Build::Honest);
    assert_eq!(run.code, 0, "{run}");
    let coverage = &run.json()["verdict"]["coverage"];
    assert!(coverage["renewals"].as_u64() >= Some(8), "each session is made anew at least twice: {run}");
    let mut flows = coverage["operations"].as_array().unwrap().iter();
    assert!(flows.all(|operation| operation["sent"]["fail"] == 0), "{run}");
    assert!(run.stdout.contains("sessions were made anew"), "{run}");
}

#[test]
fn what_comes_back_while_a_session_is_made_anew_is_looked_at() {
    let run = gate(SCENARIO, Build::Greets);
    assert_eq!((run.code, run.kinds()), (1, vec!["foreign-canary".to_owned()]), "{run}");
}

#[test]
fn a_refusal_stays_one_where_nothing_is_renewed() {
    for run in
        [gate(&SCENARIO.replace("  send:", "  renew: off\n  send:"), Build::Honest), gate(SCENARIO, Build::OneLogin)]
    {
        assert_eq!(run.code, 4, "{run}");
        assert!(run.json()["verdict"]["coverage"].get("renewals").is_none(), "{run}");
    }
}

#[test]
fn renewals_have_a_limit() {
    let once = SCENARIO.replace("  send:", "  renew: {status: [401, 403], at_most: 1}\n  send:");
    let run = gate(&once, Build::Honest);
    assert_eq!(run.json()["verdict"]["coverage"]["renewals"], 4, "{run}");
    assert_eq!(run.code, 4, "{run}");
}
