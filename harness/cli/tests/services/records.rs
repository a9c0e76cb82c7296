//! Records by number, with their history and an export. The flaws: who is not allowed to see a record is told that there is
//! one; the export asks nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart};

type Shared = State<Arc<Mutex<Archive>>>;
type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    ForbidsWhatExists,
    ForbidsInOtherWords,
    ExportsToAnybody,
}

struct Archive {
    flaw: Flaw,
    practices: usize,
    records: BTreeMap<usize, Record>,
    next: usize,
}

struct Record {
    practice: usize,
    texts: Vec<Value>,
}

fn refused(status: StatusCode, words: &str, id: usize) -> (StatusCode, Json<Value>) {
    (status, Json(json!({"error": words, "record": id})))
}

impl Archive {
    fn record(&mut self, headers: &HeaderMap, id: usize) -> Result<&mut Record, (StatusCode, Json<Value>)> {
        let practice = headers.get("x-practice").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let known = practice.filter(|practice| *practice < self.practices);
        let practice = known.ok_or_else(|| refused(StatusCode::UNAUTHORIZED, "who are you?", id))?;
        let missing = || refused(StatusCode::NOT_FOUND, "no such record", id);
        let record = self.records.get_mut(&id).ok_or_else(missing)?;
        match self.flaw {
            _ if record.practice == practice => Ok(record),
            Flaw::ForbidsWhatExists => Err(refused(StatusCode::FORBIDDEN, "no such record", id)),
            Flaw::ForbidsInOtherWords => {
                Err(refused(StatusCode::NOT_FOUND, "this record belongs to another practice: ask its owner", id))
            }
            Flaw::None | Flaw::ExportsToAnybody => Err(missing()),
        }
    }
}

async fn enrol(State(archive): Shared) -> Json<Value> {
    let mut archive = archive.lock().unwrap();
    archive.practices += 1;
    Json(json!({"practice": archive.practices - 1}))
}

async fn file(State(archive): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Json<Value> {
    let mut archive = archive.lock().unwrap();
    archive.next += 1;
    let id = archive.next;
    let practice = headers["x-practice"].to_str().unwrap().parse().unwrap();
    archive.records.insert(id, Record { practice, texts: vec![body["text"].clone()] });
    Json(json!({"id": id}))
}

async fn read(State(archive): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let mut archive = archive.lock().unwrap();
    Ok(Json(json!({"id": id, "texts": archive.record(&headers, id)?.texts})))
}

async fn export(State(archive): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let mut archive = archive.lock().unwrap();
    let anybody = archive.flaw == Flaw::ExportsToAnybody;
    if let (true, Some(record)) = (anybody, archive.records.get(&id)) {
        return Ok(Json(record.texts.clone().into()));
    }
    Ok(Json(archive.record(&headers, id)?.texts.clone().into()))
}

async fn amend(State(archive): Shared, Path(id): Path<usize>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    archive.lock().unwrap().record(&headers, id)?.texts.push(body["text"].clone());
    Ok(Json(json!({})))
}

async fn shred(State(archive): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let mut archive = archive.lock().unwrap();
    archive.record(&headers, id)?;
    archive.records.remove(&id);
    Ok(Json(json!({})))
}

fn service(flaw: Flaw) -> Router {
    let archive = Archive { flaw, practices: 0, records: BTreeMap::new(), next: 0 };
    Router::new()
        .route("/practices", post(enrol))
        .route("/records", post(file))
        .route("/records/{id}", get(read).put(amend).delete(shred))
        .route("/records/{id}/history", get(read))
        .route("/records/{id}/export", get(export))
        .with_state(Arc::new(Mutex::new(archive)))
}

fn told_apart(flaw: Flaw, oracle: &str) {
    let build = |build| service(if build == Build::Flawed { flaw } else { Flaw::None });
    assert_told_apart(include_str!("records.yaml"), build, &[oracle]);
}

#[test]
fn a_forbidden_record_that_is_told_from_an_absent_one_is_found() {
    told_apart(Flaw::ForbidsWhatExists, "existence");
}

#[test]
fn a_refusal_in_other_words_is_found_by_its_length() {
    told_apart(Flaw::ForbidsInOtherWords, "existence");
}

#[test]
fn an_export_that_asks_nobody_is_found() {
    told_apart(Flaw::ExportsToAnybody, "access");
}
