//! The service: entries are a house's own, and rendered pages are kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

/// What a guestbook's team would write.
pub(crate) const SCENARIO: &str = r#"coalmine: 1
name: guestbook
tenants: 3
canaries: {entry: text}
auth:
  steps:
    - {id: enter, post: "/houses/{{tenant.name}}"}
  send: {headers: {x-house: "{{tenant.name}}"}}
flows:
  pages:
    repeat: 2
    steps:
      - {id: write, post: /pages/summer, text: "{{canary.entry}}", expect: {status: 201}}
      - {id: read, get: /pages/summer, sees: entry}
"#;

/// What a page is kept under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheKey {
    /// The bug: all houses have a page of that name.
    Page,
    /// Right.
    HouseAndPage,
}

#[derive(Debug)]
struct Guestbook {
    key: CacheKey,
    /// By house and page.
    entries: Mutex<BTreeMap<(String, String), Vec<String>>>,
    rendered: Mutex<BTreeMap<(String, String), String>>,
}

/// The service, with nothing in it.
pub(crate) fn router(key: CacheKey) -> Router {
    let book = Guestbook { key, entries: Mutex::default(), rendered: Mutex::default() };
    Router::new()
        .route("/houses/{house}", post(|| async { StatusCode::OK }))
        .route("/pages/{page}", post(write).get(read))
        .with_state(Arc::new(book))
}

fn house(headers: &HeaderMap) -> Result<String, StatusCode> {
    let house = headers.get("x-house").and_then(|house| house.to_str().ok());
    house.map(str::to_owned).ok_or(StatusCode::UNAUTHORIZED)
}

async fn write(
    State(book): State<Arc<Guestbook>>,
    Path(page): Path<String>,
    headers: HeaderMap,
    entry: String,
) -> Result<StatusCode, StatusCode> {
    let house = house(&headers)?;
    book.rendered.lock().unwrap_or_else(PoisonError::into_inner).remove(&book.kept_under(&house, &page));
    let mut entries = book.entries.lock().unwrap_or_else(PoisonError::into_inner);
    entries.entry((house, page)).or_default().push(entry);
    Ok(StatusCode::CREATED)
}

async fn read(
    State(book): State<Arc<Guestbook>>,
    Path(page): Path<String>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    let house = house(&headers)?;
    let mut rendered = book.rendered.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = rendered.entry(book.kept_under(&house, &page));
    Ok(kept.or_insert_with(|| book.render(house, page)).clone())
}

impl Guestbook {
    fn kept_under(&self, house: &str, page: &str) -> (String, String) {
        match self.key {
            CacheKey::Page => (String::new(), page.to_owned()),
            CacheKey::HouseAndPage => (house.to_owned(), page.to_owned()),
        }
    }

    fn render(&self, house: String, page: String) -> String {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(&(house, page)).map(|entries| entries.join("\n")).unwrap_or_default()
    }
}
