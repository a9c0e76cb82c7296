//! A desk at which clerks ask for the same paths. The flaws: private answers that a shared cache may keep; an ETag made of the
//! path, so that one clerk's validator is another's; a request id that stays from the request before; and an answer of
//! another note of the same clerk.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart};

type Shared = State<Arc<Mutex<Desk>>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    KeptByCaches,
    OneValidator,
    StaleRequestId,
    NoteBefore,
}

struct Desk {
    flaw: Flaw,
    letters: Vec<String>,
    notes: Vec<(usize, Value)>,
    last_request: Option<HeaderValue>,
}

impl Desk {
    fn clerk(&self, headers: &HeaderMap) -> Result<usize, StatusCode> {
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let clerk = token.and_then(|token| token.parse().ok());
        clerk.filter(|clerk| *clerk < self.letters.len()).ok_or(StatusCode::UNAUTHORIZED)
    }
}

async fn register(State(desk): Shared) -> Json<Value> {
    let mut desk = desk.lock().unwrap();
    desk.letters.push(String::new());
    Json(json!({"token": (desk.letters.len() - 1).to_string()}))
}

async fn sign(State(desk): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Result<Json<Value>, StatusCode> {
    let mut desk = desk.lock().unwrap();
    let clerk = desk.clerk(&headers)?;
    body["text"].as_str().unwrap_or_default().clone_into(&mut desk.letters[clerk]);
    Ok(Json(json!({})))
}

async fn letter(State(desk): Shared, headers: HeaderMap) -> Result<Response, StatusCode> {
    let desk = desk.lock().unwrap();
    let clerk = desk.clerk(&headers)?;
    let etag = if desk.flaw == Flaw::OneValidator { "\"letter\"".to_owned() } else { format!("\"letter-{clerk}\"") };
    let control = if desk.flaw == Flaw::KeptByCaches { "public, max-age=60" } else { "private, max-age=60" };
    let fields = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, control.to_owned())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|asked| *asked == etag) {
        return Ok((StatusCode::NOT_MODIFIED, fields).into_response());
    }
    Ok((fields, desk.letters[clerk].clone()).into_response())
}

async fn file(State(desk): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Result<Response, StatusCode> {
    let mut desk = desk.lock().unwrap();
    let clerk = desk.clerk(&headers)?;
    desk.notes.push((clerk, body["text"].clone()));
    let id = headers.get("x-request-id").cloned().ok_or(StatusCode::BAD_REQUEST)?;
    let before = desk.last_request.replace(id.clone());
    let told = if desk.flaw == Flaw::StaleRequestId { before.unwrap_or(id) } else { id };
    let note = json!({"id": format!("note-{}", desk.notes.len() - 1), "reference": body["reference"]});
    Ok(([("x-request-id", told)], Json(note)).into_response())
}

async fn read(State(desk): Shared, Path(id): Path<String>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let desk = desk.lock().unwrap();
    let clerk = desk.clerk(&headers)?;
    let number: usize = id.trim_start_matches("note-").parse().map_err(|_| StatusCode::NOT_FOUND)?;
    let (owner, text) = desk.notes.get(number).ok_or(StatusCode::NOT_FOUND)?;
    if *owner != clerk {
        return Err(StatusCode::NOT_FOUND);
    }
    let first = desk.notes.iter().find(|(owner, _)| *owner == clerk).map(|(_, text)| text);
    let stays = desk.flaw == Flaw::NoteBefore && number.is_multiple_of(3);
    Ok(Json(json!({"text": first.filter(|_| stays).unwrap_or(text)})))
}

fn service(flaw: Flaw) -> Router {
    let desk = Desk { flaw, letters: vec![], notes: vec![], last_request: None };
    Router::new()
        .route("/clerks", post(register))
        .route("/letter", post(sign).get(letter))
        .route("/notes", post(file))
        .route("/notes/{id}", get(read))
        .with_state(Arc::new(Mutex::new(desk)))
}

fn told_apart(flaw: Flaw, oracle: &str) {
    let build = |build| service(if build == Build::Flawed { flaw } else { Flaw::None });
    assert_told_apart(include_str!("desk.yaml"), build, &[oracle]);
}

#[test]
fn a_private_answer_that_caches_may_keep_is_found() {
    told_apart(Flaw::KeptByCaches, "caching");
}

#[test]
fn a_validator_that_all_users_share_is_found() {
    told_apart(Flaw::OneValidator, "caching");
}

#[test]
fn a_request_id_of_another_request_is_found() {
    told_apart(Flaw::StaleRequestId, "response-mix-up");
}

#[test]
fn the_answer_to_another_request_of_ones_own_is_found() {
    told_apart(Flaw::NoteBefore, "response-mix-up");
}
