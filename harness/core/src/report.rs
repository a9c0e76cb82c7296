//! The Report: a verdict with what a reader needs to place it and to bring it back.

use serde::{Deserialize, Serialize};

use crate::seed::Seed;
use crate::verdict::Verdict;

/// Version of the report as JSON.
pub const REPORT_FORMAT: u32 = 1;

/// What every renderer takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_FORMAT`].
    pub format: u32,
    /// Version of Coalmine that judged.
    pub coalmine: String,
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: Seed,
    /// The target's address, without credentials.
    pub target: String,
    /// Where the history lies, as it was given.
    pub history: String,
    /// The one line that brings the run back.
    pub reproduce: String,
    /// What the history shows.
    pub verdict: Verdict,
}
