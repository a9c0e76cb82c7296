use coalmine_target::{Config, Storage, start};
use reqwest::StatusCode;
use serde_json::json;

use crate::client::{Client, service};

#[tokio::test]
async fn data_in_a_file_outlives_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { storage: Storage::File(folder.path().join("target.sqlite")), ..Config::default() };
    let running = start(config.clone()).await.unwrap();
    let mut client = Client::join(&running, "acme").await;
    client.put("/me", json!({ "note": "kept" })).await;
    running.stop().await;
    let running = start(config).await.unwrap();
    assert_eq!(client.try_get(&running, "/me").await, StatusCode::UNAUTHORIZED, "its token is void");
    client.move_to(&running).await;
    assert_eq!(client.get("/me").await.1["note"], "kept");
}

#[tokio::test]
async fn services_share_nothing() {
    let (one, other) = (service([]).await, service([]).await);
    let client = Client::join(&one, "acme").await;
    assert_eq!(client.try_get(&other, "/me").await, StatusCode::UNAUTHORIZED);
    Client::join(&other, "acme").await;
}
