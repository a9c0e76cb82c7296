//! `coalmine models`: exit codes, formats, replay, and limits from the environment.

mod support;

use support::{Coalmine, Run};

const POOL: [&str; 2] = ["models", "pool"];

#[test]
fn models_that_are_what_they_should_be_are_0_in_every_format() {
    let coalmine = Coalmine::new();
    for format in ["text", "json", "junit"] {
        let run = coalmine.run(&[&POOL[..], &["--format", format]].concat());
        assert_eq!(run.code, 0, "{run}");
        assert!(run.stdout.contains("unread-answer") && run.stdout.contains("tenant B receives"), "{run}");
    }
}

#[test]
fn json_tells_iterations_witnesses_and_the_way_back() {
    let run = Coalmine::new().run(&[&POOL[..], &["--format", "json"]].concat());
    let report = run.json();
    let models = report["models"].as_array().unwrap();
    let right = &models[0];
    assert_eq!((&right["implementation"], &right["mark"]), (&"right".into(), &"proved".into()), "{run}");
    assert!(right["complete"] == true && right["iterations"].as_u64() > Some(1), "{run}");
    assert!(
        right["witnesses"].as_array().unwrap().iter().all(|witness| witness["iterations"].as_u64() > Some(0)),
        "{run}"
    );
    assert!(models[1]["replay"].as_str().unwrap().starts_with("coalmine models --replay "), "{run}");
}

#[test]
fn the_line_that_is_printed_plays_the_interleaving_again() {
    let coalmine = Coalmine::new();
    // One that loom explores on its way and one where it ends at once.
    for (pattern, implementation) in [("pool", "two-holders"), ("flight", "crash-untold")] {
        let found = coalmine.run(&["models", pattern, "--implementation", implementation]);
        assert_eq!(found.code, 0, "{found}");
        let replay = found.stdout.lines().find_map(|line| line.trim().strip_prefix("Replay coalmine ")).unwrap();
        let again = coalmine.run(&replay.split(' ').collect::<Vec<_>>());
        assert_eq!(again.code, 1, "{again}");
        assert_eq!(steps(&again), steps(&found), "{found}\n{again}");
    }
}

/// The numbered lines.
fn steps(run: &Run) -> Vec<String> {
    let lines = run.stdout.lines().map(str::trim);
    lines.filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned).collect()
}

#[test]
fn limits_from_the_environment_are_refused() {
    let coalmine = Coalmine::new();
    for variable in ["LOOM_MAX_PERMUTATIONS", "LOOM_MAX_DURATION", "LOOM_MAX_BRANCHES", "LOOM_MAX_PREEMPTIONS"] {
        for implementation in ["right", "unread-answer"] {
            let mut command = coalmine.command(&[&POOL[..], &["--implementation", implementation]].concat());
            let run = Run::of(&command.env(variable, "1").output().unwrap());
            assert_eq!(run.code, 2, "{run}");
            assert!(run.stderr.contains(variable), "{run}");
        }
    }
}

#[test]
fn unknown_models_and_files_are_2() {
    let coalmine = Coalmine::new();
    for arguments in [["pool", "pol"], ["--implementation", "rite"], ["--replay", "absent"], ["--sample", "pct"]] {
        let run = coalmine.run(&[&["models"], &arguments[..]].concat());
        assert_eq!(run.code, 2, "{run}");
    }
}

#[test]
fn findings_name_patterns_that_there_are() {
    let mut names: Vec<_> = coalmine_models::catalogue().iter().map(|model| model.pattern.name).collect();
    names.dedup();
    assert_eq!(names, coalmine_core::verdict::Pattern::ALL.map(coalmine_core::verdict::Pattern::name));
}

#[test]
fn flaws_of_patterns_are_flaws_of_the_target_and_lead_back_to_a_pattern() {
    let coalmine = Coalmine::new();
    for model in coalmine_models::catalogue().iter().filter(|model| model.implementation == "right") {
        for flaw in model.pattern.flaws {
            let run = coalmine.run(&["flaws", flaw]);
            assert_eq!(run.code, 0, "{run}");
            assert!(run.stdout.contains(&format!("coalmine models {}", model.pattern.name)), "{run}");
        }
    }
}

#[test]
fn several_patterns_are_run_together() {
    let run = Coalmine::new().run(&["models", "slot", "pool", "--implementation", "right", "--format", "json"]);
    let report = run.json();
    let names: Vec<_> = report["models"].as_array().unwrap().iter().map(|model| &model["pattern"]).collect();
    assert_eq!(names, ["pool", "slot"], "{run}");
    let line = report["reproduce"].as_str().unwrap();
    assert_eq!(line, "coalmine models slot pool --implementation right --preemptions 2");
}

#[test]
#[cfg(not(feature = "shuttle"))]
fn sample_without_shuttle_says_how_to_get_it() {
    let run = Coalmine::new().run(&["models", "pool", "--sample", "random"]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("--features shuttle"), "{run}");
}

#[test]
#[cfg(feature = "shuttle")]
fn sample_says_that_it_proves_nothing_and_its_violation_is_played_again() {
    let coalmine = Coalmine::new();
    for sample in ["random", "pct:3"] {
        let run = coalmine.run(&["models", "pool", "--sample", sample]);
        assert_eq!(run.code, 0, "{run}");
        assert!(run.stdout.contains("sampled, not exhausted") && !run.stdout.contains("proved"), "{run}");
        let found = coalmine.run(&["models", "pool", "--implementation", "two-holders", "--sample", sample]);
        let replay = found.stdout.lines().find_map(|line| line.trim().strip_prefix("Replay coalmine ")).unwrap();
        let again = coalmine.run(&replay.split(' ').collect::<Vec<_>>());
        assert_eq!((again.code, steps(&again)), (1, steps(&found)), "{found}\n{again}");
    }
}

#[test]
fn gate_with_models_has_one_verdict_for_both() {
    let coalmine = Coalmine::new().scenario(SCENARIO);
    let gate = ["gate", "scenario.yaml", "--rounds", "1", "--models", "--format", "json"];
    let run = coalmine.run(&gate);
    assert_eq!(run.code, 3, "the models are right, the target is not there: {run}");
    assert!(
        run.stderr.contains("are what they should be")
            && run.json()["reproduce"].as_str().unwrap().contains("--models")
    );
    let limited = Run::of(&coalmine.command(&gate).env("LOOM_MAX_BRANCHES", "1").output().unwrap());
    assert_eq!(limited.code, 2, "{limited}");
}

const SCENARIO: &str = r#"
coalmine: 1
name: echo
target: {url: http://127.0.0.1:1, ready_within: 1s}
tenants: 2
canaries: {text: text}
flows:
  echo:
    steps:
      - {id: say, post: /, text: "{{canary.text}}", sees: [text]}
"#;
