//! What a canary is called: whose it is, which one it is, what it looks like.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Shape;

/// The index of a principal in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(pub u32);

/// The number of a canary among those of the same owner and shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Serial(pub u32);

/// The name of a canary, which its bytes carry in themselves. It is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CanaryId {
    /// Whose canary it is.
    pub owner: Owner,
    /// Which of the owner's canaries of this shape.
    pub serial: Serial,
    /// What it looks like.
    pub shape: Shape,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for CanaryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of owner {}", self.shape, self.serial, self.owner)
    }
}
