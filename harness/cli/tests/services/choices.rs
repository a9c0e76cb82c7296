//! A service of which clients choose keys against doing things twice, and the names of files. The flaw: it keeps what they choose for all
//! of them together. Clients that choose well never notice; it takes two who choose the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart, gate};

const SCENARIO: &str = include_str!("choices.yaml");

#[derive(Default)]
struct Office {
    members: usize,
    /// What was done under a key, and what lies under a name: for whom, where that counts.
    done: HashMap<(usize, String), Value>,
    files: HashMap<(usize, String), Value>,
}

type Shared = State<(Build, Arc<Mutex<Office>>)>;

/// For whom something is kept.
fn whose(build: Build, headers: &HeaderMap) -> Result<usize, StatusCode> {
    let card = headers.get("authorization").and_then(|card| card.to_str().ok()?.strip_prefix("Bearer ")?.parse().ok());
    let member = card.ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(if build == Build::Flawed { 0 } else { member })
}

async fn join(State((_, office)): Shared) -> Json<Value> {
    let mut office = office.lock().unwrap();
    office.members += 1;
    Json(json!({"card": office.members.to_string()}))
}

async fn pay(
    State((build, office)): Shared,
    headers: HeaderMap,
    Json(payment): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let whose = whose(build, &headers)?;
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    Ok(Json(office.lock().unwrap().done.entry((whose, key.to_owned())).or_insert(payment).clone()))
}

async fn keep(
    State((build, office)): Shared,
    headers: HeaderMap,
    Path(name): Path<String>,
    Json(file): Json<Value>,
) -> Result<(), StatusCode> {
    let whose = whose(build, &headers)?;
    office.lock().unwrap().files.insert((whose, name), file);
    Ok(())
}

async fn read(
    State((build, office)): Shared,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Json<Value>, StatusCode> {
    let whose = whose(build, &headers)?;
    office.lock().unwrap().files.get(&(whose, name)).cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn remove(
    State((build, office)): Shared,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<(), StatusCode> {
    let whose = whose(build, &headers)?;
    office.lock().unwrap().files.remove(&(whose, name)).map(drop).ok_or(StatusCode::NOT_FOUND)
}

fn service(build: Build) -> Router {
    let routes = Router::new().route("/members", post(join)).route("/payments", post(pay));
    routes.route("/files/{name}", put(keep).get(read).delete(remove)).with_state((build, Arc::default()))
}

#[test]
fn what_clients_choose_and_a_service_keeps_for_all_together_is_found() {
    assert_told_apart(SCENARIO, service, &["foreign-canary"]);
}

#[test]
fn nothing_shows_where_no_two_tenants_choose_the_same() {
    let run = gate(&SCENARIO.replace("collide: 30%", "collide: off"), service(Build::Flawed), 1);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn collisions_are_counted_where_both_have_chosen() {
    let run = gate(SCENARIO, service(Build::Twin), 2);
    let report = run.json();
    let kinds = report["verdict"]["coverage"]["perturbations"].as_array().unwrap();
    let collide = kinds.iter().find(|kind| kind["kind"] == "collide").unwrap();
    assert_eq!(collide["planned"], collide["reached"], "{run}");
    assert!(collide["reached"].as_u64().unwrap() > 10, "{run}");
}
