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
    /// Only what a mask leaves of it, as its last characters or its first, or a checksum. A hint, no proof.
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
    /// Bytes that packed streams inside it gave.
    pub unpacked: u64,
    /// Sightings that were reported.
    pub sightings: u64,
    /// What was not scanned to its end: the first of them, at most [`ScanSummary::CUTS_MAX`].
    pub cuts: Vec<Cut>,
    /// How many things were not scanned to their end.
    pub cuts_total: u64,
}

impl ScanSummary {
    /// More cuts than this are only counted.
    pub const CUTS_MAX: usize = 16;

    pub(crate) fn note(&mut self, cut: Cut) {
        self.cuts_total += 1;
        if self.cuts.len() < Self::CUTS_MAX {
            self.cuts.push(cut);
        }
    }

    /// Takes over what an inner scan could not do.
    pub(crate) fn join(&mut self, inner: &Self) {
        self.unpacked += inner.unpacked;
        let room = Self::CUTS_MAX.saturating_sub(self.cuts.len());
        self.cuts.extend(inner.cuts.iter().take(room).copied());
        self.cuts_total += inner.cuts_total;
    }
}

/// Something that was not scanned to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// What it was.
    pub encoding: Encoding,
    /// Why.
    pub reason: CutReason,
}

/// Why something was not scanned to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CutReason {
    /// It lay too deep in other encodings.
    Depth,
    /// It gave too many bytes for those it took, as a bomb does.
    Ratio,
    /// Too many others seemed to be open at the same place.
    Crowd,
    /// It was damaged, or used what the decoder does not know.
    Broken,
}
