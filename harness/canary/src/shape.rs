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
    /// A whole number of 16 digits that doubles hold exactly (below 2^53). Like all numeric shapes it has no marker:
    /// each number of 16 digits in a text is tried, with a false match of less than 2^-30 each. Owners are below
    /// 16,384, with 256 serials each, and 2,304 more for owners below 1,024.
    Integer,
    /// A short sentence. Lettered.
    Text,
    /// A whole number of 19 digits, below 2^63. As [`Shape::Integer`], with 3,000,000 more serials.
    BigInteger,
    /// A number of 14 digits and two decimal places, which a double keeps. As [`Shape::Integer`], with 768 more serials.
    Decimal,
    /// A moment between 2001 and 2255 in RFC 3339, UTC, with microseconds. As [`Shape::Integer`].
    DateTime,
    /// An E.164 number of 15 digits behind +999, the code of no country. 1,024 owners with 12 serials each; false match
    /// 2^-26 per number of that code, 2^-36 per number of 15 digits.
    Phone,
    /// A card number of 16 digits, with its check digit, behind a 9, which belongs to no card network. 1,024 owners with
    /// 80 serials each; false match 2^-30 per valid number behind a 9.
    Card,
    /// A person's given name and surname. Lettered.
    Name,
    /// An address on the web, at `canary.example`. Lettered.
    Url,
    /// A host below `canary.example`. Lettered.
    Hostname,
    /// The name of a text file. Lettered.
    FileName,
    /// What looks like a JSON Web Token: three parts in base64url, with the core in the second. Lettered.
    Jwt,
    /// A key behind a prefix, as services hand them out. Lettered.
    ApiKey,
    /// A German IBAN with valid check digits, of a bank whose code begins with 9, as no bank's does. As
    /// [`Shape::Integer`], with 70,000 more serials, and false only where the check digits are right as well.
    Iban,
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
    (Shape::BigInteger, "big-integer", 5, Family::Number),
    (Shape::Decimal, "decimal", 6, Family::Number),
    (Shape::DateTime, "date-time", 7, Family::Number),
    (Shape::Phone, "phone", 8, Family::Number),
    (Shape::Card, "card", 9, Family::Number),
    (Shape::Name, "name", 10, Family::Letters),
    (Shape::Url, "url", 11, Family::Letters),
    (Shape::Hostname, "hostname", 12, Family::Letters),
    (Shape::FileName, "file-name", 13, Family::Letters),
    (Shape::Jwt, "jwt", 14, Family::Letters),
    (Shape::ApiKey, "api-key", 15, Family::Letters),
    (Shape::Iban, "iban", 16, Family::Number),
];

impl Shape {
    /// Every shape.
    pub const ALL: &'static [Self] = &[
        Self::Token,
        Self::Email,
        Self::Uuid,
        Self::Integer,
        Self::Text,
        Self::BigInteger,
        Self::Decimal,
        Self::DateTime,
        Self::Phone,
        Self::Card,
        Self::Name,
        Self::Url,
        Self::Hostname,
        Self::FileName,
        Self::Jwt,
        Self::ApiKey,
        Self::Iban,
    ];

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
