//! Campaigns, by the real program against small services of the tests' own.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Router, middleware};
use serde_json::{Value, json};

mod support;
use support::{Coalmine, Run, Service};

const SCENARIO: &str = r#"
coalmine: 1
name: notes
tenants: 4
canaries: {text: text, task: text}
flows:
  notes:
    repeat: 2
    steps:
      - {id: write, post: /notes, headers: {x-user: "{{user.name}}"}, json: {text: "{{canary.text}}"}, expect: {status: 201}}
      - {id: read, get: /notes, headers: {x-user: "{{user.name}}"}, sees: text}
  tasks:
    steps:
      - {id: plan, post: /tasks, headers: {x-user: "{{user.name}}"}, json: {text: "{{canary.task}}"}, expect: {status: 201}}
      - {id: look, get: /tasks, headers: {x-user: "{{user.name}}"}, sees: task}
"#;

/// Whose entries a list shows.
#[derive(Clone, Copy, PartialEq)]
enum List {
    Everybodys,
    Own,
}

type Entries = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

fn user(headers: &HeaderMap) -> String {
    headers["x-user"].to_str().unwrap().to_owned()
}

fn entries(list: List) -> axum::routing::MethodRouter {
    let write = async |State(entries): State<Entries>, headers: HeaderMap, Json(entry): Json<Value>| {
        let Some(text) = entry["text"].as_str() else { return StatusCode::BAD_REQUEST };
        entries.lock().unwrap().entry(user(&headers)).or_default().push(text.to_owned());
        StatusCode::CREATED
    };
    let read = async move |State(entries): State<Entries>, headers: HeaderMap| {
        let user = user(&headers);
        let all = entries.lock().unwrap();
        let shown = all.iter().filter(|(owner, _)| list == List::Everybodys || **owner == user);
        Json(json!(shown.flat_map(|(_, texts)| texts).collect::<Vec<_>>()))
    };
    get(read).post(write).with_state(Entries::default())
}

fn router(list: List) -> Router {
    half_repaired(list, list)
}

fn half_repaired(notes: List, tasks: List) -> Router {
    Router::new().route("/notes", entries(notes)).route("/tasks", entries(tasks))
}

/// A service, and whoever hears when it has had so many requests as it was asked to wait for.
struct Counted {
    service: Service,
    wanted: Arc<AtomicU64>,
    reached: Receiver<()>,
}

impl Counted {
    fn start(list: List) -> Self {
        let (wanted, count) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(AtomicU64::new(0)));
        let (tell, reached): (Sender<()>, _) = channel();
        let limit = wanted.clone();
        let router = router(list).layer(middleware::map_request(move |request: axum::extract::Request| {
            if count.fetch_add(1, Ordering::SeqCst) + 1 >= limit.load(Ordering::SeqCst) {
                count.store(0, Ordering::SeqCst);
                limit.store(u64::MAX, Ordering::SeqCst);
                tell.send(()).unwrap();
            }
            std::future::ready(request)
        }));
        Self { service: Service::start(router), wanted, reached }
    }

    /// Returns when it has had them, or false when whoever sends them has ended before.
    fn is_reached_by(&self, child: &mut Child) -> bool {
        loop {
            if self.reached.recv_timeout(Duration::from_millis(20)).is_ok() {
                return true;
            }
            if child.try_wait().unwrap().is_some() {
                return false;
            }
        }
    }
}

fn fuzz(coalmine: &Coalmine, url: &str, more: &[&str]) -> Run {
    coalmine.run(&arguments(url, more))
}

fn arguments<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["fuzz", "scenario.yaml", "--target", url, "--format", "json"];
    arguments.extend(more);
    arguments
}

fn fingerprints(run: &Run) -> BTreeSet<String> {
    let report = run.json();
    let findings = report["verdict"]["findings"].as_array().unwrap();
    let prints: Vec<_> = findings.iter().map(|finding| finding["fingerprint"].as_str().unwrap().to_owned()).collect();
    assert_eq!(prints.iter().collect::<BTreeSet<_>>().len(), prints.len(), "{run}");
    prints.into_iter().collect()
}

fn cases(coalmine: &Coalmine) -> BTreeSet<String> {
    let folder = coalmine.path().join("coalmine-out/latest/findings");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

fn corpus(coalmine: &Coalmine) -> Vec<PathBuf> {
    let folder = coalmine.path().join("coalmine-out/latest/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn two_leaks_are_told_once_each_and_their_cases_bring_them_back() {
    let service = Service::start(router(List::Everybodys));
    let coalmine = Coalmine::new().scenario(SCENARIO);
    let run = fuzz(&coalmine, &service.url(), &["--rounds", "4", "--seed", "1", "--no-shrink"]);
    assert_eq!(run.code, 1, "{run}");
    let report = run.json();
    let operations = report["verdict"]["findings"].as_array().unwrap().iter();
    let operations: Vec<_> =
        operations.filter(|finding| finding["oracle"] == "foreign-canary").map(|one| &one["operation"]).collect();
    assert!(operations.len() == 2 && operations.iter().any(|one| *one == "read"), "{operations:?}");
    assert_eq!(cases(&coalmine), fingerprints(&run));
    assert_eq!(report["verdict"]["coverage"]["rounds"], 4, "{run}");
    for explanation in report["explanations"].as_array().unwrap() {
        let line = explanation["replay"].as_str().unwrap();
        let mut line: Vec<&str> = line.strip_prefix("coalmine ").unwrap().split(' ').collect();
        line.extend(["--times", "1"]);
        assert_eq!(coalmine.run(&line).code, 1, "{line:?}");
    }
}

#[test]
fn leaks_are_made_small_and_named_between_rounds() {
    let service = Service::start(half_repaired(List::Own, List::Everybodys));
    let coalmine = Coalmine::new().scenario(SCENARIO);
    let run = fuzz(&coalmine, &service.url(), &["--rounds", "1", "--seed", "1"]);
    assert_eq!(run.code, 1, "{run}");
    let report = run.json();
    let explanations = report["explanations"].as_array().unwrap();
    assert!(explanations.iter().all(|one| one["retried"]["diagnosis"]["class"] == "missing-check"), "{run}");
    assert!(!explanations.is_empty());
}

#[test]
fn an_honest_service_has_no_finding_and_passes() {
    let service = Service::start(router(List::Own));
    let coalmine = Coalmine::new().scenario(SCENARIO);
    let run = fuzz(&coalmine, &service.url(), &["--rounds", "12", "--seed", "1"]);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(fingerprints(&run), BTreeSet::new());
    assert!(!corpus(&coalmine).is_empty());
    let log = std::fs::read_to_string(coalmine.path().join("coalmine-out/latest/campaign.json")).unwrap();
    let log: Value = serde_json::from_str(&log).unwrap();
    let states = log["ground"]["states"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|state| state.as_str()?.strip_prefix("read: ok 200 "));
    // A length, and the shape of a list of texts; of an empty one, where nothing could be written, another.
    let shapes: BTreeSet<&str> = states.filter_map(|state| state.split_once(' ')).map(|(_, shape)| shape).collect();
    assert!((1..=2).contains(&shapes.len()) && shapes.iter().all(|shape| shape.len() == 4), "{shapes:?}");
}

const KINDS: &str = r#"
coalmine: 1
name: kinds
tenants: 4
canaries: {text: text}
perturb: {poison: {percent: 100, steps: [write]}}
flows:
  notes:
    steps:
      - {id: write, post: /notes, headers: {x-user: "{{user.name}}"}, json: {text: "{{canary.text}}", kind: plain}, expect: {status: 201}}
      - {id: read, get: /notes, headers: {x-user: "{{user.name}}"}, sees: text}
"#;

/// A service that answers whoever says no kind in words with the notes of everybody, or with nothing.
fn kinds(list: List) -> Router {
    let notes = Entries::default();
    let shared = Arc::clone(&notes);
    let write = async move |headers: HeaderMap, Json(note): Json<Value>| {
        let (user, mut notes) = (user(&headers), shared.lock().unwrap());
        if let Some(text) = note["text"].as_str() {
            notes.entry(user).or_default().push(text.to_owned());
        }
        let kind = &note["kind"];
        let is_odd = kind.is_array() || kind.is_boolean() || kind.is_null();
        let all = || notes.values().flatten().cloned().collect::<Vec<_>>();
        let shown = if is_odd && list == List::Everybodys { all() } else { vec![] };
        (if is_odd { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::CREATED }, Json(json!(shown)))
    };
    let read = async move |headers: HeaderMap| {
        let (user, notes) = (user(&headers), notes.lock().unwrap());
        Json(json!(notes.get(&user)))
    };
    Router::new().route("/notes", get(read).post(write))
}

#[test]
fn a_leak_that_only_an_odd_value_shows_is_found_by_a_campaign_and_comes_back() {
    let service = Service::start(kinds(List::Everybodys));
    let coalmine = Coalmine::new().scenario(KINDS);
    let gate = coalmine.gate_with(&service.url(), &["--rounds", "12", "--until", "spent"]);
    assert_eq!((gate.code, fingerprints(&gate)), (0, BTreeSet::new()), "{gate}");
    let run = fuzz(&coalmine, &service.url(), &["--rounds", "40", "--seed", "1", "--no-shrink"]);
    assert_eq!(run.code, 1, "{run}");
    let report = run.json();
    let line = report["explanations"][0]["replay"].as_str().unwrap().strip_prefix("coalmine ").unwrap();
    let again = coalmine.run(&line.split(' ').chain(["--times", "1"]).collect::<Vec<_>>());
    assert_eq!(again.code, 1, "{again}");
    let honest = Service::start(kinds(List::Own));
    let run = fuzz(&coalmine, &honest.url(), &["--rounds", "40", "--seed", "1"]);
    assert_eq!((run.code, fingerprints(&run)), (0, BTreeSet::new()), "{run}");
}

/// A service that shows everybody all notes, oldest first.
fn board() -> Router {
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let shared = Arc::clone(&notes);
    let write = async move |Json(note): Json<Value>| {
        let Some(text) = note["text"].as_str() else { return StatusCode::BAD_REQUEST };
        shared.lock().unwrap().push(text.to_owned());
        StatusCode::CREATED
    };
    let read = async move || Json(json!(*notes.lock().unwrap()));
    Router::new().route("/notes", get(read).post(write))
}

#[test]
fn hundreds_of_secrets_of_other_runs_do_not_hide_a_leak_of_this_one() {
    let service = Service::start(board());
    let coalmine = Coalmine::new().scenario(KINDS);
    let more = ["--rounds", "4", "--repeat", "25", "--seed", "7", "--no-shrink"];
    let before = fuzz(&coalmine, &service.url(), &more);
    assert_eq!(before.code, 1, "{before}");
    let run = coalmine.gate_with(&service.url(), &["--perturb", "off"]);
    let report = run.json();
    let mut shortfalls = report["verdict"]["shortfalls"].as_array().unwrap().iter();
    assert!(shortfalls.any(|one| one["kind"] == "cut-off"), "there were more of them than an answer keeps: {run}");
    assert_eq!((run.code, fingerprints(&run)), (1, fingerprints(&before)), "{run}");
}

#[test]
fn killed_at_random_and_resumed_five_times_it_ends_with_the_same_findings() {
    let whole = Coalmine::new().scenario(SCENARIO);
    let service = Service::start(router(List::Everybodys));
    let limits = ["--rounds", "12", "--no-shrink"];
    let uninterrupted = fuzz(&whole, &service.url(), &[&limits[..], &["--seed", "5"]].concat());
    let counted = Counted::start(List::Everybodys);
    let url = counted.service.url();
    let coalmine = Coalmine::new().scenario(SCENARIO);
    let resume = [&limits[..], &["--resume", "coalmine-out/latest"]].concat();
    let begin = [&limits[..], &["--seed", "5"]].concat();
    let (mut found, mut killed) = (BTreeSet::new(), 0);
    // Moments in the setup of a round, in its midst and in a later one, none of them at a boundary.
    for (part, requests) in [97_u64, 3, 41, 160, 11].into_iter().enumerate() {
        counted.wanted.store(requests, Ordering::SeqCst);
        let mut child = coalmine.start(&arguments(&url, if part == 0 { &begin } else { &resume }));
        killed += usize::from(counted.is_reached_by(&mut child));
        child.kill().unwrap();
        child.wait().unwrap();
        if coalmine.path().join("coalmine-out/latest/findings").exists() {
            let before = std::mem::replace(&mut found, cases(&coalmine));
            assert!(before.is_subset(&found), "{before:?} {found:?}");
        }
    }
    assert_eq!(killed, 5);
    let last = fuzz(&coalmine, &url, &resume);
    assert_eq!((last.code, uninterrupted.code), (1, 1), "{last}");
    assert_eq!(fingerprints(&last), fingerprints(&uninterrupted), "{last}");
    assert_eq!(last.json()["verdict"]["coverage"]["rounds"], 12);
    assert_eq!(cases(&coalmine), fingerprints(&last));
}

#[test]
fn what_was_found_before_a_kill_is_told_although_the_round_had_not_ended() {
    let leaky = Service::start(router(List::Everybodys));
    let honest = Service::start(router(List::Own));
    let coalmine = Coalmine::new().scenario(SCENARIO);
    let begun = fuzz(&coalmine, &honest.url(), &["--rounds", "1", "--seed", "1"]);
    assert_eq!(begun.code, 0, "{begun}");
    // What a campaign leaves that is killed before it has judged its round.
    let gate = Coalmine::new().scenario(SCENARIO);
    assert_eq!(gate.gate(&leaky.url()).code, 1);
    let left = coalmine.path().join("coalmine-out/latest/history.jsonl.zst");
    std::fs::copy(gate.history(), &left).unwrap();
    let resumed = fuzz(&coalmine, &honest.url(), &["--rounds", "2", "--resume", "coalmine-out/latest"]);
    assert_eq!(resumed.code, 1, "{resumed}");
    assert!(!fingerprints(&resumed).is_empty() && !left.exists());
    assert_eq!(cases(&coalmine), fingerprints(&resumed));
}

#[test]
fn a_spoiled_corpus_file_is_named_with_its_line_and_set_aside() {
    let service = Service::start(router(List::Own));
    let coalmine = Coalmine::new().scenario(SCENARIO);
    assert_eq!(fuzz(&coalmine, &service.url(), &["--rounds", "1", "--seed", "1"]).code, 0);
    let file = corpus(&coalmine).remove(0);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"step\":\"read\"", "\"step\":read", 1)).unwrap();
    let line = text.lines().position(|line| line.contains("\"step\":\"read\"")).unwrap() + 1;
    let run = fuzz(&coalmine, &service.url(), &["--rounds", "2", "--resume", "coalmine-out/latest"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stderr.contains(&format!("corpus/000000.json:{line}:")), "{run}");
    assert!(coalmine.path().join("coalmine-out/latest/set-aside/000000.json").exists());
}

const ARCHIVE: &str = r#"
coalmine: 1
name: archive
tenants: 4
canaries: {text: text}
flows:
  notes:
    steps:
      - {id: write, post: /notes, headers: {x-user: "{{user.name}}"}, json: {text: "{{canary.text}}"}, expect: {status: 201}}
      - {id: read, get: /notes, headers: {x-user: "{{user.name}}"}, sees: text}
      - {id: recall, get: /archive, headers: {x-user: "{{user.name}}"}}
"#;

/// The notes of each user, in the order of their first ones.
type Notes = Vec<(String, Vec<String>)>;

/// More people than a round has.
const LATER: usize = 40;

/// An archive that shows the first note of whoever wrote so many people before, or the caller's own.
fn archive(list: List) -> Router {
    let notes: Arc<Mutex<Notes>> = Arc::default();
    let place = |notes: &Notes, user: &str| notes.iter().position(|(owner, _)| owner == user);
    let written = Arc::clone(&notes);
    let recall = async move |headers: HeaderMap| {
        let (user, notes) = (user(&headers), written.lock().unwrap());
        let back = if list == List::Everybodys { LATER } else { 0 };
        let old = place(&notes, &user).and_then(|at| notes.get(at.checked_sub(back)?));
        Json(json!(old.and_then(|(_, texts)| texts.first())))
    };
    let written = Arc::clone(&notes);
    let write = async move |headers: HeaderMap, Json(note): Json<Value>| {
        let Some(text) = note["text"].as_str() else { return StatusCode::BAD_REQUEST };
        let (user, mut notes) = (user(&headers), written.lock().unwrap());
        match place(&notes, &user) {
            Some(at) => notes[at].1.push(text.to_owned()),
            None => notes.push((user, vec![text.to_owned()])),
        }
        StatusCode::CREATED
    };
    let read = async move |headers: HeaderMap| {
        let (user, notes) = (user(&headers), notes.lock().unwrap());
        Json(json!(place(&notes, &user).map(|at| &notes[at].1)))
    };
    Router::new().route("/notes", get(read).post(write)).route("/archive", get(recall))
}

/// The rounds in which what was found was sent, and in which it was seen.
fn rounds(run: &Run) -> Vec<(u64, u64)> {
    let report = run.json();
    let findings = report["verdict"]["findings"].as_array().unwrap().iter().map(|finding| &finding["evidence"]);
    let sent = |evidence: &Value| evidence["planted_in"].as_u64().or_else(|| evidence["planted"]["round"].as_u64());
    findings.map(|evidence| (sent(evidence).unwrap(), evidence["seen"]["round"].as_u64().unwrap())).collect()
}

#[test]
fn a_secret_that_comes_back_rounds_later_is_a_leak_in_a_campaign_and_in_a_gate() {
    for command in [&["fuzz", "--no-shrink"][..], &["gate"]] {
        let thirty_rounds = |list| {
            let service = Service::start(archive(list));
            let url = service.url();
            let line = ["scenario.yaml", "--target", &url, "--format", "json", "--rounds", "30", "--seed", "1"];
            Coalmine::new().scenario(ARCHIVE).run(&[command, &line].concat())
        };
        let run = thirty_rounds(List::Everybodys);
        assert_eq!(run.code, 1, "{run}");
        let rounds = rounds(&run);
        assert!(!rounds.is_empty() && rounds.iter().all(|(sent, seen)| sent < seen), "{command:?}: {rounds:?}");
        let run = thirty_rounds(List::Own);
        assert_eq!(run.code, 0, "{command:?}: {run}");
    }
}

#[test]
fn a_secret_of_a_round_before_the_resumption_is_known_and_one_of_another_campaign_is_residue() {
    let service = Service::start(archive(List::Everybodys));
    let (coalmine, url) = (Coalmine::new().scenario(ARCHIVE), service.url());
    let begun = fuzz(&coalmine, &url, &["--rounds", "3", "--seed", "1", "--no-shrink"]);
    assert_eq!(begun.code, 0, "{begun}");
    let mut rounds_so_far = 3;
    let resumed = loop {
        rounds_so_far += 1;
        let limit = rounds_so_far.to_string();
        let run = fuzz(&coalmine, &url, &["--rounds", &limit, "--no-shrink", "--resume", "coalmine-out/latest"]);
        if run.code != 0 || rounds_so_far == 30 {
            break run;
        }
    };
    assert_eq!(resumed.code, 1, "{resumed}");
    assert!(rounds(&resumed).iter().all(|(sent, seen)| *sent < 4 && *seen > 3), "{:?}", rounds(&resumed));
    let other = fuzz(&Coalmine::new().scenario(ARCHIVE), &url, &["--rounds", "1", "--seed", "2"]);
    assert_eq!(other.code, 0, "{other}");
    let report = other.json();
    let notes = report["verdict"]["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains("earlier runs")), "{other}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_in_order_and_resuming_goes_on() {
    let counted = Counted::start(List::Everybodys);
    let url = counted.service.url();
    let coalmine = Coalmine::new().scenario(SCENARIO);
    counted.wanted.store(150, Ordering::SeqCst);
    let mut child = coalmine.start(&arguments(&url, &["--rounds", "100000", "--seed", "1", "--no-shrink"]));
    assert!(counted.is_reached_by(&mut child));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let run = Run::of(&child.wait_with_output().unwrap());
    assert_eq!(run.code, 130, "{run}");
    assert_eq!(cases(&coalmine), fingerprints(&run));
    let rounds = run.json()["verdict"]["coverage"]["rounds"].as_u64().unwrap();
    let more = (rounds + 1).to_string();
    let again = fuzz(&coalmine, &url, &["--rounds", &more, "--no-shrink", "--resume", "coalmine-out/latest"]);
    assert_eq!((again.code, again.json()["verdict"]["coverage"]["rounds"].as_u64()), (1, Some(rounds + 1)), "{again}");
}

#[test]
fn a_budget_ends_a_campaign_and_is_not_exceeded() {
    let counted = Counted::start(List::Own);
    let coalmine = Coalmine::new().scenario(SCENARIO);
    counted.wanted.store(201, Ordering::SeqCst);
    let url = counted.service.url();
    let run = fuzz(&coalmine, &url, &["--rounds", "1000", "--seed", "1", "--max-requests", "200"]);
    assert!(counted.reached.try_recv().is_err(), "{run}");
    assert!(run.code == 0 || run.code == 4, "{run}");
}

#[test]
fn a_campaign_goes_on_with_its_own_scenario_only() {
    let service = Service::start(router(List::Own));
    let coalmine = Coalmine::new().scenario(SCENARIO);
    assert_eq!(fuzz(&coalmine, &service.url(), &["--rounds", "1", "--seed", "1"]).code, 0);
    let coalmine = coalmine.scenario(&SCENARIO.replace("tenants: 4", "tenants: 5"));
    let run = fuzz(&coalmine, &service.url(), &["--rounds", "2", "--resume", "coalmine-out/latest"]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("is of another scenario"), "{run}");
    let none = fuzz(&coalmine, &service.url(), &["--rounds", "2", "--resume", "nowhere"]);
    assert!(none.code == 2 && none.stderr.contains("is no campaign"), "{none}");
}

#[test]
fn a_target_that_is_not_there_is_given_up() {
    let coalmine = Coalmine::new().scenario(&format!("{SCENARIO}target: {{ready_within: 100ms}}\n"));
    let run = fuzz(&coalmine, "http://127.0.0.1:9", &["--rounds", "100", "--seed", "1"]);
    assert_eq!(run.code, 3, "{run}");
}
