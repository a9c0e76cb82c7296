//! A careful run against a service that others use: nothing stays, nothing is overrun, nobody else is asked.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

mod support;

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Redirect;
use axum::routing::{get, post};
use coalmine_target::{Config, Running, Storage, start};
use rusqlite::Connection;
use support::{Coalmine, Run, Service};
use tokio::runtime::Runtime;

const HOLDS: &str = r#"
coalmine: 1
name: holds
target: {url: http://127.0.0.1:1, ready: /health}
tenants: {accounts: accounts.csv}
canaries: {reason: text}
auth:
  steps:
    - id: login
      post: /auth/login
      json: {email: "{{user.name}}", password: "{{user.password}}"}
      capture: {token: $.token, user_id: $.user_id}
  send: {headers: {authorization: "Bearer {{token}}"}}
identity:
  user: {field: $.user_id, mine: user_id, may_see: user}
flows:
  holds:
    repeat: 9
    steps:
      - {id: create, post: /operations/holds, json: {part: A-17, quantity: 4, reason: "{{canary.reason}}"}, expect: {status: 201}, capture: {hold: $.id}}
      - {id: read, get: "/operations/holds/{{hold}}", sees: reason}
      - {id: list, get: /operations/holds, sees: reason}
    cleanup:
      - {id: release, delete: "/operations/holds/{{hold}}", expect: {status: 204}}
  profile:
    steps:
      - {id: whoami, get: /me}
objects:
  hold: {id: hold, read: read, delete: release}
profiles:
  staging: {budget: {rate: 40/s}, policy: {overlap: 0, overlap_pairs_percent: 0}}
"#;

const PASSWORD: &str = "correct horse battery staple";

/// The built-in target with three accounts of three tenants, and its database.
struct Staging {
    runtime: Runtime,
    running: Running,
    folder: tempfile::TempDir,
}

impl Staging {
    fn start() -> Self {
        let (runtime, folder) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
        let storage = Storage::File(folder.path().join("target.sqlite"));
        let running = runtime.block_on(start(Config { storage, ..Config::default() })).unwrap();
        let staging = Self { runtime, running, folder };
        let register = "coalmine: 1\nname: accounts\ntarget: {url: http://127.0.0.1:1}\ntenants: 3\nflows:\n  all:\n    steps:\n      - {id: register, post: /auth/register, json: {email: \"{{tenant.index}}@example.com\", password: PASSWORD, tenant: \"t{{tenant.index}}\", note: hello}, expect: {status: 201}}\n";
        let run = Coalmine::new().scenario(&register.replace("PASSWORD", PASSWORD)).gate(&staging.running.url());
        assert_eq!(run.code, 4, "{run}");
        staging
    }

    /// Every row of every table of the service.
    fn rows(&self) -> Vec<String> {
        let database = Connection::open(self.folder.path().join("target.sqlite")).unwrap();
        let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        let mut names = database.prepare(names).unwrap();
        let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        names.iter().flat_map(|name| rows_of(&database, name)).collect()
    }

    fn requests(&self) -> usize {
        self.running.arrivals().len()
    }

    fn stop(self) {
        self.runtime.block_on(self.running.stop());
    }
}

fn rows_of(database: &Connection, table: &str) -> Vec<String> {
    let mut all = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let columns = all.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let values: Vec<rusqlite::types::Value> = (0..columns).map(|column| row.get(column).unwrap()).collect();
        Ok(format!("{table} {values:?}"))
    };
    all.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn coalmine() -> Coalmine {
    let coalmine = Coalmine::new().scenario(HOLDS);
    let accounts: Vec<String> = (0..3).map(|n| format!("t{n},{n}@example.com,{PASSWORD}")).collect();
    std::fs::write(coalmine.path().join("accounts.csv"), format!("tenant,user,password\n{}", accounts.join("\n")))
        .unwrap();
    coalmine
}

fn smoke(coalmine: &Coalmine, url: &str, more: &[&str]) -> Run {
    let mut arguments = vec!["smoke", "scenario.yaml", "--target", url, "--seed", "1", "--format", "json"];
    arguments.extend(more);
    coalmine.run(&arguments)
}

#[test]
fn a_smoke_test_leaves_the_database_as_it_found_it_and_stays_under_its_rate() {
    let (staging, coalmine) = (Staging::start(), coalmine());
    let (rows, before) = (staging.rows(), staging.requests());
    let run = smoke(&coalmine, &staging.running.url(), &["--profile", "staging", "--allow-writes"]);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(staging.rows(), rows, "{run}");
    let report = run.json();
    assert!(report["smoke"]["bound"].as_str().unwrap().contains("less than a gate"), "{run}");
    assert_eq!(report["smoke"]["leftovers"].as_array().unwrap().len(), 0, "{run}");
    assert!(!run.stdout.contains(PASSWORD), "{run}");
    let arrivals = staging.running.arrivals().split_off(before);
    assert!(arrivals.len() > 40, "{} requests", arrivals.len());
    let took = *arrivals.last().unwrap() - arrivals[0];
    // Pairs at 40/s: as many intervals of 25 ms as there are requests, but for the first and the last pair.
    let least = Duration::from_millis(25) * u32::try_from(arrivals.len() - 4).unwrap();
    assert!(took >= least, "{} requests in {took:?}", arrivals.len());
    staging.stop();
}

#[test]
fn without_leave_nothing_is_written_and_the_verdict_says_so() {
    let (staging, coalmine) = (Staging::start(), coalmine());
    let rows = staging.rows();
    let run = smoke(&coalmine, &staging.running.url(), &["--profile", "staging"]);
    assert_eq!(run.code, 4, "{run}");
    assert_eq!(staging.rows(), rows, "{run}");
    assert_eq!(run.json()["smoke"]["left_out"], serde_json::json!(["create", "release"]), "{run}");
    assert!(run.stdout.contains("`create` writes, and was left out"), "{run}");
    staging.stop();
}

#[test]
fn a_host_that_is_not_listed_is_2_and_nothing_is_sent() {
    let run = smoke(&coalmine(), "http://192.0.2.1:80", &["--profile", "staging"]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("192.0.2.1"), "{run}");
}

#[test]
fn a_redirect_to_a_host_that_is_not_listed_is_never_followed_and_the_host_never_asked() {
    // No loopback address by its number, and yet this machine: whoever did follow would be seen.
    let elsewhere = TcpListener::bind("0.0.0.0:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let elsewhere_url = format!("http://0.0.0.0:{}/auth/login", elsewhere.local_addr().unwrap().port());
    for follow in ["", "\n      follow: 3"] {
        let location = elsewhere_url.clone();
        let router = Router::new()
            .route("/health", get(async || "ok"))
            .route("/auth/login", post(async move || Redirect::temporary(&location)));
        let service = Service::start(router);
        let coalmine = coalmine().scenario(&HOLDS.replace("post: /auth/login", &format!("post: /auth/login{follow}")));
        let run = smoke(&coalmine, &service.url(), &["--profile", "staging"]);
        assert_eq!(run.code, 3, "{run}");
        let told = if follow.is_empty() { "307" } else { "`0.0.0.0`, which is neither loopback nor in `target.hosts`" };
        assert!(run.stdout.contains("login") && run.stdout.contains(told), "{run}");
        assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody was there: {run}");
    }
    let _visit = TcpStream::connect(elsewhere.local_addr().unwrap()).unwrap();
    elsewhere.set_nonblocking(false).unwrap();
    assert!(elsewhere.accept().is_ok(), "a visit is seen");
}

/// A service whose notes cannot be removed.
async fn me(headers: HeaderMap) -> Result<&'static str, StatusCode> {
    if headers.contains_key("authorization") { Ok("{\"user_id\": \"u\"}") } else { Err(StatusCode::UNAUTHORIZED) }
}

fn sticky(status: StatusCode) -> Router {
    Router::new()
        .route("/health", get(async || "ok"))
        .route("/auth/login", post(async || "{\"token\": \"t0ken\", \"user_id\": \"u\"}"))
        .route("/me", get(me))
        .route("/operations/holds", post(async move || (status, "{\"id\": \"it's 1\"}")).get(async || "[]"))
        .route("/operations/holds/{id}", get(async || "{}").delete(async || StatusCode::FORBIDDEN))
}

#[test]
fn what_could_not_be_removed_is_listed_with_the_command_that_removes_it() {
    let service = Service::start(sticky(StatusCode::CREATED));
    let run = smoke(&coalmine(), &service.url(), &["--profile", "staging", "--allow-writes"]);
    let report = run.json();
    let leftovers = report["smoke"]["leftovers"].as_array().unwrap();
    let command =
        format!("curl -X DELETE '{}/operations/holds/it%27s%201' -H 'authorization: Bearer <token>'", service.url());
    assert!(leftovers.contains(&command.as_str().into()), "{run}");
    assert!(!run.stdout.contains("t0ken"), "{run}");
}

#[test]
fn a_target_that_is_not_healthy_is_3_and_only_one_tenant_was_there() {
    let service = Service::start(sticky(StatusCode::INTERNAL_SERVER_ERROR));
    let run = smoke(&coalmine(), &service.url(), &["--profile", "staging", "--allow-writes"]);
    assert_eq!(run.code, 3, "{run}");
    assert_eq!(run.json()["verdict"]["coverage"]["tenants"], 1, "{run}");
    assert!(run.stderr.contains("not healthy"), "{run}");
}
