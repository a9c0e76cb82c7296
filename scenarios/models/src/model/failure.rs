//! Why a model does not pass.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::explored::Explored;
use super::step::Step;

/// A tenant received what belongs to another.
pub(crate) const LEAK: &str = "leak";
/// A tenant does not find what is its own. Of a structure that never gives anybody anything this says only that it is hollow.
pub(crate) const MISSED: &str = "missed";
/// Nobody can go on.
pub(crate) const DEADLOCK: &str = "deadlock";
/// The code under test panicked.
pub(super) const PANIC: &str = "panic";
/// An interleaving goes on and on.
pub(super) const ENDLESS: &str = "endless";

/// Why a model does not pass.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The structure breaks a promise.
    Violation(Box<Violation>),
    /// Nothing went wrong, but what makes that mean something was never seen.
    Hollow {
        /// What was seen all the same.
        explored: Explored,
        /// What was not.
        missing: Vec<String>,
    },
    /// Not everything within the bounds was explored.
    Incomplete {
        /// Why, as far as it is known.
        why: String,
    },
    /// A variable of the environment would cut the exploration short.
    Limited {
        /// Its name.
        variable: String,
    },
    /// The machine did not let it happen.
    Fault {
        /// What failed.
        what: String,
    },
}

/// A promise that was broken, and how it came to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The pattern.
    pub pattern: String,
    /// The structure.
    pub implementation: String,
    /// Which promise: `leak`, `missed`, `deadlock`, `panic`, `endless`, or one of the pattern's own.
    pub invariant: String,
    /// What went wrong.
    pub what: String,
    /// In which interleaving.
    pub iteration: u64,
    /// How it came to that, at most 30 steps.
    pub steps: Vec<Step>,
    /// Whether the model checker ended the whole process, as loom does where it cannot unwind.
    pub aborted: bool,
    /// The interleaving, to be played again.
    pub saved: Option<PathBuf>,
    /// The one line that plays it again.
    pub replay: Option<String>,
}

impl Failure {
    /// The violation, if it is one.
    pub fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Violation(violation) => Some(violation),
            _ => None,
        }
    }
}

impl std::error::Error for Failure {}

/// As it is displayed, for `unwrap` in a test shows this.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(violation) => violation.fmt(f),
            Self::Hollow { missing, explored } => {
                let never = missing.join("; ");
                write!(f, "hollow: in {} interleavings this was never seen: {never}", explored.iterations)
            }
            Self::Incomplete { why } => write!(f, "incomplete: {why}"),
            Self::Limited { variable } => write!(f, "refused: {variable} is set and would cut the exploration short"),
            Self::Fault { what } => f.write_str(what),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pattern, implementation, invariant, what, iteration, .. } = self;
        writeln!(f, "{pattern} / {implementation}: {invariant}: {what} (interleaving {iteration})")?;
        let width = self.steps.iter().map(|step| step.who.chars().count()).max().unwrap_or(0);
        for (number, step) in self.steps.iter().enumerate() {
            let mark = if step.crossed { "   <== here" } else { "" };
            writeln!(f, "{:>4}  {:width$}  {}{mark}", number + 1, step.who, step.what)?;
        }
        if self.aborted {
            writeln!(f, "the model checker ended the process here")?;
        }
        if let Some(saved) = &self.saved {
            writeln!(f, "Saved  {}", saved.display())?;
        }
        match &self.replay {
            Some(line) => write!(f, "Replay {line}"),
            None => Ok(()),
        }
    }
}
