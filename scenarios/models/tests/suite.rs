//! Every built-in model is found to be what it is.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;

use coalmine_models::{Bounds, Child, Expected, Explored, Failure, Mark, Model, catalogue, explore_all, run_as_child};

const STEPS_MAX: usize = 30;

/// This program once more, as far as the test that plays one model.
fn child() -> Child {
    let arguments = ["the_process_of_a_model", "--exact", "--nocapture"].map(OsString::from);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("models");
    Child::new(std::env::current_exe().unwrap(), arguments.into(), folder, "replay {}")
}

#[test]
fn the_process_of_a_model() {
    run_as_child();
}

type Results = Vec<(Model, Result<Explored, Failure>)>;

fn results(preemptions: u8) -> Results {
    let models = catalogue();
    let results = explore_all(&models, &child(), Bounds::preemptions(preemptions));
    models.into_iter().zip(results).collect()
}

fn table(results: &Results) -> String {
    let mut out = String::new();
    for (model, result) in results {
        let (iterations, words) = match result {
            Ok(explored) => {
                let seen: Vec<_> = explored.witnesses.iter().map(|witness| witness.iterations.to_string()).collect();
                (explored.iterations, format!("complete, witnesses {}", seen.join(" ")))
            }
            Err(Failure::Violation(violation)) => (
                violation.iteration,
                format!("{} in {} steps: {}", violation.invariant, violation.steps.len(), violation.what),
            ),
            Err(Failure::Hollow { explored, missing }) => {
                (explored.iterations, format!("hollow, {} missing", missing.len()))
            }
            Err(other) => (0, other.to_string()),
        };
        writeln!(out, "{:<13} {:<22} {iterations:>6} {words}", model.pattern.name, model.implementation).unwrap();
    }
    out
}

fn assert_each_is_what_it_is(results: &Results) {
    for (model, result) in results {
        assert_eq!(model.mark(result), Mark::AsExpected, "{}: {result:?}", model.key());
        if let Err(Failure::Violation(violation)) = result {
            let steps = &violation.steps;
            assert!(!steps.is_empty() && steps.len() <= STEPS_MAX, "{violation}");
            assert!(steps.last().unwrap().crossed, "{violation}");
            assert!(violation.saved.is_some(), "{violation}");
        }
    }
}

#[test]
fn each_model_is_what_it_is_at_two_preemptions() {
    let results = results(2);
    println!("{}", table(&results));
    assert_each_is_what_it_is(&results);
    insta::assert_snapshot!(table(&results));
}

#[test]
#[ignore = "for the night"]
fn each_model_is_what_it_is_at_three_preemptions() {
    let results = results(3);
    println!("{}", table(&results));
    assert_each_is_what_it_is(&results);
}

#[test]
fn each_pattern_has_a_right_one_two_guilty_ones_and_a_hollow_one() {
    let models = catalogue();
    let count = |name: &str, wanted: fn(Expected) -> bool| {
        models.iter().filter(|model| model.pattern.name == name && wanted(model.expected)).count()
    };
    for model in &models {
        let name = model.pattern.name;
        assert_eq!(count(name, |expected| expected == Expected::Right), 1, "{name}");
        assert_eq!(count(name, |expected| expected == Expected::Hollow), 1, "{name}");
        assert!(count(name, |expected| expected == Expected::Guilty("leak")) >= 1, "{name}");
        assert!(count(name, |expected| matches!(expected, Expected::Guilty(what) if what != "leak")) >= 1, "{name}");
    }
}
