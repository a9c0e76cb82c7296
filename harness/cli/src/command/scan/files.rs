//! What is to be scanned.

use std::io;
use std::path::{Path, PathBuf};

/// A file, or stdin.
pub(super) struct Source {
    /// As it is shown.
    pub(super) name: String,
    /// None for stdin.
    pub(super) path: Option<PathBuf>,
    /// Its length now; 0 for stdin.
    pub(super) bytes: u64,
}

/// The files of all paths, folders with all that is in them, in the order of their names. Links are not followed.
pub(super) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, String> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            found.push(Source { name: "stdin".to_owned(), path: None, bytes: 0 });
        } else {
            add(path, &mut found).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        }
    }
    Ok(found)
}

fn add(path: &Path, found: &mut Vec<Source>) -> io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_file() {
        found.push(Source { name: path.display().to_string(), path: Some(path.to_owned()), bytes: metadata.len() });
    } else if metadata.is_dir() {
        add_folder(path, found)?;
    }
    Ok(())
}

fn add_folder(folder: &Path, found: &mut Vec<Source>) -> io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if !entry.file_type()?.is_symlink() {
            add(&entry.path(), found)?;
        }
    }
    Ok(())
}
