//! The packs: each finds its story in a service with that flaw, and passes when it is repaired.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

mod support;

use std::collections::BTreeMap;

use coalmine_target::{Config, Expected, Flaw, FlawSet};
use serde_json::Value;
use support::{Coalmine, Run};
use tokio::runtime::Runtime;

/// The folder of the packs, as it lies in the repository.
const PACKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");
const NAMES: [&str; 4] = ["agents", "operations", "leads", "finance"];
const MISSION_CRITICAL: &str = "mission-critical";

fn gate(pack: &str, flaws: FlawSet, seed: u32) -> Run {
    let runtime = Runtime::new().unwrap();
    let running = runtime.block_on(coalmine_target::start(Config { flaws, ..Config::default() })).unwrap();
    let (scenario, url, seed) = (format!("{PACKS}/{pack}/scenario.yaml"), running.url(), seed.to_string());
    let arguments = ["gate", &scenario, "--target", &url, "--seed", &seed, "--rounds", "1", "--format", "json"];
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

/// The flaw is found as what it is, and nothing else is.
fn finds(pack: &str, flaw: Flaw) {
    let run = with(pack, flaw);
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
    let run = gate(pack, FlawSet::none(), seed);
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
fn a_repaired_service_passes_each_pack_with_every_property() {
    for pack in NAMES {
        passes(pack, 1);
    }
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
    finds("agents", Flaw::AgentsSharedState);
    finds("operations", Flaw::OpsListUnfiltered);
    finds("leads", Flaw::LeadsRlsMissing);
    finds("finance", Flaw::FinanceCacheKey);
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
    for flaw in [Flaw::AgentsWsBroadcast, Flaw::OpsUpdateById, Flaw::LeadsQueueContext, Flaw::FinanceSingleFlight] {
        let run = with(MISSION_CRITICAL, flaw);
        assert_eq!(run.code, 1, "{flaw}: {run}");
        let report = run.json();
        let protected = report["verdict"]["coverage"]["worth"]["protected"].as_u64().unwrap();
        assert!(protected < 500_000, "{flaw}: {run}");
    }
}

#[test]
fn every_flaw_has_a_place_in_a_story() {
    let told: Vec<Flaw> = NAMES.iter().flat_map(|pack| told(pack)).collect();
    let missing: Vec<Flaw> = Flaw::ALL.into_iter().filter(|flaw| !told.contains(flaw)).collect();
    assert!(missing.is_empty(), "no README tells of {missing:?}");
}

#[test]
#[ignore = "takes minutes"]
fn each_pack_finds_every_flaw_that_its_readme_names() {
    for pack in NAMES {
        for flaw in told(pack) {
            finds(pack, flaw);
        }
    }
}

#[test]
#[ignore = "takes minutes"]
fn every_single_flaw_blocks_the_deployment() {
    let open: Vec<Flaw> = Flaw::ALL.into_iter().filter(|flaw| with(MISSION_CRITICAL, *flaw).code != 1).collect();
    assert!(open.is_empty(), "these do not block: {open:?}");
}

#[test]
#[ignore = "takes minutes"]
fn a_repaired_service_passes_with_ten_seeds() {
    for pack in NAMES.into_iter().chain([MISSION_CRITICAL]) {
        (1..=10).for_each(|seed| passes(pack, seed));
    }
}
