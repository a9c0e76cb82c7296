//! A service whose sessions are signed cookies. Flaws: it reads them without looking at the signature, or it knows them again by their
//! first characters. A service whose sessions are short numbers is what it is: nothing is forged of them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;

use crate::support::Run;
use crate::trial::gate;

const SCENARIO: &str = include_str!("forged_cookies.yaml");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Whole,
    NoSignature,
    Beginning,
    /// Its sessions have numbers, and are not signed at all.
    Numbers,
}

#[derive(Default)]
struct Office {
    members: u64,
    notes: HashMap<u64, Vec<Value>>,
    /// Sessions that were good, by their beginnings.
    known: HashMap<String, u64>,
}

type Shared = State<(Check, Arc<Mutex<Office>>)>;

/// What only the service can make.
fn signature(session: &str) -> String {
    let mut hasher = DefaultHasher::new();
    ("the key of the service", session).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Whose session it is.
fn member(check: Check, office: &mut Office, headers: &HeaderMap) -> Option<u64> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let session = cookies.split("; ").find_map(|pair| pair.strip_prefix("sid="))?;
    if check == Check::Numbers {
        return session.parse().ok().filter(|number| *number <= office.members);
    }
    let beginning: String = session.chars().take(20).collect();
    if let Some(member) = office.known.get(&beginning).filter(|_| check == Check::Beginning) {
        return Some(*member);
    }
    let (id, shown) = session.split_once('.')?;
    let is_good = shown == signature(id) || check == Check::NoSignature;
    let member = u64::from_str_radix(id, 16).ok().filter(|_| is_good)?;
    office.known.insert(beginning, member);
    Some(member)
}

async fn join(State((check, office)): Shared) -> impl IntoResponse {
    let mut office = office.lock().unwrap();
    office.members += 1;
    let id = format!("{:016x}", office.members);
    let session = if check == Check::Numbers { office.members.to_string() } else { format!("{id}.{}", signature(&id)) };
    AppendHeaders([
        (SET_COOKIE, format!("sid={session}; Path=/; HttpOnly")),
        (SET_COOKIE, "lang=en; Path=/".to_owned()),
        (SET_COOKIE, "visit=0123456789abcdef0123; Path=/".to_owned()),
    ])
}

async fn add(State((check, office)): Shared, headers: HeaderMap, Json(note): Json<Value>) -> Result<(), StatusCode> {
    let mut office = office.lock().unwrap();
    let member = member(check, &mut office, &headers).ok_or(StatusCode::UNAUTHORIZED)?;
    office.notes.entry(member).or_default().push(note);
    Ok(())
}

async fn list(State((check, office)): Shared, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let mut office = office.lock().unwrap();
    let member = member(check, &mut office, &headers).ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(Json(office.notes.get(&member).cloned().unwrap_or_default().into()))
}

fn service(check: Check) -> Router {
    let routes = Router::new().route("/members", post(join)).route("/notes", post(add)).route("/notes", get(list));
    routes.with_state((check, Arc::default()))
}

/// Forgeries that were planned, and those that were sent.
fn forgeries(run: &Run) -> (u64, u64) {
    let report = run.json();
    let kinds = report["verdict"]["coverage"]["perturbations"].as_array().unwrap().clone();
    let forge = kinds.iter().find(|kind| kind["kind"] == "forge").unwrap();
    (forge["planned"].as_u64().unwrap(), forge["reached"].as_u64().unwrap())
}

#[test]
fn cookies_that_nobody_was_given_must_not_be_taken_for_good() {
    for check in [Check::NoSignature, Check::Beginning] {
        let run = gate(SCENARIO, service(check), 1);
        assert_eq!((run.code, run.kinds()), (1, vec!["forged-credential".to_owned()]), "{check:?}: {run}");
    }
}

#[test]
fn a_service_that_refuses_them_passes() {
    let run = gate(SCENARIO, service(Check::Whole), 1);
    assert_eq!(run.code, 0, "{run}");
    let (planned, reached) = forgeries(&run);
    assert!(planned > 5 && planned == reached, "{run}");
}

#[test]
fn short_cookies_are_not_sent_and_what_is_sent_without_them_shows_nothing() {
    let run = gate(SCENARIO, service(Check::Numbers), 1);
    assert_eq!(run.code, 0, "{run}");
}
