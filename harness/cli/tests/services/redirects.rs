//! Redirects: what goes along, what is looked at, and where they never lead. Other names, hosts and paths of a target.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use coalmine_core::history::Happening;

use crate::support::{Coalmine, Run};
use crate::trial::Build;
use crate::wire::{Server, endings};

/// What came in.
#[derive(Clone, Debug)]
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

type Log = Arc<Mutex<Vec<Asked>>>;

async fn note(State(log): State<Log>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) {
    log.lock().unwrap().push(Asked { method, uri, headers, body });
}

impl Asked {
    fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

fn scenario(target: &str, step: &str) -> String {
    format!(
        "coalmine: 1\nname: redirects\ntarget: {{url: http://127.0.0.1:1, {target}}}\ntenants: 1\ncanaries: {{}}\n\
         flows: {{one: {{steps: [{step}]}}}}\n"
    )
}

/// A redirect that sets a cookie.
fn to(status: StatusCode, location: String) -> Response {
    (status, [(header::LOCATION, location), (header::SET_COOKIE, "crumb=1; Path=/".to_owned())]).into_response()
}

/// What one server asks another when the first redirects to it.
fn handed_on(status: StatusCode, host: &str, step: &str) -> (Vec<Asked>, Vec<Happening>) {
    let log = Log::default();
    let second = Server::start(Router::new().fallback(any(note)).with_state(log.clone()), None);
    let location = format!("http://{host}:{}/there?x=1#y", second.port);
    let first = Server::start(Router::new().route("/here", any(move || async move { to(status, location) })), None);
    let coalmine = Coalmine::new().scenario(&scenario("http: 1.1", step));
    coalmine.gate(&first.url("http"));
    let asked = log.lock().unwrap().clone();
    (asked, endings(&coalmine, "go"))
}

const POST: &str =
    "{id: go, post: /here, follow: 1, json: {a: 1}, headers: {authorization: Bearer t, x-key: k}, cookies: {own: c}}";

#[test]
fn a_redirect_to_another_host_takes_no_credentials_along() {
    let (asked, ended) = handed_on(StatusCode::TEMPORARY_REDIRECT, "localhost", POST);
    let [asked] = &asked[..] else { panic!("{asked:?} {ended:?}") };
    assert_eq!((asked.method.as_str(), asked.uri.to_string().as_str()), ("POST", "/there?x=1"));
    assert_eq!(asked.body, "{\"a\":1}");
    assert_eq!((asked.field("authorization"), asked.field("cookie"), asked.field("x-key")), (None, None, Some("k")));
    assert!(asked.field("host").is_some_and(|host| host.starts_with("localhost:")), "{asked:?}");
    let Happening::Ok(answer) = &ended[0] else { panic!("{ended:?}") };
    assert_eq!((answer.status, answer.hops.len(), answer.hops[0].status), (Some(200), 1, 307));
}

#[test]
fn a_redirect_after_a_form_is_fetched_without_its_body() {
    let (asked, ended) = handed_on(StatusCode::SEE_OTHER, "127.0.0.1", POST);
    let [asked] = &asked[..] else { panic!("{asked:?} {ended:?}") };
    assert_eq!((asked.method.as_str(), asked.body.len(), asked.field("content-type")), ("GET", 0, None));
    // Cookies belong to a host, whatever its port.
    assert_eq!(asked.field("cookie"), Some("crumb=1"));
}

#[test]
fn a_redirect_is_followed_only_where_a_step_asks_for_it() {
    let (asked, ended) = handed_on(StatusCode::FOUND, "127.0.0.1", "{id: go, get: /here, expect: {status: 302}}");
    assert!(asked.is_empty() && matches!(&ended[0], Happening::Ok(answer) if answer.hops.is_empty()), "{ended:?}");
}

#[test]
fn a_redirect_to_a_host_that_is_not_listed_is_never_followed_and_names_it() {
    let router = Router::new().route("/here", get(|| async { to(StatusCode::FOUND, "http://192.0.2.7/x".into()) }));
    let server = Server::start(router, None);
    let text = scenario("http: 1.1", "{id: go, get: /here, follow: 9}");
    let run = Coalmine::new().scenario(&text).gate(&server.url("http"));
    assert!(run.code == 4, "{run}");
    let text = text.replace("flows:", "auth: {steps: [{id: login, get: /here, follow: 9}]}\nflows:");
    let run = Coalmine::new().scenario(&text).gate(&server.url("http"));
    let told = "a redirect was not followed: it leads to `192.0.2.7`, which is neither loopback nor in `target.hosts`";
    assert!(run.code == 3 && run.stdout.contains(told), "{run}");
}

#[test]
fn redirects_that_lead_in_circles_end() {
    let router = Router::new().route("/here", get(|| async { to(StatusCode::FOUND, "here".into()) }));
    let server = Server::start(router, None);
    let coalmine = Coalmine::new().scenario(&scenario("http: 1.1", "{id: go, get: /here, follow: 3}"));
    coalmine.gate(&server.url("http"));
    let ended = endings(&coalmine, "go");
    assert!(
        matches!(&ended[0], Happening::Info { answer, why } if answer.hops.len() == 3 && why.contains("3 redirects")),
        "{ended:?}"
    );
}

type Last = Arc<Mutex<String>>;

/// The page behind the redirect is empty; the redirect's own body shows a note.
async fn write(State((build, last)): State<(Build, Last)>, text: String) -> Response {
    let other = std::mem::replace(&mut *last.lock().unwrap(), text.clone());
    let shown = if build == Build::Flawed { other } else { text };
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/done")], shown).into_response()
}

fn gate_notes(build: Build) -> Run {
    let router = Router::new().route("/notes", post(write)).route("/done", get(|| async { "done" }));
    let server = Server::start(router.with_state((build, Last::default())), None);
    let step = "{id: write, post: /notes, follow: 1, text: \"{{canary.note}}\", sees: note}";
    let text = scenario("http: 1.1", step).replace("tenants: 1", "tenants: 4").replace("{}", "{note: text}");
    Coalmine::new().scenario(&text.replace("{steps", "{repeat: 4, steps")).gate(&server.url("http"))
}

#[test]
fn a_leak_in_a_redirect_that_is_followed_is_found() {
    let (twin, flawed) = (gate_notes(Build::Twin), gate_notes(Build::Flawed));
    assert_eq!(twin.code, 0, "{twin}");
    assert_eq!((flawed.code, flawed.kinds()), (1, vec!["foreign-canary".to_owned()]), "{flawed}");
}

#[test]
fn a_target_may_have_a_path_another_name_and_an_address_of_ipv6() {
    for target in ["host_header: \"api.example.test:8443\"", "host_header: \"api.example.test:8443\", http: 2"] {
        let log = Log::default();
        let server = Server::start_at("[::1]:0", Router::new().fallback(any(note)).with_state(log.clone()), None);
        let text =
            scenario(&format!("ready: /health, {target}"), "{id: go, get: /notes}, {id: link, get: \"{{env.LINK}}\"}");
        let text = text.replace("tenants: 1", "tenants: 1\nvariables: {LINK: \"https://api.example.test:8443/x\"}");
        let run = Coalmine::new().scenario(&text).gate(&format!("http://[::1]:{}/api/v1/", server.port));
        let asked = log.lock().unwrap().clone();
        let paths: BTreeSet<_> = asked.iter().map(|asked| asked.uri.path()).collect();
        assert_eq!(paths, ["/api/v1/health", "/api/v1/notes", "/x"].into(), "{run}");
        for asked in asked {
            let name = asked.field("host").or(asked.uri.authority().map(Authority::as_str));
            assert_eq!(name, Some("api.example.test:8443"));
        }
    }
}
