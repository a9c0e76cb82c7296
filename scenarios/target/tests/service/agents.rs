use coalmine_target::Flaw;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Client, service, text};
use crate::load::{closed_loop, one_by_one, until_leak};

async fn runs(client: Client, turn: usize) -> Value {
    let prompt = client.secret(&format!("prompt{turn}"));
    let thread = client.thread().await;
    let run = client.start_run(&thread, &prompt).await;
    let report = client.completed(&run).await;
    assert_eq!(report["prompt"], prompt.as_str());
    report
}

#[tokio::test]
async fn shared_state_shows_another_under_overlap_in_each_of_ten_services() {
    for _ in 0..10 {
        let running = service([Flaw::AgentsSharedState]).await;
        let load = until_leak(&running, 8, 5, runs).await;
        assert!(load.leaks > 0, "{load:?}");
        println!("agents.shared-state: {load:?}");
        running.stop().await;
    }
}

#[tokio::test]
async fn shared_state_shows_nothing_one_by_one() {
    let running = service([Flaw::AgentsSharedState]).await;
    assert_eq!(one_by_one(&running, 3, 3, runs).await.leaks, 0);
}

#[tokio::test]
async fn twin_of_shared_state_shows_nothing() {
    let running = service([]).await;
    assert_eq!(closed_loop(&running, 16, 5, runs).await.leaks, 0);
}

#[tokio::test]
async fn result_and_history_hold_what_the_owner_asked() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let thread = client.thread().await;
    let run = client.start_run(&thread, &client.secret("prompt")).await;
    let report = client.completed(&run).await;
    assert!(text(&report["result"]).contains(&client.secret("prompt")));
    let (_, conversation) = client.get(&format!("/agents/threads/{thread}")).await;
    let expected = json!({
        "id": thread,
        "user_id": client.user_id,
        "title": client.secret("title"),
        "runs": [{
            "run_id": run,
            "agent": "analyst",
            "prompt": client.secret("prompt"),
            "status": "completed",
        }],
    });
    assert_eq!(conversation, expected);
    assert_eq!(client.get("/agents/threads").await.1[0]["id"], thread.as_str());
}

#[tokio::test]
async fn threads_and_runs_of_others_are_not_there() {
    let running = service([]).await;
    let crowd = Client::crowd(&running, 2).await;
    let thread = crowd[0].thread().await;
    let run = crowd[0].start_run(&thread, "prompt").await;
    for path in [format!("/agents/threads/{thread}"), format!("/agents/runs/{run}")] {
        assert_eq!(crowd[0].get(&path).await.0, StatusCode::OK);
        assert_eq!(crowd[1].get(&path).await.0, StatusCode::NOT_FOUND);
    }
    let body = json!({ "agent": "analyst", "prompt": "mine" });
    let (status, _) = crowd[1].post(&format!("/agents/threads/{thread}/runs"), body).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

async fn asks(client: Client, turn: usize) -> Value {
    let instructions = client.secret(&format!("instructions{turn}"));
    let path = "/agents/instances/analyst";
    client.put(&format!("{path}/instructions"), json!({ "instructions": instructions })).await;
    let (_, stored) = client.get(&format!("{path}/instructions")).await;
    assert_eq!(stored["instructions"], instructions.as_str());
    client.post(&format!("{path}/ask"), json!({ "question": client.secret("question") })).await.1
}

#[tokio::test]
async fn instance_by_name_shows_the_first_users_instructions_even_one_by_one() {
    let running = service([Flaw::AgentsInstanceByName]).await;
    assert!(one_by_one(&running, 2, 1, asks).await.leaks > 0);
}

#[tokio::test]
async fn twin_of_instance_by_name_shows_the_callers_latest_instructions() {
    let running = service([]).await;
    let load = closed_loop(&running, 8, 5, |client, turn| async move {
        let answer = asks(client.clone(), turn).await;
        assert!(text(&answer["answer"]).contains(&client.secret(&format!("instructions{turn}"))));
        answer
    });
    assert_eq!(load.await.leaks, 0);
}
