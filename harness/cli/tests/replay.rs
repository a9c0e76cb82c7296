//! Leaks come back, are made small and named, by the real program against services of the tests' own.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::{Json, State};
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Router, http::StatusCode};
use serde_json::{Value, json};

mod support;
use support::{Coalmine, Run, Service};

const SCENARIO: &str = r#"
coalmine: 1
name: notes
tenants: 4
canaries: {text: text}
flows:
  notes:
    repeat: 2
    steps:
      - {id: write, post: /notes, headers: {x-user: "{{user.name}}"}, json: {text: "{{canary.text}}"}, expect: {status: 201}}
      - {id: read, get: /notes, headers: {x-user: "{{user.name}}"}, sees: text}
      - {id: look-around, get: /notes, headers: {x-user: "{{user.name}}"}, sees: text}
"#;

type Notes = Arc<Mutex<Vec<(String, String)>>>;

/// Whose notes a list shows.
#[derive(Clone, Copy, PartialEq)]
enum List {
    Everybodys,
    Own,
    /// Those of whoever asked first, to everybody.
    Kept,
}

fn user(headers: &HeaderMap) -> String {
    headers["x-user"].to_str().unwrap().to_owned()
}

fn notes(list: List) -> Service {
    let kept: Arc<Mutex<Option<Value>>> = Arc::default();
    let write = async |State(notes): State<Notes>, headers: HeaderMap, Json(note): Json<Value>| {
        let (user, Some(text)) = (user(&headers), note["text"].as_str()) else { return StatusCode::BAD_REQUEST };
        notes.lock().unwrap().push((user, text.to_owned()));
        StatusCode::CREATED
    };
    let read = async move |State(notes): State<Notes>, headers: HeaderMap| {
        let user = user(&headers);
        let all = notes.lock().unwrap();
        let shown = all.iter().filter(|(owner, _)| list == List::Everybodys || *owner == user);
        let own = json!(shown.map(|(_, text)| text).collect::<Vec<_>>());
        let mut kept = kept.lock().unwrap();
        Json(if list == List::Kept { kept.get_or_insert(own).clone() } else { own })
    };
    Service::start(Router::new().route("/notes", get(read).post(write)).with_state(Notes::default()))
}

fn leaked(service: &Service) -> (Coalmine, Run) {
    let coalmine = Coalmine::new().scenario(SCENARIO);
    let run = coalmine.gate(&service.url());
    assert_eq!(run.code, 1, "{run}");
    (coalmine, run)
}

/// The line that a report names, as it would be typed.
fn replay_line(run: &Run) -> Vec<String> {
    let report = run.json();
    let worst = &report["verdict"]["findings"][0]["fingerprint"];
    let explanations = report["explanations"].as_array().unwrap();
    let explanation = explanations.iter().find(|explanation| explanation["fingerprint"] == *worst).unwrap();
    let line = explanation["replay"].as_str().unwrap();
    line.strip_prefix("coalmine ").unwrap().split(' ').map(str::to_owned).collect()
}

fn with<'a>(line: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    line.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

#[test]
fn the_line_that_a_gate_names_brings_the_leak_back_until_it_is_repaired() {
    let service = notes(List::Everybodys);
    let (coalmine, gate) = leaked(&service);
    let line = replay_line(&gate);
    let again = coalmine.run(&with(&line, &["--times", "3"]));
    assert_eq!(again.code, 1, "{again}");
    assert!(again.stdout.contains("FOUND AGAIN 3 of 3") && again.stdout.contains("logic"), "{again}");
    let repaired = notes(List::Own);
    let gone = coalmine.run(&with(&line, &["--times", "3", "--target", &repaired.url()]));
    assert_eq!(gone.code, 0, "{gone}");
    assert!(gone.stdout.contains("0 of 3: at 95 %, it comes back in fewer than 63 % of trials"), "{gone}");
}

#[test]
fn the_folder_of_a_run_is_replayed_in_order_and_under_stress() {
    let service = notes(List::Everybodys);
    let (coalmine, _) = leaked(&service);
    for how in ["plan", "order", "stress"] {
        let again = coalmine.run(&["replay", "coalmine-out/latest", "--times", "2", "--how", how, "--seed", "7"]);
        assert_eq!(again.code, 1, "{how}: {again}");
    }
    let history = coalmine.history().display().to_string();
    assert_eq!(coalmine.run(&["replay", &history, "--times", "1"]).code, 1);
}

#[test]
fn a_missing_check_is_made_small_and_named() {
    let service = notes(List::Everybodys);
    let (coalmine, _) = leaked(&service);
    let shrunk = coalmine.run(&["shrink", "coalmine-out/latest", "--out", "small.yaml"]);
    assert_eq!(shrunk.code, 1, "{shrunk}");
    assert!(shrunk.stdout.contains("Smallest 2 tenants, 2 operations"), "{shrunk}");
    assert!(shrunk.stdout.contains("Diagnosis missing check"), "{shrunk}");
    let case = std::fs::read_to_string(coalmine.path().join("small.yaml")).unwrap();
    assert!(case.contains("# curl -X GET \"$TARGET/notes\" -H \"x-user: $A"), "{case}");
    let again = coalmine.run(&["replay", "small.yaml", "--times", "4"]);
    assert!(again.code == 1 && again.stdout.contains("FOUND AGAIN 4 of 4"), "{again}");
    // A person takes out the operation that sends the secret.
    let edited: Vec<&str> = case.lines().map(|line| if line.contains("step: write") { "" } else { line }).collect();
    let edited = edited.join("\n");
    std::fs::write(coalmine.path().join("edited.yaml"), edited).unwrap();
    let refused = coalmine.run(&["replay", "edited.yaml", "--times", "1"]);
    assert!(refused.code == 0 || refused.code == 2, "{refused}");
}

#[test]
fn a_gate_explains_what_it_finds_when_it_is_asked_to() {
    let service = notes(List::Everybodys);
    let coalmine = Coalmine::new().scenario(SCENARIO);
    let run = coalmine.gate_with(&service.url(), &["--explain"]);
    assert_eq!(run.code, 1, "{run}");
    let report = run.json();
    let retried = &report["explanations"][0]["retried"];
    assert_eq!(retried["diagnosis"]["class"], "missing-check", "{run}");
    assert_eq!(retried["tenants"], 2, "{run}");
    assert!(report["reproduce"].as_str().unwrap().contains(" --explain"), "{run}");
}

#[test]
fn secrets_of_trials_before_are_no_proof_either_way() {
    let service = notes(List::Kept);
    let (coalmine, gate) = leaked(&service);
    let stale = coalmine.run(&with(&replay_line(&gate), &["--times", "2"]));
    assert_eq!(stale.code, 4, "{stale}");
    assert!(stale.stdout.contains("secrets of trials before this one"), "{stale}");
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let service = notes(List::Everybodys);
    let (coalmine, gate) = leaked(&service);
    let line = replay_line(&gate);
    let order = coalmine.run(&with(&line, &["--how", "order"]));
    assert_eq!(order.code, 2, "{order}");
    let unknown = coalmine.run(&["replay", "coalmine-out/latest", "--finding", "zzz"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("`zzz`"), "{unknown}");
    let nobody = coalmine.run(&with(&line, &["--times", "1", "--target", "http://127.0.0.1:1"]));
    assert_eq!(nobody.code, 3, "{nobody}");
    let nothing = notes(List::Own);
    let passed = coalmine.gate(&nothing.url());
    assert_ne!(passed.code, 1, "{passed}");
    let none = coalmine.run(&["replay", "coalmine-out/latest"]);
    assert!(none.code == 2 && none.stderr.contains("no findings"), "{none}");
}

/// What came of the regressions of a run, and how often each came back in how many trials.
fn regressions(run: &Run) -> Vec<(String, u64, u64)> {
    let report = run.json();
    let number = |one: &Value, name: &str| one["rate"][name].as_u64().unwrap();
    let all = report["regressions"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .map(|one| (one["outcome"].as_str().unwrap().to_owned(), number(one, "hits"), number(one, "trials")))
        .collect()
}

/// A folder with a scenario, and beside it the small case of a missing check.
fn with_a_regression() -> Coalmine {
    let (coalmine, _) = leaked(&notes(List::Everybodys));
    std::fs::create_dir(coalmine.path().join("regressions")).unwrap();
    let case =
        std::fs::read_dir(coalmine.path().join("coalmine-out/latest/findings")).unwrap().next().unwrap().unwrap();
    std::fs::copy(case.path(), coalmine.path().join("regressions/notes.yaml")).unwrap();
    std::fs::write(coalmine.path().join("regressions/README.yaml"), "no: case\n").unwrap();
    coalmine
}

#[test]
fn a_gate_plays_the_cases_beside_its_scenario_and_fails_where_one_comes_back() {
    let coalmine = with_a_regression();
    let flawed = notes(List::Everybodys);
    // A tenant alone finds nothing.
    let run = coalmine.gate_with(&flawed.url(), &["--tenants", "1"]);
    assert_eq!((run.code, regressions(&run)), (1, vec![("leak".to_owned(), 3, 3)]), "{run}");
    assert_eq!(run.json()["verdict"]["outcome"], "leak", "{run}");
    let text = std::fs::read_to_string(coalmine.path().join("coalmine-out/latest/junit.xml")).unwrap();
    assert!(
        text.contains("<testsuite name=\"regressions\" tests=\"1\" skipped=\"0\" errors=\"0\" failures=\"1\">"),
        "{text}"
    );
    let repaired = coalmine.gate_with(&notes(List::Own).url(), &["--rounds", "4"]);
    assert_eq!((repaired.code, regressions(&repaired)), (0, vec![("pass".to_owned(), 0, 3)]), "{repaired}");
}

#[test]
fn a_case_whose_operations_are_gone_is_no_pass() {
    let coalmine = with_a_regression();
    let elsewhere = Service::start(Router::new().route("/memos", get(async || "none")));
    let scenario = SCENARIO.replace("/notes", "/memos").replace("name: notes", "name: memos");
    let only = coalmine.scenario(&scenario);
    let without = only.gate(&elsewhere.url());
    assert_eq!(regressions(&without), [], "cases of other scenarios are played where they are named: {without}");
    let run = only.gate_with(&elsewhere.url(), &["--regressions", "regressions/notes.yaml"]);
    assert_eq!((run.code, regressions(&run)), (4, vec![("inconclusive".to_owned(), 0, 0)]), "{run}");
    assert!(run.json()["regressions"][0]["why_void"].as_str().unwrap().contains("none of its operations"), "{run}");
    for named in ["regressions", "coalmine-out/latest/nothing", "."] {
        let refused = only.gate_with(&elsewhere.url(), &["--regressions", named]);
        assert_eq!(refused.code, 2, "{named}: {refused}");
    }
}

#[test]
fn known_leaks_are_played_within_the_budget_of_the_run() {
    let coalmine = with_a_regression();
    let run = coalmine.gate_with(&notes(List::Own).url(), &["--max-requests", "20"]);
    assert_eq!(run.code, 4, "{run}");
    assert!(run.json()["regressions"][0]["why_void"].as_str().unwrap().contains("budget"), "{run}");
}

/// Leaks of the built-in service, as they were made small once.
#[test]
fn every_regression_comes_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let cases: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    assert!(cases.len() >= 3, "{cases:?}");
    let coalmine = Coalmine::new();
    for case in cases {
        let run = coalmine.run(&["replay", case.to_str().unwrap(), "--times", "3"]);
        assert_eq!(run.code, 1, "{}: {run}", case.display());
    }
}
