//! What an exploration that found nothing has seen.

use serde::{Deserialize, Serialize};

use super::bounds::Extent;

/// An exploration that found nothing, and saw what it had to see.
#[must_use = "say what was proved, or at least that it was"]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explored {
    /// Interleavings that were played.
    pub iterations: u64,
    /// Whether these are all within the bounds. Never so for a sample.
    pub complete: bool,
    /// What was seen, and how often.
    pub witnesses: Vec<Witness>,
    /// How far it went.
    pub bounds: Extent,
}

/// Something that must have happened for a pass to mean anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// What.
    pub name: String,
    /// In how many interleavings.
    pub iterations: u64,
}

impl Explored {
    /// What was never seen.
    pub(super) fn missing(&self) -> Vec<String> {
        if self.witnesses.is_empty() {
            return vec!["the pattern names nothing that must be seen".to_owned()];
        }
        let never = self.witnesses.iter().filter(|witness| witness.iterations == 0);
        never.map(|witness| witness.name.clone()).collect()
    }
}
