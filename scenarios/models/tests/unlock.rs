//! Lets go of a lock in the middle of each stretch that is under one, and takes it again: the models must turn red. This is
//! what a right structure looks like with one line of its locking removed.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Gaps that break no promise: file, the statement after the gap, and why.
const HARMLESS: [(&str, &str, &str); 13] = [
    (
        "cache.rs",
        "if inner.entries.get(&key).is_some_and",
        "what was filled in between is fresh, and only loaded again",
    ),
    ("drain.rs", "let waiting = std::mem::take", "the door is shut already, so nothing comes in between"),
    ("idempotency.rs", "answers.insert(key, Some(answer", "only the other branch has touched the answers before"),
    ("lazy.rs", "if self.make == Make::LookThenFill", "the entry looks once more"),
    ("lazy.rs", "cells.entry(key)", "the entry looks once more"),
    ("registry.rs", "let slot = freed.unwrap_or_else", "a slot that was taken off the list is nobody else's"),
    ("registry.rs", "let place = &mut inner.slots[slot]", "a slot that was taken off the list is nobody else's"),
    ("registry.rs", "if ends", "a slot is nobody else's until it is on the list again"),
    ("router.rs", "inner.seats[slot] = Some(Occupant", "a slot that was taken off the list is nobody else's"),
    ("router.rs", "for route in inner.routes.values_mut()", "the socket is not yet said to be connected"),
    ("tokens.rs", "if let Some(known)", "a revocation in between has forgotten the token"),
    ("tokens.rs", "inner.known.insert", "the list of revoked tokens is asked before the known ones"),
    ("tokens.rs", "if self.revoke", "the list of revoked tokens is asked before the known ones"),
];

/// What the models say of a change.
enum Run {
    Green,
    Red,
    Unviable,
}

/// One gap in one stretch.
struct Gap {
    file: PathBuf,
    /// The line before which the lock is let go, counted from 1.
    line: usize,
    text: String,
    mutated: String,
}

#[test]
#[ignore = "for the night: compiles the crate once for each gap"]
fn suite_turns_red_with_a_gap_in_a_lock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let folder = copy(&root);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unlock");
    assert!(matches!(run(folder.path(), &target), Run::Green), "the copy must be green as it is");
    let (mut red, mut survivors) = (0, Vec::new());
    for gap in gaps(&folder.path().join("scenarios/models/src/structure")) {
        let before = std::fs::read_to_string(&gap.file).unwrap();
        std::fs::write(&gap.file, &gap.mutated).unwrap();
        let name = format!("{}:{} {}", gap.file.file_name().unwrap().display(), gap.line, gap.text);
        match run(folder.path(), &target) {
            Run::Unviable => println!("does not compile {name}"),
            Run::Red => {
                println!("caught {name}");
                red += 1;
            }
            Run::Green => {
                println!("survived {name}");
                survivors.push(name);
            }
        }
        std::fs::write(&gap.file, before).unwrap();
    }
    println!("{red} caught, {} survived", survivors.len());
    survivors.retain(|name| !HARMLESS.iter().any(|(file, text, _)| name.starts_with(file) && name.contains(text)));
    assert!(survivors.is_empty(), "{survivors:#?}");
}

/// The crate, in a workspace of its own.
fn copy(root: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (before, rest) = manifest.split_once("members = [").unwrap();
    let (_, rest) = rest.split_once(']').unwrap();
    let rest = rest.replacen("default-members = [\"harness/cli\"]", "", 1);
    std::fs::write(folder.path().join("Cargo.toml"), format!("{before}members = [\"scenarios/models\"]{rest}"))
        .unwrap();
    std::fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    for part in ["Cargo.toml", "src", "tests/suite.rs", "tests/snapshots"] {
        copy_all(&root.join("scenarios/models").join(part), &folder.path().join("scenarios/models").join(part));
    }
    folder
}

fn copy_all(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
        return;
    }
    for entry in std::fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        copy_all(&from.join(&name), &to.join(&name));
    }
}

/// The figures of the snapshot may differ; what each model is found to be may not.
fn run(folder: &Path, target: &Path) -> Run {
    let mut command = Command::new(std::env::var("CARGO").unwrap());
    command.args(["test", "--offline", "-p", "coalmine-models", "--test", "suite"]).current_dir(folder);
    command.env("CARGO_TARGET_DIR", target).env("INSTA_FORCE_PASS", "1").env("INSTA_UPDATE", "no");
    let output = command.output().unwrap();
    if output.status.success() {
        Run::Green
    } else if String::from_utf8_lossy(&output.stderr).contains("could not compile") {
        Run::Unviable
    } else {
        Run::Red
    }
}

/// A gap before each statement of a stretch, but for those before which or after which nothing is done under the lock.
fn gaps(folder: &Path) -> Vec<Gap> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| gaps_in(file)).collect()
}

fn gaps_in(file: &Path) -> Vec<Gap> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<_> = text.lines().take_while(|line| *line != "#[cfg(test)]").collect();
    let mut gaps = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some((guard, lock)) = taking(line) else { continue };
        let indent = depth(line);
        let end = lines.iter().skip(number + 1).position(|line| !line.is_empty() && depth(line) < indent);
        let stretch = number + 1..number + 1 + end.unwrap_or(0);
        let uses = |line: &&str| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == guard);
        let mut was_used = false;
        for after in stretch.clone() {
            let statement = lines[after];
            if statement.contains(&format!("drop({guard})")) && depth(statement) == indent {
                break;
            }
            let begins =
                depth(statement) == indent && statement.trim_start().starts_with(|c: char| c.is_ascii_lowercase());
            if begins && was_used && lines[after..stretch.end].iter().any(uses) {
                let again = format!("drop({guard}); let mut {guard} = {lock};");
                let mut mutated: Vec<_> = text.lines().map(str::to_owned).collect();
                mutated.insert(after, again);
                gaps.push(Gap {
                    file: file.to_owned(),
                    line: after + 1,
                    text: statement.trim().to_owned(),
                    mutated: mutated.join("\n"),
                });
            }
            was_used |= uses(&statement);
        }
    }
    gaps
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// `let mut inner = self.inner.lock();` gives `inner` and `self.inner.lock()`.
fn taking(line: &str) -> Option<(&str, &str)> {
    let (pattern, lock) = line.trim().strip_prefix("let ")?.split_once(" = ")?;
    let lock = lock.strip_suffix(';')?;
    (lock.starts_with("self.") && lock.ends_with(".lock()")).then(|| (pattern.trim_start_matches("mut "), lock))
}
