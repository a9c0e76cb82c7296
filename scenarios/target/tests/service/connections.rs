use coalmine_target::Flaw;
use serde_json::json;

use crate::client::{Client, service, shows_another};
use crate::wire::Wire;

/// What the second of two tenants is told of itself, on the connection that the first has used, or on its own.
async fn profile(flaw: Option<Flaw>, shared: bool) -> (bool, String) {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    let mut wire = Wire::connect(&running).await;
    wire.send(&crowd[0].raw("GET", "/me", "")).await;
    assert!(wire.answer().await.contains(&crowd[0].user_id));
    let mut wire = if shared { wire } else { Wire::connect(&running).await };
    wire.send(&crowd[1].raw("GET", "/me", "")).await;
    let profile = wire.answer().await;
    (shows_another(&json!(profile), &crowd[1], &crowd), profile)
}

#[tokio::test]
async fn auth_by_connection_takes_the_second_tenant_for_the_first() {
    let (leaks, profile) = profile(Some(Flaw::HttpAuthByConnection), true).await;
    assert!(leaks, "{profile}");
}

#[tokio::test]
async fn auth_by_connection_shows_nothing_on_connections_of_ones_own() {
    assert!(!profile(Some(Flaw::HttpAuthByConnection), false).await.0);
}

#[tokio::test]
async fn twin_of_auth_by_connection_asks_each_request() {
    assert!(!profile(None, true).await.0);
}
