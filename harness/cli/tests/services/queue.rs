//! Tickets that say where they stand in the queue of their shop. The flaw: the queue is that of all shops, so that each sees how much the
//! others have to do. No secret of anybody is in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::support::{Coalmine, Run, Service};
use crate::trial::Build;

const SCENARIO: &str = include_str!("queue.yaml");

#[derive(Default)]
struct Desk {
    shops: u64,
    /// How often each ticket was looked at.
    views: BTreeMap<u64, u64>,
    tickets: BTreeMap<u64, (u64, Value)>,
}

impl Desk {
    /// How many tickets were handed in with this one or since.
    fn queue(&self, build: Build, ticket: u64, shop: u64) -> usize {
        let since = self.tickets.range(ticket..);
        since.filter(|(_, (owner, _))| build == Build::Flawed || *owner == shop).count()
    }
}

type Shared = State<(Build, Arc<Mutex<Desk>>)>;

fn shop(headers: &HeaderMap) -> Result<u64, StatusCode> {
    let shop = headers.get("x-shop").and_then(|value| value.to_str().ok()?.parse().ok());
    shop.ok_or(StatusCode::UNAUTHORIZED)
}

async fn enrol(State((_, desk)): Shared) -> Json<Value> {
    let mut desk = desk.lock().unwrap();
    desk.shops += 1;
    Json(json!({"shop": desk.shops}))
}

async fn hand_in(
    State((_, desk)): Shared,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let mut desk = desk.lock().unwrap();
    let id = desk.tickets.len() as u64;
    desk.tickets.insert(id, (shop(&headers)?, body["text"].clone()));
    Ok(Json(json!({"id": id})))
}

async fn look(
    State((build, desk)): Shared,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, StatusCode> {
    let mut desk = desk.lock().unwrap();
    let shop = shop(&headers)?;
    let (owner, text) = desk.tickets.get(&id).cloned().ok_or(StatusCode::NOT_FOUND)?;
    if owner != shop {
        return Err(StatusCode::NOT_FOUND);
    }
    let now_us = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
    let views = desk.views.entry(id).or_default();
    *views += 1;
    let views = *views;
    let queue = desk.queue(build, id, shop);
    let answer = json!({"text": text, "queue": queue, "views": views, "now_us": now_us, "now_s": now_us / 1_000_000});
    Ok((AppendHeaders([("x-request", format!("{:x}", now_us.wrapping_mul(0x9e37_79b9_7f4a_7c15)))]), Json(answer)))
}

fn gate(build: Build, policy: &str, seed: u64) -> Run {
    let routes = Router::new().route("/shops", post(enrol)).route("/tickets", post(hand_in));
    let service = Service::start(routes.route("/tickets/{id}", get(look)).with_state((build, Arc::default())));
    let scenario = SCENARIO.replace("interference: on", policy);
    let (url, seed) = (service.url(), seed.to_string());
    let arguments = ["gate", "scenario.yaml", "--target", &url, "--rounds", "2", "--format", "json", "--seed", &seed];
    Coalmine::new().scenario(&scenario).run(&arguments)
}

#[test]
fn a_queue_that_all_shops_share_is_found() {
    let run = gate(Build::Flawed, "interference: on", 1);
    assert_eq!((run.code, run.kinds()), (1, vec!["interference".to_owned()]), "{run}");
    let summary = run.json()["verdict"]["findings"][0]["summary"].to_string();
    assert!(summary.contains("`$.queue`: +1 in 16 of 16 looks after its work, no change in all of 16"), "{summary}");
}

#[test]
fn as_a_warning_it_fails_nothing() {
    let run = gate(Build::Flawed, "interference: warn", 1);
    assert_eq!((run.code, run.kinds()), (0, vec![]), "{run}");
    assert!(run.json()["verdict"]["notes"].to_string().contains("depends on whether"), "{run}");
}

#[test]
fn a_queue_for_each_shop_passes_with_its_clocks_and_counters() {
    for seed in 1..=4 {
        let run = gate(Build::Twin, "interference: on", seed);
        assert_eq!(run.code, 0, "seed {seed}: {run}");
        assert!(!run.json()["verdict"]["notes"].to_string().contains("against the look before"), "seed {seed}: {run}");
    }
}

#[test]
fn nobody_asks_by_default() {
    let run = gate(Build::Flawed, "existence: on", 1);
    assert_eq!(run.code, 0, "{run}");
}
