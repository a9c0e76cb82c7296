//! A minted canary.

use std::fmt;

use crate::CanaryId;

/// A unique secret, ready to be planted. Its bytes come out of [`Canary::expose`] only.
#[derive(Clone, PartialEq, Eq)]
pub struct Canary {
    id: CanaryId,
    text: String,
}

impl Canary {
    pub(crate) fn new(id: CanaryId, text: String) -> Self {
        Self { id, text }
    }

    /// Its name.
    pub fn id(&self) -> CanaryId {
        self.id
    }

    /// Its bytes. Call this where the canary is planted, and nowhere else.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canary").field("id", &self.id).finish_non_exhaustive()
    }
}
