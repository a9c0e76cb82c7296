//! `coalmine scan` and `coalmine mint`, as a person uses them.

mod support;

use std::io::Write;
use std::process::Stdio;

use support::{Coalmine, Run};

fn mint(coalmine: &Coalmine, arguments: &[&str]) -> String {
    let run = coalmine.run(&[&["mint", "--seed", "9c3f1e"], arguments].concat());
    assert_eq!(run.code, 0, "{run}");
    run.stdout.trim_end().to_owned()
}

#[test]
fn a_minted_canary_is_found_in_a_folder_with_its_owner_and_place() {
    let coalmine = Coalmine::new();
    let canary = mint(&coalmine, &["--owner", "3", "--serial", "7"]);
    std::fs::create_dir_all(coalmine.path().join("logs/old")).unwrap();
    std::fs::write(coalmine.path().join("logs/old/a.log"), format!("user said {canary}\n")).unwrap();
    std::fs::write(coalmine.path().join("logs/b.log"), "nothing here\n").unwrap();
    let run = coalmine.run(&["scan", "--seed", "9c3f1e", "logs"]);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stdout.contains("logs/old/a.log:10..") && run.stdout.contains("token of owner 3, serial 7"), "{run}");
    assert!(!run.stdout.contains(&canary), "a report shows no canary: {run}");
    let run = coalmine.run(&["scan", "--seed", "9c3f1e", "logs/b.log"]);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn stdin_is_scanned_and_json_has_a_line_a_sighting() {
    let coalmine = Coalmine::new();
    let canary = mint(&coalmine, &["--owner", "5", "--shape", "email"]);
    let mut child = coalmine.command(&["scan", "--seed", "9c3f1e", "--format", "json", "-"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(canary.to_uppercase().as_bytes()).unwrap();
    let run = Run::of(&child.wait_with_output().unwrap());
    assert_eq!(run.code, 1, "{run}");
    let line = run.json();
    assert_eq!(line["found"]["canary"]["id"]["owner"], 5);
    assert_eq!(line["encodings"][0], "case");
}

#[test]
fn another_runs_canary_is_residue_and_no_finding_unless_any_is_asked_for() {
    let coalmine = Coalmine::new();
    std::fs::write(coalmine.path().join("dump"), mint(&coalmine, &[])).unwrap();
    let run = coalmine.run(&["scan", "--seed", "1", "dump"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.contains("1 canaries of other runs"), "{run}");
    assert_eq!(coalmine.run(&["scan", "dump"]).code, 1);
}

#[test]
fn own_secrets_are_found_by_their_line_in_the_dictionary() {
    let coalmine = Coalmine::new();
    std::fs::write(coalmine.path().join("secrets"), "hunter2hunter2\ncorrect horse battery\n").unwrap();
    std::fs::write(coalmine.path().join("page"), "<p>correct%20horse%20battery</p>").unwrap();
    let run = coalmine.run(&["scan", "--dictionary", "secrets", "page"]);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stdout.contains("line 2 of the dictionary"), "{run}");
}

#[test]
fn what_is_not_there_is_a_usage_error() {
    for arguments in
        [&["scan", "absent"][..], &["scan"], &["scan", "--history", "absent", "."], &["mint", "--seed", "x"]]
    {
        let run = Coalmine::new().run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {run}");
    }
    let run = Coalmine::new().run(&["mint", "--seed", "1", "--shape", "phone", "--serial", "4000"]);
    assert!(run.code == 2 && run.stderr.contains("phone"), "{run}");
}
