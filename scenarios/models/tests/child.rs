//! A model in a process of its own: what ends the process is a failure of that model, and limits are refused.

use std::ffi::OsString;

use coalmine_models::sync::{Mutex, SyncTypes};
use coalmine_models::{
    Actor, Bounds, Canary, Explored, Extent, Failure, Loom, Pattern, Slot, Stage, Tenant, check_slot, explore,
};

/// A slot that ends the process.
#[derive(Default)]
struct Aborting;

impl Slot for Aborting {
    type Sync = Loom;

    fn enter(&self, _: u64, _: Canary) {
        std::process::abort();
    }

    fn current(&self, _: u64) -> Option<Canary> {
        None
    }

    fn leave(&self, _: u64) {}
}

#[test]
fn process_that_ends_is_a_failure_of_the_model() {
    let failure = check_slot::<Aborting>(Bounds::default()).unwrap_err();
    assert!(matches!(&failure, Failure::Fault { what } if what.contains("ended its process")), "{failure}");
}

/// Panics, and once more while it unwinds.
struct PanicsTwice;

impl Drop for PanicsTwice {
    fn drop(&mut self) {
        assert!(!std::thread::panicking(), "the second panic");
    }
}

static TWICE: Pattern = Pattern { name: "twice", risk: "", witnesses: &[], flaws: &[] };

#[test]
fn panic_that_aborts_is_a_violation_with_its_steps() {
    let scene = |stage: &Stage<Loom>| {
        stage.enter("A", Tenant::A, |me: &Actor| {
            let _guard = PanicsTwice;
            me.does("something odd");
            panic!("the first panic");
        });
    };
    let failure = explore::<Loom>(&TWICE, "double-panic", Bounds::default(), scene).unwrap_err();
    let violation = failure.violation().unwrap();
    assert!(violation.aborted && violation.invariant == "panic", "{failure}");
    assert_eq!(violation.steps.last().unwrap().what, "something odd", "{failure}");
    assert!(violation.saved.is_some(), "{failure}");
}

static ENDLESS: Pattern = Pattern { name: "endless", risk: "", witnesses: &[], flaws: &[] };

#[test]
fn model_that_never_ends_is_a_violation() {
    let scene = |_: &Stage<Loom>| {
        spin::<Loom>();
    };
    let failure = explore::<Loom>(&ENDLESS, "spins", Bounds::default(), scene).unwrap_err();
    assert_eq!(failure.violation().unwrap().invariant, "endless", "{failure}");
}

fn spin<S: SyncTypes>() {
    let number = S::Mutex::new(0);
    loop {
        *number.lock() += 1;
    }
}

static BLIND: Pattern = Pattern { name: "blind", risk: "", witnesses: &[], flaws: &[] };

#[test]
fn pattern_without_witnesses_proves_nothing() {
    let failure = explore::<Loom>(&BLIND, "nothing", Bounds::default(), |_| {}).unwrap_err();
    assert!(matches!(failure, Failure::Hollow { .. }), "{failure}");
}

static LEAKY: Pattern = Pattern { name: "leaky", risk: "", witnesses: &[], flaws: &[] };

fn leaky() -> Result<Explored, Failure> {
    explore::<Loom>(&LEAKY, "always", Bounds::default(), |stage| {
        let canary = stage.actor("B", Tenant::B).canary();
        stage.actor("A", Tenant::A).receives("is given", canary);
    })
}

#[test]
#[ignore = "it is red; others run it"]
fn leak_that_is_found() {
    let _explored = leaky().unwrap();
}

#[test]
fn limits_in_the_environment_never_make_a_red_model_green() {
    for variable in ["LOOM_MAX_PERMUTATIONS", "LOOM_MAX_DURATION", "LOOM_MAX_BRANCHES", "LOOM_MAX_PREEMPTIONS"] {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["leak_that_is_found", "--exact", "--include-ignored", "--nocapture"]).env(variable, "1");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(variable), "{said}");
    }
}

#[test]
fn replay_of_a_test_brings_the_same_steps_back() {
    let violation = *leaky().map_err(|failure| Box::new(failure.violation().unwrap().clone())).unwrap_err();
    let line = violation.replay.unwrap();
    assert!(line.ends_with("cargo test replay_of_a_test_brings_the_same_steps_back"), "{line}");
    let file = violation.saved.unwrap();
    let arguments = ["leak_that_is_found", "--exact", "--include-ignored", "--nocapture"].map(OsString::from);
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.args(arguments).env("COALMINE_REPLAY", file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("1  A  is given: a canary of B   <== here"), "{said}");
}

#[test]
fn bounds_are_told() {
    assert_eq!(Extent::from(Bounds::preemptions(3)).to_string(), "at most 3 preemptions");
}
