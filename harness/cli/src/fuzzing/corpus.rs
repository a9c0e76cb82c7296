//! Rounds that reached something new, kept as scripts on disk.

use std::io;
use std::path::{Path, PathBuf};

use coalmine_core::Script;
use coalmine_core::case::Origin;
use serde::{Deserialize, Serialize};

use super::durable;
use crate::output::tell;

/// Version of the files.
const FORMAT: u32 = 1;
/// More are not kept.
const ENTRIES_MAX: usize = 256;
/// So much of what an entry reached is written into it.
const REACHED_MAX: usize = 40;
/// A longer file is none of ours.
const BYTES_MAX: u64 = 64 << 20;

/// A file of the corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    #[serde(rename = "coalmine-corpus")]
    format: u32,
    /// The campaign and its round.
    from: Origin,
    /// What it was the first to reach.
    reached: Vec<String>,
    /// Who does what.
    script: Script,
}

/// See the module. Scripts are read when they are needed: together they are large.
#[derive(Debug)]
pub(super) struct Corpus {
    folder: PathBuf,
    aside: PathBuf,
    paths: Vec<PathBuf>,
}

impl Corpus {
    /// Reads all of it. What cannot be read is said, and set aside.
    pub(super) fn open(campaign: &Path) -> io::Result<Self> {
        let (folder, aside) = (campaign.join("corpus"), campaign.join("set-aside"));
        std::fs::create_dir_all(&folder)?;
        let files = std::fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path()));
        let mut paths: Vec<PathBuf> = files.collect::<io::Result<_>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        let mut corpus = Self { folder, aside, paths: vec![] };
        for path in paths {
            match read(&path) {
                Ok(_) => corpus.paths.push(path),
                Err(why) => corpus.set_aside(&path, &why)?,
            }
        }
        Ok(corpus)
    }

    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    /// Keeps a script that reached something new; false where there is no more room.
    pub(super) fn keep(&mut self, from: Origin, mut reached: Vec<String>, script: Script) -> io::Result<bool> {
        if self.paths.len() >= ENTRIES_MAX {
            return Ok(false);
        }
        reached.truncate(REACHED_MAX);
        let path = self.folder.join(format!("{:06}.json", from.round));
        durable::write(&path, &written(&Entry { format: FORMAT, from, reached, script }))?;
        // A round that is played again after the process was killed has its place already.
        if !self.paths.contains(&path) {
            self.paths.push(path);
        }
        Ok(true)
    }

    /// One of the scripts, with its place; later ones are likelier, since they reached what was harder to reach.
    pub(super) fn choose(&mut self, one: usize, other: usize) -> io::Result<Option<(PathBuf, Script)>> {
        while !self.paths.is_empty() {
            let count = self.paths.len();
            let path = self.paths[(one % count).max(other % count)].clone();
            match read(&path) {
                Ok(entry) => return Ok(Some((path, entry.script))),
                Err(why) => self.set_aside(&path, &why)?,
            }
        }
        Ok(None)
    }

    /// Takes a file out of the corpus, and says why.
    pub(super) fn set_aside(&mut self, path: &Path, why: &str) -> io::Result<()> {
        std::fs::create_dir_all(&self.aside)?;
        let place = self.aside.join(path.file_name().unwrap_or_default());
        std::fs::rename(path, &place)?;
        self.paths.retain(|known| known != path);
        tell(format_args!("error: {why}; the file is set aside as {}", place.display()));
        Ok(())
    }
}

/// An element of each list on a line of its own, so that an error has a place and a difference is small.
fn written(entry: &Entry) -> Vec<u8> {
    let mut bytes = vec![];
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Lines);
    entry.serialize(&mut serializer).expect("scripts have no keys but texts");
    bytes.push(b'\n');
    bytes
}

struct Lines;

impl serde_json::ser::Formatter for Lines {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"\n" } else { b",\n" })
    }
}

/// The error has the file with line and column.
fn read(path: &Path) -> Result<Entry, String> {
    let name = path.display();
    let cannot = |error: io::Error| format!("cannot read {name}: {error}");
    if std::fs::metadata(path).map_err(cannot)?.len() > BYTES_MAX {
        return Err(format!("{name}: it has more than {BYTES_MAX} bytes"));
    }
    let bytes = std::fs::read(path).map_err(cannot)?;
    let entry: Entry = serde_json::from_slice(&bytes).map_err(|error| placed(path, &error))?;
    match entry.format {
        FORMAT => Ok(entry),
        other => Err(format!("{name}:1: it has the format {other}, and this version of Coalmine reads {FORMAT}")),
    }
}

/// An error of JSON with file, line and column before it.
pub(super) fn placed(path: &Path, error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let what = error.to_string();
    let what = what.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&what);
    format!("{}:{line}:{column}: {what}", path.display())
}

#[cfg(test)]
mod tests {
    use coalmine_core::Seed;
    use coalmine_core::script::Person;

    use super::*;

    fn kept(campaign: &Path) -> PathBuf {
        let mut corpus = Corpus::open(campaign).unwrap();
        let person = |tenant| Person { tenant: Some(tenant), ..Person::default() };
        let script = Script { people: vec![person(0), person(1)], ..Script::default() };
        let from = Origin { seed: Seed(1), round: 7 };
        assert!(corpus.keep(from, vec!["read with write".into()], script).unwrap());
        let (path, script) = corpus.choose(3, 8).unwrap().unwrap();
        assert_eq!(script.people.len(), 2);
        path
    }

    #[test]
    fn what_is_kept_is_there_for_the_next_who_opens_it() {
        let campaign = tempfile::tempdir().unwrap();
        let path = kept(campaign.path());
        let again = Corpus::open(campaign.path()).unwrap();
        assert_eq!(again.paths, [path]);
    }

    #[test]
    fn a_spoiled_file_is_set_aside_with_its_place_and_the_others_stay() {
        let campaign = tempfile::tempdir().unwrap();
        let path = kept(campaign.path());
        let text = std::fs::read_to_string(&path).unwrap();
        let spoiled = path.with_file_name("000008.json");
        std::fs::write(&spoiled, text.replace("\"tenant\":1", "\"tenant\":one")).unwrap();
        let why = read(&spoiled).unwrap_err();
        let line = text.lines().position(|line| line.contains("\"tenant\":1")).unwrap() + 1;
        assert!(why.starts_with(&format!("{}:{line}:", spoiled.display())), "{why}");
        let corpus = Corpus::open(campaign.path()).unwrap();
        assert_eq!(corpus.paths, [path]);
        assert!(campaign.path().join("set-aside/000008.json").exists() && !spoiled.exists());
    }
}
