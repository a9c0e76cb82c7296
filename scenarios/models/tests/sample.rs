//! Shuttle beside loom: the same scenes, drawn instead of explored.
#![cfg(feature = "shuttle")]

use coalmine_models::{Expected, Extent, Failure, Mark, Sampling, catalogue};

const ITERATIONS: u32 = 400;

#[test]
fn right_ones_pass_and_say_that_they_were_sampled() {
    for model in catalogue().into_iter().filter(|model| model.expected == Expected::Right) {
        for sampling in [Sampling::random(ITERATIONS), Sampling::pct(3, ITERATIONS)] {
            let explored = model.sample(sampling);
            let explored = explored.unwrap_or_else(|failure| panic!("{}: {failure}", model.key()));
            assert!(!explored.complete && explored.iterations == u64::from(ITERATIONS), "{explored:?}");
            assert_eq!(explored.bounds, Extent::Sampled(sampling));
            assert!(explored.bounds.to_string().starts_with("sampled, "));
        }
    }
}

#[test]
fn guilty_ones_are_caught_by_chance_and_hollow_ones_refused() {
    for model in catalogue().into_iter().filter(|model| model.expected != Expected::Right) {
        let results =
            [Sampling::random(ITERATIONS), Sampling::pct(3, ITERATIONS)].map(|sampling| model.sample(sampling));
        let is_found = results.iter().any(|result| model.mark(result) == Mark::AsExpected);
        assert!(is_found, "{}: {results:?}", model.key());
    }
}

#[test]
fn violation_is_saved_with_its_schedule() {
    let model = catalogue().into_iter().find(|model| model.key() == "pool/two-holders").expect("it is built in");
    let failure = model.sample(Sampling::random(ITERATIONS)).expect_err("it leaks");
    let Failure::Violation(violation) = &failure else { panic!("{failure}") };
    assert!(violation.invariant == "leak" && violation.replay.is_some(), "{failure}");
}
