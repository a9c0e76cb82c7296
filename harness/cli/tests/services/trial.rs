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
        let flawed = gate(scenario, service(Build::Flawed), seed);
        assert_eq!(flawed.code, 1, "seed {seed}: {flawed}");
        assert_eq!(flawed.kinds(), oracles, "seed {seed}: {flawed}");
    }
}

/// Runs the scenario at a fresh service.
pub(crate) fn gate(scenario: &str, router: Router, seed: u64) -> Run {
    let service = Service::start(router);
    let (url, seed) = (service.url(), seed.to_string());
    let arguments = ["gate", "scenario.yaml", "--target", &url, "--seed", &seed, "--rounds", "1", "--format", "json"];
    Coalmine::new().scenario(scenario).run(&arguments)
}
