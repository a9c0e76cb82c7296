//! The built-in service on PostgreSQL, with one table that was forgotten when the others were given their policies.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use coalmine_servers::{Servers, shared};
use coalmine_target::{Config, Flaw, FlawSet, Storage};
use postgres::{Client, NoTls};
use tokio::runtime::Runtime;

use crate::support::{Coalmine, Run};

const SCENARIO: &str = include_str!("searched_leads.yaml");
const PASSWORD: &str = "hush-of-the-service";

/// One service after another, so that each is known by the schema that was not there before.
static STARTING: Mutex<()> = Mutex::new(());

/// The schemas that services have made for themselves, which are called as their roles are.
fn schemas(admin: &mut Client) -> BTreeSet<String> {
    let rows = admin.query("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'coalmine%'", &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn gate(servers: &Servers, scenario: &str, flaws: FlawSet) -> Run {
    let url = servers.database_url();
    let mut admin = Client::connect(url, NoTls).unwrap();
    let starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let before = schemas(&mut admin);
    let redis_url = servers.redis_url().to_owned();
    let storage = Storage::Services { database_url: url.to_owned(), redis_url };
    let runtime = Runtime::new().unwrap();
    let service = runtime.block_on(coalmine_target::start(Config { flaws, storage, ..Config::default() })).unwrap();
    let after = schemas(&mut admin);
    drop(starting);
    let role = after.difference(&before).next().unwrap();
    admin.batch_execute(&format!("ALTER ROLE {role} PASSWORD '{PASSWORD}'")).unwrap();
    let store = format!("postgres://{role}:{PASSWORD}@{}", url.rsplit_once('@').unwrap().1);
    let coalmine = Coalmine::new().scenario(scenario);
    let arguments = ["gate", "scenario.yaml", "--target", &service.url(), "--rounds", "1", "--format", "json"];
    let run = Run::of(&coalmine.command(&arguments).env("STORE", store).output().unwrap());
    runtime.block_on(service.stop());
    run
}

#[test]
fn a_table_that_was_forgotten_shows_every_tenants_rows_and_the_repaired_service_is_clean() {
    let Some(servers) = shared() else { return };
    let flawed = gate(servers, SCENARIO, FlawSet::from_iter([Flaw::LeadsRlsMissing]));
    assert_eq!((flawed.code, flawed.kinds()), (1, vec!["foreign-canary".to_owned()]), "{flawed}");
    assert!(
        flawed.stdout.contains(".campaigns.pitch, row (") && !flawed.stdout.contains(".leads.contact, row ("),
        "{flawed}"
    );
    let repaired = gate(servers, SCENARIO, FlawSet::none());
    assert_eq!((repaired.code, repaired.kinds()), (0, vec![]), "{repaired}");
}

#[test]
fn a_table_that_was_forgotten_is_told_even_where_it_is_not_searched() {
    let Some(servers) = shared() else { return };
    let scenario = SCENARIO.replace("tables: [leads, campaigns]", "tables: leads").replace(", pitch]", "]");
    let scenario = format!("{scenario}policy: {{oracles: {{unguarded-table: on}}}}\n");
    for (flaws, told) in [(FlawSet::from_iter([Flaw::LeadsRlsMissing]), true), (FlawSet::none(), false)] {
        let run = gate(servers, &scenario, flaws);
        assert_eq!((run.code, run.kinds()), (1, vec!["unguarded-table".to_owned()]), "{run}");
        assert_eq!(run.stdout.contains(".campaigns.tenant_id"), told, "{run}");
        assert!(run.stdout.contains(".users.tenant_id") && !run.stdout.contains(".leads.tenant_id"), "{run}");
    }
}
