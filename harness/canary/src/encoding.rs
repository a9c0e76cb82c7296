//! The forms in which a canary may come back.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One step between a canary as it was minted and the bytes it was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Encoding {
    /// Another case than it was minted in; for all but the first letter.
    Case,
    /// Base64, of either alphabet, at any of the three alignments, padded or not.
    Base64,
    /// Pairs of hexadecimal digits, of either case.
    Hex,
    /// Percent-encoding, also of characters that need none.
    Percent,
    /// HTML or XML character references.
    Html,
    /// Backslash escapes, as JSON, JavaScript and Python write them.
    Backslash,
}

impl Encoding {
    fn words(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::Percent => "percent",
            Self::Html => "html",
            Self::Backslash => "backslash",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}
