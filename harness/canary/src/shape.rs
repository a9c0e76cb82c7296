//! What canaries look like, so that they pass the validation of the field they are planted in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The look of a canary.
///
/// Shapes of the *lettered* family carry a core of 30 letters (39 where owner or serial is 16,384 or more); the rest of
/// the canary is dress. The core names the owner, survives any change of case and every kind of escaping, and is all
/// that a sighting speaks of. The chance that other text which carries the marker is taken for a canary is below
/// 2^-70, and below 2^-32 for a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Shape {
    /// Plain lower-case letters. Lettered.
    Token,
    /// An address at `canary.example`. Lettered.
    Email,
    /// A UUID, version 4, in lower case: owners and serials below 2^24, false match below 2^-42 per UUID that carries
    /// the marker (itself 2^-32).
    Uuid,
    /// A whole number of 16 digits that doubles hold exactly (below 2^53). It has no marker: each number of 16 digits
    /// in a text is tried, with a false match of less than 2^-30 each. See [`Shape::owners`] for its limits.
    Integer,
    /// A short sentence. Lettered.
    Text,
}

/// How the canaries of a shape are made and found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// A marker, a name and a check, in letters.
    Letters,
    /// The same in the bits of a UUID.
    Uuid,
    /// A number that is a name and a check at once, with no marker.
    Number,
}

const TABLE: &[(Shape, &str, u8, Family)] = &[
    (Shape::Token, "token", 0, Family::Letters),
    (Shape::Email, "email", 1, Family::Letters),
    (Shape::Uuid, "uuid", 2, Family::Uuid),
    (Shape::Integer, "integer", 3, Family::Number),
    (Shape::Text, "text", 4, Family::Letters),
];

impl Shape {
    /// Every shape.
    pub const ALL: &'static [Self] = &[Self::Token, Self::Email, Self::Uuid, Self::Integer, Self::Text];

    fn row(self) -> &'static (Self, &'static str, u8, Family) {
        TABLE.iter().find(|row| row.0 == self).expect("every shape has its row, a test says so")
    }

    /// The number that stands for the shape inside canaries. It never changes.
    pub(crate) fn tag(self) -> u8 {
        self.row().2
    }

    pub(crate) fn from_tag(tag: u8) -> Option<Self> {
        TABLE.iter().find(|row| row.2 == tag).map(|row| row.0)
    }

    pub(crate) fn family(self) -> Family {
        self.row().3
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.row().1)
    }
}

/// A shape that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no shape {given:?}; the shapes are {}", names())]
pub struct UnknownShape {
    /// What was given.
    pub given: String,
}

fn names() -> String {
    TABLE.iter().map(|row| row.1).collect::<Vec<_>>().join(", ")
}

impl FromStr for Shape {
    type Err = UnknownShape;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let row = TABLE.iter().find(|row| row.1 == given);
        row.map(|row| row.0).ok_or_else(|| UnknownShape { given: given.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_one_row_and_one_tag() {
        assert_eq!(Shape::ALL.len(), TABLE.len());
        for shape in Shape::ALL {
            assert_eq!(Shape::from_tag(shape.tag()), Some(*shape));
            assert_eq!(shape.to_string().parse(), Ok(*shape));
        }
    }

    #[test]
    fn an_unknown_shape_names_the_known_ones() {
        let error = "tokn".parse::<Shape>().unwrap_err();
        assert!(error.to_string().contains("token, email"));
    }
}
