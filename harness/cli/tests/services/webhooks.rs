//! A job queue that calls back. Two flaws, both of a worker that keeps what it should take from each job: it signs with the
//! key of the job that was begun last, or it calls the URL of that job.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::trial::{Build, assert_told_apart};

/// What the worker keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Nothing,
    Key,
    Url,
}

type Queue = State<(Keeps, Arc<Mutex<Accounts>>)>;

#[derive(Default)]
struct Accounts {
    count: usize,
    jobs: usize,
    last: Option<Call>,
}

#[derive(Clone)]
struct Call {
    key: String,
    url: String,
}

async fn sign_up(State((_, accounts)): Queue) -> Json<Value> {
    let mut accounts = accounts.lock().unwrap();
    accounts.count += 1;
    Json(json!({"key": format!("key-{}", accounts.count), "account": accounts.count}))
}

async fn submit(
    State((keeps, accounts)): Queue,
    headers: HeaderMap,
    Json(job): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let key = headers.get("x-api-key").and_then(|key| key.to_str().ok()).ok_or(StatusCode::UNAUTHORIZED)?.to_owned();
    let account: usize = key.trim_start_matches("key-").parse().map_err(|_| StatusCode::UNAUTHORIZED)?;
    let own = Call { key, url: job["callback"].as_str().unwrap_or_default().to_owned() };
    let number = {
        let mut accounts = accounts.lock().unwrap();
        accounts.jobs += 1;
        accounts.last = Some(own.clone());
        accounts.jobs
    };
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let last = accounts.lock().unwrap().last.clone().unwrap();
        let key = if keeps == Keeps::Key { last.key } else { own.key };
        let url = if keeps == Keeps::Url { last.url } else { own.url };
        let body = json!({"job": number, "account": account, "output": job["input"]});
        // Whoever does not answer is not called again.
        let _ = call(&Call { key, url }, &body.to_string()).await;
    });
    Ok(Json(json!({"job": number, "account": account})))
}

async fn call(Call { key, url }: &Call, body: &str) -> std::io::Result<()> {
    let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut socket = TcpStream::connect(host).await?;
    let length = body.len();
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nx-api-key: {key}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Ok(())
}

fn service(keeps: Keeps) -> Router {
    Router::new().route("/accounts", post(sign_up)).route("/jobs", post(submit)).with_state((keeps, Arc::default()))
}

fn assert_flaw(flaw: Keeps, oracles: &[&str]) {
    let build = |build| service(if build == Build::Flawed { flaw } else { Keeps::Nothing });
    assert_told_apart(include_str!("webhooks.yaml"), build, oracles);
}

#[test]
fn a_worker_that_keeps_the_last_jobs_key_is_found() {
    assert_flaw(Keeps::Key, &["wrong-credential"]);
}

#[test]
fn a_worker_that_keeps_the_last_jobs_url_is_found() {
    assert_flaw(Keeps::Url, &["misrouted-event"]);
}
