//! A login at another host: the service sends the browser there, and it comes back with a code that is worth a session.
//! Flaw: who has signed in stands in one place for all until the code comes back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use axum::extract::{Form, Query, State};
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::support::{Coalmine, Run};
use crate::trial::Build;
use crate::wire::Server;

#[derive(Default)]
struct Logins {
    serial: usize,
    /// Users by the codes that stand for them.
    codes: HashMap<String, String>,
    latest: String,
}

#[derive(Default)]
struct Site {
    /// Where the login server is.
    login: String,
    logins: Arc<Mutex<Logins>>,
    build: Option<Build>,
    sessions: Mutex<Vec<String>>,
    notes: Mutex<HashMap<String, Vec<String>>>,
}

/// Its logins, and the address of the service, once it has one.
type LoginServer = (Arc<Mutex<Logins>>, Arc<OnceLock<String>>);
type Fields = HashMap<String, String>;

fn found(to: String, cookie: Option<String>) -> Response {
    let mut answer = (StatusCode::FOUND, [(LOCATION, to)]).into_response();
    answer.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie.parse().unwrap())));
    answer
}

async fn authorize(Query(query): Query<Fields>) -> Response {
    let state = &query["state"];
    let page = format!("<form><input name=state value={state}><input name=csrf value=c-{state}></form>");
    ([(SET_COOKIE, format!("login={state}; Path=/; HttpOnly"))], Html(page)).into_response()
}

async fn sign_in(
    State((logins, service)): State<LoginServer>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Response {
    let state = &form["state"];
    let cookies = headers.get(COOKIE).and_then(|field| field.to_str().ok()).unwrap_or_default();
    if form["csrf"] != format!("c-{state}") || !cookies.contains(&format!("login={state}")) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut logins = logins.lock().unwrap();
    logins.serial += 1;
    let code = format!("code-{}", logins.serial);
    logins.codes.insert(code.clone(), form["user"].clone());
    logins.latest.clone_from(&form["user"]);
    let service = service.get().unwrap();
    found(format!("{service}/callback?code={code}&state={state}"), None)
}

async fn login(State(site): State<Arc<Site>>) -> Response {
    let mut sessions = site.sessions.lock().unwrap();
    sessions.push(String::new());
    let state = sessions.len() - 1;
    found(format!("{}/authorize?state={state}", site.login), Some(format!("sid={state}; Path=/")))
}

fn session(headers: &HeaderMap) -> Option<usize> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    assert!(!cookies.contains("login="), "cookies of the login server are for it alone");
    cookies.split("; ").find_map(|pair| pair.strip_prefix("sid="))?.parse().ok()
}

async fn callback(State(site): State<Arc<Site>>, headers: HeaderMap, Query(query): Query<Fields>) -> Response {
    let Some(sid) = session(&headers).filter(|sid| sid.to_string() == query["state"]) else {
        return StatusCode::FORBIDDEN.into_response();
    };
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let mut logins = site.logins.lock().unwrap();
    let Some(user) = logins.codes.remove(&query["code"]) else { return StatusCode::FORBIDDEN.into_response() };
    let user = if site.build == Some(Build::Flawed) { logins.latest.clone() } else { user };
    site.sessions.lock().unwrap()[sid] = user;
    found("/me".to_owned(), None)
}

impl Site {
    fn user(&self, headers: &HeaderMap) -> Result<String, StatusCode> {
        let sessions = self.sessions.lock().unwrap();
        let user = session(headers).and_then(|sid| sessions.get(sid).cloned()).filter(|user| !user.is_empty());
        user.ok_or(StatusCode::UNAUTHORIZED)
    }
}

async fn me(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    Ok(Json(json!({"user": site.user(&headers)?})))
}

async fn write(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Json(note): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let mut notes = site.notes.lock().unwrap();
    let own = notes.entry(site.user(&headers)?).or_default();
    own.push(note["text"].to_string());
    Ok(Json(json!({"id": own.len()})))
}

async fn list(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let notes = site.notes.lock().unwrap();
    Ok(Json(json!(notes.get(&site.user(&headers)?))))
}

fn gate(build: Build) -> Run {
    let (logins, own) = (Arc::<Mutex<Logins>>::default(), Arc::<OnceLock<String>>::default());
    let router = Router::new().route("/authorize", get(authorize)).route("/sign-in", post(sign_in));
    let server = Server::start(router.with_state((logins.clone(), own.clone())), None);
    let login_url = format!("http://localhost:{}", server.port);
    let site = Site { login: login_url.clone(), logins, build: Some(build), ..Site::default() };
    let router = Router::new().route("/login", get(login)).route("/callback", get(callback)).route("/me", get(me));
    let router = router.route("/notes", get(list).post(write)).with_state(Arc::new(site));
    let service = Server::start(router, None);
    let url = service.url("http");
    own.set(url.clone()).unwrap();
    let coalmine = Coalmine::new().scenario(include_str!("oauth.yaml"));
    let arguments = [
        "gate",
        "scenario.yaml",
        "--target",
        &url,
        "--seed",
        "1",
        "--rounds",
        "2",
        "--until",
        "leak",
        "--format",
        "json",
    ];
    let mut command = coalmine.command(&arguments);
    Run::of(&command.env("AUTH_URL", login_url).output().unwrap())
}

#[test]
fn a_login_at_another_host_that_takes_one_user_for_another_is_found() {
    let twin = gate(Build::Twin);
    assert_eq!(twin.code, 0, "{twin}");
    let flawed = gate(Build::Flawed);
    assert_eq!(flawed.code, 1, "{flawed}");
    assert_eq!(flawed.kinds(), ["foreign-canary", "identity-echo"], "{flawed}");
}
