//! Two halves of a page, sent at once: each request waits for the other of the same person. The flaw: whoever waits longest is
//! paired with whoever comes next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::trial::{Build, assert_told_apart};

type Shared = State<Arc<Mutex<Press>>>;
type Answer = Result<Json<Value>, StatusCode>;

struct Press {
    build: Build,
    people: usize,
    pages: Vec<(usize, Value)>,
    waiting: VecDeque<Waiting>,
}

/// A half whose other half has not come.
struct Waiting {
    person: usize,
    side: String,
    text: Value,
    other: oneshot::Sender<Value>,
}

fn person(headers: &HeaderMap) -> Result<usize, StatusCode> {
    let person = headers.get("x-person").and_then(|value| value.to_str().ok()?.parse().ok());
    person.ok_or(StatusCode::UNAUTHORIZED)
}

impl Press {
    /// The half that a new one is paired with, if it is here.
    fn partner(&mut self, person: usize, side: &str) -> Option<Waiting> {
        let anybody = self.build == Build::Flawed;
        let fits = |half: &Waiting| half.side != side && (anybody || half.person == person);
        let at = self.waiting.iter().position(fits)?;
        self.waiting.remove(at)
    }
}

async fn join(State(press): Shared) -> Json<Value> {
    let mut press = press.lock().unwrap();
    press.people += 1;
    Json(json!({"person": press.people - 1}))
}

async fn begin(State(press): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut press = press.lock().unwrap();
    press.pages.push((person(&headers)?, body["text"].clone()));
    Ok(Json(json!({"page": press.pages.len() - 1})))
}

async fn page(State(press): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let (person, press) = (person(&headers)?, press.lock().unwrap());
    let page = press.pages.get(id).filter(|(owner, _)| *owner == person);
    page.map(|(_, text)| Json(json!({"text": text}))).ok_or(StatusCode::NOT_FOUND)
}

async fn half(State(press): Shared, Path(side): Path<String>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let person = person(&headers)?;
    let text = body["text"].clone();
    let answer = |mine: &Value, other: &Value| Ok(Json(json!({"number": person, "mine": mine, "other": other})));
    let other = {
        let mut press = press.lock().unwrap();
        if let Some(partner) = press.partner(person, &side) {
            // Who has hung up meanwhile is told nothing.
            let _ = partner.other.send(text.clone());
            return answer(&text, &partner.text);
        }
        let (other, comes) = oneshot::channel();
        press.waiting.push_back(Waiting { person, side, text: text.clone(), other });
        comes
    };
    answer(&text, &other.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?)
}

fn service(build: Build) -> Router {
    let press = Press { build, people: 0, pages: vec![], waiting: VecDeque::new() };
    Router::new()
        .route("/people", post(join))
        .route("/pages", post(begin))
        .route("/pages/{id}", get(page))
        .route("/halves/{side}", post(half))
        .with_state(Arc::new(Mutex::new(press)))
}

#[test]
fn a_half_that_is_paired_with_that_of_another_is_found() {
    assert_told_apart(include_str!("parallel_halves.yaml"), service, &["foreign-canary"]);
}
