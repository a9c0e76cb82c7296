//! What a scan reports.

use serde::{Deserialize, Serialize};

use crate::{CanaryId, Encoding, Shape};

/// A canary, or what looks like one, in a stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sighting {
    /// What was found.
    pub found: Found,
    /// How it was wrapped, the outermost first. Empty for a canary as it was minted.
    pub encodings: Vec<Encoding>,
    /// Where the part that names the canary begins, in bytes from the start of the stream.
    pub offset: u64,
    /// How many bytes of the stream that part takes.
    pub len: u32,
    /// Some text around it, for the reader. What is or could be a secret is masked, the canary first.
    pub context: String,
}

/// What a sighting is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// A canary of this run.
    Canary {
        /// Its name.
        id: CanaryId,
        /// How much of it was there.
        strength: Strength,
    },
    /// A canary that was minted with another run's key: stale data.
    Residue {
        /// What it looks like.
        shape: Shape,
    },
    /// A secret of the user's own dictionary.
    Dictionary {
        /// Its place in the dictionary, from 0.
        entry: u32,
    },
}

/// How sure a sighting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// Only its last characters, behind a mask. A hint, no proof.
    Masked,
    /// Its beginning, cut off, yet long enough to name it.
    Fragment,
    /// A hash of it.
    Hash,
    /// All of the part that names it.
    Exact,
}

/// What a scan did, and what it could not do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScanSummary {
    /// Bytes of the stream.
    pub bytes: u64,
    /// Sightings that were reported.
    pub sightings: u64,
}
