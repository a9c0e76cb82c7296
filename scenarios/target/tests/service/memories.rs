//! A pool of connections, and clients that hang up.

use std::time::Duration;

use coalmine_target::{Config, Flaw, FlawSet, Running, Storage, start};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Client, service, shows_another};
use crate::load::{closed_loop, one_by_one};
use crate::wire::Wire;

const PATH: &str = "/agents/memories/goal";

/// Slow enough that who hangs up after sending is gone before the answer.
const SLOW: Duration = Duration::from_millis(50);

async fn slow_service(flaw: Option<Flaw>) -> Running {
    let flaws = FlawSet::from_iter(flaw);
    let config = Config { flaws, storage: Storage::Memory, memory_latency: SLOW, ..Config::default() };
    start(config).await.unwrap()
}

async fn keeps_and_recalls(client: Client, turn: usize) -> Value {
    let goal = client.secret(&format!("goal{turn}"));
    assert_eq!(client.put(PATH, json!({ "text": goal })).await.0, StatusCode::OK);
    let (status, memory) = client.get(PATH).await;
    assert_eq!((status, &memory["text"]), (StatusCode::OK, &json!(goal)));
    memory
}

/// One of two tenants asks and hangs up before it is answered, the other one asks then: whether it gets, once in so many times, what
/// the first one has asked for. When the service notices that a client is gone is not for a test to say, so it tries again.
async fn leaks_after_cancelled_requests(flaw: Option<Flaw>, tries_max: usize) -> bool {
    let running = slow_service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    for client in &crowd {
        keeps_and_recalls(client.clone(), 0).await;
    }
    for _ in 0..tries_max {
        let mut wire = Wire::connect(&running).await;
        wire.send(&crowd[0].raw("GET", PATH, "")).await;
        crowd[0].get("/health").await;
        drop(wire);
        let (status, memory) = crowd[1].get(PATH).await;
        assert_eq!(status, StatusCode::OK);
        if shows_another(&memory, &crowd[1], &crowd) {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn pool_desync_answers_with_what_a_cancelled_request_has_left() {
    assert!(leaks_after_cancelled_requests(Some(Flaw::AgentsPoolDesync), 20).await);
}

#[tokio::test]
async fn twin_of_pool_desync_makes_a_new_connection() {
    assert!(!leaks_after_cancelled_requests(None, 10).await);
}

#[tokio::test]
async fn pool_desync_shows_nothing_while_nobody_hangs_up() {
    let running = service([Flaw::AgentsPoolDesync]).await;
    assert_eq!(closed_loop(&running, 8, 5, keeps_and_recalls).await.leaks, 0);
    let running = service([Flaw::AgentsPoolDesync]).await;
    assert_eq!(one_by_one(&running, 3, 2, keeps_and_recalls).await.leaks, 0);
}

#[tokio::test]
async fn memories_of_others_are_not_there() {
    let running = service([]).await;
    let crowd = Client::crowd(&running, 2).await;
    keeps_and_recalls(crowd[0].clone(), 0).await;
    assert_eq!(crowd[1].get(PATH).await.0, StatusCode::NOT_FOUND);
}
