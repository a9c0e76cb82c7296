//! Objects whose ids their owners choose: the id itself is a secret, and a refusal that quotes it shows nothing.

mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::put;
use support::{Coalmine, Service};

const SCENARIO: &str = r#"
coalmine: 1
name: documents
target: {url: http://127.0.0.1:1}
tenants: 8
canaries: {key: token, text: text}
auth:
  steps: []
  send: {headers: {x-user: "{{user.name}}"}}
flows:
  documents:
    repeat: 4
    steps:
      - {id: store, put: "/documents/{{canary.key}}", text: "{{canary.text}}", capture: {document: {header: location}}}
      - {id: read, get: "/documents/{{document}}", sees: text}
objects:
  document: {id: document, read: read}
"#;

type Documents = Arc<Mutex<HashMap<String, (String, String)>>>;

/// Everybody may read, or only the owner; the refusal quotes the id in either case.
#[derive(Clone)]
struct Shelf {
    documents: Documents,
    asks_whose: bool,
}

async fn store(State(shelf): State<Shelf>, Path(id): Path<String>, headers: HeaderMap, text: String) -> HeaderMap {
    shelf.documents.lock().expect("no holder panics").insert(id.clone(), (user(&headers), text));
    HeaderMap::from_iter([(axum::http::header::LOCATION, id.parse().expect("a token is a header's value"))])
}

async fn read(State(shelf): State<Shelf>, Path(id): Path<String>, headers: HeaderMap) -> (StatusCode, String) {
    match shelf.documents.lock().expect("no holder panics").get(&id) {
        Some((owner, text)) if !shelf.asks_whose || *owner == user(&headers) => (StatusCode::OK, text.clone()),
        _ => (StatusCode::NOT_FOUND, format!("there is no document {id}")),
    }
}

fn user(headers: &HeaderMap) -> String {
    headers.get("x-user").map_or("", |user| user.to_str().expect("names are plain")).to_owned()
}

fn service(asks_whose: bool) -> Service {
    let shelf = Shelf { documents: Documents::default(), asks_whose };
    Service::start(Router::new().route("/documents/{id}", put(store).get(read)).with_state(shelf))
}

#[test]
fn a_refusal_that_quotes_the_id_is_no_leak() {
    let run = Coalmine::new().scenario(SCENARIO).gate(&service(true).url());
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn content_by_anothers_id_is() {
    let run = Coalmine::new().scenario(SCENARIO).gate(&service(false).url());
    assert_eq!((run.code, run.kinds()), (1, vec!["access".to_owned()]), "{run}");
}
