//! The house rules that a machine can check.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which of our crates each of our crates may use. The stages know `core` and `canary` and never each other; the CLI
/// alone joins them.
const ARROWS: [(&str, &[&str]); 13] = [
    ("coalmine-campaign", &["coalmine-core"]),
    ("coalmine-canary", &[]),
    ("coalmine-core", &["coalmine-canary"]),
    ("coalmine-plan", &["coalmine-canary", "coalmine-core"]),
    ("coalmine-run", &["coalmine-canary", "coalmine-core"]),
    ("coalmine-judge", &["coalmine-canary", "coalmine-core"]),
    ("coalmine-report", &["coalmine-canary", "coalmine-core"]),
    ("coalmine-inprocess", &["coalmine-campaign", "coalmine-core", "coalmine-judge", "coalmine-plan", "coalmine-run"]),
    ("coalmine-models", &[]),
    ("coalmine-models-example", &["coalmine-models"]),
    ("coalmine-servers", &[]),
    ("coalmine-target", &["coalmine-models"]),
    (
        "coalmine",
        &[
            "coalmine-campaign",
            "coalmine-canary",
            "coalmine-core",
            "coalmine-judge",
            "coalmine-models",
            "coalmine-plan",
            "coalmine-report",
            "coalmine-run",
            "coalmine-servers",
            "coalmine-target",
        ],
    ),
];

/// Packages that open sockets or run tasks. Only `run`, the target, the CLI and what plays rounds within a process may use them.
const WORLDLY: [&str; 10] =
    ["tokio", "hyper", "hyper-util", "reqwest", "tokio-tungstenite", "axum", "rusqlite", "postgres", "redis", "mio"];
const MAY_BE_WORLDLY: [&str; 4] = ["coalmine", "coalmine-inprocess", "coalmine-run", "coalmine-target"];

const FUNCTION_LINES_MAX: usize = 70;
const FORBIDDEN_FILES: [&str; 6] = ["util.rs", "utils.rs", "helpers.rs", "manager.rs", "misc.rs", "common.rs"];
const TOP_LEVEL: [&str; 7] = ["Cargo.toml", "Cargo.lock", "harness", "scenarios", "fuzz", "reports", "README.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Each workspace member with its ordinary and build dependencies.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut command = Command::new(std::env::var("CARGO").unwrap());
    command.args(["metadata", "--format-version=1", "--no-deps", "--offline"]).current_dir(root());
    let metadata: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let of_package = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|dependency| dependency["kind"] != "dev").map(|dependency| text(&dependency["name"])).collect()
    };
    packages.map(|package| (text(&package["name"]), of_package(package))).collect()
}

fn tracked_files() -> Vec<PathBuf> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "these tests look at the files that git knows");
    let names = String::from_utf8(output.stdout).unwrap();
    names.split_terminator('\0').map(PathBuf::from).filter(|path| root().join(path).exists()).collect()
}

fn sources() -> impl Iterator<Item = (PathBuf, String)> {
    let rust = tracked_files().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| (path.clone(), std::fs::read_to_string(root().join(path)).unwrap()))
}

#[test]
fn the_arrows_between_crates_are_those_of_the_architecture() {
    let found = dependencies();
    let expected: BTreeMap<_, _> = ARROWS.into_iter().collect();
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), expected.keys().copied().collect::<Vec<_>>());
    for (name, all) in found {
        let ours = all.iter().map(String::as_str).filter(|dependency| dependency.starts_with("coalmine"));
        let too_many: Vec<_> = ours.filter(|dependency| !expected[name.as_str()].contains(dependency)).collect();
        assert!(too_many.is_empty(), "{name} must not depend on {too_many:?}");
    }
}

#[test]
fn only_run_and_the_target_touch_the_world() {
    for (name, all) in dependencies() {
        let worldly: Vec<_> = all.iter().filter(|dependency| WORLDLY.contains(&dependency.as_str())).collect();
        assert!(worldly.is_empty() || MAY_BE_WORLDLY.contains(&name.as_str()), "{name} must not depend on {worldly:?}");
    }
}

#[test]
fn the_top_level_is_what_was_agreed() {
    let firsts = tracked_files().into_iter().map(|path| path.iter().next().unwrap().to_string_lossy().into_owned());
    let strange: BTreeSet<_> =
        firsts.filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn files_are_named_for_what_they_hold() {
    let names = tracked_files();
    let bad: Vec<_> = names.iter().filter(|path| FORBIDDEN_FILES.iter().any(|name| path.ends_with(name))).collect();
    assert!(bad.is_empty(), "{bad:?}");
}

/// rustfmt's indentation makes a function's end the first `}` in the column of its beginning.
#[test]
fn functions_fit_a_screen() {
    let mut long = Vec::new();
    for (path, text) in sources() {
        let lines: Vec<_> = text.lines().collect();
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
            let indent = line.len() - line.trim_start().len();
            let end = format!("{}}}", " ".repeat(indent));
            let length = lines[number..].iter().position(|line| **line == end).unwrap_or(0) + 1;
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{}:{} has {length} lines", path.display(), number + 1));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

fn begins_function(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().take(6).collect();
    let qualifiers = words.iter().take_while(|word| **word != "fn");
    words.contains(&"fn")
        && qualifiers.clone().all(|word| word.starts_with("pub") || ["async", "const", "unsafe"].contains(word))
        && !line.trim_end().ends_with(';')
        && !line.trim_end().ends_with('}')
}

#[test]
fn no_lint_is_silenced_without_a_reason_and_nothing_is_left_undone() {
    // Put together, so that this file does not find itself.
    let marks = [
        concat!("#[", "allow("),
        concat!("#![", "allow("),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
    ];
    let found = sources().flat_map(|(path, text)| {
        let hits = marks.iter().filter(|mark| text.contains(**mark)).map(|mark| format!("{}: {mark}", path.display()));
        hits.collect::<Vec<_>>()
    });
    assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new());
}
