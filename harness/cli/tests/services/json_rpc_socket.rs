//! Deals over JSON-RPC on a WebSocket: answers carry the number of the request, and no type; pictures come as binary frames. Whoever
//! is not known is told a ticket when the socket is closed. The flaw: answers are kept for who asks again, by the number of the
//! request alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart};

type Shared = (Build, Arc<Mutex<Office>>);

#[derive(Default)]
struct Office {
    accounts: usize,
    /// Account and text of each.
    deals: Vec<(usize, Value)>,
    answers: HashMap<u64, Value>,
    tickets: usize,
}

impl Office {
    fn get(&self, account: usize, deal: &Value) -> Value {
        let place = usize::try_from(deal.as_u64().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        match self.deals.get(place).filter(|(owner, _)| *owner == account) {
            Some((_, text)) => json!({"result": {"text": text}}),
            None => json!({"error": {"code": -32004, "message": "there is no such deal"}}),
        }
    }

    fn answer(&mut self, build: Build, account: usize, asked: &Value) -> Vec<Message> {
        let number = asked["id"].as_u64().unwrap_or_default();
        let (mut answer, mut told) = (json!({"result": null}), vec![]);
        match asked["method"].as_str() {
            Some("deals.add") => {
                let deal = self.deals.len();
                self.deals.push((account, asked["params"]["text"].clone()));
                let params = json!({"deal": deal, "text": asked["params"]["text"]});
                told.push(Message::text(json!({"method": "deal.changed", "params": params}).to_string()));
                answer = json!({"result": {"deal": deal}});
            }
            Some("deals.get") => {
                answer = self.get(account, &asked["params"]["deal"]);
                if build == Build::Flawed {
                    answer = self.answers.entry(number).or_insert(answer).clone();
                }
            }
            Some("deals.picture") => {
                let text = self.get(account, &asked["params"]["deal"])["result"]["text"].clone();
                let bytes = [b"\x89PNG\x00", text.as_str().unwrap_or_default().as_bytes()].concat();
                told.push(Message::binary(bytes));
            }
            _ => answer = json!({"error": {"code": -32601}}),
        }
        answer["id"] = number.into();
        told.push(Message::text(answer.to_string()));
        told
    }
}

async fn sign_up(State((_, deals)): State<Shared>) -> Json<Value> {
    let mut deals = deals.lock().unwrap();
    deals.accounts += 1;
    Json(json!({"token": deals.accounts}))
}

async fn ticket(State((_, deals)): State<Shared>, Path(ticket): Path<usize>) -> Result<Json<Value>, StatusCode> {
    let known = ticket < deals.lock().unwrap().tickets;
    known.then(|| Json(json!({"state": "open"}))).ok_or(StatusCode::NOT_FOUND)
}

async fn connect(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        // A client that has gone is told nothing.
        let _ = serve(socket, shared).await;
    })
}

fn read(message: Message) -> Value {
    message.to_text().ok().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

async fn serve(mut socket: WebSocket, (build, deals): Shared) -> Result<(), axum::Error> {
    let Some(hello) = socket.recv().await.transpose()?.map(read) else { return Ok(()) };
    let Some(account) = hello["params"]["token"].as_u64() else {
        let reason = {
            let mut deals = deals.lock().unwrap();
            deals.tickets += 1;
            format!("nobody knows you; ticket {}", deals.tickets - 1)
        };
        return socket.send(Message::Close(Some(CloseFrame { code: 4401, reason: reason.into() }))).await;
    };
    let account = usize::try_from(account).unwrap_or_default();
    socket.send(Message::text(json!({"id": hello["id"], "result": "welcome"}).to_string())).await?;
    while let Some(message) = socket.recv().await.transpose()? {
        let Message::Text(_) = &message else { continue };
        let answers = deals.lock().unwrap().answer(build, account, &read(message));
        for answer in answers {
            socket.send(answer).await?;
        }
    }
    Ok(())
}

fn service(build: Build) -> Router {
    let router = Router::new().route("/accounts", post(sign_up)).route("/rpc", any(connect));
    router.route("/tickets/{ticket}", get(ticket)).with_state((build, Arc::default()))
}

#[test]
fn an_answer_that_was_kept_by_its_number_alone_is_found() {
    assert_told_apart(include_str!("json_rpc_socket.yaml"), service, &["foreign-canary"]);
}
