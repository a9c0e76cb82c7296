//! Payments of firms, in which each role may do something else. The flaws: a trainee may look; a clerk's correction is refused
//! and made all the same.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart};

type Shared = State<Arc<Mutex<Books>>>;
type Answer = Result<Json<Value>, StatusCode>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    TraineesLook,
    RefusedAndMade,
}

struct Books {
    flaw: Flaw,
    people: Vec<Person>,
    payments: Vec<Option<Payment>>,
}

#[derive(Clone)]
struct Person {
    firm: Value,
    role: &'static str,
}

struct Payment {
    firm: Value,
    reason: Value,
}

impl Books {
    fn person(&self, headers: &HeaderMap) -> Result<Person, StatusCode> {
        let id = headers.get("x-person").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        id.and_then(|id| self.people.get(id).cloned()).ok_or(StatusCode::UNAUTHORIZED)
    }

    fn payment(&mut self, id: usize, firm: &Value) -> Result<&mut Option<Payment>, StatusCode> {
        let own = |payment: &&mut Option<Payment>| payment.as_ref().is_some_and(|payment| payment.firm == *firm);
        self.payments.get_mut(id).filter(own).ok_or(StatusCode::NOT_FOUND)
    }
}

fn demand(person: &Person, roles: &[&str]) -> Result<(), StatusCode> {
    if roles.contains(&person.role) { Ok(()) } else { Err(StatusCode::FORBIDDEN) }
}

async fn join(State(books): Shared, Json(body): Json<Value>) -> Json<Value> {
    let mut books = books.lock().unwrap();
    let place: usize = body["place"].as_str().unwrap().parse().unwrap();
    books.people.push(Person { firm: body["firm"].clone(), role: ["LEADER", "CLERK", "TRAINEE"][place] });
    Json(json!({"id": books.people.len() - 1}))
}

async fn pay(State(books): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut books = books.lock().unwrap();
    let person = books.person(&headers)?;
    demand(&person, &["LEADER"])?;
    books.payments.push(Some(Payment { firm: person.firm, reason: body["reason"].clone() }));
    Ok(Json(json!({"id": books.payments.len() - 1})))
}

async fn look(State(books): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let mut books = books.lock().unwrap();
    let person = books.person(&headers)?;
    if books.flaw != Flaw::TraineesLook {
        demand(&person, &["LEADER", "CLERK"])?;
    }
    let payment = books.payment(id, &person.firm)?;
    Ok(Json(json!({"reason": payment.as_ref().map(|payment| &payment.reason)})))
}

async fn correct(State(books): Shared, Path(id): Path<usize>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut books = books.lock().unwrap();
    let person = books.person(&headers)?;
    let refused = demand(&person, &["LEADER"]);
    if books.flaw != Flaw::RefusedAndMade {
        refused?;
    }
    if let Some(payment) = books.payment(id, &person.firm)? {
        payment.reason = body["reason"].clone();
    }
    refused.map(|()| Json(json!({})))
}

async fn cancel(State(books): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let mut books = books.lock().unwrap();
    let person = books.person(&headers)?;
    demand(&person, &["LEADER"])?;
    *books.payment(id, &person.firm)? = None;
    Ok(Json(json!({})))
}

fn service(flaw: Flaw) -> Router {
    Router::new()
        .route("/people", post(join))
        .route("/payments", post(pay))
        .route("/payments/{id}", get(look).put(correct).delete(cancel))
        .with_state(Arc::new(Mutex::new(Books { flaw, people: vec![], payments: vec![] })))
}

fn told_apart(flaw: Flaw) {
    let build = |build| service(if build == Build::Flawed { flaw } else { Flaw::None });
    assert_told_apart(include_str!("wages.yaml"), build, &["role"]);
}

#[test]
fn a_trainee_who_looks_at_wages_is_found() {
    told_apart(Flaw::TraineesLook);
}

#[test]
fn a_correction_that_is_refused_and_made_is_found() {
    told_apart(Flaw::RefusedAndMade);
}
