//! Pads, and the log of searches.

use coalmine_target::Flaw;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Client, service};
use crate::load::leaks;

/// Opens a pad, writes on it, throws it away; answers what stood on it at first.
async fn opens_writes_discards(client: Client, turn: usize) -> Value {
    let (status, fresh) = client.post("/me/pads", json!({})).await;
    assert_eq!(status, StatusCode::CREATED);
    let path = format!("/me/pads/{}", fresh["id"]);
    let text = client.secret(&format!("pad{turn}"));
    let (status, written) = client.put(&path, json!({ "text": text })).await;
    assert_eq!((status, &written["text"]), (StatusCode::OK, &json!(text)));
    assert_eq!(client.send(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(client.put(&path, json!({ "text": text })).await.0, StatusCode::NOT_FOUND);
    fresh
}

#[tokio::test]
async fn id_reuse_hands_on_what_was_left() {
    assert_eq!(leaks(Flaw::HttpIdReuse, opens_writes_discards).await, (true, false));
}

#[tokio::test]
async fn pad_is_written_on_by_its_user_only() {
    for flaw in [None, Some(Flaw::HttpIdReuse)] {
        let running = service(flaw).await;
        let crowd = Client::crowd(&running, 2).await;
        let (_, fresh) = crowd[0].post("/me/pads", json!({})).await;
        assert_eq!(fresh["text"], "");
        let path = format!("/me/pads/{}", fresh["id"]);
        assert_eq!(crowd[1].put(&path, json!({ "text": "mine" })).await.0, StatusCode::NOT_FOUND);
        assert_eq!(crowd[1].send(Method::DELETE, &path, None).await.0, StatusCode::NOT_FOUND);
    }
}

async fn searches_and_reads_the_log(client: Client, turn: usize) -> Value {
    let secret = client.secret(&format!("word{turn}"));
    assert_eq!(client.get(&format!("/operations/search?q={secret}")).await.0, StatusCode::OK);
    let (_, log) = client.get("/diagnostics/log").await;
    assert_eq!(log["lines"][0], format!("searched coverage for {secret:?}"));
    log
}

#[tokio::test]
async fn log_endpoint_shows_what_others_have_searched_for() {
    // Others may write before the log is read, so that the flawed service is asked one by one.
    assert_eq!(leaks(Flaw::HttpLogEndpoint, searches_and_reads_the_log).await, (true, false));
}
