//! Every scenario file that users can copy is a good one.

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

#[test]
fn shipped_scenarios_parse_and_plan() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let found = scenarios(&root);
    assert!(!found.is_empty());
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = Scenario::parse(&text, &path.display().to_string()).unwrap_or_else(|errors| panic!("{errors}"));
        plan(&scenario, Seed(1), 0, &Overrides::default())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
