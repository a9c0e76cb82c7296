//! Posts over GraphQL, with subscriptions over a WebSocket: whatever goes wrong is told with status 200. Flaws: a post is found by
//! its id alone; a post of one user is told to all who listen.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::trial::{Build, assert_told_apart};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    PostsHaveNoOwner,
    AllAreTold,
}

type Shared = (Flaw, Arc<Mutex<Blog>>);

#[derive(Default)]
struct Blog {
    users: u64,
    /// User and text of each.
    posts: Vec<(u64, Value)>,
    listeners: Vec<(u64, Value, UnboundedSender<Value>)>,
}

impl Blog {
    fn add(&mut self, flaw: Flaw, user: u64, text: &Value) -> Value {
        let id = self.posts.len().to_string();
        self.posts.push((user, text.clone()));
        let told = json!({"id": id, "text": text});
        for (of, subscription, listener) in &self.listeners {
            if *of == user || flaw == Flaw::AllAreTold {
                let next = json!({"type": "next", "id": subscription, "payload": {"data": {"postAdded": told}}});
                // One that has gone is told nothing.
                let _ = listener.send(next);
            }
        }
        json!({"data": {"addPost": {"id": id}}})
    }

    fn post(&self, flaw: Flaw, user: u64, id: &Value) -> Value {
        let place = id.as_str().and_then(|id| id.parse::<usize>().ok());
        let found = place.and_then(|place| self.posts.get(place));
        match found.filter(|(owner, _)| *owner == user || flaw == Flaw::PostsHaveNoOwner) {
            Some((_, text)) => json!({"data": {"post": {"text": text}}}),
            None => json!({"data": {"post": null}, "errors": [{"message": "there is no such post"}]}),
        }
    }
}

fn token(written: Option<&str>) -> Option<u64> {
    written?.strip_prefix("Bearer ")?.parse().ok()
}

async fn ask(State((flaw, blog)): State<Shared>, headers: HeaderMap, Json(asked): Json<Value>) -> Json<Value> {
    let mut blog = blog.lock().unwrap();
    let (query, variables) = (asked["query"].as_str().unwrap_or_default(), &asked["variables"]);
    if query.contains("signUp") {
        blog.users += 1;
        return Json(json!({"data": {"signUp": {"token": blog.users, "user": {"id": blog.users}}}}));
    }
    let user = token(headers.get("authorization").and_then(|field| field.to_str().ok()));
    Json(match user {
        None => json!({"data": null, "errors": [{"message": "log in first"}]}),
        Some(user) if query.contains("addPost") => blog.add(flaw, user, &variables["text"]),
        Some(user) => blog.post(flaw, user, &variables["id"]),
    })
}

async fn connect(State((_, blog)): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["graphql-transport-ws"]).on_upgrade(move |socket| async move {
        // A client that has gone is told nothing.
        let _ = serve(socket, blog).await;
    })
}

async fn serve(mut socket: WebSocket, blog: Arc<Mutex<Blog>>) -> Result<(), axum::Error> {
    let (sender, mut events) = unbounded_channel::<Value>();
    let mut user = None;
    loop {
        tokio::select! {
            Some(event) = events.recv() => socket.send(Message::text(event.to_string())).await?,
            message = socket.recv() => {
                let Some(message) = message.transpose()? else { return Ok(()) };
                let said: Value = serde_json::from_str(message.to_text()?).unwrap_or_default();
                match said["type"].as_str() {
                    Some("connection_init") => {
                        user = token(said["payload"]["authorization"].as_str());
                        socket.send(Message::text(json!({"type": "connection_ack"}).to_string())).await?;
                    }
                    Some("subscribe") => {
                        let listener = user.map(|user| (user, said["id"].clone(), sender.clone()));
                        blog.lock().unwrap().listeners.extend(listener);
                    }
                    Some("ping") => socket.send(Message::text(json!({"type": "pong"}).to_string())).await?,
                    _ => {}
                }
            }
        }
    }
}

fn assert_flaw(flaw: Flaw, oracles: &[&str]) {
    let service = |build| {
        let flaw = if build == Build::Flawed { flaw } else { Flaw::None };
        Router::new().route("/graphql", post(ask).get(connect)).with_state((flaw, Arc::default()))
    };
    assert_told_apart(include_str!("graphql.yaml"), service, oracles);
}

#[test]
fn a_post_that_is_found_by_its_id_alone_is_found() {
    assert_flaw(Flaw::PostsHaveNoOwner, &["access"]);
}

#[test]
fn a_post_that_is_told_to_all_is_found() {
    assert_flaw(Flaw::AllAreTold, &["foreign-canary"]);
}
