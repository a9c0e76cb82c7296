//! The canaries that a run has planted, for what cannot name its owner by itself: hashes and masked ends.

use std::collections::HashMap;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::{
    Canary, CanaryId, Encoding, Found, Strength,
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

/// The rows that may be a hash, by their length: a bit for each that is shorter than the bits, all others may be one.
pub(crate) const LENGTHS: u64 = {
    let mut lengths = u64::MAX << LENGTHS_END;
    let mut len = 0;
    while len < LENGTHS_END {
        if IS_LEN[len] {
            lengths |= 1 << len;
        }
        len += 1;
    }
    lengths
};

/// A row as long as this may be longer: no more of it is seen at once.
const LENGTHS_END: usize = 56;

/// Characters that are left behind a mask.
const TAIL: usize = 4;

/// Mask characters in front of them or behind, at least.
const MASK: &[u8] = b"****";

/// And no more behind it: a row of them that is longer is an ornament.
const MASK_MAX: usize = 32;

/// In the name of a mailbox they are fewer.
const MAIL_MASK: &[u8] = b"***";

/// Behind the names of canaries that are addresses.
const MAIL_HOST: &[u8] = b"@canary.example";

/// What is left of a canary that tells no more than that it may be this one. Letters are in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Trace {
    /// Its last characters.
    Tail([u8; TAIL]),
    /// Its first.
    Head([u8; TAIL]),
    /// The first letter of an address, and the last ahead of its @ where it is shown.
    Mailbox(u8, Option<u8>),
    /// Its CRC-32, as IEEE 802.3 has it.
    Checksum(u32),
}

/// What is known of the canaries that are live. Of each hash the first eight bytes are kept.
#[derive(Default)]
pub(crate) struct Live {
    ids: Vec<CanaryId>,
    hashes: HashMap<(Encoding, u64), u32>,
    /// None where canaries of several owners leave the same.
    traces: HashMap<Trace, Option<u32>>,
    has_checksums: bool,
}

impl Live {
    /// Learns a canary that is planted, and gives it a number.
    pub(crate) fn learn(&mut self, canary: &Canary) -> Option<u32> {
        let index = u32::try_from(self.ids.len()).ok()?;
        self.ids.push(canary.id());
        let text = canary.expose().as_bytes();
        self.hashes.insert((Encoding::Md5, first_eight(&Md5::digest(text))), index);
        self.hashes.insert((Encoding::Sha1, first_eight(&Sha1::digest(text))), index);
        self.hashes.insert((Encoding::Sha256, first_eight(&Sha256::digest(text))), index);
        self.hashes.insert((Encoding::Sha512, first_eight(&Sha512::digest(text))), index);
        let text = text.to_ascii_lowercase();
        let tail = text.last_chunk().copied().map(Trace::Tail);
        let head = text.first_chunk().copied().map(Trace::Head);
        let name = text.strip_suffix(MAIL_HOST).and_then(|name| Some((*name.first()?, *name.last()?)));
        let mailbox = name.map(|(first, _)| Trace::Mailbox(first, None));
        let mailbox_ends = name.map(|(first, last)| Trace::Mailbox(first, Some(last)));
        for trace in [tail, head, mailbox, mailbox_ends].into_iter().flatten() {
            self.leave(trace, index);
        }
        Some(index)
    }

    /// Learns it with its checksum.
    pub(crate) fn learn_checksum(&mut self, canary: &Canary) {
        if let Some(index) = self.learn(canary) {
            self.has_checksums = true;
            self.leave(Trace::Checksum(crc32fast::hash(canary.expose().as_bytes())), index);
        }
    }

    fn leave(&mut self, trace: Trace, index: u32) {
        let ids = &self.ids;
        let owner = |index: u32| ids[index as usize].owner;
        let entry = self.traces.entry(trace).or_insert(Some(index));
        *entry = entry.filter(|known| owner(*known) == owner(index));
    }

    fn traced(&self, trace: Trace) -> Option<Found> {
        let index = (*self.traces.get(&trace)?)?;
        Some(Found::Canary { id: self.ids[index as usize], strength: Strength::Masked })
    }

    /// Whether checksums are known. They are searched for only then: other text is full of numbers as short.
    pub(crate) fn has_checksums(&self) -> bool {
        self.has_checksums
    }

    /// Reports the checksum that eight characters are, if they are one.
    pub(crate) fn search_checksum(&self, bytes: &[u8], at: usize, report: &mut dyn FnMut(Spot)) {
        let digits = bytes.get(at..at + 8).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let sum = digits.and_then(unhex).and_then(|sum| u32::try_from(sum).ok());
        if let Some(found) = sum.and_then(|sum| self.traced(Trace::Checksum(sum))) {
            report(Spot::Hit(Hit { found, encodings: vec![Encoding::Hex, Encoding::Crc32], span: at..at + 8 }));
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

    /// Reports the canary whose end stands behind a mask that ends here.
    pub(crate) fn search_tail(&self, bytes: &[u8], at: usize, report: &mut dyn FnMut(Spot)) {
        let Some(tail) = bytes[at..].first_chunk::<TAIL>() else { return };
        let goes_on = bytes.get(at + TAIL).is_some_and(u8::is_ascii_alphanumeric);
        let trace = Trace::Tail(tail.map(|byte| byte.to_ascii_lowercase()));
        if !goes_on
            && bytes[..at].ends_with(MASK)
            && let Some(found) = self.traced(trace)
        {
            report(Spot::Hit(Hit { found, encodings: Vec::new(), span: at..at + TAIL }));
        }
        if tail[1] == b'@' && bytes[..at].ends_with(MAIL_MASK) {
            self.search_mailbox(bytes, at, Some(tail[0]), report);
        }
    }

    /// Reports the canary whose beginning stands ahead of a mask that begins behind this character.
    pub(crate) fn search_head(&self, bytes: &[u8], at: usize, report: &mut dyn FnMut(Spot)) {
        let Some(start) = (at + 1).checked_sub(TAIL).filter(|_| bytes[at + 1..].starts_with(MASK)) else { return };
        let Some(head) = bytes[start..].first_chunk::<TAIL>() else { return };
        let mask = bytes[at + 1..].iter().take(MASK_MAX).take_while(|byte| **byte == b'*').count();
        let begins = start.checked_sub(1).is_none_or(|before| is_edge(bytes[before]));
        let ends = bytes.get(at + 1 + mask).is_none_or(|byte| is_edge(*byte) || byte.is_ascii_alphanumeric());
        let trace = Trace::Head(head.map(|byte| byte.to_ascii_lowercase()));
        if let Some(found) = self.traced(trace).filter(|_| begins && ends) {
            report(Spot::Hit(Hit { found, encodings: Vec::new(), span: start..start + TAIL }));
        }
    }

    /// Reports the address of which a mask leaves the first letter, and perhaps the last. The mask ends here.
    pub(crate) fn search_mailbox(&self, bytes: &[u8], at: usize, last: Option<u8>, report: &mut dyn FnMut(Spot)) {
        const NAME_MAX: usize = 64;
        let host = at + usize::from(last.is_some());
        let is_ours = bytes[host..].get(..MAIL_HOST.len()).is_some_and(|host| host.eq_ignore_ascii_case(MAIL_HOST));
        let mask = bytes[..at].iter().rev().take(NAME_MAX).take_while(|byte| **byte == b'*').count();
        let Some(start) = at.checked_sub(mask + 1).filter(|_| is_ours && mask >= MAIL_MASK.len()) else { return };
        let lower = |byte: u8| byte.to_ascii_lowercase();
        if let Some(found) = self.traced(Trace::Mailbox(lower(bytes[start]), last.map(lower))) {
            report(Spot::Hit(Hit { found, encodings: Vec::new(), span: start..host + MAIL_HOST.len() }));
        }
    }
}

/// What stands around values in text.
fn is_edge(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'<>=:,;()[]{}|".contains(&byte)
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
