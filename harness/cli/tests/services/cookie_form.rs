//! Pages for a browser: a form with a hidden token, a login that sets a cookie, and a redirect after each change.
//! Flaw: the user of a request stands in a place that all requests share while the page is made.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::trial::{Build, assert_told_apart};

#[derive(Default)]
struct Pages {
    serial: u64,
    sessions: HashMap<String, Session>,
    passwords: HashMap<String, String>,
    notes: HashMap<String, Vec<String>>,
    current: Option<String>,
}

#[derive(Clone, Default)]
struct Session {
    hidden: String,
    user: Option<String>,
}

struct Site {
    build: Build,
    pages: Mutex<Pages>,
}

type Fields = HashMap<String, String>;

impl Site {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn open(&mut self, user: Option<String>) -> String {
        self.serial += 1;
        let id = format!("s{}", self.serial);
        let hidden = format!("h{}&{}", self.serial, self.serial * 7);
        self.sessions.insert(id.clone(), Session { hidden, user });
        id
    }

    fn session(&self, headers: &HeaderMap) -> Option<Session> {
        let cookies = headers.get(COOKIE)?.to_str().ok()?;
        let id = cookies.split("; ").find_map(|pair| pair.strip_prefix("sid="))?;
        self.sessions.get(id).cloned()
    }
}

fn refused() -> Response {
    StatusCode::FORBIDDEN.into_response()
}

fn see_other(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, path.to_owned())]).into_response()
}

fn form(hidden: &str, rest: &str) -> String {
    let hidden = hidden.replace('&', "&amp;");
    format!("<form method=post><input type=hidden name=csrf value=\"{hidden}\">{rest}</form>")
}

async fn login_page(State(site): State<Arc<Site>>) -> Response {
    let mut pages = site.pages();
    let id = pages.open(None);
    let page = form(&pages.sessions[&id].hidden, "<input name=user><input name=password type=password>");
    ([(SET_COOKIE, format!("sid={id}; Path=/; HttpOnly"))], Html(page)).into_response()
}

async fn login(State(site): State<Arc<Site>>, headers: HeaderMap, Form(fields): Form<Fields>) -> Response {
    let mut pages = site.pages();
    let Some(session) = pages.session(&headers) else { return refused() };
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    if field("csrf") != session.hidden || field("user").is_empty() {
        return refused();
    }
    let password = pages.passwords.entry(field("user")).or_insert_with(|| field("password")).clone();
    if password != field("password") {
        return refused();
    }
    // A new session, so that nobody can plant one.
    let id = pages.open(Some(field("user")));
    let cookie = format!("sid={id}; Path=/; HttpOnly; SameSite=Lax");
    let mut answer = see_other("/notes");
    answer.headers_mut().insert(SET_COOKIE, cookie.parse().expect("a cookie of digits is a header"));
    answer
}

async fn notes(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let Some(session) = site.pages().session(&headers) else { return see_other("/login") };
    let Some(user) = session.user else { return see_other("/login") };
    site.pages().current = Some(user.clone());
    tokio::time::sleep(Duration::from_millis(2)).await;
    let pages = site.pages();
    let shown = if site.build == Build::Flawed { pages.current.clone().unwrap_or(user) } else { user };
    let items: Vec<_> = pages.notes.get(&shown).into_iter().flatten().map(|note| format!("<li>{note}</li>")).collect();
    let items = items.concat();
    Html(form(&session.hidden, &format!("<textarea name=text></textarea><ul class=notes>{items}</ul>"))).into_response()
}

async fn write(State(site): State<Arc<Site>>, headers: HeaderMap, Form(fields): Form<Fields>) -> Response {
    let mut pages = site.pages();
    let Some(Session { hidden, user: Some(user) }) = pages.session(&headers) else { return refused() };
    if fields.get("csrf") != Some(&hidden) {
        return refused();
    }
    pages.notes.entry(user).or_default().push(fields.get("text").cloned().unwrap_or_default());
    see_other("/notes")
}

pub(crate) fn service(build: Build) -> Router {
    let site = Site { build, pages: Mutex::default() };
    let routes = Router::new().route("/login", get(login_page).post(login)).route("/notes", get(notes).post(write));
    routes.with_state(Arc::new(site))
}

#[test]
fn a_shared_place_for_the_user_of_a_request_is_found() {
    assert_told_apart(include_str!("cookie_form.yaml"), service, &["foreign-canary"]);
}
