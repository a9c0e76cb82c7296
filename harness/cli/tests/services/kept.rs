//! A service that keeps notes in a Redis, in every kind of value, under keys that name the tenant: or under one for all, or under the
//! tenant's who was there before.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use coalmine_core::history::Reader;
use coalmine_servers::{Servers, shared};
use coalmine_target::{Config, Flaw, FlawSet, Storage};
use redis::{Client, Connection, cmd};
use tokio::runtime::Runtime;

use crate::stores::closed_port;
use crate::support::{Coalmine, Run, Service};

const SCENARIO: &str = include_str!("kept.yaml");

/// Under which key the service keeps a note.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// Right: one that names its tenant.
    Named,
    /// Guilty: one for all.
    OneForAll,
    /// Guilty: that of the tenant whose request came before.
    OfTheOneBefore,
}

struct Keeper {
    client: Connection,
    prefix: String,
    key: Key,
    before: String,
    count: usize,
}

impl Keeper {
    fn keep(&mut self, tenant: &str, note: &str) {
        let before = std::mem::replace(&mut self.before, tenant.to_owned());
        let kinds = [("SET", ""), ("HSET", "field"), ("RPUSH", ""), ("SADD", ""), ("ZADD", "1"), ("XADD", "*")];
        let (command, argument) = kinds[self.count % kinds.len()];
        self.count += 1;
        let whose = match self.key {
            Key::Named => tenant,
            Key::OneForAll => "all",
            Key::OfTheOneBefore => &before,
        };
        let key = match (command, self.key) {
            ("SET", _) => format!("{}:{whose}:string:{}", self.prefix, self.count),
            _ => format!("{}:{whose}:{}", self.prefix, command.to_lowercase()),
        };
        let mut keep = cmd(command);
        keep.arg(key);
        if !argument.is_empty() {
            keep.arg(argument);
        }
        if command == "XADD" {
            keep.arg("note");
        }
        keep.arg(note).exec(&mut self.client).unwrap();
    }
}

async fn write(State(keeper): State<Arc<Mutex<Keeper>>>, headers: HeaderMap, text: String) -> StatusCode {
    let Some(tenant) = headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok()) else {
        return StatusCode::UNAUTHORIZED;
    };
    let tenant = tenant.to_owned();
    tokio::task::spawn_blocking(move || keeper.lock().unwrap().keep(&tenant, &text)).await.unwrap();
    StatusCode::CREATED
}

/// A service whose keys begin with the name, over a Redis that may hold more.
fn gate(servers: &Servers, (name, key): (&str, Key), cache: &str) -> (Coalmine, Run) {
    let client = Client::open(servers.redis_url()).unwrap().get_connection().unwrap();
    let prefix = name.to_owned();
    let keeper = Keeper { client, prefix, key, before: "nobody".to_owned(), count: 0 };
    let service = Service::start(Router::new().route("/notes", post(write)).with_state(Arc::new(Mutex::new(keeper))));
    let coalmine = Coalmine::new().scenario(&SCENARIO.replace("PREFIX", name));
    let run = run(&coalmine, &service.url(), cache);
    (coalmine, run)
}

fn run(coalmine: &Coalmine, target: &str, cache: &str) -> Run {
    let arguments = ["gate", "scenario.yaml", "--target", target, "--rounds", "1", "--format", "json"];
    Run::of(&coalmine.command(&arguments).env("CACHE", cache).output().unwrap())
}

#[test]
fn whatever_kind_of_value_a_note_is_kept_in_a_key_that_names_its_tenant_is_clean() {
    let Some(servers) = shared() else { return };
    let (_, run) = gate(servers, ("keptnamed", Key::Named), servers.redis_url());
    assert_eq!((run.code, run.kinds()), (0, vec![]), "{run}");
}

#[test]
fn what_lies_under_one_key_for_all_is_told_with_the_key() {
    let Some(servers) = shared() else { return };
    let (_, run) = gate(servers, ("keptforall", Key::OneForAll), servers.redis_url());
    assert_eq!((run.code, run.kinds()), (1, vec!["unnamed-key".to_owned()]), "{run}");
    assert!(run.stdout.contains("lies under a key that does not name it: `keptforall:all:"), "{run}");
}

#[test]
fn what_lies_under_the_key_of_another_is_a_leak_to_that_one() {
    let Some(servers) = shared() else { return };
    let (_, run) = gate(servers, ("keptastray", Key::OfTheOneBefore), servers.redis_url());
    let kinds = ["foreign-canary", "unnamed-key"].map(str::to_owned).to_vec();
    assert_eq!((run.code, run.kinds()), (1, kinds), "{run}");
}

#[test]
fn the_password_of_the_cache_is_left_nowhere() {
    let Some(servers) = shared() else { return };
    let (coalmine, run) = gate(servers, ("kepthushed", Key::Named), servers.redis_url());
    let history = std::fs::File::open(coalmine.path().join("coalmine-out/latest/history.jsonl.zst")).unwrap();
    let records: Vec<_> = Reader::new(history).map(|record| record.unwrap()).collect();
    let left = [run.stdout, run.stderr, format!("{records:?}")].concat();
    let (_, rest) = servers.redis_url().split_once("://").unwrap();
    let (credentials, _) = rest.rsplit_once('@').unwrap_or_default();
    let password = credentials.rsplit(':').next().unwrap();
    assert!(left.contains("kepthushed"));
    assert!(password.is_empty() || !left.contains(password), "the password was left somewhere");
}

#[test]
fn a_search_that_could_not_look_is_no_pass() {
    let Some(servers) = shared() else { return };
    let (_, place) = servers.redis_url().rsplit_once('@').unwrap_or_default();
    let nowhere = format!("redis://{}/", closed_port());
    let table = [
        ("keptwrong", format!("redis://:not-this@{place}"), "Redis refuses the credentials"),
        ("keptfar", "redis://192.0.2.1/".to_owned(), "neither on loopback nor in `target.hosts`"),
        ("keptoff", nowhere, "`search` never ended ok (18 planned, 18 sent): cannot connect to the store"),
    ];
    for (name, cache, why) in table {
        let (_, run) = gate(servers, (name, Key::Named), &cache);
        assert_eq!(run.code, 4, "{run}");
        assert!(run.stdout.contains(why), "{run}");
    }
}

#[test]
fn a_pattern_under_which_nothing_of_ones_own_lies_is_not_clean() {
    let Some(servers) = shared() else { return };
    let service = {
        let client = Client::open(servers.redis_url()).unwrap().get_connection().unwrap();
        let keeper =
            Keeper { client, prefix: "kepthere".to_owned(), key: Key::Named, before: "nobody".to_owned(), count: 0 };
        Service::start(Router::new().route("/notes", post(write)).with_state(Arc::new(Mutex::new(keeper))))
    };
    let coalmine = Coalmine::new().scenario(&SCENARIO.replace("PREFIX", "keptthere"));
    let run = run(&coalmine, &service.url(), servers.redis_url());
    assert_eq!((run.code, run.kinds()), (4, vec![]), "{run}");
    assert!(run.stdout.contains("`search` showed 0 of 18 own canaries"), "{run}");
}

/// The built-in service, with its summaries in Redis.
fn gate_built_in(servers: &Servers, flaws: FlawSet) -> Run {
    let (database_url, redis_url) = (servers.database_url().to_owned(), servers.redis_url().to_owned());
    let config = Config { flaws, storage: Storage::Services { database_url, redis_url }, ..Config::default() };
    let runtime = Runtime::new().unwrap();
    let service = runtime.block_on(coalmine_target::start(config)).unwrap();
    let coalmine = Coalmine::new().scenario(include_str!("searched_cache.yaml"));
    let run = run(&coalmine, &service.url(), servers.redis_url());
    runtime.block_on(service.stop());
    run
}

#[test]
fn a_cache_whose_keys_forget_the_user_is_found_by_a_look_into_it_and_the_repaired_one_is_clean() {
    let Some(servers) = shared() else { return };
    let flawed = gate_built_in(servers, FlawSet::from_iter([Flaw::FinanceCacheKey]));
    assert_eq!(flawed.code, 1, "{flawed}");
    assert!(flawed.kinds().contains(&"unnamed-key".to_owned()), "{flawed}");
    assert!(flawed.stdout.contains(":summary:*-*`, a hash"), "{flawed}");
    let repaired = gate_built_in(servers, FlawSet::none());
    assert_eq!((repaired.code, repaired.kinds()), (0, vec![]), "{repaired}");
}
