//! A large scenario is no hardship.

use std::fmt::Write;
use std::time::Instant;

use coalmine_core::Seed;
use coalmine_plan::{Overrides, Scenario, plan};

/// 500 steps in more than 5,000 lines.
fn large() -> String {
    let mut text =
        "coalmine: 1\nname: large\ntarget: {url: http://127.0.0.1:1}\ncanaries: {secret: token}\nflows:\n".to_owned();
    for flow in 0..50 {
        write!(text, "  flow-{flow}:\n    steps:\n").expect("a string takes it");
        for step in 0..10 {
            write!(
                text,
                "      - id: step-{flow}-{step}\n        post: /things/{step}\n        headers:\n          x-one: a\n          \
                 x-two: b\n        json:\n          secret: \"{{{{canary.secret}}}}\"\n          other: 1\n        capture:\n\
                 \x20         v{step}: $.items[0].id\n"
            )
            .expect("a string takes it");
        }
    }
    text
}

#[test]
fn five_hundred_steps_in_five_thousand_lines_are_read() {
    let text = large();
    assert!(text.lines().count() > 5000);
    let scenario = Scenario::parse(&text, "large.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let plan = plan(&scenario, Seed(1), 0, &Overrides { tenants: Some(2), ..Overrides::default() }).unwrap();
    assert_eq!(plan.steps.len(), 500);
}

/// `cargo test --release -p coalmine-plan --test size -- --ignored --nocapture`
#[test]
#[ignore = "it measures, and asserts nothing about time"]
fn the_time_that_a_large_scenario_takes_is_printed() {
    let text = large();
    let rounds = 20;
    let start = Instant::now();
    for _ in 0..rounds {
        Scenario::parse(&text, "large.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    }
    let lines = text.lines().count();
    println!("{lines} lines, 500 steps: read and checked in {:?}", start.elapsed() / rounds);
}
