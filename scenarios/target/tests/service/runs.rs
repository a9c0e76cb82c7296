//! What runs share: desks, threads to merge into, approvals.

use coalmine_target::Flaw;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Client, service, shows_another, text};
use crate::load::{closed_loop, one_by_one, until_leak};

async fn learns(client: Client, turn: usize) -> Value {
    let thread = client.thread().await;
    let run = client.start_run(&thread, &client.secret(&format!("prompt{turn}"))).await;
    client.completed(&run).await;
    client.get(&format!("/agents/threads/{thread}/facts")).await.1
}

#[tokio::test]
async fn merge_puts_facts_into_anothers_thread_under_overlap() {
    let running = service([Flaw::AgentsMerge]).await;
    let load = until_leak(&running, 8, 3, learns).await;
    assert!(load.leaks > 0, "{load:?}");
}

#[tokio::test]
async fn merge_shows_nothing_one_by_one() {
    let running = service([Flaw::AgentsMerge]).await;
    assert_eq!(one_by_one(&running, 3, 2, learns).await.leaks, 0);
}

#[tokio::test]
async fn twin_of_merge_keeps_facts_in_their_thread() {
    let running = service([]).await;
    let load = closed_loop(&running, 8, 3, |client, turn| async move {
        let facts = learns(client.clone(), turn).await;
        let expected = format!("analyst has looked into {}", client.secret(&format!("prompt{turn}")));
        assert_eq!(facts["facts"], json!([expected]));
        facts
    });
    assert_eq!(load.await.leaks, 0);
}

/// What the second of two tenants gets from its run, after the first one's was stopped for its time limit.
async fn result_after_a_timeout(flaw: Option<Flaw>) -> (bool, Value) {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    let thread = crowd[0].thread().await;
    let hurried = json!({ "agent": "analyst", "prompt": crowd[0].secret("prompt"), "time_limit_ms": 25 });
    let (_, run) = crowd[0].post(&format!("/agents/threads/{thread}/runs"), hurried).await;
    let report = crowd[0].ended(&text(&run["run_id"])).await;
    assert_eq!((&report["status"], &report["result"]), (&json!("timed_out"), &Value::Null));
    let run = crowd[1].start_run(&crowd[1].thread().await, &crowd[1].secret("prompt")).await;
    let report = crowd[1].completed(&run).await;
    (shows_another(&report, &crowd[1], &crowd), report)
}

#[tokio::test]
async fn timeout_bleed_shows_the_draft_of_the_run_before() {
    let (leaks, report) = result_after_a_timeout(Some(Flaw::AgentsTimeoutBleed)).await;
    assert!(leaks, "{report}");
}

#[tokio::test]
async fn twin_of_timeout_bleed_begins_with_a_clear_desk() {
    let (leaks, report) = result_after_a_timeout(None).await;
    assert!(!leaks, "{report}");
}

#[tokio::test]
async fn timeout_bleed_shows_nothing_while_runs_keep_their_time() {
    let running = service([Flaw::AgentsTimeoutBleed]).await;
    let load = closed_loop(&running, 8, 3, |client, _| async move {
        let run = client.start_run(&client.thread().await, &client.secret("prompt")).await;
        client.completed(&run).await
    });
    assert_eq!(load.await.leaks, 0);
}

/// What the first child of a mission knows once a second was told something, and whether a stranger may ask.
async fn notes_of_the_first_child(flaw: Option<Flaw>) -> (Value, StatusCode) {
    let running = service(flaw).await;
    let [client, stranger] = [Client::join(&running, "acme").await, Client::join(&running, "umbrella").await];
    let (status, mission) = client.post("/agents/missions", json!({ "goal": "find customers" })).await;
    assert_eq!(status, StatusCode::CREATED);
    let tasks = format!("/agents/missions/{}/tasks", text(&mission["id"]));
    let mut ids = vec![];
    for task in ["first", "second"] {
        let (status, told) = client.post(&tasks, json!({ "task": task })).await;
        assert_eq!(status, StatusCode::CREATED);
        ids.push(text(&told["id"]));
    }
    let first = format!("{tasks}/{}", ids[0]);
    (client.get(&first).await.1["notes"].clone(), stranger.get(&first).await.0)
}

#[tokio::test]
async fn child_shares_parent_tells_a_child_what_its_sibling_was_told() {
    let (notes, stranger) = notes_of_the_first_child(Some(Flaw::AgentsChildSharesParent)).await;
    assert_eq!((notes, stranger), (json!(["find customers", "first", "second"]), StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn twin_of_child_shares_parent_tells_each_child_its_own() {
    let (notes, stranger) = notes_of_the_first_child(None).await;
    assert_eq!((notes, stranger), (json!(["find customers", "first"]), StatusCode::NOT_FOUND));
}

async fn proposes(client: &Client) -> String {
    let draft = json!({ "workload": "orders", "description": client.secret("description") });
    let (status, proposed) = client.post("/agents/synthetic", draft).await;
    assert_eq!((status, &proposed["status"]), (StatusCode::ACCEPTED, &json!("pending")));
    format!("/agents/synthetic/{}", text(&proposed["id"]))
}

/// Two tenants propose, then the first one approves: whose data it gets, and what has become of the two proposals.
async fn approved_while_another_is_pending(flaw: Option<Flaw>) -> (bool, [Value; 2]) {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    let [first, second] = [proposes(&crowd[0]).await, proposes(&crowd[1]).await];
    let (_, made) = crowd[0].post(&format!("{first}/approve"), json!({})).await;
    let status = async |client: &Client, path| client.get(path).await.1["status"].clone();
    let statuses = [status(&crowd[0], &first).await, status(&crowd[1], &second).await];
    (shows_another(&made, &crowd[0], &crowd), statuses)
}

#[tokio::test]
async fn approval_mix_carries_out_what_another_has_proposed() {
    let (leaks, statuses) = approved_while_another_is_pending(Some(Flaw::AgentsApprovalMix)).await;
    assert!(leaks);
    assert_eq!(statuses, ["pending", "approved"], "a foreign write");
}

#[tokio::test]
async fn twin_of_approval_mix_carries_out_what_was_approved() {
    let (leaks, statuses) = approved_while_another_is_pending(None).await;
    assert!(!leaks);
    assert_eq!(statuses, ["approved", "pending"]);
}

async fn proposes_and_approves(client: Client, _: usize) -> Value {
    let path = proposes(&client).await;
    let (status, made) = client.post(&format!("{path}/approve"), json!({})).await;
    assert_eq!(status, StatusCode::OK);
    assert!(made["rows"].to_string().contains(&client.secret("description")));
    assert_eq!(client.post(&format!("{path}/approve"), json!({})).await.0, StatusCode::CONFLICT);
    made
}

#[tokio::test]
async fn approval_mix_shows_nothing_one_by_one() {
    let running = service([Flaw::AgentsApprovalMix]).await;
    assert_eq!(one_by_one(&running, 3, 2, proposes_and_approves).await.leaks, 0);
}

#[tokio::test]
async fn approvals_are_the_owners_own() {
    let running = service([]).await;
    let crowd = Client::crowd(&running, 2).await;
    let path = proposes(&crowd[0]).await;
    assert_eq!(crowd[1].get(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(crowd[1].post(&format!("{path}/approve"), json!({})).await.0, StatusCode::NOT_FOUND);
    let running = service([]).await;
    assert_eq!(closed_loop(&running, 4, 3, proposes_and_approves).await.leaks, 0);
}

async fn run_context(client: Client, turn: usize) -> Value {
    let thread = client.thread().await;
    let run = client.start_run(&thread, &client.secret(&format!("prompt{turn}"))).await;
    let mut report = client.completed(&run).await;
    assert_eq!(report["thread_id"], thread.as_str());
    report["context"].take()
}

#[tokio::test]
async fn thread_echo_shows_anothers_thread_under_overlap() {
    let running = service([Flaw::AgentsThreadEcho]).await;
    let load = until_leak(&running, 8, 3, run_context).await;
    assert!(load.leaks > 0, "{load:?}");
}

#[tokio::test]
async fn thread_echo_shows_nothing_one_by_one() {
    let running = service([Flaw::AgentsThreadEcho]).await;
    assert_eq!(one_by_one(&running, 3, 2, run_context).await.leaks, 0);
}

#[tokio::test]
async fn twin_of_thread_echo_shows_the_runs_thread() {
    let running = service([]).await;
    let load = closed_loop(&running, 8, 3, |client, turn| async move {
        let context = run_context(client.clone(), turn).await;
        assert_eq!(context["title"], client.secret("title"));
        context
    });
    assert_eq!(load.await.leaks, 0);
}
