//! What `coalmine init` writes is good as it is: it lints, and passes at a service that speaks as it says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::cookie_form;
use crate::support::{Coalmine, Service};
use crate::trial::Build;

/// Notes of users who say in one of several ways who they are.
#[derive(Default)]
struct Notes {
    /// User by what shows who asks.
    users: HashMap<String, String>,
    /// Owner, tenant and text; None where it was removed.
    notes: Vec<Option<(String, String, Value)>>,
}

type Site = Arc<Mutex<Notes>>;
type Refusal = StatusCode;

fn lock(site: &Site) -> MutexGuard<'_, Notes> {
    site.lock().unwrap_or_else(PoisonError::into_inner)
}

fn field(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Who asks, after a while, so that requests of several users are under way at once.
async fn user(site: &Site, headers: &HeaderMap) -> Result<String, Refusal> {
    tokio::time::sleep(Duration::from_millis(2)).await;
    let shown = ["authorization", "x-api-key"].map(|name| field(headers, name));
    let known = shown.iter().find_map(|shown| lock(site).users.get(shown).cloned());
    known.or(Some(field(headers, "x-user")).filter(|name| !name.is_empty())).ok_or(StatusCode::UNAUTHORIZED)
}

async fn log_in(State(site): State<Site>, Json(body): Json<Value>) -> Json<Value> {
    let (email, password) = (body["email"].as_str().unwrap(), body["password"].as_str().unwrap());
    let token = format!("token-{password}");
    lock(&site).users.insert(format!("Bearer {token}"), email.to_owned());
    Json(json!({"token": token, "user_id": email}))
}

async fn open_account(State(site): State<Site>, Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
    let name = body["name"].as_str().unwrap();
    let key = format!("key-{name}");
    lock(&site).users.insert(key.clone(), name.to_owned());
    (StatusCode::CREATED, Json(json!({"api_key": key, "id": name})))
}

async fn create_user(State(site): State<Site>, Json(body): Json<Value>) -> StatusCode {
    let (name, password) = (body["name"].as_str().unwrap(), body["password"].as_str().unwrap());
    let proof = data_encoding::BASE64.encode(format!("{name}:{password}").as_bytes());
    lock(&site).users.insert(format!("Basic {proof}"), name.to_owned());
    StatusCode::CREATED
}

async fn write(State(site): State<Site>, headers: HeaderMap, Json(body): Json<Value>) -> Result<Json<Value>, Refusal> {
    let user = user(&site, &headers).await?;
    let mut site = lock(&site);
    site.notes.push(Some((user, field(&headers, "x-tenant"), body["text"].clone())));
    Ok(Json(json!({"id": site.notes.len() - 1})))
}

async fn read(State(site): State<Site>, headers: HeaderMap, Path(id): Path<usize>) -> Result<Json<Value>, Refusal> {
    let user = user(&site, &headers).await?;
    let found = lock(&site).notes.get(id).cloned().flatten().filter(|(owner, ..)| *owner == user);
    let (owner, tenant, text) = found.ok_or(StatusCode::FORBIDDEN)?;
    Ok(Json(json!({"user": owner, "user_id": owner, "account_id": owner, "tenant": tenant, "text": text})))
}

async fn list(State(site): State<Site>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    let user = user(&site, &headers).await?;
    let texts =
        lock(&site).notes.iter().flatten().filter(|(owner, ..)| *owner == user).map(|it| it.2.clone()).collect();
    Ok(Json(Value::Array(texts)))
}

async fn remove(State(site): State<Site>, headers: HeaderMap, Path(id): Path<usize>) -> Result<StatusCode, Refusal> {
    let user = user(&site, &headers).await?;
    let mut site = lock(&site);
    let note = site.notes.get_mut(id).ok_or(StatusCode::FORBIDDEN)?;
    if note.as_ref().is_none_or(|(owner, ..)| *owner != user) {
        return Err(StatusCode::FORBIDDEN);
    }
    *note = None;
    Ok(StatusCode::NO_CONTENT)
}

fn notes() -> Router {
    let people = Router::new()
        .route("/register", post(|| async { StatusCode::CREATED }))
        .route("/login", post(log_in))
        .route("/accounts", post(open_account))
        .route("/users", post(create_user));
    let routes = people.route("/notes", get(list).post(write)).route("/notes/{id}", get(read).delete(remove));
    routes.with_state(Site::default())
}

/// Somebody follows the advice of the first command.
fn assert_passes(style: &str, router: Router) {
    let (service, coalmine) = (Service::start(router), Coalmine::new());
    let url = service.url();
    for command in [
        &["init", "--auth", style, "scenario.yaml"][..],
        &["lint", "scenario.yaml"],
        &["try", "scenario.yaml", "--target", &url],
        &["gate", "scenario.yaml", "--target", &url, "--seed", "1", "--rounds", "1"],
    ] {
        let run = coalmine.run(command);
        assert_eq!(run.code, 0, "{style}: {command:?}: {run}");
    }
}

#[test]
fn what_init_writes_passes_at_a_service_of_its_style() {
    for style in ["bearer", "api-key", "basic", "header"] {
        assert_passes(style, notes());
    }
    assert_passes("cookie-form", cookie_form::service(Build::Twin));
}
