//! Sockets and streams that come back, fall behind, or outlive their session.

use coalmine_target::{Flaw, Running};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Client, Socket, service, shows_another, text};

const LARGE_RUNS: usize = 12;

/// Hears the first event of a run, and hangs up.
async fn drops_after_the_first_event(client: &Client) -> (String, Value) {
    let mut socket = client.socket("").await;
    let run = client.start_run(&client.thread().await, &client.secret("prompt")).await;
    let first = socket.hear().await;
    assert_eq!(first["type"], "agent_started");
    (run, first["id"].clone())
}

/// What is heard by the first of two tenants, who hangs up and comes back with the id of its last event, with a run of the second
/// one's between these, or before.
async fn heard_after_coming_back(flaw: Option<Flaw>, meanwhile: bool) -> bool {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    let other = async || crowd[1].completed(&crowd[1].start_run(&crowd[1].thread().await, "prompt").await).await;
    if !meanwhile {
        other().await;
    }
    let (run, last) = drops_after_the_first_event(&crowd[0]).await;
    if meanwhile {
        other().await;
    }
    crowd[0].completed(&run).await;
    let mut socket = crowd[0].socket(&format!("?last_event_id={last}")).await;
    let run = crowd[0].start_run(&crowd[0].thread().await, &crowd[0].secret("prompt")).await;
    let heard = socket.hear_until_completed(&run).await;
    shows_another(&Value::from(heard), &crowd[0], &crowd)
}

#[tokio::test]
async fn ws_replay_tells_what_others_have_missed() {
    assert!(heard_after_coming_back(Some(Flaw::AgentsWsReplay), true).await);
}

#[tokio::test]
async fn ws_replay_shows_nothing_while_others_are_silent() {
    assert!(!heard_after_coming_back(Some(Flaw::AgentsWsReplay), false).await);
}

#[tokio::test]
async fn twin_of_ws_replay_tells_the_users_own() {
    assert!(!heard_after_coming_back(None, true).await);
}

#[tokio::test]
async fn socket_that_comes_back_hears_what_it_has_missed_once_and_in_order() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let (run, last) = drops_after_the_first_event(&client).await;
    client.completed(&run).await;
    let mut socket = client.socket(&format!("?last_event_id={last}")).await;
    let heard = socket.hear_until_completed(&run).await;
    let seqs: Vec<_> = heard.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [2, 3, 4, 5]);
}

#[tokio::test]
async fn stream_tells_what_the_socket_tells_and_is_taken_up_again() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let mut stream = client.stream(None).await;
    let run = client.start_run(&client.thread().await, &client.secret("prompt")).await;
    let heard = stream.hear_until("agent_completed").await;
    assert_eq!(heard.matches("data: ").count(), 5, "{heard}");
    assert!(heard.contains(&client.secret("prompt")) && heard.contains(&run));
    let first = heard.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let again = client.stream(Some(first)).await.hear_until("agent_completed").await;
    assert_eq!(again.matches("data: ").count(), 4, "{again}");
}

/// A socket whose reader has stopped while its user's runs had much to say.
async fn stalled(client: &Client) -> Socket {
    let socket = client.socket("").await;
    let (thread, prompt) = (client.thread().await, "large ".repeat(5000));
    let mut runs = Vec::new();
    for _ in 0..LARGE_RUNS {
        runs.push(client.start_run(&thread, &prompt).await);
    }
    for run in runs {
        client.completed(&run).await;
    }
    socket
}

#[tokio::test]
async fn ws_lost_event_loses_completions_without_a_word() {
    let running = service([Flaw::AgentsWsLostEvent]).await;
    let client = Client::join(&running, "acme").await;
    let mut socket = stalled(&client).await;
    // The first small ones may still be lost, while the reader catches up.
    let small_runs = async {
        let thread = client.thread().await;
        for _ in 0..20 {
            client.completed(&client.start_run(&thread, "small").await).await;
        }
    };
    let is_small = |event: &Value| event["type"] == "agent_completed" && event["data"]["prompt"] == "small";
    let (heard, ()) = tokio::join!(socket.hear_until(is_small), small_runs);
    let completed = heard.iter().filter(|event| event["type"] == "agent_completed").count() - 1;
    assert!(completed < LARGE_RUNS, "{completed}");
}

#[tokio::test]
async fn twin_of_ws_lost_event_ends_the_socket_that_has_missed_some() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    assert_eq!(stalled(&client).await.close_code().await, Some(1013));
}

#[tokio::test]
async fn ws_lost_event_loses_nothing_of_a_reader_that_keeps_up() {
    let running = service([Flaw::AgentsWsLostEvent]).await;
    let client = Client::join(&running, "acme").await;
    let (mut socket, thread) = (client.socket("").await, client.thread().await);
    for _ in 0..LARGE_RUNS {
        let run = client.start_run(&thread, &"large ".repeat(5000)).await;
        assert_eq!(socket.hear_until_completed(&run).await.len(), 5);
    }
}

/// A client that has logged out with a socket open, and a thread that it may use over that.
async fn logged_out(running: &Running) -> (Socket, Value) {
    let client = Client::join(running, "acme").await;
    let socket = client.socket("").await;
    let thread = client.thread().await;
    assert_eq!(client.get("/me").await.0, StatusCode::OK);
    assert_eq!(client.post("/auth/logout", json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(client.get("/me").await.0, StatusCode::UNAUTHORIZED);
    assert!(client.try_socket("").await.is_err());
    (socket, json!({ "type": "agent_request", "thread_id": thread, "agent": "analyst", "prompt": "after" }))
}

#[tokio::test]
async fn logout_leaves_an_open_socket_at_work() {
    let running = service([Flaw::HttpLogout]).await;
    let (mut socket, request) = logged_out(&running).await;
    socket.say(request).await;
    let heard = socket.hear_until(|event| event["type"] == "agent_completed").await;
    assert_eq!((heard.len(), text(&heard[4]["data"]["prompt"])), (5, "after".to_owned()));
}

#[tokio::test]
async fn twin_of_logout_ends_the_sessions_sockets() {
    let running = service([]).await;
    let (mut socket, _) = logged_out(&running).await;
    assert_eq!(socket.close_code().await, Some(1008));
}

#[tokio::test]
async fn logout_ends_one_session_of_the_user() {
    let running = service([]).await;
    let first = Client::join(&running, "acme").await;
    let mut second = first.clone();
    second.move_to(&running).await;
    let mut socket = second.socket("").await;
    assert_eq!(first.post("/auth/logout", json!({})).await.0, StatusCode::NO_CONTENT);
    let run = second.start_run(&second.thread().await, "prompt").await;
    assert_eq!(socket.hear_until_completed(&run).await.len(), 5);
}
