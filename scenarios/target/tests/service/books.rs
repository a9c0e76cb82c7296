//! The finance wing beyond summaries and charts.

use std::io::Read;

use coalmine_target::Flaw;
use data_encoding::BASE64;
use flate2::read::GzDecoder;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Client, service, text};
use crate::load::{closed_loop, leaks, one_by_one};

async fn books(client: &Client, turn: usize) -> String {
    let description = format!("bill for {}", client.secret(&format!("description{turn}")));
    let draft = json!({ "month": "2026-01", "description": description, "amount": 100 });
    assert_eq!(client.post("/finance/transactions", draft).await.0, StatusCode::CREATED);
    description
}

const STATEMENT: &str = "/finance/statement?month=2026-01";

/// What two users are told who ask for statements of one month, the second with the ETag of the first.
async fn statements(flaw: Option<Flaw>) -> [(StatusCode, String, String); 2] {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    for client in &crowd {
        books(client, 0).await;
    }
    let first = crowd[0].revalidate(STATEMENT, "none").await;
    let second = crowd[1].revalidate(STATEMENT, &first.1).await;
    [first, second]
}

#[tokio::test]
async fn cache_control_lets_anyone_keep_a_statement() {
    let [first, second] = statements(Some(Flaw::FinanceCacheControl)).await;
    assert_eq!(first.2, "public, max-age=60");
    assert_eq!(second.0, StatusCode::OK);
}

#[tokio::test]
async fn etag_of_another_is_good_for_the_same_month() {
    let [first, second] = statements(Some(Flaw::FinanceEtag)).await;
    assert_eq!((first.0, second.0), (StatusCode::OK, StatusCode::NOT_MODIFIED));
    assert_eq!(first.2, "private, no-cache");
}

#[tokio::test]
async fn twin_of_cache_control_and_etag_tells_users_apart() {
    let [first, second] = statements(None).await;
    assert_eq!((first.0, second.0), (StatusCode::OK, StatusCode::OK));
    assert_ne!(first.1, second.1);
    assert_eq!(first.2, "private, no-cache");
}

#[tokio::test]
async fn statement_is_known_until_something_is_booked() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    books(&client, 0).await;
    let (_, etag, _) = client.revalidate(STATEMENT, "none").await;
    assert_eq!(client.revalidate(STATEMENT, &etag).await.0, StatusCode::NOT_MODIFIED);
    books(&client, 1).await;
    assert_eq!(client.revalidate(STATEMENT, &etag).await.0, StatusCode::OK);
}

async fn uploads_and_lists(client: Client, turn: usize) -> Value {
    let file = format!("description,amount\n{},5\n", client.secret(&format!("row{turn}")));
    let (status, taken) = client.upload("/finance/ingest?month=2026-02", file).await;
    assert_eq!((status, &taken["rows"]), (StatusCode::CREATED, &json!(1)));
    client.get("/finance/transactions?month=2026-02").await.1
}

#[tokio::test]
async fn ingest_owner_gives_rows_to_who_uploads_last() {
    let load = closed_loop(&service([Flaw::FinanceIngestOwner]).await, 8, 5, uploads_and_lists).await;
    assert!(load.leaks > 0, "{load:?}");
}

#[tokio::test]
async fn ingest_owner_shows_nothing_one_by_one() {
    assert_eq!(one_by_one(&service([Flaw::FinanceIngestOwner]).await, 4, 3, uploads_and_lists).await.leaks, 0);
}

#[tokio::test]
async fn twin_of_ingest_owner_gives_each_its_rows() {
    let running = service([]).await;
    let load = closed_loop(&running, 8, 5, |client, turn| async move {
        let rows = uploads_and_lists(client.clone(), turn).await;
        assert_eq!(rows[0]["description"], client.secret(&format!("row{turn}")));
        rows
    });
    assert_eq!(load.await.leaks, 0);
}

#[tokio::test]
async fn file_that_is_no_table_is_refused() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let (status, answer) = client.upload("/finance/ingest?month=2026-02", "secret,1".to_owned()).await;
    assert_eq!(status, StatusCode::CREATED, "a table without rows");
    assert_eq!(answer["rows"], 0);
    let (status, answer) = client.upload("/finance/ingest?month=2026-02", "a,b\nsecret,1".to_owned()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!answer.to_string().contains("secret"), "{answer}");
    let (status, _) = client.upload("/finance/ingest?month=February", "a,b\n".to_owned()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

async fn imports_and_lists(client: Client, turn: usize) -> Value {
    let description = client.secret(&format!("old{turn}"));
    let draft = json!({ "description": description, "amount": 5 });
    assert_eq!(client.post("/finance/imports", draft).await.0, StatusCode::CREATED);
    let (_, rows) = client.get("/finance/imports").await;
    assert!(rows.to_string().contains(&description));
    rows
}

#[tokio::test]
async fn null_owner_shows_rows_that_are_not_backfilled() {
    assert_eq!(leaks(Flaw::FinanceNullOwner, imports_and_lists).await, (true, false));
}

/// What a user sees who has booked nothing, after one who has.
async fn overview_of_the_new(flaw: Option<Flaw>) -> Value {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    let description = books(&crowd[0], 0).await;
    let (_, own) = crowd[0].get("/finance/overview").await;
    assert_eq!(own["entries"][0]["description"], description.as_str());
    crowd[1].get("/finance/overview").await.1
}

#[tokio::test]
async fn empty_state_shows_whoever_came_first() {
    let overview = overview_of_the_new(Some(Flaw::FinanceEmptyState)).await;
    assert!(overview.to_string().contains("<tenant0:"), "{overview}");
}

#[tokio::test]
async fn twin_of_empty_state_shows_nothing() {
    assert_eq!(overview_of_the_new(None).await, json!({ "entries": [] }));
}

async fn plans_and_lists(client: Client, turn: usize) -> Value {
    let name = client.secret(&format!("budget{turn}"));
    let draft = json!({ "name": name, "amount": 5 });
    assert_eq!(client.post("/finance/budgets", draft).await.0, StatusCode::CREATED);
    let (_, rows) = client.get("/finance/budgets").await;
    assert!(rows.to_string().contains(&name));
    rows
}

#[tokio::test]
async fn flag_off_shows_others_now_and_then() {
    let load = one_by_one(&service([Flaw::FinanceFlagOff]).await, 2, 8, plans_and_lists).await;
    // Of every four answers the last; those to the first tenant show nobody else, as nobody has anything yet.
    assert_eq!((load.answers, load.leaks), (16, 2));
}

#[tokio::test]
async fn twin_of_flag_off_shows_the_users_own() {
    assert_eq!(closed_loop(&service([]).await, 4, 8, plans_and_lists).await.leaks, 0);
}

async fn books_and_is_suggested(client: Client, turn: usize) -> Value {
    let description = books(&client, turn).await;
    let (_, suggested) = client.get("/finance/suggest?q=bill+for").await;
    assert_eq!(suggested["suggestions"][0], description.as_str());
    suggested
}

#[tokio::test]
async fn suggest_has_learned_from_others() {
    assert_eq!(leaks(Flaw::FinanceSuggest, books_and_is_suggested).await, (true, false));
}

#[tokio::test]
async fn suggestions_begin_with_what_was_typed() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    books(&client, 0).await;
    assert_eq!(client.get("/finance/suggest?q=rent").await.1, json!({ "suggestions": [] }));
}

/// The export, its archive unpacked.
async fn books_and_exports(client: Client, turn: usize) -> Value {
    let description = books(&client, turn).await;
    let (_, mut export) = client.get("/finance/export?month=2026-01").await;
    assert_eq!(export["count"], turn + 1);
    let archive = BASE64.decode(text(&export["archive"]).as_bytes()).unwrap();
    let mut table = String::new();
    GzDecoder::new(archive.as_slice()).read_to_string(&mut table).unwrap();
    assert!(table.contains(&description), "{table}");
    export["archive"] = json!(table);
    export
}

#[tokio::test]
async fn encoded_export_packs_the_rows_of_others() {
    assert_eq!(leaks(Flaw::HttpEncodedExport, books_and_exports).await, (true, false));
}

#[tokio::test]
async fn encoded_export_shows_nothing_that_is_not_packed() {
    let packed = async |client: Client, turn: usize| {
        let mut export = books_and_exports(client, turn).await;
        export["archive"].take();
        export
    };
    assert_eq!(leaks(Flaw::HttpEncodedExport, packed).await, (false, false));
}
