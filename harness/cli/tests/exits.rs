//! Every way a run can end has its exit code and its words.

mod support;

use std::io::{BufRead, BufReader};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::json;
use support::{Coalmine, Run, Service};

const NOTES: &str = r#"
coalmine: 1
name: notes
target: {url: http://127.0.0.1:1, ready_within: 1s}
tenants: 4
canaries: {text: text}
auth:
  steps:
    - id: sign-in
      post: /login
      json: {name: "{{user.name}}", password: "{{user.password}}"}
      capture: {token: $.token}
flows:
  notes:
    repeat: 5
    steps:
      - {id: write, post: /notes, json: {text: "{{canary.text}}"}}
      - {id: read, get: /notes, sees: [text]}
"#;

/// Signs everybody in and keeps nothing.
fn forgetful() -> Router {
    Router::new()
        .route("/login", post(async || axum::Json(json!({"token": "t"}))))
        .route("/notes", post(async || StatusCode::OK).get(async || "[]"))
}

#[test]
fn a_service_that_never_shows_own_canaries_is_inconclusive() {
    let service = Service::start(forgetful());
    let run = Coalmine::new().scenario(NOTES).gate(&service.url());
    assert_eq!(run.code, 4, "{run}");
    assert!(run.stdout.contains("\"control\""), "{run}");
}

#[test]
fn an_unreachable_target_is_3() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = Coalmine::new().scenario(NOTES).gate(&format!("http://{closed}"));
    assert_eq!(run.code, 3, "{run}");
    assert!(run.stdout.contains("was not ready"), "{run}");
}

#[test]
fn a_refused_login_is_3_and_names_the_step() {
    let service = Service::start(Router::new().route("/login", post(async || StatusCode::UNAUTHORIZED)));
    let run = Coalmine::new().scenario(NOTES).gate(&service.url());
    assert_eq!(run.code, 3, "{run}");
    assert!(run.stdout.contains("sign-in") && run.stdout.contains("401"), "{run}");
}

#[test]
fn a_misspelt_key_is_2_with_line_column_and_suggestion() {
    let run = Coalmine::new().scenario(&NOTES.replace("capture:", "captrue:")).gate("http://127.0.0.1:1");
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("scenario.yaml:12:7") && run.stderr.contains("capture"), "{run}");
}

#[test]
fn a_host_that_is_not_listed_is_2_and_nothing_is_sent() {
    let run = Coalmine::new().scenario(NOTES).gate("http://192.0.2.1:80");
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("192.0.2.1"), "{run}");
}

#[test]
fn unknown_arguments_and_missing_files_are_2() {
    for arguments in [&["gate"][..], &["gate", "absent.yaml"], &["gate", "--sed", "1"], &["check", "absent"]] {
        let run = Coalmine::new().run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {run}");
    }
}

#[test]
fn one_tenant_at_a_time_is_inconclusive_for_lack_of_overlap() {
    let coalmine = Coalmine::new().scenario(ECHO);
    let service = Service::start(echo());
    let run = coalmine.gate_with(&service.url(), &["--schedule", "one-at-a-time"]);
    assert_eq!(run.code, 4, "{run}");
    let report = run.json();
    let kinds = report["verdict"]["shortfalls"].as_array().unwrap().iter().map(|shortfall| &shortfall["kind"]);
    assert!(kinds.clone().count() > 0 && kinds.clone().all(|kind| kind == "overlap"), "{run}");
}

const ECHO: &str = r#"
coalmine: 1
name: echo
target: {url: http://127.0.0.1:1}
tenants: 4
canaries: {text: text}
flows:
  echo:
    repeat: 50
    steps:
      - {id: say, post: /, text: "{{canary.text}}", sees: [text]}
"#;

fn echo() -> Router {
    Router::new().route("/", post(async |body: String| body))
}

#[test]
fn check_judges_the_same_again() {
    let coalmine = Coalmine::new().scenario(ECHO);
    let service = Service::start(echo());
    let first = coalmine.gate(&service.url());
    assert_eq!(first.code, 0, "{first}");
    let second = coalmine.run(&["check", "coalmine-out/latest/history.jsonl.zst", "--format", "json"]);
    assert_eq!(second.code, 0, "{second}");
    assert_eq!(first.json()["verdict"], second.json()["verdict"]);
}

/// A service whose second path never answers, so that a run is certainly still going on when it is stopped.
fn endless() -> Router {
    echo().route("/never", get(async || std::future::pending::<&str>().await))
}

fn endless_scenario() -> String {
    ECHO.to_owned() + "      - {id: wait, get: /never, within: 10m}\n"
}

/// Waits until the history has something to read.
fn wait_for_history(coalmine: &Coalmine) {
    for _ in 0..1_000_000 {
        if std::fs::metadata(coalmine.history()).is_ok_and(|file| file.len() > 2000) {
            return;
        }
        std::thread::yield_now();
    }
    panic!("no history was written");
}

fn endless_run(coalmine: &Coalmine, service: &Service) -> std::process::Child {
    let run =
        coalmine.start(&["gate", "scenario.yaml", "--target", &service.url(), "--rounds", "1", "--format", "json"]);
    wait_for_history(coalmine);
    run
}

#[test]
fn ctrl_c_judges_what_was_recorded_and_is_130() {
    let coalmine = Coalmine::new().scenario(&endless_scenario());
    let service = Service::start(endless());
    let child = endless_run(&coalmine, &service);
    let interrupt = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let run = Run::of(&child.wait_with_output().unwrap());
    assert_eq!(run.code, 130, "{run}");
    assert_eq!(run.json()["verdict"]["outcome"], "inconclusive", "{run}");
}

#[test]
fn after_kill_9_the_history_is_read_and_the_verdict_is_inconclusive() {
    let coalmine = Coalmine::new().scenario(&endless_scenario());
    let service = Service::start(endless());
    let mut child = endless_run(&coalmine, &service);
    child.kill().unwrap();
    child.wait().unwrap();
    let run = coalmine.run(&["check", "coalmine-out/latest/history.jsonl.zst", "--format", "json"]);
    assert_eq!(run.code, 4, "{run}");
    assert!(run.stdout.contains("\"unfinished\""), "{run}");
}

#[test]
fn the_target_starts_servers_of_its_own_and_ends_them_at_ctrl_c() {
    let installed = coalmine_servers::shared().is_some();
    let mut child = Coalmine::new().start(&["target", "--services"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    if !installed {
        assert_eq!(child.wait().unwrap().code(), Some(2));
        return;
    }
    lines.next().unwrap().unwrap();
    let place = lines.next().unwrap().unwrap();
    assert!(place.ends_with("PostgreSQL and Redis"), "{place}");
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn services_that_do_not_answer_are_a_usage_error_without_their_password() {
    let run = Coalmine::new().run(&[
        "target",
        "--database",
        "postgres://me:hush@127.0.0.1:1/db",
        "--redis",
        "redis://:hush@127.0.0.1:1",
    ]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("cannot open the database") && !run.stderr.contains("hush"), "{run}");
}

#[test]
fn the_target_says_where_it_serves_and_stops_at_ctrl_c() {
    let mut child = Coalmine::new().start(&["target", "--flaw", "finance.cache-key"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("http://127.0.0.1:"), "{first}");
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(child.wait().unwrap().success());
}
