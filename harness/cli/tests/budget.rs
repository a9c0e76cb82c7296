//! What a run may cost its target, as the target measures it.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::routing::{delete, post};
use support::{Coalmine, Run, Service};

const NOTES: &str = r#"
coalmine: 1
name: notes
target: {url: http://127.0.0.1:1}
perturb: off
tenants: 4
canaries: {text: text}
flows:
  notes:
    repeat: 3
    steps:
      - {id: write, post: /, text: "{{canary.text}}", sees: text}
    cleanup:
      - {id: remove, delete: /, expect: {status: [200]}}
"#;

/// When each request came.
type Times = Arc<Mutex<Vec<(String, Instant)>>>;

fn notes(times: &Times) -> Router {
    let times = Arc::clone(times);
    let note = middleware::from_fn(move |request: Request, next: Next| {
        times.lock().unwrap().push((request.method().to_string(), Instant::now()));
        next.run(request)
    });
    Router::new().route("/", post(async |body: String| body)).route("/", delete(async || "")).layer(note)
}

fn gate(more: &[&str]) -> (Run, Vec<(String, Instant)>) {
    let times = Times::default();
    let service = Service::start(notes(&times));
    let run = Coalmine::new().scenario(NOTES).gate_with(&service.url(), more);
    let times = times.lock().unwrap().clone();
    (run, times)
}

fn shortfalls(run: &Run) -> Vec<String> {
    let report = run.json();
    let shortfalls = report["verdict"]["shortfalls"].as_array().unwrap();
    shortfalls.iter().map(|it| it["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn no_more_requests_are_sent_than_the_budget_has_and_cleaning_up_is_reserved() {
    let (run, times) = gate(&["--max-requests", "20"]);
    assert_eq!(run.code, 4, "{run}");
    assert!(shortfalls(&run).contains(&"budget".to_owned()), "{run}");
    let writes = times.iter().filter(|(method, _)| method == "POST").count();
    assert_eq!((writes, times.len() - writes), (8, 12), "12 of 20 requests are kept for cleaning up");
    assert_eq!(run.json()["verdict"]["coverage"]["sent"]["skipped"], 4, "{run}");
}

#[test]
fn a_budget_that_suffices_changes_nothing() {
    let (run, times) = gate(&["--max-requests", "24", "--max-bytes", "1MB", "--max-time", "1m"]);
    assert_eq!(shortfalls(&run).iter().filter(|kind| *kind == "budget").count(), 0, "{run}");
    assert_eq!(times.len(), 24);
}

#[test]
fn the_rate_holds_for_all_tenants_together() {
    let (_, times) = gate(&["--max-rate", "50/s"]);
    let (first, last) = (times.first().unwrap().1, times.last().unwrap().1);
    assert_eq!(times.len(), 24);
    // 23 intervals of 20 ms; the first request may have been under way for some of them.
    assert!(last - first >= Duration::from_millis(23 * 20 / 2), "{:?} for 24 requests at 50/s", last - first);
}

/// Everybody sees what was written last.
fn explained(more: &[&str]) -> (Run, Vec<(String, Instant)>) {
    let (times, last) = (Times::default(), Arc::new(Mutex::new(String::new())));
    let write = async move |body: String| std::mem::replace(&mut *last.lock().unwrap(), body.clone()) + &body;
    let noted = Arc::clone(&times);
    let note = middleware::from_fn(move |request: Request, next: Next| {
        noted.lock().unwrap().push((request.method().to_string(), Instant::now()));
        next.run(request)
    });
    let service = Service::start(Router::new().route("/", post(write)).route("/", delete(async || "")).layer(note));
    let scenario = NOTES.replace("tenants: 4", "tenants: 2").replace("repeat: 3", "repeat: 1");
    let run = Coalmine::new().scenario(&scenario).gate_with(&service.url(), &[&["--explain"], more].concat());
    let times = times.lock().unwrap().clone();
    (run, times)
}

#[test]
fn what_is_tried_again_is_held_to_the_rate_of_the_run() {
    let (run, times) = explained(&["--max-rate", "100/s"]);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.json()["explanations"][0]["retried"].is_object(), "{run}");
    let (first, last) = (times.first().unwrap().1, times.last().unwrap().1);
    let least = Duration::from_millis(10) * u32::try_from(times.len()).unwrap() / 2;
    assert!(times.len() > 20 && last - first >= least, "{:?} for {} requests", last - first, times.len());
}

#[test]
fn nothing_is_tried_again_where_the_budget_bounds_what_is_sent_in_all() {
    let (run, times) = explained(&["--max-requests", "24"]);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stderr.contains("no finding is tried again"), "{run}");
    assert!(run.json()["explanations"][0]["retried"].is_null(), "{run}");
    assert!(times.len() <= 24, "{}", times.len());
}

#[test]
fn bytes_that_are_used_up_stop_what_is_no_cleaning_up() {
    let (run, times) = gate(&["--max-bytes", "600"]);
    assert_eq!(run.code, 4, "{run}");
    assert!(shortfalls(&run).contains(&"budget".to_owned()), "{run}");
    let removals = times.iter().filter(|(method, _)| method == "DELETE").count();
    assert_eq!(removals, 12, "{run}");
}

#[test]
fn few_connections_are_shared_by_turns() {
    let (run, times) = gate(&["--max-connections", "2"]);
    assert_eq!(times.len(), 24, "{run}");
    assert_eq!(run.json()["verdict"]["coverage"]["sent"]["ok"], 24, "{run}");
}

#[test]
fn a_budget_of_the_scenario_goes_behind_the_command_line() {
    let times = Times::default();
    let service = Service::start(notes(&times));
    let coalmine = Coalmine::new().scenario(&NOTES.replace("tenants: 4", "tenants: 4\nbudget: {requests: 13}"));
    coalmine.gate(&service.url());
    assert_eq!(times.lock().unwrap().len(), 13);
    let run = coalmine.gate_with(&service.url(), &["--max-requests", "14"]);
    assert_eq!(times.lock().unwrap().len(), 13 + 14);
    assert!(run.json()["reproduce"].as_str().unwrap().contains("--max-requests 14"), "{run}");
}

#[test]
fn a_rate_that_is_none_is_2() {
    let (run, times) = gate(&["--max-rate", "fast"]);
    assert_eq!((run.code, times.len()), (2, 0), "{run}");
}
