//! What a canary must fit into besides its shape.

use coalmine_canary::{Canary, CanaryId, MintError, Minter, Pattern};
use serde::{Deserialize, Serialize};

/// What the field that a canary is planted in allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// So many characters.
    MaxLength(u32),
    /// What a regular expression matches. For tokens only.
    Pattern(String),
}

/// Mints a canary so that it fits.
///
/// # Errors
/// Its shape cannot name it, or it does not fit.
pub fn mint(minter: &Minter, id: CanaryId, fit: Option<&Fit>) -> Result<Canary, MintError> {
    let CanaryId { owner, serial, shape } = id;
    match fit {
        None => minter.mint(owner, serial, shape),
        Some(Fit::MaxLength(chars)) => minter.mint_within(owner, serial, shape, *chars as usize),
        Some(Fit::Pattern(pattern)) => {
            let unfit = |_| MintError::PatternTooShort { needed: Pattern::LETTERS_MIN };
            minter.mint_matching(owner, serial, &Pattern::parse(pattern).map_err(unfit)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use coalmine_canary::{Owner, RunKey, Serial, Shape};

    use super::*;

    #[test]
    fn a_canary_is_minted_as_its_field_takes_it() {
        let minter = Minter::new(&RunKey::derive(b"fit"));
        let id = |shape| CanaryId { owner: Owner(3), serial: Serial(7), shape };
        let text =
            |shape, fit: Option<Fit>| mint(&minter, id(shape), fit.as_ref()).map(|canary| canary.expose().to_owned());
        assert_eq!(text(Shape::Token, None).unwrap().len(), 30);
        assert_eq!(text(Shape::Token, Some(Fit::MaxLength(24))).unwrap().len(), 24);
        let pattern = |written: &str| Some(Fit::Pattern(written.to_owned()));
        assert!(text(Shape::Token, pattern("^T-[A-Z]{30}$")).unwrap().starts_with("T-UXQWVP"));
        assert!(text(Shape::Token, pattern("[")).is_err());
        assert!(text(Shape::Email, Some(Fit::MaxLength(10))).is_err());
    }
}
