//! How far a model is explored.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest that a model is played in a process of its own before it counts as incomplete.
pub(super) const MINUTES_MAX: u32 = 10;

/// What loom explores: every interleaving with at most this many preemptions.
///
/// A preemption is a switch away from a thread that could have gone on. Two find nearly all known bugs, in seconds; three
/// are for the night.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Preemptions in one interleaving, at most.
    pub preemptions: u8,
    /// A model that takes longer is given up, and is incomplete. Only where it runs in a process of its own.
    pub minutes_max: u32,
}

impl Bounds {
    /// At most so many preemptions.
    pub fn preemptions(preemptions: u8) -> Self {
        Self { preemptions, ..Self::default() }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self { preemptions: 2, minutes_max: MINUTES_MAX }
    }
}

/// What shuttle draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// How it chooses who goes on.
    pub schedule: Schedule,
    /// How many interleavings it draws.
    pub iterations: u32,
    /// The only randomness.
    pub seed: u64,
}

/// How shuttle chooses who goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Anybody who can, with equal chances: best for bugs that any overlap shows.
    Random,
    /// Priorities that change at a few places: best for a bug that needs so many orderings to be just right.
    Pct {
        /// How many.
        depth: u8,
    },
}

impl Sampling {
    /// Anybody who can goes on.
    pub fn random(iterations: u32) -> Self {
        Self { schedule: Schedule::Random, iterations, seed: 1 }
    }

    /// Probabilistic concurrency testing of bugs up to `depth`.
    pub fn pct(depth: u8, iterations: u32) -> Self {
        Self { schedule: Schedule::Pct { depth }, iterations, seed: 1 }
    }
}

/// How far an exploration went, and by which means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// Everything within the bounds.
    Exhausted(Bounds),
    /// A sample. What it does not show may be there all the same.
    Sampled(Sampling),
}

impl From<Bounds> for Extent {
    fn from(bounds: Bounds) -> Self {
        Self::Exhausted(bounds)
    }
}

impl From<Sampling> for Extent {
    fn from(sampling: Sampling) -> Self {
        Self::Sampled(sampling)
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted(bounds) => write!(f, "at most {} preemptions", bounds.preemptions),
            Self::Sampled(Sampling { schedule: Schedule::Random, iterations, seed }) => {
                write!(f, "sampled, {iterations} random schedules, seed {seed}")
            }
            Self::Sampled(Sampling { schedule: Schedule::Pct { depth }, iterations, seed }) => {
                write!(f, "sampled, {iterations} PCT schedules of depth {depth}, seed {seed}")
            }
        }
    }
}
