//! The secret from which all canaries of a run are made.

use std::fmt;

/// The key of a run: whoever holds it can mint this run's canaries and tell them from every other text.
///
/// Machines that share it recognise each other's canaries with no further word. It is a secret: its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct RunKey([u8; 32]);

impl RunKey {
    /// Derives a key from seed material of any length, with BLAKE3's key derivation mode.
    pub fn derive(seed_material: &[u8]) -> Self {
        Self(blake3::derive_key("coalmine 2026-11 canary run key v1", seed_material))
    }

    /// Derives an independent key for one purpose inside this crate.
    pub(crate) fn subkey(&self, purpose: &str) -> [u8; 32] {
        *blake3::Hasher::new_keyed(&self.0).update(purpose.as_bytes()).finalize().as_bytes()
    }
}

impl fmt::Debug for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunKey(redacted)")
    }
}
