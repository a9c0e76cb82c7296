//! Lets go of a lock in the middle of each stretch that is under one, and takes it again: the models must turn red. This is
//! what a right structure looks like with one line of its locking removed.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Survivors, and why each is none: what comes after the gap does not rest on what was read before it.
const HARMLESS: [(&str, &str); 0] = [];

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
    survivors.retain(|name| !HARMLESS.iter().any(|(harmless, _)| name.contains(harmless)));
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

/// A gap before each statement of a stretch, but for those before which nothing has been read under the lock.
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
        let indent = line.len() - line.trim_start().len();
        let mut was_used = false;
        for (after, statement) in lines.iter().enumerate().skip(number + 1) {
            let depth = statement.len() - statement.trim_start().len();
            if depth < indent || statement.contains(&format!("drop({guard})")) {
                break;
            }
            let begins = depth == indent && statement.trim_start().starts_with(|c: char| c.is_ascii_lowercase());
            if begins && was_used {
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
            was_used |= statement.contains(guard);
        }
    }
    gaps
}

/// `let mut inner = self.inner.lock();` gives `inner` and `self.inner.lock()`.
fn taking(line: &str) -> Option<(&str, &str)> {
    let (pattern, lock) = line.trim().strip_prefix("let ")?.split_once(" = ")?;
    let lock = lock.strip_suffix(';')?;
    (lock.starts_with("self.") && lock.ends_with(".lock()")).then(|| (pattern.trim_start_matches("mut "), lock))
}
