use coalmine_target::Flaw;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Client, service};
use crate::load::{closed_loop, one_by_one, until_leak};

async fn writes_and_reads_summary(client: Client, turn: usize) -> Value {
    let description = client.secret(&format!("description{turn}"));
    let draft = json!({ "month": "2026-01", "description": description, "amount": 100 });
    assert_eq!(client.post("/finance/transactions", draft).await.0, StatusCode::CREATED);
    let (_, own) = client.get("/finance/transactions?month=2026-01").await;
    assert_eq!(own[0]["description"], description.as_str());
    client.get("/finance/summary?month=2026-01").await.1
}

#[tokio::test]
async fn cache_key_shows_the_first_users_summary_even_one_by_one() {
    let running = service([Flaw::FinanceCacheKey]).await;
    assert!(one_by_one(&running, 2, 1, writes_and_reads_summary).await.leaks > 0);
}

#[tokio::test]
async fn twin_of_cache_key_shows_the_callers_latest_write() {
    let running = service([]).await;
    let load = closed_loop(&running, 8, 8, |client, turn| async move {
        let summary = writes_and_reads_summary(client.clone(), turn).await;
        let item = json!({ "description": client.secret(&format!("description{turn}")), "amount": 100 });
        let count = turn + 1;
        let expected = json!({
            "month": "2026-01", "count": count, "total": 100 * count, "largest": item, "last": item,
        });
        assert_eq!(summary, expected);
        summary
    });
    assert_eq!(load.await.leaks, 0);
}

#[tokio::test]
async fn summary_of_an_empty_month_is_empty() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let (_, summary) = client.get("/finance/summary?month=2026-02").await;
    assert_eq!(summary["count"], 0);
    assert_eq!(summary["largest"], Value::Null);
}

#[tokio::test]
async fn month_that_is_none_is_refused() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let draft = json!({ "month": "January", "description": "d", "amount": 1 });
    assert_eq!(client.post("/finance/transactions", draft).await.0, StatusCode::BAD_REQUEST);
    let (status, answer) = client.get("/finance/summary?moth=secret").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!answer.to_string().contains("secret"), "{answer}");
}

async fn writes_and_draws(client: Client, turn: usize) -> Value {
    let description = client.secret(&format!("description{turn}"));
    let draft = json!({ "month": "2026-01", "description": description, "amount": 100 });
    assert_eq!(client.post("/finance/transactions", draft).await.0, StatusCode::CREATED);
    client.get("/finance/chart?month=2026-01").await.1
}

#[tokio::test]
async fn single_flight_shows_another_under_overlap() {
    let running = service([Flaw::FinanceSingleFlight]).await;
    // Who writes makes the service forget what is being drawn, so that most turns only draw.
    let load = until_leak(&running, 8, 5, |client, turn| async move {
        match turn {
            0 => writes_and_draws(client, turn).await,
            _ => client.get("/finance/chart?month=2026-01").await.1,
        }
    });
    let load = load.await;
    assert!(load.leaks > 0, "{load:?}");
}

#[tokio::test]
async fn single_flight_shows_nothing_one_by_one() {
    let running = service([Flaw::FinanceSingleFlight]).await;
    assert_eq!(one_by_one(&running, 4, 3, writes_and_draws).await.leaks, 0);
}

#[tokio::test]
async fn twin_of_single_flight_draws_the_callers_latest_write() {
    let running = service([]).await;
    let load = closed_loop(&running, 8, 5, |client, turn| async move {
        let chart = writes_and_draws(client.clone(), turn).await;
        assert_eq!(chart["bars"][0]["label"], client.secret(&format!("description{turn}")));
        chart
    });
    assert_eq!(load.await.leaks, 0);
}

async fn books_with_one_key_for_all(client: Client, turn: usize) -> Value {
    let draft = json!({ "month": "2026-01", "description": client.secret("description"), "amount": 100 });
    let key = format!("january-{turn}");
    let (status, booked) = client.post_once("/finance/transactions", &key, draft.clone()).await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, again) = client.post_once("/finance/transactions", &key, draft).await;
    assert_eq!(booked, again, "the key makes it one booking");
    booked
}

#[tokio::test]
async fn idempotency_key_shows_what_another_has_booked_under_it() {
    let running = service([Flaw::HttpIdempotencyKey]).await;
    assert!(one_by_one(&running, 2, 1, books_with_one_key_for_all).await.leaks > 0);
}

#[tokio::test]
async fn twin_of_idempotency_key_books_once_for_each_user() {
    let running = service([]).await;
    assert_eq!(closed_loop(&running, 8, 3, books_with_one_key_for_all).await.leaks, 0);
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    books_with_one_key_for_all(client.clone(), 0).await;
    let (_, booked) = client.get("/finance/transactions?month=2026-01").await;
    assert_eq!(booked.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_month_is_explained_by_what_its_user_booked() {
    let running = service([]).await;
    let crowd = Client::crowd(&running, 2).await;
    for client in &crowd {
        let draft = json!({ "month": "2026-01", "description": client.secret("rent"), "amount": 100 });
        assert_eq!(client.post("/finance/transactions", draft).await.0, StatusCode::CREATED);
    }
    for client in &crowd {
        let (_, told) = client.get("/finance/explain?month=2026-01").await;
        let rent = client.secret("rent");
        let words =
            format!("In 2026-01 you booked 1 times, 1.00 in all. The largest was \"{rent}\", the last \"{rent}\".");
        assert_eq!(told, json!({ "month": "2026-01", "explanation": words }));
    }
}
