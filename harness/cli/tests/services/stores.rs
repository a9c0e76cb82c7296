//! A service that shows each tenant its own notes only, over a database that would show them all: no answer gives that away, a
//! look into the store does.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use coalmine_core::history::Reader;
use coalmine_servers::{Servers, shared};
use postgres::{Client, NoTls};

use crate::support::{Coalmine, Run, Service};
use crate::trial::Build;

const PASSWORD: &str = "hush-of-the-store";

type Notes = State<(Arc<Mutex<Client>>, Arc<str>)>;

async fn write(State((client, schema)): Notes, headers: HeaderMap, text: String) -> StatusCode {
    let Some(tenant) = headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok()) else {
        return StatusCode::UNAUTHORIZED;
    };
    let tenant = tenant.to_owned();
    let insert = move || {
        let statement = format!("INSERT INTO {schema}.notes (tenant, body) VALUES ($1, $2)");
        client.lock().unwrap().execute(&statement, &[&tenant, &text]).unwrap();
    };
    tokio::task::spawn_blocking(insert).await.unwrap();
    StatusCode::CREATED
}

/// A schema and a role of this name, and the address for the role.
fn lay_out(servers: &Servers, name: &str, build: Build) -> (Client, String) {
    let url = servers.database_url();
    let mut client = Client::connect(url, NoTls).unwrap();
    let policy = match build {
        Build::Flawed => "true",
        Build::Twin => "tenant = current_setting('app.tenant', true)",
    };
    let layout = format!(
        "DROP SCHEMA IF EXISTS {name} CASCADE; DROP ROLE IF EXISTS {name}; CREATE SCHEMA {name};
        CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}';
        CREATE TABLE {name}.notes (id serial PRIMARY KEY, tenant text NOT NULL, body text NOT NULL);
        ALTER TABLE {name}.notes ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON {name}.notes USING ({policy});
        GRANT USAGE ON SCHEMA {name} TO {name}; GRANT SELECT ON {name}.notes TO {name};"
    );
    client.batch_execute(&layout).unwrap();
    let (_, place) = url.rsplit_once('@').unwrap();
    (client, format!("postgres://{name}:{PASSWORD}@{place}"))
}

fn gate(client: Client, schema: &str, store: &str) -> (Coalmine, Run) {
    gate_as(include_str!("stores.yaml"), client, schema, store)
}

fn gate_as(scenario: &str, client: Client, schema: &str, store: &str) -> (Coalmine, Run) {
    let state = (Arc::new(Mutex::new(client)), Arc::from(schema));
    let service = Service::start(Router::new().route("/notes", post(write)).with_state(state));
    let coalmine = Coalmine::new().scenario(scenario);
    let arguments = ["gate", "scenario.yaml", "--target", &service.url(), "--rounds", "1", "--format", "json"];
    let run = Run::of(&coalmine.command(&arguments).env("STORE", store).output().unwrap());
    (coalmine, run)
}

#[test]
fn what_a_policy_lets_through_is_found_with_its_table_and_column_and_the_repaired_one_is_clean() {
    let Some(servers) = shared() else { return };
    let (client, store) = lay_out(servers, "stores_twin", Build::Twin);
    let (_, twin) = gate(client, "stores_twin", &store);
    assert_eq!(twin.code, 0, "{twin}");
    let (client, store) = lay_out(servers, "stores_flawed", Build::Flawed);
    let (_, flawed) = gate(client, "stores_flawed", &store);
    assert_eq!((flawed.code, flawed.kinds()), (1, vec!["foreign-canary".to_owned()]), "{flawed}");
    assert!(flawed.stdout.contains("stores_flawed.notes.body, row ("), "{flawed}");
}

#[test]
fn the_address_of_a_store_is_left_nowhere() {
    let Some(servers) = shared() else { return };
    let (client, store) = lay_out(servers, "stores_hushed", Build::Twin);
    let (coalmine, run) = gate(client, "stores_hushed", &store);
    let history = std::fs::File::open(coalmine.path().join("coalmine-out/latest/history.jsonl.zst")).unwrap();
    let records: Vec<_> = Reader::new(history).map(|record| record.unwrap()).collect();
    let records = format!("{records:?}");
    assert!(records.contains("stores"));
    assert!(![run.stdout, run.stderr, records].concat().contains(PASSWORD), "the password was left somewhere");
}

#[test]
fn a_search_that_says_nothing_is_no_pass() {
    let Some(servers) = shared() else { return };
    let nowhere = || format!("postgres://app@{}/notes", closed_port());
    let table = [
        ("stores_root", servers.database_url().to_owned(), "no policy holds for the role"),
        ("stores_far", "postgres://app@192.0.2.1/notes".to_owned(), "neither on loopback nor in `target.hosts`"),
        ("stores_off", nowhere(), "`search` never ended ok (12 planned, 12 sent): cannot connect to the store"),
        ("stores_tls", nowhere() + "?sslmode=require", "asks for TLS"),
    ];
    for (name, store, why) in table {
        let (client, _) = lay_out(servers, name, Build::Twin);
        let (_, run) = gate(client, name, &store);
        assert_eq!(run.code, 4, "{run}");
        assert!(run.stdout.contains(why), "{run}");
    }
}

#[test]
fn a_search_by_which_tenants_do_not_see_their_own_is_not_clean() {
    let Some(servers) = shared() else { return };
    let (client, store) = lay_out(servers, "stores_blind", Build::Twin);
    let scenario = include_str!("stores.yaml").replace("app.tenant", "app.another");
    let (_, run) = gate_as(&scenario, client, "stores_blind", &store);
    assert_eq!((run.code, run.kinds()), (4, vec![]), "{run}");
    assert!(run.stdout.contains("`search` showed 0 of 12 own canaries"), "{run}");
}

/// A table without a policy, and one that belongs to the role, beside the one that is guarded.
fn open_up(client: &mut Client, name: &str) {
    let layout = format!(
        "CREATE TABLE {name}.drafts (id serial PRIMARY KEY, \"Org_ID\" text, tenant_id text);
        CREATE TABLE {name}.moods (id serial PRIMARY KEY, mood text);
        CREATE TABLE {name}.hidden (tenant_id text);
        CREATE TABLE {name}.owned (tenant text);
        ALTER TABLE {name}.owned ENABLE ROW LEVEL SECURITY;
        CREATE TABLE {name}.forced (tenant text);
        ALTER TABLE {name}.forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        GRANT SELECT ON {name}.drafts, {name}.moods TO {name};
        ALTER TABLE {name}.owned OWNER TO {name}; ALTER TABLE {name}.forced OWNER TO {name};"
    );
    client.batch_execute(&layout).unwrap();
}

#[test]
fn tables_without_a_policy_are_told_and_are_violations_where_the_scenario_says_so() {
    let Some(servers) = shared() else { return };
    let name = "stores_open";
    for (policy, code) in [("", 0), ("policy: {oracles: {unguarded-table: on}}\n", 1)] {
        let (mut client, store) = lay_out(servers, name, Build::Twin);
        open_up(&mut client, name);
        let (_, run) = gate_as(&format!("{}{policy}", include_str!("stores.yaml")), client, name, &store);
        assert_eq!(run.code, code, "{run}");
        let verdict = run.json()["verdict"].to_string();
        for word in ["stores_open.drafts", "`tenant_id`", "stores_open.owned", "`tenant`", "the role owns it"] {
            assert!(verdict.contains(word), "{word}: {run}");
        }
        for guarded in ["notes.tenant", "moods", "hidden", "forced"] {
            assert!(!verdict.contains(&format!("stores_open.{guarded}")), "{guarded}: {run}");
        }
    }
}

/// Where nobody listens.
pub(crate) fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
