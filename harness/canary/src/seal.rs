//! The keyed functions behind every canary: checks that nobody without the run key can compute.

use crate::{CanaryId, RunKey, Shape};

/// The keyed functions of one run.
pub(crate) struct Seal {
    check: [u8; 32],
    pad: u128,
    number: (u64, u64),
}

impl Seal {
    pub(crate) fn new(key: &RunKey) -> Self {
        let pad = key.subkey("pad");
        let number = key.subkey("number");
        Self {
            check: key.subkey("check"),
            pad: u128::from_le_bytes(array(&pad, 0)),
            number: (u64::from_le_bytes(array(&number, 0)), u64::from_le_bytes(array(&number, 8))),
        }
    }

    /// A constant of the run that hides small owners and serials from the eye.
    pub(crate) fn pad(&self) -> u128 {
        self.pad
    }

    /// 256 bits that only this run gives to this name.
    pub(crate) fn check(&self, id: CanaryId) -> [u8; 32] {
        let mut message = [0; 9];
        message[0] = id.shape.tag();
        message[1..5].copy_from_slice(&id.owner.0.to_le_bytes());
        message[5..9].copy_from_slice(&id.serial.0.to_le_bytes());
        *blake3::keyed_hash(&self.check, &message).as_bytes()
    }

    /// 64 bits that only this run gives to this code of a numeric shape.
    ///
    /// Numbers have no marker, so every long number in a text is tried: this must be quick. It is SipHash-2-4
    /// (Aumasson and Bernstein, 2012) of one 8-byte block.
    pub(crate) fn number(&self, shape: Shape, code: u64) -> u64 {
        sip24(self.number, code | u64::from(shape.tag()) << 56)
    }
}

fn array<const N: usize>(from: &[u8; 32], at: usize) -> [u8; N] {
    let mut to = [0; N];
    to.copy_from_slice(&from[at..at + N]);
    to
}

fn sip24(key: (u64, u64), block: u64) -> u64 {
    let mut v = [
        key.0 ^ 0x736f_6d65_7073_6575,
        key.1 ^ 0x646f_7261_6e64_6f6d,
        key.0 ^ 0x6c79_6765_6e65_7261,
        key.1 ^ 0x7465_6462_7974_6573,
    ];
    let length_block = 8 << 56;
    for word in [block, length_block] {
        v[3] ^= word;
        sip_round(&mut v);
        sip_round(&mut v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for _ in 0..4 {
        sip_round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn sip_round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32).wrapping_add(v[3]);
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sip_agrees_with_the_published_vector() {
        let key = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(sip24(key, 0x0706_0504_0302_0100), 0x93f5_f579_9a93_2462);
    }
}
