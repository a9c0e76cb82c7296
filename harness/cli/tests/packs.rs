//! The packs: each finds its story in a service with that flaw, and passes when it is repaired.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

mod support;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use coalmine_target::{Config, Expected, Flaw, FlawSet, Storage};
use serde_json::Value;
use support::{Coalmine, Run};
use tokio::runtime::Runtime;

/// The folder of the packs, as it lies in the repository.
const PACKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");
const NAMES: [&str; 4] = ["agents", "operations", "leads", "finance"];
const MISSION_CRITICAL: &str = "mission-critical";

/// Trials mostly wait: so many go on beside each other where there are many.
const AT_A_TIME: usize = 6;

fn gate(pack: &str, flaws: FlawSet, seed: u32) -> Run {
    gate_on(Storage::TemporaryFile, pack, flaws, seed)
}

/// PostgreSQL and Redis, where the machine has them.
fn services() -> Option<Storage> {
    let servers = coalmine_servers::shared()?;
    let (database_url, redis_url) = (servers.database_url().to_owned(), servers.redis_url().to_owned());
    Some(Storage::Services { database_url, redis_url })
}

fn gate_on(storage: Storage, pack: &str, flaws: FlawSet, seed: u32) -> Run {
    // What needs some of few customers at the same moment may need more rounds; a gate ends with the first violation.
    let rounds = match (flaws == FlawSet::none(), pack) {
        (false, _) => "8",
        (true, MISSION_CRITICAL) => "2",
        (true, _) => "1",
    };
    let runtime = Runtime::new().unwrap();
    let running = runtime.block_on(coalmine_target::start(Config { flaws, storage, ..Config::default() })).unwrap();
    let (scenario, url, seed) = (format!("{PACKS}/{pack}/scenario.yaml"), running.url(), seed.to_string());
    let arguments = ["gate", &scenario, "--target", &url, "--seed", &seed, "--rounds", rounds, "--format", "json"];
    let run = Coalmine::new().run(&arguments);
    runtime.block_on(running.stop());
    run
}

fn with(pack: &str, flaw: Flaw) -> Run {
    gate(pack, FlawSet::from_iter([flaw]), 1)
}

/// What a run says of each property.
fn properties(run: &Run) -> BTreeMap<String, String> {
    let report = run.json();
    let text = |held: &Value, key: &str| held[key].as_str().unwrap().to_owned();
    let properties = report["verdict"]["properties"].as_array().unwrap().iter();
    properties.map(|held| (text(held, "name"), text(held, "standing"))).collect()
}

/// Does it for each, some beside each other.
fn each<T: Copy + Send + Sync>(all: &[T], examine: impl Fn(T) + Sync) {
    let left = Mutex::new(all.iter().copied());
    let next = || left.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(all.len()) {
            scope.spawn(|| {
                while let Some(one) = next() {
                    examine(one);
                }
            });
        }
    });
}

/// The flaw is found as what it is, and nothing else is.
fn finds(pack: &str, flaw: Flaw) {
    finds_on(Storage::TemporaryFile, pack, flaw);
}

fn finds_on(storage: Storage, pack: &str, flaw: Flaw) {
    let run = gate_on(storage, pack, FlawSet::from_iter([flaw]), 1);
    assert_eq!(run.code, 1, "{pack} with {flaw}: {run}");
    let Expected { oracles, also, .. } = flaw.expected();
    let kinds = run.kinds();
    assert!(oracles.iter().all(|oracle| kinds.iter().any(|kind| kind == oracle)), "{pack} with {flaw}: {run}");
    let is_known = |kind: &String| oracles.iter().chain(also).any(|oracle| kind == oracle);
    assert!(kinds.iter().all(is_known), "{pack} with {flaw}: {run}");
}

fn fails(pack: &str, flaw: Flaw, property: &str) {
    let run = with(pack, flaw);
    assert_eq!((run.code, properties(&run)[property].as_str()), (1, "fail"), "{pack} with {flaw}: {run}");
}

fn passes(pack: &str, seed: u32) {
    passes_on(Storage::TemporaryFile, pack, seed);
}

fn passes_on(storage: Storage, pack: &str, seed: u32) {
    let run = gate_on(storage, pack, FlawSet::none(), seed);
    assert_eq!(run.code, 0, "{pack}, seed {seed}: {run}");
    let report = run.json();
    assert_eq!(report["verdict"]["shortfalls"].as_array().unwrap().len(), 0, "{pack}: {run}");
    let controls = &report["verdict"]["coverage"]["controls"];
    assert!(controls["due"].as_u64().unwrap() > 0 && controls["due"] == controls["met"], "{pack}: {run}");
    let all = properties(&run);
    assert!(!all.is_empty() && all.values().all(|standing| standing == "pass"), "{pack}, seed {seed}: {all:?}");
}

/// The flaws that the pack's README names in its table.
fn told(pack: &str) -> Vec<Flaw> {
    let readme = std::fs::read_to_string(format!("{PACKS}/{pack}/README.md")).unwrap();
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| ")).collect();
    let is_named = |flaw: &Flaw| rows.iter().any(|row| row.contains(&format!("`{}`", flaw.id())));
    Flaw::ALL.into_iter().filter(is_named).collect()
}

#[test]
fn each_pack_is_linted_without_a_problem() {
    for pack in NAMES.into_iter().chain([MISSION_CRITICAL]) {
        let run = Coalmine::new().run(&["lint", &format!("{PACKS}/{pack}/scenario.yaml")]);
        assert_eq!(run.code, 0, "{run}");
        assert!(pack == "finance" || !run.stdout.contains("lacks"), "only finance has no ids to try: {run}");
    }
}

#[test]
fn a_repaired_service_passes_each_pack_with_every_property() {
    each(&NAMES, |pack| passes(pack, 1));
}

#[test]
fn a_repaired_service_may_be_deployed_and_all_of_its_worth_is_protected() {
    passes(MISSION_CRITICAL, 1);
    let report = gate(MISSION_CRITICAL, FlawSet::none(), 2).json();
    let worth = &report["verdict"]["coverage"]["worth"];
    assert_eq!((worth["protected"].as_u64(), worth["total"].as_u64()), (Some(540_000), Some(540_000)), "{worth}");
    let first = &worth["tenants"][0]["attributes"];
    assert_eq!(*first, serde_json::json!(["JPMorgan Chase & Co", "Fortune 10 Enterprise", "240000"]));
    let passes = &report["verdict"]["coverage"]["passes"];
    assert_eq!((&passes["due"], &passes["whole_min_percent"]), (&passes["whole"], &95.into()), "{passes}");
    assert_eq!(report["verdict"]["coverage"]["sent"]["skipped"], 0);
}

#[test]
fn each_pack_finds_the_story_of_its_team() {
    let stories = [
        ("agents", Flaw::AgentsSharedState),
        ("operations", Flaw::OpsListUnfiltered),
        ("leads", Flaw::LeadsRlsMissing),
        ("finance", Flaw::FinanceCacheKey),
    ];
    each(&stories, |(pack, flaw)| finds(pack, flaw));
}

#[test]
fn the_property_that_a_flaw_breaks_fails_and_the_others_pass() {
    let run = with("leads", Flaw::LeadsRlsMissing);
    let standing = properties(&run);
    let failed: Vec<&str> =
        standing.iter().filter(|(_, standing)| *standing == "fail").map(|(name, _)| name.as_str()).collect();
    assert_eq!((failed, standing.len()), (vec!["data-isolation"], 6), "{run}");
    assert_eq!(standing.values().filter(|standing| *standing == "pass").count(), 5, "{run}");
    fails("leads", Flaw::LeadsCrashSpreads, "crash-prevention");
    fails("leads", Flaw::LeadsApiKeyShared, "api-key-isolation");
}

#[test]
fn a_flaw_in_any_wing_blocks_the_deployment() {
    let wings = [Flaw::AgentsWsBroadcast, Flaw::OpsUpdateById, Flaw::LeadsQueueContext, Flaw::FinanceSingleFlight];
    each(&wings, |flaw| {
        let run = with(MISSION_CRITICAL, flaw);
        assert_eq!(run.code, 1, "{flaw}: {run}");
        let report = run.json();
        let protected = report["verdict"]["coverage"]["worth"]["protected"].as_u64().unwrap();
        assert!(protected < 500_000, "{flaw}: {run}");
    });
}

#[test]
fn every_flaw_has_a_place_in_a_story() {
    let told: Vec<Flaw> = NAMES.iter().flat_map(|pack| told(pack)).collect();
    let missing: Vec<Flaw> = Flaw::ALL.into_iter().filter(|flaw| !told.contains(flaw)).collect();
    assert!(missing.is_empty(), "no README tells of {missing:?}");
}

/// `each_pack_finds_every_flaw_on_services`, below, is the whole of it.
#[test]
fn on_postgresql_and_redis_each_pack_tells_its_story_too() {
    let Some(storage) = services() else { return };
    let stories = [
        ("agents", Flaw::AgentsInstanceByName),
        ("operations", Flaw::OpsSearchIndex),
        ("leads", Flaw::LeadsRlsMissing),
        ("finance", Flaw::FinanceCacheKey),
    ];
    each(&stories, |(pack, flaw)| {
        finds_on(storage.clone(), pack, flaw);
        passes_on(storage.clone(), pack, 1);
    });
}

/// Each flaw with the pack whose README names it.
fn stories() -> Vec<(&'static str, Flaw)> {
    NAMES.iter().flat_map(|pack| told(pack).into_iter().map(move |flaw| (*pack, flaw))).collect()
}

#[test]
#[ignore = "takes minutes"]
fn each_pack_finds_every_flaw_that_its_readme_names() {
    each(&stories(), |(pack, flaw)| finds(pack, flaw));
}

#[test]
#[ignore = "takes minutes"]
fn each_pack_finds_every_flaw_on_services() {
    let Some(storage) = services() else { return };
    each(&stories(), |(pack, flaw)| finds_on(storage.clone(), pack, flaw));
}

#[test]
#[ignore = "takes minutes"]
fn every_single_flaw_blocks_the_deployment() {
    let open = Mutex::new(vec![]);
    each(&Flaw::ALL, |flaw| {
        if with(MISSION_CRITICAL, flaw).code != 1 {
            open.lock().unwrap().push(flaw);
        }
    });
    let open = open.into_inner().unwrap();
    assert!(open.is_empty(), "these do not block: {open:?}");
}

#[test]
#[ignore = "takes minutes"]
fn a_repaired_service_passes_with_ten_seeds() {
    let packs = NAMES.into_iter().chain([MISSION_CRITICAL]);
    let all: Vec<(&str, u32)> = packs.flat_map(|pack| (1..=10).map(move |seed| (pack, seed))).collect();
    each(&all, |(pack, seed)| passes(pack, seed));
}

#[test]
#[ignore = "takes minutes"]
fn a_repaired_service_passes_on_services_with_three_seeds() {
    let Some(storage) = services() else { return };
    let packs = NAMES.into_iter().chain([MISSION_CRITICAL]);
    let all: Vec<(&str, u32)> = packs.flat_map(|pack| (1..=3).map(move |seed| (pack, seed))).collect();
    each(&all, |(pack, seed)| passes_on(storage.clone(), pack, seed));
}
