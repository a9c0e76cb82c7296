//! Honest services under every perturbation at once: nothing is found, and nothing is missing.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

mod support;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use coalmine_target::Config;
use support::{Coalmine, Run, Service};
use tokio::runtime::Runtime;

const DEMO: &str = include_str!("../../../scenarios/demo/scenario.yaml");
const ECHO: &str = r#"
coalmine: 1
name: echo
tenants: 16
canaries: {secret: token, words: text}
flows:
  echo:
    repeat: 20
    steps:
      - id: say
        post: /echo
        headers: {idempotency-key: "{{uuid('say')}}"}
        json: {secret: "{{canary.secret}}", words: "{{canary.words}}"}
        sees: [secret, words]
      - {id: look, get: /}
"#;
const EVERYTHING: &str = "
perturb: {race: 30%, react: 10%, delay: 10%, cancel: 40%, share: 15%, reconnect: 10%, stall: 4%, swizzle: 5%, retry: 10%, poison: 100%, collide: 60%}
";

fn gate(scenario: &str, url: &str, seed: u32) -> Run {
    let coalmine = Coalmine::new().scenario(&format!("{scenario}{EVERYTHING}"));
    let seed = seed.to_string();
    coalmine.run(&["gate", "scenario.yaml", "--target", url, "--seed", &seed, "--rounds", "1", "--format", "json"])
}

fn the_repaired_target_passes(seed: u32) {
    let runtime = Runtime::new().unwrap();
    let running = runtime.block_on(coalmine_target::start(Config::default())).unwrap();
    let (demo, _) = DEMO.split_once("\nperturb:").unwrap_or((DEMO, ""));
    let run = gate(demo, &running.url(), seed);
    runtime.block_on(running.stop());
    assert_eq!(run.code, 0, "seed {seed}: {run}");
}

fn an_echo_passes(seed: u32) {
    let service =
        Service::start(Router::new().route("/", get(|| async {})).route("/echo", post(|body: Bytes| async { body })));
    let run = gate(ECHO, &service.url(), seed);
    assert_eq!(run.code, 0, "seed {seed}: {run}");
}

#[test]
fn an_echo_passes_under_everything_at_once() {
    (1..=2).for_each(an_echo_passes);
}

#[test]
fn the_repaired_target_passes_under_everything_at_once() {
    the_repaired_target_passes(1);
}

#[test]
#[ignore = "takes minutes"]
fn an_echo_passes_under_everything_at_once_with_twenty_seeds() {
    (1..=20).for_each(an_echo_passes);
}

#[test]
#[ignore = "takes minutes"]
fn the_repaired_target_passes_under_everything_at_once_with_twenty_seeds() {
    (1..=20).for_each(the_repaired_target_passes);
}
