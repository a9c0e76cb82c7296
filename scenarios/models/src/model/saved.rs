//! An interleaving on disk, to be played again.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bounds::Extent;
use super::explored::Explored;
use super::failure::Failure;
use super::step::Step;

const FORMAT: u32 = 1;
/// Names the file of the interleaving that is to be played.
const VARIABLE: &str = "COALMINE_REPLAY";

/// An interleaving that broke a promise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    format: u32,
    /// The pattern.
    pub pattern: String,
    /// The structure.
    pub implementation: String,
    /// Which promise it broke.
    pub invariant: String,
    /// The bounds under which it was found.
    pub bounds: Extent,
    /// How it came to that, for a reader.
    pub steps: Vec<Step>,
    /// The decisions, in the model checker's own words.
    path: String,
}

/// A file that holds no interleaving.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SavedError {
    /// It cannot be read.
    #[error("cannot read {0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// It holds something else.
    #[error("{0} holds no interleaving: {1}")]
    Content(PathBuf, #[source] serde_json::Error),
    /// It was written by another version.
    #[error("{0} has format {1}, not {FORMAT}")]
    Format(PathBuf, u32),
}

/// Where interleavings are kept, and how a reader gets back to them.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub(super) folder: PathBuf,
    /// The line that plays one again is this, with the file in place of `{}`.
    pub(super) replay: String,
}

impl Saved {
    /// Reads an interleaving.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn read(file: &Path) -> Result<Self, SavedError> {
        let text = std::fs::read_to_string(file).map_err(|error| SavedError::Io(file.to_owned(), error))?;
        let saved: Self = serde_json::from_str(&text).map_err(|error| SavedError::Content(file.to_owned(), error))?;
        if saved.format == FORMAT { Ok(saved) } else { Err(SavedError::Format(file.to_owned(), saved.format)) }
    }

    /// The interleaving that the user wants to see again, if it is one of this model.
    pub(super) fn asked_for(pattern: &str, implementation: &str) -> Result<Option<Self>, SavedError> {
        let Some(file) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let saved = Self::read(Path::new(&file))?;
        Ok((saved.pattern == pattern && saved.implementation == implementation).then_some(saved))
    }

    /// Makes `file` the one that [`Self::asked_for`] finds in a child.
    pub(super) fn ask(command: &mut std::process::Command, file: &Path) {
        command.env(VARIABLE, file);
    }

    /// Hands the decisions over in a file, as model checkers want them.
    pub(super) fn with_path<R>(&self, play: impl FnOnce(&Path) -> R) -> Result<R, SavedError> {
        let write = || {
            let file = tempfile::NamedTempFile::new()?;
            std::fs::write(file.path(), &self.path)?;
            Ok(file)
        };
        let file = write().map_err(|error| SavedError::Io(std::env::temp_dir(), error))?;
        Ok(play(file.path()))
    }

    /// Keeps the interleaving of a violation, and says in the violation where. A disk that is full changes no verdict.
    pub(super) fn keep(
        mut result: Result<Explored, Failure>,
        path: Option<String>,
        bounds: Extent,
        shelf: Option<Shelf>,
    ) -> Result<Explored, Failure> {
        if let (Err(Failure::Violation(violation)), Some(path)) = (&mut result, path) {
            let shelf = shelf.unwrap_or_else(Shelf::of_tests);
            let saved = Self {
                format: FORMAT,
                pattern: violation.pattern.clone(),
                implementation: violation.implementation.clone(),
                invariant: violation.invariant.clone(),
                bounds,
                steps: violation.steps.clone(),
                path,
            };
            if let Ok(file) = saved.write(&shelf.folder) {
                violation.replay = Some(shelf.replay.replace("{}", &file.display().to_string()));
                violation.saved = Some(file);
            }
        }
        result
    }

    fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        let name = format!("{}-{}", self.pattern, self.implementation);
        let plain = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let file = folder.join(format!("{plain}.json"));
        std::fs::write(&file, serde_json::to_vec_pretty(self)?)?;
        Ok(file)
    }
}

impl Shelf {
    /// Beside the build of the tests that run, or where the process stands.
    pub(super) fn of_tests() -> Self {
        let exe = std::env::current_exe().unwrap_or_default();
        let build = exe.parent().filter(|folder| folder.ends_with("deps")).and_then(Path::parent);
        let folder = build.unwrap_or(Path::new("coalmine-out")).join("coalmine-models");
        let test = std::thread::current().name().filter(|name| *name != "main").unwrap_or_default().to_owned();
        let replay = format!("{VARIABLE}={{}} cargo test {test}").trim_end().to_owned();
        Self { folder, replay }
    }
}
