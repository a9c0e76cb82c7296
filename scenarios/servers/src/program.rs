//! Where the programs of the servers are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::ServerError;

/// Debian keeps each version of PostgreSQL in a folder of its own, off the path.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder in which all of `names` are: on the path, or where Debian keeps it.
pub(crate) fn folder_of(names: &[&'static str], package: &'static str) -> Result<PathBuf, ServerError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&path).chain(versions(Path::new(DEBIAN)));
    let has_all = |folder: &PathBuf| names.iter().all(|name| folder.join(name).is_file());
    folders.find(has_all).ok_or_else(|| ServerError::Missing { programs: names.join(", "), package })
}

/// The newest first.
fn versions(place: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let version =
        |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")));
    let mut versions: Vec<_> = entries.filter_map(version).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, folder)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_version_comes_first_by_number() {
        let place = tempfile::tempdir().unwrap();
        for name in ["9", "15", "common"] {
            fs::create_dir(place.path().join(name)).unwrap();
        }
        let found: Vec<_> = versions(place.path()).collect();
        assert_eq!(found, [place.path().join("15/bin"), place.path().join("9/bin")]);
    }

    #[test]
    fn missing_program_names_what_to_install() {
        let error = folder_of(&["sh", "coalmine-has-no-such-server"], "some-package").unwrap_err();
        let expected = "not found: sh, coalmine-has-no-such-server; install: apt-get install some-package";
        assert_eq!(error.to_string(), expected);
    }
}
