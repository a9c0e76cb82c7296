//! Files that are uploaded to a storage beside the service, by links that are good by themselves, and then scanned by a worker that
//! calls back with a form. The storage refuses whoever shows another credential than the link. The flaw: files of one name are one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::Service;
use crate::trial::{Build, assert_told_apart};

type Storage = State<Arc<Mutex<HashMap<String, String>>>>;
type Shared = State<Arc<Site>>;

struct Site {
    build: Build,
    storage: String,
    /// Account and name of each.
    files: Mutex<Vec<(usize, String)>>,
    /// How often each was asked for.
    scans: Mutex<Vec<u32>>,
}

fn admit(headers: &HeaderMap, query: &HashMap<String, String>, key: &str) -> Result<(), StatusCode> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let signed = query.get("signature").is_some_and(|signature| *signature == format!("signed-{key}"));
    signed.then_some(()).ok_or(StatusCode::FORBIDDEN)
}

async fn put(
    State(files): Storage,
    Path(key): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    text: String,
) -> Result<(), StatusCode> {
    admit(&headers, &query, &key)?;
    files.lock().unwrap().insert(key, text);
    Ok(())
}

async fn fetch(
    State(files): Storage,
    Path(key): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    admit(&headers, &query, &key)?;
    files.lock().unwrap().get(&key).cloned().ok_or(StatusCode::NOT_FOUND)
}

impl Site {
    fn account(headers: &HeaderMap) -> Result<usize, StatusCode> {
        let token = headers.get(header::AUTHORIZATION).and_then(|field| field.to_str().ok()?.strip_prefix("Bearer a-"));
        token.and_then(|token| token.parse().ok()).ok_or(StatusCode::UNAUTHORIZED)
    }

    /// A link to a file of the caller.
    fn link(&self, headers: &HeaderMap, file: usize) -> Result<String, StatusCode> {
        let (account, files) = (Self::account(headers)?, self.files.lock().unwrap());
        let (_, name) = files.get(file).filter(|(owner, _)| *owner == account).ok_or(StatusCode::NOT_FOUND)?;
        let key = if self.build == Build::Flawed { name.clone() } else { format!("{file}-{name}") };
        Ok(format!("{}/{key}?signature=signed-{key}", self.storage))
    }
}

async fn sign_up(Json(body): Json<Value>) -> Json<Value> {
    Json(json!({"token": format!("a-{}", body["number"].as_str().unwrap_or_default())}))
}

async fn create(State(site): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Result<Json<Value>, StatusCode> {
    let file = {
        let mut files = site.files.lock().unwrap();
        files.push((Site::account(&headers)?, body["name"].as_str().unwrap_or_default().to_owned()));
        files.len() - 1
    };
    Ok(Json(json!({"file": file, "upload": site.link(&headers, file)?})))
}

async fn read(State(site): Shared, headers: HeaderMap, Path(file): Path<usize>) -> Result<Json<Value>, StatusCode> {
    Ok(Json(json!({"download": site.link(&headers, file)?})))
}

async fn scan(
    State(site): Shared,
    headers: HeaderMap,
    Path(file): Path<usize>,
    Json(body): Json<Value>,
) -> Result<Response, StatusCode> {
    site.link(&headers, file)?;
    let number = {
        let mut scans = site.scans.lock().unwrap();
        scans.push(0);
        scans.len() - 1
    };
    let form = format!("scan={number}&state=clean&note={}", body["note"].as_str().unwrap_or_default());
    tokio::spawn(call(body["callback"].as_str().unwrap_or_default().to_owned(), number, form));
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, format!("/scans/{number}"))]).into_response())
}

async fn progress(State(site): Shared, Path(scan): Path<usize>) -> Result<Json<Value>, StatusCode> {
    let mut scans = site.scans.lock().unwrap();
    let asked = scans.get_mut(scan).ok_or(StatusCode::NOT_FOUND)?;
    *asked += 1;
    Ok(Json(json!({"state": if *asked > 2 { "clean" } else { "running" }})))
}

async fn call(url: String, number: usize, form: String) -> std::io::Result<()> {
    let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut socket = TcpStream::connect(host).await?;
    let kind = "application/x-www-form-urlencoded";
    let length = form.len();
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nx-delivery: d-{number}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    socket.write_all(format!("{head}{form}").as_bytes()).await?;
    socket.read_to_string(&mut String::new()).await.map(|_| ())
}

/// Which delivery it was that came in for a scan.
async fn delivery(Path((scan, delivery)): Path<(usize, String)>) -> StatusCode {
    if delivery == format!("d-{scan}") { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

fn service(build: Build) -> Router {
    let storage = Router::new().route("/{key}", get(fetch).put(put)).with_state(Arc::default());
    // It goes on as long as the test.
    let storage = Box::leak(Box::new(Service::start(storage))).url();
    let files = Site { build, storage, files: Mutex::default(), scans: Mutex::default() };
    Router::new()
        .route("/accounts", post(sign_up))
        .route("/files", post(create))
        .route("/files/{file}", get(read))
        .route("/files/{file}/scans", post(scan))
        .route("/scans/{scan}", get(progress))
        .route("/scans/{scan}/{delivery}", get(delivery))
        .with_state(Arc::new(files))
}

#[test]
fn files_of_one_name_that_are_one_are_found() {
    assert_told_apart(include_str!("presigned.yaml"), service, &["foreign-canary"]);
}
