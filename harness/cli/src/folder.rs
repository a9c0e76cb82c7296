//! Where a run leaves its files.

use std::io;
use std::path::{Path, PathBuf};

use coalmine_core::Report;
use coalmine_core::seed::Seed;

/// The history's name.
pub(crate) const HISTORY: &str = "history.jsonl.zst";
/// The name of the scenario as it was run.
pub(crate) const SCENARIO: &str = "scenario.yaml";

/// The folder of one run: `<out>/<seed>/`, with `<out>/latest` pointing at the newest.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes a new folder; a second run with the same seed gets a number.
    pub(crate) fn create(out: &Path, name: &str, seed: Seed) -> io::Result<Self> {
        std::fs::create_dir_all(out)?;
        let first = format!("{name}-{seed}");
        let names = std::iter::once(first.clone()).chain((2..).map(|number| format!("{first}-{number}")));
        for name in names {
            match std::fs::create_dir(out.join(&name)) {
                Ok(()) => {
                    point_latest_at(out, &name)?;
                    return Ok(Self { path: out.join(name) });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("there is always a next number")
    }

    /// One that is there already.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// `history.jsonl.zst`.
    pub(crate) fn history(&self) -> PathBuf {
        self.path.join(HISTORY)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `scenario.yaml`: all of the scenario as one text, by which the run can be replayed.
    pub(crate) fn write_scenario(&self, text: &str) -> io::Result<()> {
        std::fs::write(self.path.join(SCENARIO), text)
    }

    /// Writes `report.json` and `junit.xml`.
    pub(crate) fn write_reports(&self, report: &Report) -> io::Result<()> {
        std::fs::write(self.path.join("report.json"), coalmine_report::json(report))?;
        std::fs::write(self.path.join("junit.xml"), coalmine_report::junit(report))
    }
}

#[cfg(unix)]
fn point_latest_at(out: &Path, name: &str) -> io::Result<()> {
    // Runs beside each other do the same: whoever is last has it, and none finds it in its way.
    let own = out.join(format!(".latest-{name}"));
    std::os::unix::fs::symlink(name, &own)?;
    std::fs::rename(own, out.join("latest"))
}

#[cfg(not(unix))]
fn point_latest_at(_: &Path, _: &str) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn runs_that_begin_at_the_same_time_are_not_in_each_others_way() {
        let out = tempfile::tempdir().unwrap();
        let make = || (0..50).try_for_each(|_| Folder::create(out.path(), "notes", Seed(7)).map(drop));
        let all = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<io::Result<Vec<()>>>()
        });
        all.unwrap();
        assert!(out.path().join("latest").is_dir());
        assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 8 * 50 + 1);
    }
}
