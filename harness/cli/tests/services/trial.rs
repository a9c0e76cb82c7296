//! One service with its flaw and once more without it.

use axum::Router;

use crate::support::{Coalmine, Run, Service};

/// Whether the service has its flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    Flawed,
    Twin,
}

/// Asserts that the flaw is found by these oracles and no others, and that the twin passes: for one seed, or for as many as
/// the environment says.
pub(crate) fn assert_told_apart(scenario: &str, service: impl Fn(Build) -> Router, oracles: &[&str]) {
    assert!(scenario.lines().count() <= 60, "a scenario is short");
    let seeds = std::env::var("COALMINE_TEST_SEEDS").map_or(1, |seeds| seeds.parse().unwrap());
    for seed in 1..=seeds {
        let twin = gate(scenario, service(Build::Twin), seed);
        assert_eq!(twin.code, 0, "seed {seed}: {twin}");
        let flawed = gate_for(FLAWED_ROUNDS_MAX, scenario, service(Build::Flawed), seed);
        assert_eq!(flawed.code, 1, "seed {seed}: {flawed}");
        assert_eq!(flawed.kinds(), oracles, "seed {seed}: {flawed}");
    }
}

/// A round goes on for a part of a second, and the gate for 30 s: what needs two tenants at the right moment may need another round.
const FLAWED_ROUNDS_MAX: u32 = 4;

/// Runs one round of the scenario at a fresh service.
pub(crate) fn gate(scenario: &str, router: Router, seed: u64) -> Run {
    gate_for(1, scenario, router, seed)
}

/// Runs so many rounds, or fewer where one of them finds something.
fn gate_for(rounds: u32, scenario: &str, router: Router, seed: u64) -> Run {
    let service = Service::start(router);
    let (url, seed, rounds) = (service.url(), seed.to_string(), rounds.to_string());
    let arguments =
        ["gate", "scenario.yaml", "--target", &url, "--seed", &seed, "--rounds", &rounds, "--format", "json"];
    Coalmine::new().scenario(scenario).run(&arguments)
}
