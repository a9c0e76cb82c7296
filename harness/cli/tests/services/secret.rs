//! A service that wants a secret of its operator: it comes from the environment and is left nowhere.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use coalmine_core::history::Reader;
use serde_json::{Value, json};

use crate::support::{Coalmine, Run, Service};

const SECRET: &str = "hush-4711-nobody";

type Teams = Arc<Mutex<HashMap<String, String>>>;

/// Joining needs the operator's secret; a name joins once.
async fn join(
    State(teams): State<Teams>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    if headers.get("x-operator").is_none_or(|secret| secret != SECRET) {
        return Err(StatusCode::FORBIDDEN);
    }
    let name = format!("{}/{}", body["team"], body["user"]);
    let mut teams = teams.lock().unwrap();
    let key = format!("key-{}", teams.len());
    if teams.values().any(|known| *known == name) {
        return Err(StatusCode::CONFLICT);
    }
    teams.insert(key.clone(), name);
    Ok(Json(json!({"key": key})))
}

async fn echo(State(teams): State<Teams>, headers: HeaderMap, body: String) -> Result<String, StatusCode> {
    let key = headers.get("x-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    if teams.lock().unwrap().contains_key(key) { Ok(body) } else { Err(StatusCode::UNAUTHORIZED) }
}

fn gate(secret: Option<&str>) -> (Coalmine, Run) {
    let router = Router::new().route("/join", post(join)).route("/echo", post(echo)).with_state(Teams::default());
    let service = Service::start(router);
    let coalmine = Coalmine::new().scenario(include_str!("secret.yaml"));
    let mut command =
        coalmine.command(&["gate", "scenario.yaml", "--target", &service.url(), "--rounds", "1", "--format", "json"]);
    if let Some(secret) = secret {
        command.env("OPERATOR_SECRET", secret);
    }
    let run = Run::of(&command.output().unwrap());
    (coalmine, run)
}

fn everything_in(folder: &Path) -> String {
    let history = std::fs::File::open(folder.join("coalmine-out/latest/history.jsonl.zst")).unwrap();
    let records = Reader::new(history).map(|record| format!("{:?}", record.unwrap()));
    let report = std::fs::read_to_string(folder.join("coalmine-out/latest/report.json")).unwrap();
    records.chain([report]).collect::<Vec<_>>().concat()
}

#[test]
fn a_secret_of_the_environment_is_sent_and_left_nowhere() {
    let (coalmine, run) = gate(Some(SECRET));
    assert_eq!(run.code, 0, "{run}");
    let left = [run.stdout, run.stderr, everything_in(coalmine.path())].concat();
    assert!(left.contains("OPERATOR_SECRET"));
    assert!(!left.contains("hush"), "the secret was left somewhere");
}

#[test]
fn without_its_secret_a_scenario_is_not_run() {
    let (_, run) = gate(None);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("OPERATOR_SECRET"), "{run}");
}
