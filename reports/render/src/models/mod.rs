//! What came of models of concurrent code becomes text: terminal, JSON, JUnit. One format a file.

mod json;
mod junit;
mod terminal;

pub use json::models_json;
pub use junit::models_junit;
use serde::Serialize;
pub use terminal::models_terminal;

/// The version of the JSON.
pub const MODELS_FORMAT: u32 = 1;

/// What came of a set of models.
#[derive(Clone, Debug, Serialize)]
pub struct ModelsReport {
    /// [`MODELS_FORMAT`].
    pub format: u32,
    /// The version of Coalmine.
    pub coalmine: String,
    /// How far each was explored.
    pub bounds: String,
    /// In the order in which they are to be read.
    pub models: Vec<ModelResult>,
    /// The line that does it again.
    pub reproduce: String,
}

/// What came of one structure of one pattern.
#[derive(Clone, Debug, Serialize)]
pub struct ModelResult {
    /// The pattern.
    pub pattern: String,
    /// What may go wrong with it.
    pub risk: String,
    /// The structure.
    pub implementation: String,
    /// What it must be found to be: `right`, `hollow`, or the promise that it breaks.
    pub expected: String,
    /// Whether it was.
    pub mark: ModelMark,
    /// Interleavings that were played, up to the one that broke a promise if there was one.
    pub iterations: u64,
    /// Whether these are all within the bounds.
    pub complete: bool,
    /// What was seen, and in how many interleavings.
    pub witnesses: Vec<ModelWitness>,
    /// What came of it, in a line.
    pub result: String,
    /// The interleaving that broke a promise, step by step.
    pub interleaving: Option<String>,
    /// The line that plays it again.
    pub replay: Option<String>,
}

/// Something that must have happened for a pass to mean anything.
#[derive(Clone, Debug, Serialize)]
pub struct ModelWitness {
    /// What.
    pub name: String,
    /// In how many interleavings.
    pub iterations: u64,
}

/// Whether a structure was found to be what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelMark {
    /// A right one was proved.
    Proved,
    /// A right one broke no promise in any interleaving that was drawn; others were not looked at.
    Sampled,
    /// A guilty one was caught.
    Caught,
    /// A hollow one was refused.
    Refused,
    /// A right one broke a promise.
    Failed,
    /// A guilty one was not caught, or for something else; a hollow one was not refused.
    Missed,
    /// Nothing was decided.
    Undecided,
}

impl ModelMark {
    /// All of them, the good ones first.
    pub const ALL: [Self; 7] =
        [Self::Proved, Self::Sampled, Self::Caught, Self::Refused, Self::Failed, Self::Missed, Self::Undecided];

    /// Whether it is what it should be.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Proved | Self::Sampled | Self::Caught | Self::Refused)
    }
}
