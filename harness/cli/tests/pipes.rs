//! Every command ends quietly when nobody reads what it prints.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use support::{Coalmine, Run};

const SCENARIO: &str = r#"
coalmine: 1
name: echo
target: {url: http://127.0.0.1:1, ready_within: 10ms}
tenants: 300
canaries: {text: text}
flows: {echo: {steps: [{id: say, post: /, text: "{{canary.text}}", sees: [text]}]}}
"#;

/// Runs the command with a stdout that is closed before it starts to print.
fn run_unread(coalmine: &Coalmine, arguments: &[&str]) -> Run {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = coalmine.command(arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    Run::of(&child.wait_with_output().unwrap())
}

#[test]
fn no_command_breaks_down_when_stdout_is_closed() {
    let coalmine = Coalmine::new().scenario(SCENARIO);
    let commands: [(&[&str], i32); 10] = [
        (&["flaws"], 0),
        (&["--help"], 0),
        (&["completions", "bash"], 0),
        (&["init", "new.yaml"], 0),
        (&["lint", "scenario.yaml"], 0),
        (&["plan", "scenario.yaml", "--all"], 0),
        (&["gate", "scenario.yaml"], 3),
        (&["check", "coalmine-out/latest/history.jsonl.zst", "--format", "junit"], 3),
        (&["mint", "--seed", "1", "--count", "4000000000"], 0),
        (&["models", "slot", "--format", "json"], 0),
    ];
    for (arguments, code) in commands {
        let run = run_unread(&coalmine, arguments);
        assert_eq!(run.code, code, "{arguments:?}: {run}");
        assert!(!run.stderr.contains("panicked"), "{arguments:?}: {run}");
    }
}

fn sources_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources_in(&path) } else { vec![path] }).collect()
}

#[test]
fn only_one_file_prints() {
    for path in sources_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(!text.contains("print!(") && !text.contains("println!("), "{} prints by itself", path.display());
    }
}
