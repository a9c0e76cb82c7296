//! A service with signed tokens. Flaws: it reads them without looking at the signature, it takes those that say that they have none, or it
//! knows tokens again by their first characters.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::trial::gate;

const SCENARIO: &str = include_str!("forged_tokens.yaml");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Whole,
    NoSignature,
    UnlessItSaysNone,
    Beginning,
}

#[derive(Default)]
struct Office {
    members: u32,
    notes: HashMap<u64, Vec<Value>>,
    /// Tokens that were good, by their beginnings.
    known: HashMap<String, u64>,
}

type Shared = State<(Check, Arc<Mutex<Office>>)>;

/// What only the service can make.
fn signature(signed: &str) -> String {
    let mut hasher = DefaultHasher::new();
    ("the key of the service", signed).hash(&mut hasher);
    format!("{:032x}", u128::from(hasher.finish()) * 0x9e37_79b9_7f4a_7c15)
}

fn part(json: &Value) -> String {
    BASE64URL_NOPAD.encode(json.to_string().as_bytes())
}

fn read_part(part: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?).ok()
}

/// Whose token it is.
fn member(check: Check, office: &mut Office, headers: &HeaderMap) -> Option<u64> {
    let token = headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?;
    let (signed, shown) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let beginning: String = token.chars().take(token.len() - 20).collect();
    if let Some(member) = office.known.get(&beginning).filter(|_| check == Check::Beginning) {
        return Some(*member);
    }
    let says_none = read_part(header)?["alg"] == "none";
    let is_good =
        shown == signature(signed) || check == Check::NoSignature || check == Check::UnlessItSaysNone && says_none;
    let member = read_part(claims)?["sub"].as_u64().filter(|_| is_good)?;
    office.known.insert(beginning, member);
    Some(member)
}

async fn join(State((_, office)): Shared) -> Json<Value> {
    let mut office = office.lock().unwrap();
    office.members += 1;
    let signed = format!("{}.{}", part(&json!({"alg": "B3"})), part(&json!({"sub": office.members, "role": "member"})));
    Json(json!({"token": format!("{signed}.{}", signature(&signed))}))
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

#[test]
fn tokens_that_nobody_was_given_must_not_be_taken_for_good() {
    for check in [Check::NoSignature, Check::UnlessItSaysNone, Check::Beginning] {
        let run = gate(SCENARIO, service(check), 1);
        assert_eq!((run.code, run.kinds()), (1, vec!["forged-credential".to_owned()]), "{check:?}: {run}");
    }
}

#[test]
fn a_service_that_refuses_them_passes_and_its_refusals_are_no_failures() {
    let run = gate(SCENARIO, service(Check::Whole), 1);
    assert_eq!(run.code, 0, "{run}");
    let report = run.json();
    let kinds = report["verdict"]["coverage"]["perturbations"].as_array().unwrap();
    let forge = kinds.iter().find(|kind| kind["kind"] == "forge").unwrap();
    assert!(forge["planned"].as_u64().unwrap() > 5 && forge["planned"] == forge["reached"], "{run}");
}

#[test]
fn nothing_is_forged_where_the_scenario_forbids_it() {
    let run = gate(&SCENARIO.replace("forge: on", "forge: off"), service(Check::NoSignature), 1);
    assert_eq!(run.code, 0, "{run}");
}
