//! Leads through database sessions, and reports by workers.

use std::time::Duration;

use coalmine_target::Flaw;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::client::{Client, service, shows_another, text};
use crate::load::{closed_loop, leaks, one_by_one, until_leak};

const PATIENCE: Duration = Duration::from_secs(20);

async fn writes_and_lists_leads(client: Client, turn: usize) -> Value {
    let contact = client.secret(&format!("contact{turn}"));
    let (status, lead) = client.post("/leads", json!({ "name": "lead", "contact": contact })).await;
    assert_eq!((status, &lead["tenant_id"]), (StatusCode::CREATED, &json!(client.tenant_id)));
    client.get("/leads").await.1
}

#[tokio::test]
async fn session_setting_shows_another_under_overlap_in_each_of_five_services() {
    for _ in 0..5 {
        let running = service([Flaw::LeadsSessionSetting]).await;
        let load = until_leak(&running, 8, 8, writes_and_lists_leads).await;
        assert!(load.leaks > 0, "{load:?}");
    }
}

#[tokio::test]
async fn session_setting_shows_nothing_one_by_one() {
    let running = service([Flaw::LeadsSessionSetting]).await;
    assert_eq!(one_by_one(&running, 4, 4, writes_and_lists_leads).await.leaks, 0);
}

#[tokio::test]
async fn twin_of_session_setting_shows_the_tenants_leads() {
    let running = service([]).await;
    let load = closed_loop(&running, 16, 8, |client, turn| async move {
        let leads = writes_and_lists_leads(client.clone(), turn).await;
        assert_eq!(leads.as_array().unwrap().len(), turn + 1);
        assert_eq!(client.get(&format!("/leads/{}", leads[0]["id"])).await.1, leads[0]);
        leads
    });
    assert_eq!(load.await.leaks, 0);
}

#[tokio::test]
async fn lead_of_another_is_not_there() {
    let running = service([]).await;
    let crowd = Client::crowd(&running, 2).await;
    let leads = writes_and_lists_leads(crowd[0].clone(), 0).await;
    assert_eq!(crowd[1].get(&format!("/leads/{}", leads[0]["id"])).await.0, StatusCode::NOT_FOUND);
}

/// Orders a report, and answers where it can be read.
async fn order(client: &Client, report: Value) -> String {
    let (status, queued) = client.post("/leads/reports", report).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    format!("/leads/reports/{}", text(&queued["report_id"]))
}

async fn ended(client: &Client, path: &str) -> Value {
    client.polled(path, "queued").await
}

async fn orders(client: Client, turn: usize) -> Value {
    let topic = client.secret(&format!("topic{turn}"));
    let letterhead = turn.is_multiple_of(2).then(|| client.secret("letterhead"));
    let path = order(&client, json!({ "topic": topic, "letterhead": letterhead })).await;
    let report = ended(&client, &path).await;
    assert_eq!((&report["status"], &report["topic"]), (&json!("done"), &json!(topic)));
    report
}

#[tokio::test]
async fn queue_context_shows_the_letterhead_of_another() {
    let running = service([Flaw::LeadsQueueContext]).await;
    assert!(until_leak(&running, 8, 32, orders).await.leaks > 0);
}

#[tokio::test]
async fn queue_context_shows_nothing_while_every_job_brings_its_own() {
    let running = service([Flaw::LeadsQueueContext]).await;
    let load = closed_loop(&running, 8, 4, |client, turn| orders(client, 2 * turn));
    assert_eq!(load.await.leaks, 0);
}

#[tokio::test]
async fn twin_of_queue_context_uses_the_jobs_letterhead_or_none() {
    let running = service([]).await;
    let load = closed_loop(&running, 8, 8, |client, turn| async move {
        let report = orders(client.clone(), turn).await;
        let expected = turn.is_multiple_of(2).then(|| client.secret("letterhead"));
        assert_eq!(report["letterhead"], json!(expected));
        report
    });
    assert_eq!(load.await.leaks, 0);
}

/// What another tenant's report comes to after one whose heading ends in the middle of a character.
async fn report_after_a_crash(flaw: Option<Flaw>) -> Value {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    let poison = order(&crowd[0], json!({ "topic": "\u{e9}".repeat(60) })).await;
    assert_eq!(ended(&crowd[0], &poison).await["status"], "failed");
    let path = order(&crowd[1], json!({ "topic": "harmless" })).await;
    ended(&crowd[1], &path).await["status"].clone()
}

#[tokio::test]
async fn crash_spreads_to_the_reports_of_others() {
    assert_eq!(report_after_a_crash(Some(Flaw::LeadsCrashSpreads)).await, "failed");
}

#[tokio::test]
async fn twin_of_crash_spreads_fails_alone() {
    assert_eq!(report_after_a_crash(None).await, "done");
}

#[tokio::test]
async fn crash_spreads_harms_nobody_while_nobody_crashes() {
    let running = service([Flaw::LeadsCrashSpreads]).await;
    assert_eq!(closed_loop(&running, 4, 2, orders).await.leaks, 0);
}

/// How many reports of a tenant that has ordered many are still to be written when another tenant's one, ordered later, is done.
async fn waiting_behind_one_report(flaw: Option<Flaw>) -> usize {
    const MANY: usize = 50;
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    let mut flood = Vec::new();
    for _ in 0..MANY {
        flood.push(order(&crowd[0], json!({ "topic": "flood" })).await);
    }
    let path = order(&crowd[1], json!({ "topic": "single" })).await;
    ended(&crowd[1], &path).await;
    let mut waiting = 0;
    for path in &flood {
        waiting += usize::from(crowd[0].get(path).await.1["status"] == "queued");
    }
    waiting
}

#[tokio::test]
async fn noisy_neighbour_makes_others_wait_for_all_of_a_flood() {
    assert_eq!(waiting_behind_one_report(Some(Flaw::LeadsNoisyNeighbour)).await, 0);
}

#[tokio::test]
async fn twin_of_noisy_neighbour_serves_others_beside_a_flood() {
    assert!(waiting_behind_one_report(None).await > 0);
}

#[tokio::test]
async fn flood_beyond_a_tenants_line_is_refused() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let mut refused = StatusCode::ACCEPTED;
    for _ in 0..2000 {
        if refused == StatusCode::ACCEPTED {
            refused = client.post("/leads/reports", json!({ "topic": "flood" })).await.0;
        }
    }
    assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
}

async fn configure(client: &Client) {
    let agent = json!({ "model": "small", "api_key": client.secret("key") });
    let (_, configured) = client.put("/leads/agent", agent).await;
    assert_eq!(configured, json!({ "user_id": client.user_id, "model": "small" }));
    assert_eq!(client.get("/leads/agent").await.1, configured);
}

/// Orders a report and answers the head of the webhook that says it is done.
async fn webhook_of(client: Client, _: usize) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let notify = format!("http://{}/done?x=1", listener.local_addr().unwrap());
    let path = order(&client, json!({ "topic": client.secret("topic"), "notify": notify })).await;
    let received = tokio::time::timeout(PATIENCE, receive(listener)).await.unwrap();
    assert!(received.starts_with("POST /done?x=1 HTTP/1.1\r\n"), "{received}");
    assert_eq!(client.get(&path).await.1["status"], "done");
    json!(received)
}

async fn receive(listener: TcpListener) -> String {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    while !text.ends_with('}') {
        let mut piece = [0; 1024];
        let read = socket.read(&mut piece).await.unwrap();
        assert!(read > 0, "cut off after {text}");
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    text
}

async fn configures_and_orders(client: Client, turn: usize) -> Value {
    configure(&client).await;
    webhook_of(client, turn).await
}

#[tokio::test]
async fn api_key_shared_sends_the_key_of_another_under_overlap() {
    let running = service([Flaw::LeadsApiKeyShared]).await;
    assert!(until_leak(&running, 8, 4, configures_and_orders).await.leaks > 0);
}

#[tokio::test]
async fn api_key_shared_sends_the_right_key_one_by_one() {
    let running = service([Flaw::LeadsApiKeyShared]).await;
    assert_eq!(one_by_one(&running, 3, 2, configures_and_orders).await.leaks, 0);
}

#[tokio::test]
async fn twin_of_api_key_shared_sends_the_users_key() {
    let running = service([]).await;
    assert_eq!(closed_loop(&running, 8, 4, configures_and_orders).await.leaks, 0);
    let client = Client::join(&running, "acme").await;
    assert!(!text(&webhook_of(client.clone(), 0).await).contains("x-api-key"), "there is none yet");
    configure(&client).await;
    let key = format!("x-api-key: {}\r\n", client.secret("key"));
    assert!(text(&webhook_of(client, 0).await).contains(&key));
}

#[tokio::test]
async fn webhooks_go_to_loopback_only() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    for url in ["http://192.0.2.1/", "https://127.0.0.1/", "ftp", "http://example.com/"] {
        let report = json!({ "topic": "topic", "notify": url });
        assert_eq!(client.post("/leads/reports", report).await.0, StatusCode::BAD_REQUEST, "{url}");
    }
}

#[tokio::test]
async fn report_of_another_is_not_there() {
    let running = service([]).await;
    let crowd = Client::crowd(&running, 2).await;
    let path = order(&crowd[0], json!({ "topic": crowd[0].secret("topic") })).await;
    assert_eq!(crowd[1].get(&path).await.0, StatusCode::NOT_FOUND);
    assert!(!shows_another(&ended(&crowd[0], &path).await, &crowd[0], &crowd));
}

async fn begins_and_lists_campaigns(client: Client, turn: usize) -> Value {
    let pitch = client.secret(&format!("pitch{turn}"));
    let draft = json!({ "name": "spring", "pitch": pitch });
    assert_eq!(client.post("/leads/campaigns", draft).await.0, StatusCode::CREATED);
    let (_, rows) = client.get("/leads/campaigns").await;
    assert!(rows.to_string().contains(&pitch));
    rows
}

#[tokio::test]
async fn rls_missing_shows_all_rows_of_one_table() {
    assert_eq!(leaks(Flaw::LeadsRlsMissing, begins_and_lists_campaigns).await, (true, false));
}

async fn sets_and_reads_persona(client: Client, turn: usize) -> Value {
    let persona = client.secret(&format!("persona{turn}"));
    let (status, _) = client.put("/leads/agents/assistant", json!({ "persona": persona })).await;
    assert_eq!(status, StatusCode::OK);
    client.get("/leads/agents/assistant").await.1
}

#[tokio::test]
async fn config_cache_shows_the_agent_of_another() {
    assert_eq!(leaks(Flaw::LeadsConfigCache, sets_and_reads_persona).await, (true, false));
}

#[tokio::test]
async fn persona_is_not_there_before_it_is_set_and_the_latest_after() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    assert_eq!(client.get("/leads/agents/assistant").await.0, StatusCode::NOT_FOUND);
    for turn in 0..3 {
        let named = sets_and_reads_persona(client.clone(), turn).await;
        assert_eq!(named["persona"], client.secret(&format!("persona{turn}")));
    }
}
