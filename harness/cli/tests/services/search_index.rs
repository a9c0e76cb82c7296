//! A full-text index that has no tenant. Whoever searches for a secret of their own finds their own alone: it takes a search for what
//! others' texts hold as well.

use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart};

#[derive(Default)]
struct Library {
    members: usize,
    /// Whose each paper is.
    papers: Vec<(usize, Value)>,
}

type Shared = State<(Build, Arc<Mutex<Library>>)>;

#[derive(Deserialize)]
struct Search {
    q: String,
}

fn member(headers: &HeaderMap) -> Result<usize, StatusCode> {
    let card = headers.get("authorization").and_then(|card| card.to_str().ok()?.strip_prefix("Bearer ")?.parse().ok());
    card.ok_or(StatusCode::UNAUTHORIZED)
}

async fn join(State((_, library)): Shared) -> Json<Value> {
    let mut library = library.lock().unwrap();
    library.members += 1;
    Json(json!({"card": library.members.to_string()}))
}

async fn file(State((_, library)): Shared, headers: HeaderMap, Json(paper): Json<Value>) -> Result<(), StatusCode> {
    let whose = member(&headers)?;
    library.lock().unwrap().papers.push((whose, paper));
    Ok(())
}

async fn search(
    State((build, library)): Shared,
    headers: HeaderMap,
    Query(search): Query<Search>,
) -> Result<Json<Value>, StatusCode> {
    let who = member(&headers)?;
    let library = library.lock().unwrap();
    let q = search.q.to_lowercase();
    let may_see = |whose: usize| build == Build::Flawed || whose == who;
    let is_hit = |paper: &Value| !q.is_empty() && paper.to_string().to_lowercase().contains(&q);
    let hits = library.papers.iter().filter(|(whose, paper)| may_see(*whose) && is_hit(paper));
    Ok(Json(hits.map(|(_, paper)| paper.clone()).collect()))
}

fn service(build: Build) -> Router {
    let routes = Router::new().route("/members", post(join)).route("/papers", post(file).get(search));
    routes.with_state((build, Arc::default()))
}

#[test]
fn an_index_without_tenants_is_found_by_what_their_texts_have_in_common() {
    assert_told_apart(include_str!("search_index.yaml"), service, &["foreign-canary"]);
}
