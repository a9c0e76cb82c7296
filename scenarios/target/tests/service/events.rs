use coalmine_target::Flaw;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::client::{Client, service, shows_another};

const KINDS: [&str; 5] = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"];

/// What the second of two connected tenants hears while the first has a run: both run in the end, so that there is an
/// event to wait for.
async fn heard_beside_a_run(flaw: Option<Flaw>) -> bool {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    let (mut first, mut second) = (crowd[0].socket("").await, crowd[1].socket("").await);
    let run = crowd[0].start_run(&crowd[0].thread().await, &crowd[0].secret("prompt")).await;
    first.hear_until_completed(&run).await;
    let run = crowd[1].start_run(&crowd[1].thread().await, &crowd[1].secret("prompt")).await;
    let heard = second.hear_until_completed(&run).await;
    shows_another(&Value::from(heard), &crowd[1], &crowd)
}

#[tokio::test]
async fn ws_broadcast_tells_everyone_of_a_run() {
    assert!(heard_beside_a_run(Some(Flaw::AgentsWsBroadcast)).await);
}

#[tokio::test]
async fn twin_of_ws_broadcast_tells_the_owner_only() {
    assert!(!heard_beside_a_run(None).await);
}

#[tokio::test]
async fn twin_tells_each_of_64_connected_tenants_its_own_five_events() {
    let running = service([]).await;
    let crowd = Client::crowd(&running, 64).await;
    let mut sockets = join_all(crowd.iter().map(|client| client.socket(""))).await;
    let heard = join_all(crowd.iter().zip(&mut sockets).map(async |(client, socket)| {
        let run = client.start_run(&client.thread().await, &client.secret("prompt")).await;
        socket.hear_until_completed(&run).await
    }));
    for (client, events) in crowd.iter().zip(heard.await) {
        assert_eq!(events.len(), 5);
        assert!(!shows_another(&Value::from(events), client, &crowd));
    }
}

#[tokio::test]
async fn stale_route_alone_misroutes_nothing_while_sockets_stay() {
    assert!(!heard_beside_a_run(Some(Flaw::AgentsWsStaleRoute)).await);
}

/// What tenants hear who connect while the runs of tenants that hung up go on.
async fn heard_after_churn(flaw: Option<Flaw>, rounds: usize) -> usize {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 8).await;
    let mut leaks = 0;
    for _ in 0..rounds {
        let threads = join_all(crowd.iter().map(hangs_up)).await;
        // In another order than before: the first free slot is that of another.
        let again = crowd.iter().zip(&threads).rev();
        let heard = join_all(again.map(|(client, thread)| comes_back(client, thread, &crowd))).await;
        leaks += heard.into_iter().filter(|leaked| *leaked).count();
    }
    leaks
}

/// Hangs up while a run goes on; returns its thread.
async fn hangs_up(client: &Client) -> String {
    let socket = client.socket("").await;
    let thread = client.thread().await;
    client.start_run(&thread, &client.secret("abandoned")).await;
    drop(socket);
    thread
}

async fn comes_back(client: &Client, thread: &str, crowd: &[Client]) -> bool {
    let mut socket = client.socket("").await;
    let run = client.start_run(thread, &client.secret("prompt")).await;
    let heard = socket.hear_until_completed(&run).await;
    shows_another(&Value::from(heard), client, crowd)
}

#[tokio::test]
async fn ws_stale_route_tells_the_next_socket_in_each_of_ten_services() {
    for _ in 0..10 {
        let leaks = heard_after_churn(Some(Flaw::AgentsWsStaleRoute), 3).await;
        println!("agents.ws-stale-route: {leaks} of 24");
        assert!(leaks > 0);
    }
}

#[tokio::test]
async fn twin_of_ws_stale_route_tells_nobody() {
    assert_eq!(heard_after_churn(None, 5).await, 0);
}

#[tokio::test]
async fn ws_stale_route_shows_nothing_to_one_who_comes_after_the_run() {
    let running = service([Flaw::AgentsWsStaleRoute]).await;
    let crowd = Client::crowd(&running, 4).await;
    for client in &crowd {
        let socket = client.socket("").await;
        let run = client.start_run(&client.thread().await, &client.secret("abandoned")).await;
        drop(socket);
        client.completed(&run).await;
        let thread = hangs_up(client).await;
        assert!(!comes_back(client, &thread, &crowd).await);
    }
}

#[tokio::test]
async fn golden_path_over_the_socket_tells_five_events_in_order() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let thread = client.thread().await;
    let mut socket = client.browser_socket().await;
    let prompt = client.secret("prompt");
    socket.say(json!({ "type": "agent_request", "thread_id": thread, "agent": "analyst", "prompt": prompt })).await;
    for (seq, kind) in (1..).zip(KINDS) {
        let event = socket.hear().await;
        assert_eq!((&event["type"], &event["seq"]), (&json!(kind), &json!(seq)));
        assert_eq!(event["user_id"], client.user_id.as_str());
        assert_eq!(event["thread_id"], thread.as_str());
        if kind == "agent_completed" {
            let (_, report) = client.get(&format!("/agents/runs/{}", event["run_id"].as_str().unwrap())).await;
            assert_eq!(report["status"], "completed");
        }
    }
}

#[tokio::test]
async fn socket_hears_only_the_types_it_asked_for() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let mut socket = client.socket("?types=tool_executing,agent_completed").await;
    let run = client.start_run(&client.thread().await, "prompt").await;
    let heard = socket.hear_until_completed(&run).await;
    let kinds: Vec<_> = heard.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["tool_executing", "agent_completed"]);
}

#[tokio::test]
async fn every_socket_of_a_user_hears_its_runs() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let mut sockets = [client.socket("").await, client.socket("").await];
    let run = client.start_run(&client.thread().await, "prompt").await;
    for socket in &mut sockets {
        assert_eq!(socket.hear_until_completed(&run).await.len(), 5);
    }
}

#[tokio::test]
async fn nonsense_and_threads_of_others_are_refused_over_the_socket() {
    let running = service([]).await;
    let crowd = Client::crowd(&running, 2).await;
    let thread = crowd[0].thread().await;
    let mut socket = crowd[1].socket("").await;
    socket.say(json!({ "type": "dance" })).await;
    assert_eq!(socket.hear().await["type"], "error");
    socket.say(json!({ "type": "agent_request", "thread_id": thread, "agent": "analyst", "prompt": "p" })).await;
    assert_eq!(socket.hear().await, json!({ "type": "error", "error": "there is no such thing" }));
}

#[tokio::test]
async fn socket_needs_a_token_and_known_types() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let refused = client.try_socket("?types=agent_dancing").await.err().unwrap();
    assert!(refused.to_string().contains("400"), "{refused}");
    let url = format!("{}/agents/events", running.url().replacen("http", "ws", 1));
    let refused = tokio_tungstenite::connect_async(url).await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
}

#[tokio::test]
async fn stopping_closes_sockets() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let mut socket = client.socket("").await;
    running.stop().await;
    assert!(socket.is_closed().await);
}
