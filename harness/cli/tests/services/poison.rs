//! A service of notes, to one tenant of which spoiled requests are sent: what arrives there, and who fails from then on. The flaw: a
//! long text in characters of several bytes breaks what all requests go through.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::support::{Coalmine, Run, Service};

const SCENARIO: &str = r#"
coalmine: 1
name: poison
tenants: 5
canaries: {text: text}
flows:
  notes:
    repeat: 4
    steps:
      - {id: write, post: /notes, headers: {x-tenant: "{{tenant.name}}"}, json: {count: 3, text: "{{canary.text}}"}, capture: {note: $.id}}
      - {id: read, get: "/notes/{{note}}", headers: {x-tenant: "{{tenant.name}}"}, sees: text}
policy: {overlap_pairs_percent: 0}
perturb: {poison: {percent: 100, steps: [write]}}
"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// Nobody is served after a text of wide characters.
    BreaksForAll,
    /// Who sent it is served no longer.
    BreaksForItself,
    /// Fails now and then, whoever asks and whatever came before.
    FailsAtRandom,
}

struct Notes {
    flaw: Flaw,
    broken: Option<String>,
    dice: u32,
    kept: Vec<(String, Value)>,
    /// What came, to which address.
    seen: Vec<(String, Bytes)>,
}

type Shared = Arc<Mutex<Notes>>;
type Answer = Result<String, StatusCode>;

impl Notes {
    fn serve(&mut self, headers: &HeaderMap) -> Result<String, StatusCode> {
        let tenant = headers["x-tenant"].to_str().unwrap().to_owned();
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let fails = match self.flaw {
            Flaw::None => false,
            Flaw::BreaksForAll => self.broken.is_some(),
            Flaw::BreaksForItself => self.broken.as_ref() == Some(&tenant),
            Flaw::FailsAtRandom => self.dice >> 30 != 0,
        };
        if fails { Err(StatusCode::INTERNAL_SERVER_ERROR) } else { Ok(tenant) }
    }
}

async fn write(State(notes): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> Answer {
    let mut notes = notes.lock().unwrap();
    notes.seen.push((uri.path().to_owned(), body.clone()));
    let tenant = notes.serve(&headers)?;
    let note: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let text = note["text"].as_str().filter(|_| note["count"].is_u64()).ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
    if text.len() > 100 && !text.is_ascii() {
        notes.broken.get_or_insert(tenant);
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    notes.kept.push((tenant, note["text"].clone()));
    Ok(json!({"id": notes.kept.len() - 1}).to_string())
}

async fn read(State(notes): State<Shared>, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let mut notes = notes.lock().unwrap();
    let tenant = notes.serve(&headers)?;
    let own = notes.kept.get(id).filter(|(owner, _)| *owner == tenant);
    own.map(|(_, text)| json!({"text": text}).to_string()).ok_or(StatusCode::NOT_FOUND)
}

/// A run, and what came of its writes.
fn gate(flaw: Flaw, scenario: &str, seed: u32) -> (Run, Vec<(String, Bytes)>) {
    let notes = Notes { flaw, broken: None, dice: seed, kept: vec![], seen: vec![] };
    let notes = Arc::new(Mutex::new(notes));
    let router = Router::new().route("/notes", post(write)).route("/notes/{id}", get(read)).fallback(post(write));
    let service = Service::start(router.with_state(Arc::clone(&notes)));
    let run = Coalmine::new().scenario(scenario).gate(&service.url());
    let seen = std::mem::take(&mut notes.lock().unwrap().seen);
    (run, seen)
}

#[test]
fn each_kind_of_poison_arrives_as_it_was_meant() {
    let (run, seen) = gate(Flaw::None, SCENARIO, 0);
    assert_eq!(run.code, 0, "{run}");
    let poisons = run.json()["verdict"]["coverage"]["perturbations"].clone();
    let poison = poisons.as_array().unwrap().iter().find(|one| one["kind"] == "poison").unwrap().clone();
    assert_eq!((&poison["planned"], &poison["reached"]), (&json!(12), &json!(12)), "{run}");

    let kinds: BTreeMap<&str, usize> = seen.iter().fold(BTreeMap::new(), |mut kinds, (path, body)| {
        *kinds.entry(kind(path, body)).or_default() += 1;
        kinds
    });
    let spoiled = kinds.iter().filter(|(kind, _)| **kind != "honest").map(|(kind, count)| (*kind, *count));
    let every = [
        "broken off",
        "controls",
        "deep",
        "empty",
        "hostile path",
        "huge number",
        "long",
        "meta",
        "no utf-8",
        "twice",
        "wide",
        "wrong type",
    ];
    assert_eq!(spoiled.collect::<Vec<_>>(), every.map(|kind| (kind, 1)), "{seen:#?}");
}

/// What arrived, told by its bytes alone.
fn kind(path: &str, body: &Bytes) -> &'static str {
    let Ok(text) = std::str::from_utf8(body) else { return "no utf-8" };
    let Ok(tree) = serde_json::from_str::<Value>(text) else {
        let is_deep = text.contains(&"[".repeat(512));
        return match text.len() {
            0 => "empty",
            _ if is_deep => "deep",
            _ => "broken off",
        };
    };
    let texts = tree.as_object().unwrap().values().filter_map(Value::as_str).collect::<String>();
    match text {
        _ if path != "/notes" => "hostile path",
        _ if text.matches("\"count\":").count() + text.matches("\"text\":").count() > 2 => "twice",
        _ if text.contains("123456789012345678901234567890") => "huge number",
        _ if texts.len() > 60_000 => "long",
        _ if texts.chars().filter(|character| !character.is_ascii()).count() == 60 => "wide",
        _ if texts.contains('\0') => "controls",
        _ if texts.contains("%2e%2e%2f") => "meta",
        _ if !tree["count"].is_u64() || !tree["text"].is_string() => "wrong type",
        _ => "honest",
    }
}

#[test]
fn who_breaks_for_all_is_found_and_who_breaks_for_itself_is_not() {
    let (run, _) = gate(Flaw::BreaksForAll, SCENARIO, 0);
    assert_eq!((run.code, run.kinds()), (1, vec!["fault-propagation".to_owned()]), "{run}");
    let (run, _) = gate(Flaw::BreaksForItself, SCENARIO, 0);
    assert_eq!(run.kinds(), Vec::<String>::new(), "{run}");
}

#[test]
fn failures_at_random_are_no_finding() {
    for seed in 0..6 {
        let (run, _) = gate(Flaw::FailsAtRandom, SCENARIO, seed);
        assert_eq!((run.code, run.kinds()), (4, vec![]), "{run}");
    }
}

#[test]
fn a_service_that_can_be_broken_for_all_is_not_broken_where_poison_is_forbidden() {
    let scenario = SCENARIO.replace("{poison: {percent: 100, steps: [write]}}", "{poison: off}");
    let (run, seen) = gate(Flaw::BreaksForAll, &scenario, 0);
    assert_eq!((run.code, run.kinds()), (0, vec![]), "{run}");
    assert!(seen.iter().all(|(path, body)| kind(path, body) == "honest"));
}
