//! Records that others are refused as if there were none. The flaw: whoever asks for one that exists waits until its owner has been
//! looked up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::support::{Coalmine, Run, Service};
use crate::trial::Build;

const SCENARIO: &str = include_str!("slow_secrets.yaml");
const LOOKING_UP: Duration = Duration::from_millis(10);

#[derive(Default)]
struct Archive {
    practices: u64,
    records: BTreeMap<u64, (u64, Value)>,
}

type Shared = State<(Build, Arc<Mutex<Archive>>)>;

fn practice(headers: &HeaderMap) -> Result<u64, StatusCode> {
    let practice = headers.get("x-practice").and_then(|value| value.to_str().ok()?.parse().ok());
    practice.ok_or(StatusCode::UNAUTHORIZED)
}

async fn enrol(State((_, archive)): Shared) -> Json<Value> {
    let mut archive = archive.lock().unwrap();
    archive.practices += 1;
    Json(json!({"practice": archive.practices}))
}

async fn file(
    State((_, archive)): Shared,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let mut archive = archive.lock().unwrap();
    let id = archive.records.len() as u64;
    archive.records.insert(id, (practice(&headers)?, body["text"].clone()));
    Ok(Json(json!({"id": id})))
}

async fn read(
    State((build, archive)): Shared,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let record = archive.lock().unwrap().records.get(&id).cloned();
    let (owner, text) = record.ok_or(StatusCode::NOT_FOUND)?;
    if build == Build::Flawed {
        tokio::time::sleep(LOOKING_UP).await;
    }
    if owner == practice(&headers)? { Ok(Json(json!({"text": text}))) } else { Err(StatusCode::NOT_FOUND) }
}

fn gate(build: Build, policy: &str) -> Run {
    let routes = Router::new().route("/practices", post(enrol)).route("/records", post(file));
    let service = Service::start(routes.route("/records/{id}", get(read)).with_state((build, Arc::default())));
    let scenario = SCENARIO.replace("existence-by-time: on", policy);
    let url = service.url();
    Coalmine::new().scenario(&scenario).run(&[
        "gate",
        "scenario.yaml",
        "--target",
        &url,
        "--rounds",
        "2",
        "--format",
        "json",
    ])
}

#[test]
fn what_exists_can_be_told_by_the_time_that_its_refusal_takes() {
    let run = gate(Build::Flawed, "existence-by-time: on");
    assert_eq!((run.code, run.kinds()), (1, vec!["existence-by-time".to_owned()]), "{run}");
}

#[test]
fn as_a_warning_it_fails_nothing() {
    let run = gate(Build::Flawed, "existence-by-time: warn");
    assert_eq!((run.code, run.kinds()), (0, vec![]), "{run}");
    assert!(run.json()["verdict"]["notes"].to_string().contains("from an unknown one by time"), "{run}");
}

#[test]
fn a_service_that_takes_as_long_for_both_passes() {
    let run = gate(Build::Twin, "existence-by-time: on");
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn nobody_asks_by_default() {
    let run = gate(Build::Flawed, "existence: on");
    assert_eq!(run.code, 0, "{run}");
}
