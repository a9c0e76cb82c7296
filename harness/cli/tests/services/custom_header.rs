//! A key in a header of the service's own, and a key against doing things twice that the client chooses.
//! Flaw: what was done under a key is remembered for all tenants together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, Query, State};
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart};

#[derive(Default)]
struct Ledger {
    tenants: HashMap<String, String>,
    orders: HashMap<(String, String), Value>,
    done: HashMap<String, Value>,
}

struct Site {
    build: Build,
    ledger: Mutex<Ledger>,
}

impl Site {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tenant of the key; region and consent must be there as well, wherever this service wants them.
    fn tenant(&self, headers: &HeaderMap, query: &HashMap<String, String>) -> Result<String, StatusCode> {
        let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if query.get("region").is_none_or(|region| region != "eu west") || field(COOKIE.as_str()) != "consent=yes" {
            return Err(StatusCode::BAD_REQUEST);
        }
        self.ledger().tenants.get(field("x-tenant-key")).cloned().ok_or(StatusCode::UNAUTHORIZED)
    }
}

async fn join(State(site): State<Arc<Site>>, Json(body): Json<Value>) -> Json<Value> {
    let name = body["name"].as_str().unwrap_or_default().to_owned();
    let mut ledger = site.ledger();
    let key = format!("key-{:08x}", ledger.tenants.len() * 2_654_435);
    ledger.tenants.insert(key.clone(), name);
    Json(json!({"key": key}))
}

async fn order(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let tenant = site.tenant(&headers, &query)?;
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = if site.build == Build::Flawed { key.to_owned() } else { format!("{tenant}/{key}") };
    let mut ledger = site.ledger();
    ledger.orders.insert((tenant, id), body.clone());
    Ok(Json(ledger.done.entry(key).or_insert(json!({"ordered": body})).clone()))
}

async fn read(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, StatusCode> {
    let tenant = site.tenant(&headers, &query)?;
    site.ledger().orders.get(&(tenant, id)).cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
}

fn service(build: Build) -> Router {
    let site = Site { build, ledger: Mutex::default() };
    let routes = Router::new().route("/tenants", post(join)).route("/orders/{id}", put(order));
    routes.route("/orders/{id}", get(read)).with_state(Arc::new(site))
}

#[test]
fn a_key_against_doing_things_twice_that_all_tenants_share_is_found() {
    assert_told_apart(include_str!("custom_header.yaml"), service, &["foreign-canary"]);
}
