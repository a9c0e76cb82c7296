//! Ids that cannot be guessed.

use argon2::password_hash::rand_core::{OsRng, RngCore};

/// A fresh id of 64 random bits, such as `run-5f0c7a91d2e83b64`.
pub(crate) fn fresh(kind: &str) -> String {
    of(kind, OsRng.next_u64())
}

/// The id of a number.
pub(crate) fn of(kind: &str, number: u64) -> String {
    format!("{kind}-{number:016x}")
}
