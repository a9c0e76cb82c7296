//! A service that renews tokens: the one before is void. Flaw: it is good for ever. Another build hands the same token out again.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::trial::gate;

const SCENARIO: &str = include_str!("void_tokens.yaml");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Build {
    Voids,
    KeepsAll,
    HandsOutTheSame,
}

#[derive(Default)]
struct Office {
    count: u64,
    sessions: HashMap<u64, Session>,
    notes: HashMap<String, Vec<Value>>,
}

struct Session {
    user: String,
    /// Those that are good.
    tokens: Vec<String>,
}

type Shared = State<(Build, Arc<Mutex<Office>>)>;

impl Office {
    fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn user(&self, headers: &HeaderMap) -> Result<String, StatusCode> {
        let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let token = token.ok_or(StatusCode::UNAUTHORIZED)?;
        let session = self.sessions.values().find(|session| session.tokens.iter().any(|it| it == token));
        session.map(|session| session.user.clone()).ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// Nobody guesses another's.
fn token(number: u64) -> String {
    let mut hasher = DefaultHasher::new();
    ("the key of the service", number).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

async fn begin(State((_, office)): Shared, Json(body): Json<Value>) -> Json<Value> {
    let mut office = office.lock().unwrap();
    let ticket = office.number();
    let user = body["name"].as_str().unwrap_or_default().to_owned();
    office.sessions.insert(ticket, Session { user, tokens: vec![] });
    Json(json!({"ticket": ticket}))
}

async fn renew(State((build, office)): Shared, Json(body): Json<Value>) -> Result<Json<Value>, StatusCode> {
    let mut office = office.lock().unwrap();
    let token = token(office.number());
    let session = body["ticket"].as_u64().and_then(|ticket| office.sessions.get_mut(&ticket));
    let tokens = &mut session.ok_or(StatusCode::BAD_REQUEST)?.tokens;
    match build {
        Build::Voids => *tokens = vec![token],
        Build::KeepsAll => tokens.push(token),
        Build::HandsOutTheSame if tokens.is_empty() => tokens.push(token),
        Build::HandsOutTheSame => {}
    }
    Ok(Json(json!({"token": tokens.last()})))
}

async fn add(State((_, office)): Shared, headers: HeaderMap, Json(note): Json<Value>) -> Result<(), StatusCode> {
    let mut office = office.lock().unwrap();
    let user = office.user(&headers)?;
    office.notes.entry(user).or_default().push(note);
    Ok(())
}

async fn list(State((_, office)): Shared, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let office = office.lock().unwrap();
    Ok(Json(office.notes.get(&office.user(&headers)?).cloned().unwrap_or_default().into()))
}

fn service(build: Build) -> Router {
    let routes = Router::new().route("/sessions", post(begin)).route("/tokens", post(renew));
    routes.route("/notes", get(list).post(add)).with_state((build, Arc::default()))
}

#[test]
fn a_token_that_a_renewal_makes_void_must_be_refused() {
    let run = gate(SCENARIO, service(Build::KeepsAll), 1);
    assert_eq!((run.code, run.kinds()), (1, vec!["session-after-logout".to_owned()]), "{run}");
    assert!(run.stdout.contains("was made anew, and what it showed itself by before is taken for good"), "{run}");
}

#[test]
fn a_service_that_refuses_it_passes() {
    let run = gate(SCENARIO, service(Build::Voids), 1);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn by_default_a_token_may_be_good_after_a_renewal() {
    let run = gate(&SCENARIO.replace(", voids: on", ""), service(Build::KeepsAll), 1);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn who_is_given_the_same_token_once_more_has_shown_nothing() {
    let run = gate(SCENARIO, service(Build::HandsOutTheSame), 1);
    assert_eq!((run.code, run.kinds()), (4, vec![]), "{run}");
    assert!(run.stdout.contains("no session that worked was ended by `renew` and tried again"), "{run}");
}
