//! Entries behind a token, in pages that say in a header where the next one is. The flaw: a page that is asked for by its cursor
//! shows what stands there, whoever wrote it.

use std::sync::{Arc, Mutex};

use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart};

type Shared = State<(Build, Arc<Mutex<Diary>>)>;

const PAGE: usize = 2;

#[derive(Default)]
struct Diary {
    users: usize,
    /// User and text of each.
    entries: Vec<(usize, Value)>,
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Page {
    cursor: Option<usize>,
}

fn user(headers: &HeaderMap) -> Result<usize, StatusCode> {
    let token = headers.get(header::AUTHORIZATION).and_then(|field| field.to_str().ok()?.strip_prefix("Token "));
    token.and_then(|token| token.parse().ok()).ok_or(StatusCode::UNAUTHORIZED)
}

async fn login(State((_, diary)): Shared, Form(login): Form<Login>) -> Result<Json<Value>, StatusCode> {
    if login.username.is_empty() || login.password.is_empty() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let mut diary = diary.lock().unwrap();
    diary.users += 1;
    Ok(Json(json!({"token": (diary.users - 1).to_string()})))
}

async fn add(
    State((_, diary)): Shared,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let mut diary = diary.lock().unwrap();
    let entry = diary.entries.len();
    diary.entries.push((user(&headers)?, body["text"].clone()));
    Ok((StatusCode::CREATED, Json(json!({"id": entry}))))
}

async fn read(
    State((_, diary)): Shared,
    headers: HeaderMap,
    Path(entry): Path<usize>,
) -> Result<Json<Value>, StatusCode> {
    let (diary, user) = (diary.lock().unwrap(), user(&headers)?);
    let (_, text) = diary.entries.get(entry).filter(|(owner, _)| *owner == user).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({"text": text})))
}

async fn list(
    State((build, diary)): Shared,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Response, StatusCode> {
    let (diary, user) = (diary.lock().unwrap(), user(&headers)?);
    let shows_all = build == Build::Flawed && page.cursor.is_some();
    let of_user = |(_, (owner, _)): &(usize, &(usize, Value))| shows_all || *owner == user;
    let mut rest = diary.entries.iter().enumerate().skip(page.cursor.unwrap_or_default()).filter(of_user);
    let shown: Vec<Value> = rest.by_ref().take(PAGE).map(|(id, (_, text))| json!({"id": id, "text": text})).collect();
    let mut answer = Json(json!({"results": shown})).into_response();
    if let Some((next, _)) = rest.next() {
        let host = headers[header::HOST].to_str().unwrap_or_default();
        let link = format!("<http://{host}/entries?cursor={next}>; rel=\"next\"");
        answer.headers_mut().insert(header::LINK, link.parse().unwrap());
    }
    Ok(answer)
}

fn service(build: Build) -> Router {
    let router = Router::new().route("/api-token-auth", post(login)).route("/entries", post(add).get(list));
    router.route("/entries/{entry}", get(read)).with_state((build, Arc::default()))
}

#[test]
fn a_page_that_forgets_whose_list_it_belongs_to_is_found() {
    assert_told_apart(include_str!("cursor_pages.yaml"), service, &["foreign-canary"]);
}
