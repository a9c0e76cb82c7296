//! Jobs that are asked for until they are done, with remarks. The flaws: while a job is at work, its preview is that of whoever
//! came last; the answer at the end is right. And remarks are shown to anybody who knows their number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart};

type Shared = State<Arc<Mutex<Office>>>;
type Answer = Result<Json<Value>, StatusCode>;

/// A job is done when it has been asked for so often.
const QUESTIONS: usize = 3;
const SEAL: [u8; 4] = [0x00, 0xff, 0xfe, 0x80];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    PreviewOfTheLast,
    RemarksForAnybody,
}

struct Office {
    flaw: Flaw,
    clients: usize,
    jobs: Vec<Job>,
    remarks: BTreeMap<usize, Remark>,
    next_remark: usize,
    /// The prompt that was worked on last.
    last: Value,
}

struct Job {
    client: usize,
    prompt: Value,
    questions: usize,
}

struct Remark {
    client: usize,
    job: usize,
    text: Value,
}

fn client(headers: &HeaderMap) -> Result<usize, StatusCode> {
    let client = headers.get("x-client").and_then(|value| value.to_str().ok()?.parse().ok());
    client.ok_or(StatusCode::UNAUTHORIZED)
}

impl Office {
    fn job(&mut self, headers: &HeaderMap, id: usize) -> Result<&mut Job, StatusCode> {
        let client = client(headers)?;
        self.jobs.get_mut(id).filter(|job| job.client == client).ok_or(StatusCode::NOT_FOUND)
    }

    fn remark(&self, headers: &HeaderMap, id: usize) -> Result<&Remark, StatusCode> {
        let client = client(headers)?;
        let anybody = self.flaw == Flaw::RemarksForAnybody;
        let remark = self.remarks.get(&id).filter(|remark| anybody || remark.client == client);
        remark.ok_or(StatusCode::NOT_FOUND)
    }
}

async fn enrol(State(office): Shared) -> Json<Value> {
    let mut office = office.lock().unwrap();
    office.clients += 1;
    Json(json!({"client": office.clients - 1}))
}

async fn start(
    State(office): Shared,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let client = client(&headers)?;
    let mut office = office.lock().unwrap();
    office.jobs.push(Job { client, prompt: body["prompt"].clone(), questions: 0 });
    Ok((StatusCode::ACCEPTED, Json(json!({"job": office.jobs.len() - 1}))))
}

async fn ask(State(office): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let mut office = office.lock().unwrap();
    let (flaw, last) = (office.flaw, office.last.clone());
    let job = office.job(&headers, id)?;
    job.questions += 1;
    if job.questions > QUESTIONS {
        return Ok(Json(json!({"state": "done", "result": job.prompt})));
    }
    let mine = job.prompt.clone();
    office.last = mine.clone();
    let preview = if flaw == Flaw::PreviewOfTheLast { last } else { mine };
    Ok(Json(json!({"state": "at work", "preview": preview})))
}

async fn remark(State(office): Shared, Path(job): Path<usize>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut office = office.lock().unwrap();
    let client = office.job(&headers, job)?.client;
    let id = office.next_remark;
    office.next_remark += 1;
    office.remarks.insert(id, Remark { client, job, text: body["text"].clone() });
    let kind = if id.is_multiple_of(2) { "long" } else { "short" };
    Ok(Json(json!({"id": id, "kind": kind})))
}

async fn all_remarks(State(office): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let mut office = office.lock().unwrap();
    let prompt = office.job(&headers, id)?.prompt.clone();
    let remarks: Vec<_> = office.remarks.values().filter(|remark| remark.job == id).map(|it| it.text.clone()).collect();
    Ok(Json(json!({"prompt": prompt, "remarks": remarks})))
}

async fn read_remark(State(office): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    Ok(Json(json!({"text": office.lock().unwrap().remark(&headers, id)?.text})))
}

async fn pin(State(office): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    office.lock().unwrap().remark(&headers, id).map(|_| Json(json!({})))
}

/// Takes its seal whole: bytes that are no text.
async fn seal(State(office): Shared, Path(id): Path<usize>, headers: HeaderMap, body: Bytes) -> Answer {
    office.lock().unwrap().job(&headers, id)?;
    let is_sealed = body.windows(SEAL.len()).any(|window| window == SEAL);
    if is_sealed { Ok(Json(json!({}))) } else { Err(StatusCode::BAD_REQUEST) }
}

async fn forget(State(office): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let mut office = office.lock().unwrap();
    let client = client(&headers)?;
    office.remarks.get(&id).filter(|remark| remark.client == client).ok_or(StatusCode::NOT_FOUND)?;
    office.remarks.remove(&id);
    Ok(Json(json!({})))
}

fn service(flaw: Flaw) -> Router {
    let (jobs, remarks) = (vec![], BTreeMap::new());
    let office = Office { flaw, clients: 0, jobs, remarks, next_remark: 0, last: Value::Null };
    Router::new()
        .route("/clients", post(enrol))
        .route("/jobs", post(start))
        .route("/jobs/{id}", get(ask))
        .route("/jobs/{id}/seal", put(seal))
        .route("/jobs/{id}/remarks", get(all_remarks).post(remark))
        .route("/remarks/{id}", get(read_remark).delete(forget))
        .route("/remarks/{id}/pin", put(pin))
        .with_state(Arc::new(Mutex::new(office)))
}

fn told_apart(flaw: Flaw, oracles: &[&str]) {
    let build = |build| service(if build == Build::Flawed { flaw } else { Flaw::None });
    assert_told_apart(include_str!("job_polling.yaml"), build, oracles);
}

#[test]
fn a_preview_of_another_in_an_answer_that_is_not_the_last_is_found() {
    told_apart(Flaw::PreviewOfTheLast, &["foreign-canary"]);
}

#[test]
fn an_object_made_in_a_turn_that_others_can_read_is_found() {
    told_apart(Flaw::RemarksForAnybody, &["access"]);
}
