//! The canaries that a run has planted, for what cannot name its owner by itself: hashes and masked ends.

use std::collections::HashMap;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::{
    CanaryId, Encoding, Found, Minter, Strength,
    form::{base64_group, hex_pair},
    view::{Hit, Spot},
};

/// A hash: what it is called, how long it is in hexadecimal and in base64 without padding.
const HASHES: [(Encoding, usize, usize); 4] =
    [(Encoding::Md5, 32, 22), (Encoding::Sha1, 40, 27), (Encoding::Sha256, 64, 43), (Encoding::Sha512, 128, 86)];

/// All hashes are shorter.
const LEN_MAX: usize = 129;

/// Whether some hash is so long.
const IS_LEN: [bool; LEN_MAX] = {
    let mut is_len = [false; LEN_MAX];
    let mut at = 0;
    while at < HASHES.len() {
        is_len[HASHES[at].1] = true;
        is_len[HASHES[at].2] = true;
        at += 1;
    }
    is_len
};

/// Characters that are left behind a mask.
const TAIL: usize = 4;

/// Mask characters in front of them, at least.
const MASK: &[u8] = b"****";

/// What is known of the canaries that are live. Of each hash the first eight bytes are kept.
#[derive(Default)]
pub(crate) struct Live {
    ids: Vec<CanaryId>,
    hashes: HashMap<(Encoding, u64), u32>,
    /// None where canaries of several owners end alike.
    tails: HashMap<[u8; TAIL], Option<u32>>,
}

impl Live {
    /// Learns a canary. What its shape cannot name is passed over: it cannot have been planted.
    pub(crate) fn learn(&mut self, minter: &Minter, id: CanaryId) {
        let Ok(canary) = minter.mint(id.owner, id.serial, id.shape) else { return };
        let Ok(index) = u32::try_from(self.ids.len()) else { return };
        self.ids.push(id);
        let text = canary.expose().as_bytes();
        self.hashes.insert((Encoding::Md5, first_eight(&Md5::digest(text))), index);
        self.hashes.insert((Encoding::Sha1, first_eight(&Sha1::digest(text))), index);
        self.hashes.insert((Encoding::Sha256, first_eight(&Sha256::digest(text))), index);
        self.hashes.insert((Encoding::Sha512, first_eight(&Sha512::digest(text))), index);
        if let Some(tail) = text.last_chunk() {
            let ids = &self.ids;
            let is_other = |known: u32| ids[known as usize].owner != id.owner;
            let entry = self.tails.entry(tail.map(|byte| byte.to_ascii_lowercase())).or_insert(Some(index));
            *entry = entry.filter(|known| !is_other(*known));
        }
    }

    /// Reports the hash that a row of characters is, if it is one.
    pub(crate) fn search_hash(&self, bytes: &[u8], start: usize, len: usize, report: &mut dyn FnMut(Spot)) {
        if len < LEN_MAX
            && IS_LEN[len]
            && let Some(hit) = self.hash_at(bytes, start, len)
        {
            report(Spot::Hit(hit));
        }
    }

    fn hash_at(&self, bytes: &[u8], start: usize, len: usize) -> Option<Hit> {
        let row = bytes.get(start..start + len)?;
        let in_hex = HASHES.iter().find(|hash| hash.1 == len).map(|hash| (hash.0, Encoding::Hex, unhex(row)));
        let in_base64 = HASHES.iter().find(|hash| hash.2 == len);
        let in_base64 = || in_base64.map(|hash| (hash.0, Encoding::Base64, Some(unbase64(row))));
        let (hash, writing, first) = in_hex.or_else(in_base64)?;
        let index = *self.hashes.get(&(hash, first?))?;
        let found = Found::Canary { id: self.ids[index as usize], strength: Strength::Hash };
        Some(Hit { found, encodings: vec![writing, hash], span: start..start + len })
    }

    /// Reports the end of a canary behind a mask that ends here.
    pub(crate) fn search_mask(&self, bytes: &[u8], at: usize, report: &mut dyn FnMut(Spot)) {
        let is_masked = at >= MASK.len() && bytes[at - MASK.len()..].starts_with(MASK);
        if let Some(found) = self.tail_at(bytes, at).filter(|_| is_masked) {
            report(Spot::Hit(Hit { found, encodings: Vec::new(), span: at..at + TAIL }));
        }
    }

    fn tail_at(&self, bytes: &[u8], at: usize) -> Option<Found> {
        let tail: &[u8; TAIL] = bytes[at..].first_chunk()?;
        if bytes.get(at + TAIL).is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let index = (*self.tails.get(&tail.map(|byte| byte.to_ascii_lowercase()))?)?;
        Some(Found::Canary { id: self.ids[index as usize], strength: Strength::Masked })
    }
}

fn first_eight(hash: &[u8]) -> u64 {
    hash.iter().take(8).fold(0, |first, byte| first << 8 | u64::from(*byte))
}

fn unhex(row: &[u8]) -> Option<u64> {
    let pairs = row.chunks_exact(2).take(8);
    pairs.map(|pair| hex_pair(pair[0], pair[1])).try_fold(0, |first, byte| Some(first << 8 | u64::from(byte?)))
}

fn unbase64(row: &[u8]) -> u64 {
    let bytes: Vec<u8> = row.chunks(4).take(3).flat_map(base64_group).collect();
    first_eight(&bytes)
}
