//! The built-in service without a socket.

use coalmine_core::Seed;
use coalmine_inprocess::{App, Harness};
use coalmine_target::{Config, Flaw, FlawSet, Storage, in_process};

const SCENARIO: &str = include_str!("../../../scenarios/demo/scenario.yaml");
/// Of 32 bytes each.
const GENOME_PARTS: u32 = 4;

async fn app(flaws: FlawSet) -> App {
    let config = Config { flaws, storage: Storage::Memory, ..Config::default() };
    let service = in_process(config).await.expect("it starts");
    App::for_each_connection(move || service.connection())
}

fn genome(number: u32) -> Vec<u8> {
    (0..GENOME_PARTS).flat_map(|part| Seed(u64::from(number)).derive("test", part)).collect()
}

/// The operations that some trial shows a leak in.
fn leaking(flaws: &[Flaw], trials: u32) -> Vec<String> {
    let flaws: FlawSet = flaws.iter().copied().collect();
    let harness = Harness::new(SCENARIO, move || app(flaws.clone())).expect("the scenario is one");
    let verdicts = (0..trials).filter_map(|number| harness.play(&genome(number)));
    verdicts.flat_map(|verdict| verdict.findings).map(|finding| finding.operation).collect()
}

#[test]
fn two_missing_filters_are_found_without_a_socket() {
    let leaking = leaking(&[Flaw::OpsListUnfiltered, Flaw::OpsSearchIndex], 40);
    for operation in ["list-downtime", "search-coverage"] {
        assert!(leaking.iter().any(|leaking| leaking == operation), "{operation} in {leaking:?}");
    }
}

#[test]
fn the_repaired_service_is_clean_without_a_socket() {
    assert_eq!(leaking(&[], 40), Vec::<String>::new());
}
