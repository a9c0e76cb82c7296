//! A minted canary.

use std::fmt;

use crate::CanaryId;
use crate::letters::MARKER;

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

    /// The beginning of its core, which all lettered canaries have in common, of whatever owner and run; none for other shapes.
    /// It is no secret.
    pub fn stem(&self) -> Option<&str> {
        let is_stem = |bytes: &[u8]| bytes.eq_ignore_ascii_case(MARKER);
        let at = self.text.as_bytes().windows(MARKER.len()).position(is_stem)?;
        self.text.get(at..at + MARKER.len())
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

#[cfg(test)]
mod tests {
    use crate::{Minter, Owner, RunKey, Serial, Shape};

    #[test]
    fn lettered_canaries_have_their_stem_in_common() {
        let minter = Minter::new(&RunKey::derive(b"seed"));
        let stem = |owner, shape| minter.mint(Owner(owner), Serial(2), shape).unwrap().stem().map(str::to_lowercase);
        for shape in [Shape::Token, Shape::Name, Shape::Text, Shape::Email] {
            assert_eq!((stem(1, shape), stem(1, shape).map(|stem| stem.len())), (stem(2, shape), Some(6)));
        }
        assert_eq!(stem(1, Shape::Integer), None);
    }
}
