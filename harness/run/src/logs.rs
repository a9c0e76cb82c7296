//! Looks through the ends of log files for what is one user's.
//!
//! Files are only read, and programs are never started: what only a command prints is written to a file by whoever starts the run.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use memchr::{memchr_iter, memmem};
use tokio::task::spawn_blocking;

use crate::observe::Observer;

const FILES_MAX: usize = 200;
/// Of each file, its end.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Of all files of one search.
const BYTES_MAX: u64 = 64 << 20;
/// Lines are written a moment after the answer: so often, and with such pauses, they are looked for.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// What is searched, with every hole filled.
pub(crate) struct Search {
    /// Paths; in the last part of each, `*` stands for anything.
    pub(crate) files: Vec<String>,
    /// What stands there of the user.
    pub(crate) mentions: String,
}

/// The end of a file.
struct End {
    /// The last part of its path.
    name: String,
    /// How much stands before it.
    skipped: u64,
    bytes: Vec<u8>,
}

impl Search {
    /// Shows the ends of the logs to the observer, once they mention the user. The error says in words why they show nothing.
    pub(crate) async fn run(&self, observer: &mut Observer<'_>) -> Result<(), String> {
        let mut ends = self.ends().await?;
        for _ in 1..LOOKS {
            if self.is_mentioned(&ends) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            ends = self.ends().await?;
        }
        if !self.is_mentioned(&ends) {
            return Err("what `mentions` says does not stand in the logs: they may be others".to_owned());
        }
        for end in &ends {
            observer.logged(&end.bytes, |offset| end.place(offset));
        }
        Ok(())
    }

    fn is_mentioned(&self, ends: &[End]) -> bool {
        ends.iter().any(|end| memmem::find(&end.bytes, self.mentions.as_bytes()).is_some())
    }

    async fn ends(&self) -> Result<Vec<End>, String> {
        let files = self.files.clone();
        let read = spawn_blocking(move || read_all(&files)).await;
        read.map_err(|_| "the logs could not be read".to_owned())?
    }
}

fn read_all(files: &[String]) -> Result<Vec<End>, String> {
    let mut ends = vec![];
    let mut left = BYTES_MAX;
    for written in files {
        let paths = matching(written).map_err(|error| format!("cannot look for `{written}`: {error}"))?;
        if paths.is_empty() {
            return Err(format!("there is no log `{written}`"));
        }
        for path in paths {
            if ends.len() == FILES_MAX {
                return Err(format!("there are more than {FILES_MAX} logs"));
            }
            let end = End::read(&path, left.min(FILE_BYTES_MAX));
            let end = end.map_err(|error| format!("cannot read a log of `{written}`: {error}"))?;
            left -= end.bytes.len() as u64;
            ends.push(end);
        }
    }
    Ok(ends)
}

/// The files of a path, in the order of their names.
fn matching(written: &str) -> io::Result<Vec<PathBuf>> {
    let path = Path::new(written);
    let (Some(folder), Some(pattern)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(vec![]);
    };
    if !pattern.contains('*') {
        return Ok(if path.is_file() { vec![path.to_owned()] } else { vec![] });
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut found = vec![];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_it = entry.file_name().to_str().is_some_and(|name| matches(name, pattern));
        if is_it && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Whether the name is what the pattern says, in which `*` stands for anything.
fn matches(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut middle: Vec<&str> = parts.collect();
    let Some(last) = middle.pop() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

impl End {
    fn read(path: &Path, bytes_max: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let skipped = file.metadata()?.len().saturating_sub(bytes_max);
        file.seek(SeekFrom::Start(skipped))?;
        let mut bytes = vec![];
        file.take(bytes_max).read_to_end(&mut bytes)?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Self { name, skipped, bytes })
    }

    /// The line, where it can be counted.
    fn place(&self, offset: u64) -> String {
        if self.skipped > 0 {
            return format!("`{}`, byte {}", self.name, self.skipped + offset);
        }
        let before = usize::try_from(offset).map_or(&self.bytes[..], |end| &self.bytes[..end.min(self.bytes.len())]);
        format!("`{}`, line {}", self.name, 1 + memchr_iter(b'\n', before).count())
    }
}

#[cfg(test)]
#[cfg(not(coalmine_loom))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_star_stands_for_anything(before in "[a-c]{0,4}", middle in "[a-c]{0,4}", after in "[a-c]{0,4}") {
            let name = format!("{before}{middle}{after}");
            for pattern in [format!("{before}*{after}"), format!("{before}*"), format!("*{after}"), "*".to_owned(), name.clone()] {
                prop_assert!(matches(&name, &pattern), "{} {}", name, pattern);
            }
            let longer = format!("{before}*{after}d");
            prop_assert!(!matches(&name, &longer));
        }
    }

    #[test]
    fn what_stands_before_and_after_a_star_does_not_overlap() {
        assert!(!matches("ab", "ab*b"));
        assert!(matches("app-1.log", "app-*.log") && !matches("app-1.log.gz", "app-*.log"));
        assert!(matches("abcabd", "a*b*d") && !matches("abd", "a*bb*d"));
    }

    #[test]
    fn of_a_long_log_the_end_is_read_and_told_by_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        fs::write(&path, "first\nsecond\nthird\n").unwrap();
        let whole = End::read(&path, 100).unwrap();
        assert_eq!(whole.place(13), "`app.log`, line 3");
        let end = End::read(&path, 6).unwrap();
        assert_eq!((end.bytes.as_slice(), end.place(0)), (&b"third\n"[..], "`app.log`, byte 13".to_owned()));
    }
}
