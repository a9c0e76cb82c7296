//! The only source of randomness of a run.

use std::fmt;
use std::str::FromStr;

use coalmine_canary::RunKey;
use serde::{Deserialize, Serialize};

/// Everything that a run draws by chance is drawn from its seed, so that the same scenario and seed give the same plan.
///
/// It is written as hexadecimal digits, `9c3f1e`, in every output and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

/// The text was not one to sixteen hexadecimal digits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a seed is 1 to 16 hexadecimal digits, such as 9c3f1e; this is `{0}`")]
pub struct SeedError(String);

impl Seed {
    /// 32 bytes for one purpose and round. Different purposes are independent of each other (BLAKE3 key derivation).
    pub fn derive(self, purpose: &str, round: u32) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(purpose);
        hasher.update(&self.0.to_le_bytes());
        hasher.update(&round.to_le_bytes());
        *hasher.finalize().as_bytes()
    }

    /// Another seed, for a part of a run that draws by itself: short enough to be typed.
    #[must_use]
    pub fn child(self, purpose: &str, number: u32) -> Self {
        let bytes = self.derive(purpose, number);
        let (head, _) = bytes.split_first_chunk::<8>().expect("there are 32 bytes");
        Self(u64::from_le_bytes(*head) >> 16)
    }

    /// The key under which all canaries of the run are minted and found. Rounds share it: a secret of an earlier round
    /// that turns up later is still recognised.
    pub fn run_key(self) -> RunKey {
        RunKey::derive(&self.derive("coalmine run key v1", 0))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        let plain = text.bytes().all(|b| b.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(number) if plain => Ok(Self(number)),
            _ => Err(SeedError(text.to_owned())),
        }
    }
}

impl Serialize for Seed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_reads_what_it_prints() {
        for number in [0, 1, 0x009c_3f1e, u64::MAX] {
            assert_eq!(Seed(number).to_string().parse(), Ok(Seed(number)));
        }
    }

    #[test]
    fn signs_and_other_letters_are_refused() {
        for text in ["", "+1", "-1", "0x1", "xyz", "11112222333344445"] {
            assert!(text.parse::<Seed>().is_err(), "{text}");
        }
    }

    #[test]
    fn purposes_and_rounds_are_independent() {
        assert_ne!(Seed(1).derive("a", 0), Seed(1).derive("b", 0));
        assert_ne!(Seed(1).derive("a", 0), Seed(1).derive("a", 1));
        assert_ne!(Seed(1).derive("a", 0), Seed(2).derive("a", 0));
    }
}
