//! What was read from an answer to be compared with a model, and what it told caches.

use serde::{Deserialize, Serialize};

use super::Digest;
use crate::seed::Seed;

/// What is compared with what an answer should say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Values at the paths of [`crate::step::Step::models`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// Values of [`crate::step::Step::echoes`], as they were sent and as they came back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub echoes: Vec<EchoFact>,
}

/// What stood at the path of one of [`crate::step::Step::models`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Index into the step's models.
    pub model: u16,
    /// What was read.
    pub value: ReadValue,
}

/// What was read from an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadValue {
    /// Rows, in their order.
    Rows {
        /// What they are recognised by.
        rows: Vec<Digest>,
        /// Rows beyond those that are kept.
        #[serde(default, skip_serializing_if = "is_none")]
        dropped: u64,
    },
    /// A number.
    Figure(Veiled),
    /// So many values that are something: not null, zero, false or empty.
    Filled(u64),
    /// The answer was no JSON, or no number stood there.
    Unreadable,
}

/// A number that does not stand in a history as it is, since the sum of one canary is that canary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Veiled(u64);

/// A value that was sent and what came back in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoFact {
    /// Index into [`crate::step::Step::echoes`].
    pub echo: u16,
    /// What was sent.
    pub sent: Digest,
    /// What came back; none where nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came: Option<Digest>,
}

/// One value of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// Where it stands: `status`, `header x-total`, `$.items[0].id`, `line 3`. Names that may be somebody's are digests.
    pub at: String,
    /// What stands there.
    pub value: LeafValue,
}

/// What stands in one place of an answer, without showing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeafValue {
    /// A number, of which differences count.
    Number(Veiled),
    /// Anything else.
    Other(Digest),
}

/// What an answer tells caches (RFC 9111).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caching {
    /// The directives of `Cache-Control` that decide who may keep it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directives: Vec<Directive>,
    /// The names in `Vary`, in small letters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vary: Vec<String>,
    /// The validator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<ETag>,
}

/// A directive of `Cache-Control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Directive {
    /// Shared caches may keep it.
    Public,
    /// Only the caches of one user may.
    Private,
    /// No cache may.
    NoStore,
    /// It is asked for anew each time.
    NoCache,
    /// How long it is good, in seconds.
    MaxAge(u64),
    /// The same for shared caches.
    SMaxAge(u64),
}

/// An ETag, as a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ETag {
    /// What stands in it.
    pub value: Digest,
    /// Whether it is a weak one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weak: bool,
}

impl Caching {
    /// Whether it says nothing.
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }
}

impl Veiled {
    /// Veils a number under the run's seed.
    pub fn new(seed: Seed, number: f64) -> Self {
        Self(number.to_bits() ^ veil(seed))
    }

    /// The number.
    pub fn number(self, seed: Seed) -> f64 {
        f64::from_bits(self.0 ^ veil(seed))
    }
}

fn veil(seed: Seed) -> u64 {
    let key = seed.derive("coalmine figures v1", 0);
    let (head, _) = key.split_first_chunk::<8>().expect("a key has 32 bytes");
    u64::from_le_bytes(*head)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl std::fmt::Debug for Veiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Veiled {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Veiled {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_veiled_number_comes_back_and_does_not_stand_there() {
        let veiled = Veiled::new(Seed(7), 1_234_567_890_123_456.0);
        let text = serde_json::to_string(&veiled).unwrap();
        assert_ne!(text, format!("\"{:016x}\"", 1_234_567_890_123_456_f64.to_bits()));
        let read: Veiled = serde_json::from_str(&text).unwrap();
        assert!((read.number(Seed(7)) - 1_234_567_890_123_456.0).abs() < 0.5);
    }
}
