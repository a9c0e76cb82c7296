//! Every scenario file that users can copy is a good one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coalmine_core::Seed;
use coalmine_plan::{Overrides, Scenario, plan};

fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let entries = entries.map(|entry| entry.expect("its entries can be read").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.chain(folders.iter().flat_map(|folder| scenarios(folder))).collect()
}

/// Whether a file is a whole scenario, and no part that others include.
fn is_whole(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("coalmine:"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn shipped_scenarios_parse_and_plan() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let found = scenarios(&root);
    assert!(!found.is_empty());
    let mut included = BTreeSet::new();
    let (whole, parts): (Vec<_>, Vec<_>) = found.into_iter().partition(|path| is_whole(&read(path)));
    for path in whole {
        let mut include = |name: &str| {
            included.insert(Path::new(name).canonicalize().map_err(|error| error.to_string())?);
            Ok(read(Path::new(name)))
        };
        let scenario = Scenario::parse_with(&read(&path), &path.display().to_string(), None, &mut include);
        let scenario = scenario.unwrap_or_else(|errors| panic!("{errors}"));
        plan(&scenario, Seed(1), 0, &Overrides::default())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    for part in parts {
        let path = part.canonicalize().expect("it was read");
        assert!(included.contains(&path), "no scenario includes {}", part.display());
    }
}
