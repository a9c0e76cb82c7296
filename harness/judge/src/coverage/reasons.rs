//! Why operations did not end ok.

use std::cmp::Reverse;

/// Different reasons that are kept for an operation; beyond it, they are not told apart.
const REASONS_MAX: usize = 8;

/// Each with how often, in the order in which they came.
#[derive(Default)]
pub(super) struct Reasons(Vec<(String, u64)>);

impl Reasons {
    /// One more operation ended for this reason.
    pub(super) fn count(&mut self, why: &str) {
        if let Some((_, times)) = self.0.iter_mut().find(|(known, _)| known == why) {
            *times += 1;
        } else if self.0.len() < REASONS_MAX {
            self.0.push((why.to_owned(), 1));
        }
    }

    /// The most frequent one.
    pub(super) fn first(&self) -> Option<&(String, u64)> {
        self.0.iter().min_by_key(|(_, times)| Reverse(*times))
    }

    /// Answers that said that too much was asked (RFC 6585, section 4).
    pub(super) fn too_many(&self) -> u64 {
        self.0.iter().filter(|(why, _)| why == "status 429").map(|(_, times)| times).sum()
    }
}
