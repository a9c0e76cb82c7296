//! A wiki of teams with a front page for everybody. The flaws: pages are given to whoever knows where they are, without a key;
//! the search without a key finds everything; the page about the wiki shows the newest draft. In each case no team sees another's.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::support::Run;
use crate::trial;

type Shared = State<Arc<Mutex<Wiki>>>;
type Answer = Result<Json<Value>, StatusCode>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    PagesNeedNoKey,
    SearchNeedsNoKey,
    SearchIsForAll,
    AboutShowsADraft,
}

struct Wiki {
    flaw: Flaw,
    teams: usize,
    pages: Vec<(usize, Value)>,
    front: Vec<Value>,
}

enum Caller {
    Team(usize),
    Nobody,
}

impl Wiki {
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, StatusCode> {
        let Some(key) = headers.get("x-key") else { return Ok(Caller::Nobody) };
        let team = key.to_str().ok().and_then(|key| key.strip_prefix('k')?.parse().ok());
        team.filter(|team| *team < self.teams).map(Caller::Team).ok_or(StatusCode::UNAUTHORIZED)
    }

    fn page(&self, headers: &HeaderMap, team: usize, page: usize) -> Result<&Value, StatusCode> {
        let allowed = match self.caller(headers)? {
            Caller::Team(caller) => caller == team,
            Caller::Nobody if self.flaw == Flaw::PagesNeedNoKey => true,
            Caller::Nobody => return Err(StatusCode::UNAUTHORIZED),
        };
        let found = self.pages.get(page).filter(|(of, _)| allowed && *of == team);
        found.map(|(_, text)| text).ok_or(StatusCode::NOT_FOUND)
    }
}

async fn enrol(State(wiki): Shared) -> Json<Value> {
    let mut wiki = wiki.lock().unwrap();
    wiki.teams += 1;
    Json(json!({"key": format!("k{}", wiki.teams - 1), "team": wiki.teams - 1}))
}

async fn write(State(wiki): Shared, Path(team): Path<usize>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut wiki = wiki.lock().unwrap();
    let Caller::Team(_) = wiki.caller(&headers)? else { return Err(StatusCode::UNAUTHORIZED) };
    wiki.pages.push((team, body["text"].clone()));
    Ok(Json(json!({"id": wiki.pages.len() - 1})))
}

async fn read(State(wiki): Shared, Path((team, page)): Path<(usize, usize)>, headers: HeaderMap) -> Answer {
    let wiki = wiki.lock().unwrap();
    wiki.page(&headers, team, page).map(|text| Json(json!({"team": team, "text": text})))
}

async fn search(State(wiki): Shared, headers: HeaderMap) -> Answer {
    let wiki = wiki.lock().unwrap();
    let open = wiki.flaw == Flaw::SearchIsForAll;
    let sees = |of: usize| match wiki.caller(&headers) {
        Ok(Caller::Team(team)) => Ok(open || of == team),
        Ok(Caller::Nobody) if open || wiki.flaw == Flaw::SearchNeedsNoKey => Ok(true),
        _ => Err(StatusCode::UNAUTHORIZED),
    };
    sees(0)?;
    let found = wiki.pages.iter().filter(|(of, _)| sees(*of) == Ok(true)).map(|(_, text)| text.clone());
    Ok(Json(json!({"found": found.collect::<Vec<_>>()})))
}

async fn announce(State(wiki): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut wiki = wiki.lock().unwrap();
    let Caller::Team(_) = wiki.caller(&headers)? else { return Err(StatusCode::UNAUTHORIZED) };
    wiki.front.push(body["text"].clone());
    Ok(Json(json!({})))
}

async fn front(State(wiki): Shared) -> Json<Value> {
    Json(wiki.lock().unwrap().front.clone().into())
}

async fn about(State(wiki): Shared) -> Json<Value> {
    let wiki = wiki.lock().unwrap();
    let newest = wiki.pages.last().filter(|_| wiki.flaw == Flaw::AboutShowsADraft);
    Json(json!({"pages": wiki.pages.len(), "newest": newest.map(|(_, text)| text)}))
}

fn service(flaw: Flaw) -> Router {
    let wiki = Wiki { flaw, teams: 0, pages: vec![], front: vec![] };
    Router::new()
        .route("/teams", post(enrol))
        .route("/{team}/pages", post(write))
        .route("/{team}/pages/{page}", get(read))
        .route("/search", get(search))
        .route("/front", post(announce).get(front))
        .route("/about", get(about))
        .with_state(Arc::new(Mutex::new(wiki)))
}

const SCENARIO: &str = include_str!("anonymous.yaml");

fn gate(scenario: &str, flaw: Flaw) -> Run {
    trial::gate(scenario, service(flaw), 1)
}

/// Oracle, operation and summary of each finding.
fn findings(run: &Run) -> Vec<(String, String, String)> {
    let report = run.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["verdict"]["findings"].as_array().unwrap().iter();
    findings.map(|it| (text(&it["oracle"]), text(&it["operation"]), text(&it["summary"]))).collect()
}

#[test]
fn a_service_that_asks_for_credentials_passes_and_the_tries_count() {
    let run = gate(SCENARIO, Flaw::None);
    assert_eq!(run.code, 0, "{run}");
    let coverage = run.json()["verdict"]["coverage"].clone();
    assert_eq!(coverage["tenants"], 3, "{run}");
    let probes = coverage["probes"].as_array().unwrap();
    let anonymous: Vec<_> = probes.iter().filter(|it| it["by"] == "anonymous").collect();
    assert_eq!((anonymous.len(), &anonymous[0]["tried"], &anonymous[0]["counted"]), (1, &json!(3), &json!(3)), "{run}");
}

#[test]
fn what_anybody_can_see_is_found_and_told_apart_from_a_leak_to_a_tenant() {
    let of = |oracle: &str, operation: &str| (oracle.to_owned(), operation.to_owned());
    for (flaw, found) in [
        (Flaw::PagesNeedNoKey, of("access", "read")),
        (Flaw::SearchNeedsNoKey, of("foreign-canary", "search")),
        (Flaw::AboutShowsADraft, of("foreign-canary", "about")),
    ] {
        let run = gate(SCENARIO, flaw);
        assert_eq!(run.code, 1, "{run}");
        let findings = findings(&run);
        let [(oracle, operation, summary)] = &findings[..] else { panic!("one finding: {run}") };
        assert_eq!((oracle.clone(), operation.clone()), found);
        assert!(summary.starts_with("anybody can ") && summary.ends_with("no credentials were sent"), "{summary}");
    }
}

#[test]
fn what_tenants_and_anybody_can_see_in_one_place_is_one_finding_that_says_both() {
    let run = gate(SCENARIO, Flaw::SearchIsForAll);
    let findings = findings(&run);
    let [(_, operation, summary)] = &findings[..] else { panic!("one finding: {run}") };
    assert_eq!(operation, "search");
    assert!(summary.starts_with("tenant ") && summary.ends_with("; so can anybody, as tries without credentials show"));
    assert!(
        run.json()["verdict"]["findings"][0]["anonymous"].as_u64() >= Some(12),
        "every draft, in one answer: {run}"
    );
}

#[test]
fn data_that_is_declared_public_is_none_of_it() {
    let public = SCENARIO.replace("get: /search, sees: draft", "get: /search, sees: draft, public: true");
    let run = gate(&public, Flaw::SearchIsForAll);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn without_an_anonymous_caller_nobody_tries_it() {
    let off = SCENARIO.replace("anonymous:\n  steps:\n    - {id: about, get: /about}", "anonymous: off");
    assert_eq!(gate(&off, Flaw::SearchNeedsNoKey).code, 0);
    let by_default = SCENARIO.replace("anonymous:\n  steps:\n    - {id: about, get: /about}\n", "");
    assert_eq!(gate(&by_default, Flaw::SearchNeedsNoKey).code, 1);
}
