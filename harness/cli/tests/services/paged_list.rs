//! A list in pages of two. The flaw: the page after a mark is taken from the entries of all shops.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart, gate};

type Shared = State<Arc<Mutex<Market>>>;
type Answer = Result<Json<Value>, StatusCode>;

const PAGE: usize = 2;

struct Market {
    build: Build,
    shops: usize,
    entries: Vec<(usize, Value)>,
}

#[derive(serde::Deserialize)]
struct After {
    after: Option<usize>,
}

fn shop(headers: &HeaderMap) -> Result<usize, StatusCode> {
    let shop = headers.get("x-shop").and_then(|value| value.to_str().ok()?.parse().ok());
    shop.ok_or(StatusCode::UNAUTHORIZED)
}

impl Market {
    fn entries_of(&self, shop: usize) -> impl Iterator<Item = (usize, &Value)> {
        let numbered = self.entries.iter().enumerate();
        numbered.filter(move |(_, (owner, _))| *owner == shop).map(|(id, (_, text))| (id, text))
    }

    fn page(&self, shop: usize, after: &After) -> Value {
        let begin = after.after.map_or(0, |last| last + 1);
        let of_all = self.build == Build::Flawed && after.after.is_some();
        let shown = self.entries.iter().enumerate().skip(begin).filter(|(_, (owner, _))| of_all || *owner == shop);
        let mut page: Vec<_> = shown.map(|(id, (_, text))| json!({"id": id, "text": text})).collect();
        let rest = page.split_off(page.len().min(PAGE));
        let next = page.last().filter(|_| !rest.is_empty()).map(|last| last["id"].clone());
        json!({"entries": page, "next": next})
    }
}

async fn join(State(market): Shared) -> Json<Value> {
    let mut market = market.lock().unwrap();
    market.shops += 1;
    Json(json!({"shop": market.shops - 1}))
}

async fn add(State(market): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut market = market.lock().unwrap();
    market.entries.push((shop(&headers)?, body["text"].clone()));
    Ok(Json(json!({"id": market.entries.len() - 1})))
}

async fn page(State(market): Shared, headers: HeaderMap, Query(after): Query<After>) -> Answer {
    Ok(Json(market.lock().unwrap().page(shop(&headers)?, &after)))
}

async fn read(State(market): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let market = market.lock().unwrap();
    let found = market.entries_of(shop(&headers)?).find(|(entry, _)| *entry == id);
    found.map(|(_, text)| Json(json!({"text": text}))).ok_or(StatusCode::NOT_FOUND)
}

async fn all(State(market): Shared, headers: HeaderMap) -> Answer {
    let market = market.lock().unwrap();
    Ok(Json(market.entries_of(shop(&headers)?).map(|(_, text)| text.clone()).collect()))
}

fn service(build: Build) -> Router {
    let market = Market { build, shops: 0, entries: vec![] };
    Router::new()
        .route("/shops", post(join))
        .route("/entries", get(page).post(add))
        .route("/entries/{id}", get(read))
        .route("/all", get(all))
        .with_state(Arc::new(Mutex::new(market)))
}

#[test]
fn a_page_with_the_entries_of_all_is_found() {
    assert_told_apart(include_str!("paged_list.yaml"), service, &["foreign-canary"]);
}

#[test]
fn turns_without_an_item_are_not_due_and_nothing_is_missing() {
    let run = gate(include_str!("paged_list.yaml"), service(Build::Twin), 1);
    assert_eq!(run.code, 0, "{run}");
    let sent = &run.json()["verdict"]["coverage"]["sent"];
    assert!(sent["not_due"].as_u64().unwrap() > 0, "{sent}");
    assert_eq!(sent["skipped"], 0, "{sent}");
}

#[test]
fn a_step_that_was_never_due_is_shown() {
    let idle = "      - {id: mirror, get: /mirror, unless: {shop: {empty: false}}}\n      - {id: all,";
    let scenario = include_str!("paged_list.yaml").replace("      - {id: all,", idle);
    let run = gate(&scenario, service(Build::Twin), 1);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.json()["verdict"]["notes"].to_string().contains("`mirror` was never due"), "{run}");
}
