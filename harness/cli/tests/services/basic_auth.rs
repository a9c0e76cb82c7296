//! HTTP basic: user and password in every request. Flaw: who a password belongs to is cached under a part of the header,
//! and names that begin alike share it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart};

#[derive(Default)]
struct Accounts {
    /// User by the whole header that proves it.
    users: HashMap<String, String>,
    /// Checked headers: a hash of the password would cost too much in each request.
    checked: HashMap<String, String>,
    documents: Vec<(String, Value)>,
}

struct Site {
    build: Build,
    accounts: Mutex<Accounts>,
}

type Refusal = (StatusCode, Json<Value>);

fn refusal(status: StatusCode) -> Refusal {
    (status, Json(json!({"error": status.as_u16()})))
}

impl Site {
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn user(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let length = if self.build == Build::Flawed { 12 } else { header.len() };
        let key = header.chars().take(length).collect::<String>();
        let mut accounts = self.accounts();
        let known = accounts.checked.get(&key).or_else(|| accounts.users.get(header)).cloned();
        let user = known.ok_or_else(|| refusal(StatusCode::UNAUTHORIZED))?;
        accounts.checked.insert(key, user.clone());
        Ok(user)
    }
}

/// Whoever comes first with a name owns it.
async fn sign_up(State(site): State<Arc<Site>>, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = body["name"].as_str().unwrap_or_default();
    site.accounts().users.insert(header.to_owned(), name.to_owned());
    StatusCode::CREATED
}

async fn write(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    let user = site.user(&headers)?;
    let mut accounts = site.accounts();
    accounts.documents.push((user, body));
    Ok(Json(json!({"id": accounts.documents.len() - 1})))
}

async fn read(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Path(id): Path<usize>,
) -> Result<Json<Value>, Refusal> {
    let user = site.user(&headers)?;
    let accounts = site.accounts();
    let document = accounts.documents.get(id).filter(|(owner, _)| *owner == user);
    document.map(|(owner, body)| Json(json!({"owner": owner, "document": body}))).ok_or(refusal(StatusCode::NOT_FOUND))
}

fn service(build: Build) -> Router {
    let site = Site { build, accounts: Mutex::default() };
    let routes = Router::new().route("/users", post(sign_up)).route("/documents", post(write));
    routes.route("/documents/{id}", get(read)).with_state(Arc::new(site))
}

#[test]
fn credentials_cached_under_a_part_of_them_are_found() {
    assert_told_apart(include_str!("basic_auth.yaml"), service, &["access", "identity-echo"]);
}
