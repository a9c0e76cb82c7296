//! Takes one line of the locking of each right structure away: the models must turn red. In one way, a statement that takes a
//! lock for itself, lets go of one, or wakes who waits, is gone. In the other, a lock is let go in the middle of the stretch under
//! it and taken again. What only a guilty structure does is left as it is.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Mutants that break no promise: file, the statement after the gap or that is gone, and why.
const HARMLESS: [(&str, &str, &str); 2] = [
    (
        "cache.rs",
        "if inner.entries.get(&key).is_some_and",
        "what was filled in between is fresh, and only loaded again",
    ),
    ("router.rs", "for route in inner.routes.values_mut()", "the socket is not yet said to be connected"),
];

/// Of the mutants that compile, so many must be caught.
const CAUGHT_PERCENT_MIN: usize = 90;

/// What the models say of a change.
enum Run {
    Green,
    Red,
    Unviable,
}

/// A structure with a line of its locking gone.
#[derive(Clone)]
struct Mutant {
    file: PathBuf,
    /// `file:line: what was done to which statement`.
    name: String,
    text: String,
}

#[test]
#[ignore = "for the night: compiles the crate once for each mutant"]
fn suite_turns_red_without_a_line_of_the_locking() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let folder = copy(&root);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unlock");
    assert!(matches!(run(folder.path(), &target), Run::Green), "the copy must be green as it is");
    let (mut caught, mut survivors) = (0, Vec::new());
    for mutant in mutants(&folder.path().join("scenarios/models/src/structure")) {
        match run_with(&mutant, folder.path(), &target) {
            Run::Unviable => println!("does not compile {}", mutant.name),
            Run::Red => {
                println!("caught {}", mutant.name);
                caught += 1;
            }
            Run::Green => {
                println!("survived {}", mutant.name);
                survivors.push(mutant.name);
            }
        }
    }
    println!("{caught} caught, {} survived", survivors.len());
    assert!(caught * 100 >= (caught + survivors.len()) * CAUGHT_PERCENT_MIN, "{survivors:#?}");
    survivors.retain(|name| !HARMLESS.iter().any(|(file, text, _)| name.starts_with(file) && name.contains(text)));
    assert!(survivors.is_empty(), "{survivors:#?}");
}

fn run_with(mutant: &Mutant, folder: &Path, target: &Path) -> Run {
    let before = std::fs::read_to_string(&mutant.file).unwrap();
    std::fs::write(&mutant.file, &mutant.text).unwrap();
    let run = run(folder, target);
    std::fs::write(&mutant.file, before).unwrap();
    run
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

fn mutants(folder: &Path) -> Vec<Mutant> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| [gone(file), gaps(file)].concat()).collect()
}

/// The lines of a file, but for its tests.
fn code(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| *line != "#[cfg(test)]").collect()
}

/// Each statement of the locking that binds nothing, gone. What follows does not compile without one that binds.
fn gone(file: &Path) -> Vec<Mutant> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = code(&text);
    let is_locking = |line: &str| {
        let line = line.trim();
        let concerns = line.contains(".lock()") || line.starts_with("drop(") || line.contains(".notify_all()");
        concerns && line.ends_with(';') && !line.starts_with("let ")
    };
    let guilty = guilty_lines(&lines);
    let numbered = lines.iter().enumerate().filter(|(number, line)| is_locking(line) && !guilty[*number]);
    numbered.map(|(number, line)| Mutant::new(file, &text, number, format!("gone: {}", line.trim()), None)).collect()
}

/// Which lines are of a branch that only a guilty structure takes: one that begins with a variant whose comment says so.
fn guilty_lines(lines: &[&str]) -> Vec<bool> {
    let variants: Vec<_> =
        lines.iter().enumerate().filter_map(|(number, line)| guilty_variant(lines, number, line)).collect();
    let mut guilty = vec![false; lines.len()];
    for (number, line) in lines.iter().enumerate() {
        if variants.iter().any(|variant| line.contains(&format!("::{variant} "))) {
            let inside = lines.iter().skip(number + 1).take_while(|next| depth(next) > depth(line)).count();
            guilty[number..=number + inside].fill(true);
        }
    }
    guilty
}

/// `/// Guilty: …` above a variant gives its name.
fn guilty_variant<'a>(lines: &[&'a str], number: usize, line: &str) -> Option<&'a str> {
    line.trim().strip_prefix("/// Guilty:")?;
    let variant = lines[number..].iter().find(|line| !line.trim().starts_with("///"))?;
    Some(variant.trim().trim_end_matches(',').split('(').next().unwrap_or_default())
}

/// A gap before each statement of a stretch, but for those before which or after which nothing is done under the lock.
fn gaps(file: &Path) -> Vec<Mutant> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = code(&text);
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
                let again = format!("drop({guard}); let mut {guard} = {lock}; {statement}");
                gaps.push(Mutant::new(file, &text, after, format!("gap before: {}", statement.trim()), Some(again)));
            }
            was_used |= uses(&statement);
        }
    }
    gaps
}

impl Mutant {
    /// With `other` in the place of a line.
    fn new(file: &Path, text: &str, line: usize, what: String, other: Option<String>) -> Self {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines[line] = other.unwrap_or_default();
        let name = format!("{}:{}: {what}", file.file_name().unwrap().display(), line + 1);
        Self { file: file.to_owned(), name, text: lines.join("\n") }
    }
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
