use coalmine_target::Flaw;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Client, service, shows_another};
use crate::load::{closed_loop, one_by_one, until_leak};

async fn writes_and_reads_note(client: Client, turn: usize) -> Value {
    let note = client.secret(&format!("note{turn}"));
    let (_, changed) = client.put("/me", json!({ "note": note })).await;
    assert_eq!(changed["note"], note.as_str());
    client.get("/me").await.1
}

#[tokio::test]
async fn context_slot_shows_another_under_overlap_in_each_of_ten_services() {
    for _ in 0..10 {
        let running = service([Flaw::AgentsContextSlot]).await;
        let load = until_leak(&running, 8, 5, writes_and_reads_note).await;
        assert!(load.leaks > 0, "{load:?}");
        println!("agents.context-slot: {load:?}");
        running.stop().await;
    }
}

#[tokio::test]
async fn context_slot_shows_nothing_one_by_one() {
    let running = service([Flaw::AgentsContextSlot]).await;
    assert_eq!(one_by_one(&running, 4, 5, writes_and_reads_note).await.leaks, 0);
}

#[tokio::test]
async fn twin_of_context_slot_shows_nothing() {
    let running = service([]).await;
    assert_eq!(closed_loop(&running, 16, 10, writes_and_reads_note).await.leaks, 0);
}

#[tokio::test]
async fn profile_names_its_owner() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let profile = writes_and_reads_note(client.clone(), 0).await;
    let expected = json!({
        "user_id": client.user_id,
        "tenant_id": client.tenant_id,
        "email": "acme@example.com",
        "note": client.secret("note0"),
    });
    assert_eq!(profile, expected);
}

#[tokio::test]
async fn wrong_or_missing_credentials_are_refused() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    for (email, password) in [("acme@example.com", "wrong"), ("nobody@example.com", "pass")] {
        let (status, answer) = client.post("/auth/login", json!({ "email": email, "password": password })).await;
        assert_eq!((status, answer["error"].as_str()), (StatusCode::UNAUTHORIZED, Some("log in first")));
    }
    let account = json!({ "email": "acme@example.com", "password": "pass", "tenant": "other" });
    assert_eq!(client.post("/auth/register", account).await.0, StatusCode::CONFLICT);
    let anonymous = reqwest::get(format!("{}/me", running.url())).await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn users_of_one_tenant_share_its_id() {
    let running = service([]).await;
    let first = Client::join(&running, "acme").await;
    let second = json!({ "email": "second@example.com", "password": "pass", "tenant": "acme" });
    let (_, second) = first.post("/auth/register", second).await;
    assert_eq!(second["tenant_id"], first.tenant_id.as_str());
    assert!(second["user_id"] != first.user_id.as_str());
    let stranger = Client::join(&running, "umbrella").await;
    assert!(!shows_another(&second, &first, &[stranger]));
}

#[tokio::test]
async fn refusal_does_not_repeat_the_request() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let (status, answer) = client.put("/me", json!({ "note": { "not": "text-secret" } })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!answer.to_string().contains("secret"), "{answer}");
    let huge = json!({ "note": "x".repeat(100_000) });
    assert_eq!(client.put("/me", huge).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

async fn loses_its_way(client: Client, turn: usize) -> Value {
    client.put("/me", json!({ "note": client.secret(&format!("note{turn}")) })).await;
    // It takes a while, in which others' notes are answered.
    client.get("/me").await;
    let (status, page) = client.get("/support").await;
    assert_eq!((status, &page["error"]), (StatusCode::NOT_FOUND, &json!("there is no such thing")));
    page
}

#[tokio::test]
async fn error_echo_shows_anothers_request_under_overlap() {
    let running = service([Flaw::HttpErrorEcho]).await;
    let load = until_leak(&running, 8, 10, loses_its_way).await;
    assert!(load.leaks > 0, "{load:?}");
}

#[tokio::test]
async fn error_echo_shows_ones_own_request_one_by_one() {
    let running = service([Flaw::HttpErrorEcho]).await;
    assert_eq!(one_by_one(&running, 3, 3, loses_its_way).await.leaks, 0);
}

#[tokio::test]
async fn twin_of_error_echo_shows_no_request() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    assert_eq!(loses_its_way(client, 0).await, json!({ "error": "there is no such thing" }));
}

/// Whose profile a user gets whose colleague has asked before, and then one of another tenant.
async fn profiles_after_a_colleague(flaw: Option<Flaw>) -> [bool; 2] {
    let running = service(flaw).await;
    let first = Client::join(&running, "acme").await;
    let colleague = first.colleague(&running, "acme-two").await;
    let stranger = Client::join(&running, "umbrella").await;
    assert_eq!(first.get("/me").await.1["user_id"], first.user_id.as_str());
    let own = async |client: &Client| client.get("/me").await.1["user_id"] == client.user_id.as_str();
    assert_eq!(first.tenant_id, colleague.tenant_id);
    [own(&colleague).await, own(&stranger).await]
}

#[tokio::test]
async fn token_prefix_takes_a_user_for_the_colleague() {
    assert_eq!(profiles_after_a_colleague(Some(Flaw::HttpTokenPrefix)).await, [false, true]);
}

#[tokio::test]
async fn twin_of_token_prefix_knows_colleagues_apart() {
    assert_eq!(profiles_after_a_colleague(None).await, [true, true]);
}
