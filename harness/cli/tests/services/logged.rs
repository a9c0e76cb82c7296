//! A service that writes a log, with what it was given or without, and lets the harness look into it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tempfile::TempDir;

use crate::support::{Coalmine, Run, Service};

const SCENARIO: &str = include_str!("logged.yaml");

/// What stands in a line of the log.
#[derive(Clone, Copy)]
enum Line {
    /// Right: who wrote how much.
    Length,
    /// Guilty: the text as well.
    Text,
    /// Nobody's name, so that it could be anybody's log.
    Nobody,
}

#[derive(Clone)]
struct Notes {
    log: PathBuf,
    line: Line,
}

async fn write(State(notes): State<Notes>, headers: HeaderMap, text: String) -> (StatusCode, String) {
    let Some(tenant) = headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok()) else {
        return (StatusCode::UNAUTHORIZED, String::new());
    };
    let line = match notes.line {
        Line::Length => format!("tenant={tenant} bytes={}\n", text.len()),
        Line::Text => format!("tenant={tenant} text={text}\n"),
        Line::Nobody => format!("bytes={}\n", text.len()),
    };
    let mut log = OpenOptions::new().append(true).create(true).open(&notes.log).unwrap();
    log.write_all(line.as_bytes()).unwrap();
    (StatusCode::CREATED, text)
}

/// A gate with a search through `logs` in the folder of the service's `app.log`.
fn gate(line: Line, logs: &str, policy: &str) -> Run {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("app.log"), "the service has started\n").unwrap();
    let notes = Notes { log: folder.path().join("app.log"), line };
    let service = Service::start(Router::new().route("/notes", post(write)).with_state(notes));
    let path = folder.path().join(logs);
    let scenario = SCENARIO.replace("LOGS", path.to_str().unwrap());
    let coalmine = Coalmine::new().scenario(&format!("{scenario}{policy}"));
    coalmine.run(&["gate", "scenario.yaml", "--target", &service.url(), "--rounds", "1", "--format", "json"])
}

const ON: &str = "policy: {oracles: {secret-in-log: on}}\n";

fn notes(run: &Run) -> String {
    run.json()["verdict"]["notes"].to_string()
}

#[test]
fn a_secret_in_a_log_is_a_note_or_a_violation_as_the_scenario_wants() {
    let noted = gate(Line::Text, "*.log", "");
    assert_eq!((noted.code, noted.kinds()), (0, vec![]), "{noted}");
    assert!(notes(&noted).contains("logs hold the canary `note` (`app.log`, line "), "{noted}");
    let failed = gate(Line::Text, "*.log", ON);
    assert_eq!((failed.code, failed.kinds()), (1, vec!["secret-in-log".to_owned()]), "{failed}");
}

#[test]
fn a_log_without_secrets_is_clean() {
    let run = gate(Line::Length, "app.log", ON);
    assert_eq!((run.code, run.kinds()), (0, vec![]), "{run}");
    assert!(!notes(&run).contains("logs hold"), "{run}");
}

#[test]
fn a_log_that_does_not_know_the_user_and_one_that_is_not_there_prove_nothing() {
    for (line, logs, why) in [
        (Line::Nobody, "app.log", "what `mentions` says does not stand in the logs"),
        (Line::Length, "other-*.log", "there is no log"),
    ] {
        let run = gate(line, logs, ON);
        assert_eq!((run.code, run.kinds()), (4, vec![]), "{run}");
        assert!(run.stdout.contains(why), "{why}: {run}");
    }
}
