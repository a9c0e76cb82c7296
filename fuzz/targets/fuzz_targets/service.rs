//! The built-in service leaks nothing to whom it does not belong. `COALMINE_FLAWS` switches flaws on: names with commas between, or `all`.

#![no_main]

use std::env;
use std::sync::LazyLock;
use std::time::Duration;

use coalmine_inprocess::{App, Harness};
use coalmine_target::{Config, Flaw, FlawSet, Storage, in_process};
use libfuzzer_sys::{Corpus, fuzz_target};

const SCENARIO: &str = include_str!("../../../scenarios/demo/scenario.yaml");

/// Of everything that the service waits for: long enough that others come between.
const LATENCY: Duration = Duration::from_millis(1);

static HARNESS: LazyLock<Harness> = LazyLock::new(|| {
    let flaws = flaws();
    let harness = Harness::new(SCENARIO, move || app(flaws.clone())).expect("the scenario is one");
    harness.as_the_environment_says().expect("what is known can be read")
});

fn flaws() -> FlawSet {
    match env::var("COALMINE_FLAWS").as_deref() {
        Err(_) | Ok("") => FlawSet::none(),
        Ok("all") => FlawSet::all(),
        Ok(names) => names.split(',').map(|name| name.parse::<Flaw>().expect("it is a flaw")).collect(),
    }
}

async fn app(flaws: FlawSet) -> App {
    let config = Config {
        flaws,
        storage: Storage::Memory,
        model_latency: LATENCY,
        directory_latency: LATENCY,
        memory_latency: LATENCY,
        pooler_latency: LATENCY,
        chart_latency: LATENCY,
        inspection_latency: LATENCY,
        ..Config::default()
    };
    let service = in_process(config).await.expect("it starts");
    App::for_each_connection(move || service.connection())
}

fuzz_target!(|bytes: &[u8]| -> Corpus { if HARNESS.trial(bytes) { Corpus::Keep } else { Corpus::Reject } });
