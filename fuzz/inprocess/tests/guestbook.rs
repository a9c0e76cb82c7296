//! The service of the example: its bug is found within some trials, and its twin is clean.

use std::panic::{AssertUnwindSafe, catch_unwind};

use coalmine_core::Seed;
use coalmine_inprocess::{App, Harness, Reaction};

#[path = "../examples/guestbook/service.rs"]
mod service;

use service::{CacheKey, SCENARIO, router};

fn harness(key: CacheKey) -> Harness {
    Harness::new(SCENARIO, move || async move { App::new(router(key)) }).expect("the scenario is one")
}

fn genome(number: u32) -> Vec<u8> {
    (0..4).flat_map(|part| Seed(u64::from(number)).derive("test", part)).collect()
}

/// What the first of so many trials panics with.
fn thrown(harness: &Harness, trials: u32) -> Option<String> {
    (0..trials).find_map(|number| {
        let thrown = catch_unwind(AssertUnwindSafe(|| harness.trial(&genome(number)))).err()?;
        thrown.downcast::<String>().ok().map(|told| *told)
    })
}

#[test]
fn a_cache_key_without_the_house_is_thrown_with_oracle_step_owner_and_reader() {
    let told = thrown(&harness(CacheKey::Page), 40).expect("some trial shows it");
    for word in ["foreign-canary", "at step read", "owner tenant ", "reader tenant ", "fingerprint "] {
        assert!(told.contains(word), "`{word}` in {told}");
    }
}

#[test]
fn what_was_thrown_once_is_known() {
    let harness = harness(CacheKey::Page);
    while thrown(&harness, 40).is_some() {}
    let verdicts = (0..40).filter_map(|number| harness.play(&genome(number)));
    assert!(verdicts.flat_map(|verdict| verdict.findings).next().is_some(), "it is there and no longer thrown");
}

#[test]
fn the_right_key_throws_nothing() {
    let harness = harness(CacheKey::HouseAndPage);
    assert_eq!(thrown(&harness, 40), None);
    let ended = (0..40).filter_map(|number| harness.play(&genome(number)));
    let reads = ended.flat_map(|verdict| verdict.coverage.operations).filter(|operation| operation.name == "read");
    assert!(reads.map(|read| read.sent.ok).sum::<u64>() > 40, "houses have read their pages");
}

#[test]
fn what_is_only_told_does_not_end_the_search() {
    let harness = harness(CacheKey::Page).reacting(Reaction::Tell);
    assert_eq!(thrown(&harness, 40), None);
}

#[test]
fn a_service_that_stays_meets_other_people_in_each_trial() {
    let stays = |key| {
        let service = router(key);
        let harness = Harness::new(SCENARIO, move || std::future::ready(App::new(service.clone())));
        harness.expect("the scenario is one").at_a_service_that_stays()
    };
    assert_eq!(thrown(&stays(CacheKey::HouseAndPage), 40), None);
    assert!(thrown(&stays(CacheKey::Page), 40).is_some());
}

#[test]
fn the_same_bytes_say_the_same() {
    let harness = harness(CacheKey::Page);
    let findings = |number| harness.play(&genome(number)).map(|verdict| verdict.findings);
    let fingerprints = |number| findings(number).map(|found| found.into_iter().map(|one| one.fingerprint).collect());
    for number in 0..10 {
        let first: Option<Vec<_>> = fingerprints(number);
        assert_eq!(first, fingerprints(number), "{number}");
    }
}
