//! Finds long rows of characters that may be base64, base32 or hexadecimal.

use crate::{
    codec::Codec,
    form::{base64_group, hex_pair},
    mask,
    view::{Spot, View},
};

/// A look covers this many bytes.
const LOOK: usize = 16;

/// Looks stand this far apart.
const STRIDE: usize = 16;

/// The shortest row that no look misses.
const ROW_MIN: usize = LOOK + STRIDE - 1;

/// Reports the rows that are first looked at in `from..to`. Looks stand at fixed offsets of the stream.
pub(crate) fn search(view: View<'_>, from: usize, to: usize, report: &mut dyn FnMut(Spot)) {
    let bytes = view.bytes;
    let mut at = view.next_multiple(from, STRIDE);
    // Where the last look was inside a row as well, that look was the first.
    let mut was_row = at >= STRIDE && bytes[at - STRIDE..].first_chunk::<LOOK>().is_some_and(is_row);
    while at < to {
        let Some(look) = bytes[at..].first_chunk::<LOOK>() else { return };
        let is_row = is_row(look);
        if is_row
            && !was_row
            && let Some(start) = promising_start(bytes, at)
        {
            inspect(bytes, start, report);
        }
        was_row = is_row;
        at += STRIDE;
    }
}

/// Where the row begins that a look at `at` is the first to see, if it is long enough to hold something, and if some of
/// its characters say that it may: most rows are nothing.
#[inline]
fn promising_start(bytes: &[u8], at: usize) -> Option<usize> {
    let run = mask::of(&mask::window::<64>(bytes, at, STRIDE), are_chars);
    let before = (run << (64 - STRIDE)).leading_ones() as usize;
    let is_long = (run >> (STRIDE - before)).trailing_ones() as usize >= ROW_MIN;
    let start = at - before;
    let row = bytes.get(start..)?.first_chunk::<ROW_MIN>().filter(|_| is_long)?;
    let is_promising = may_be_hex(row) | may_be_base32(row) | is_promising(&held_in_base64(row));
    is_promising.then_some(start)
}

/// Whether the second half of a row is hexadecimal: in front of it may stand something else, as in 0x.
fn may_be_hex(row: &[u8; ROW_MIN]) -> bool {
    let half: &[u8; LOOK] = row.last_chunk().expect("a row is longer than its half");
    half.iter().fold(true, |all, byte| all & ((byte.wrapping_sub(b'0') < 10) | ((byte | 0x20).wrapping_sub(b'a') < 6)))
}

fn may_be_base32(row: &[u8; ROW_MIN]) -> bool {
    is_base32(&[row[2], row[7], row[15], row[19], row[27], row[30]])
}

/// Whether all are characters of base64. Without branches, so that it runs on vectors.
#[inline]
pub(crate) fn is_row<const N: usize>(look: &[u8; N]) -> bool {
    may_be_row(look) && look.iter().fold(0, |others, byte| others | 1 ^ u8::from(is_char(*byte))) == 0
}

/// Whether no byte of these is a space, a quotation mark or another that is quick to be told from all of base64.
fn may_be_row<const N: usize>(look: &[u8; N]) -> bool {
    look.iter().fold(0, |most, byte| byte.wrapping_sub(b'+').max(most)) <= b'z' - b'+'
}

#[expect(clippy::needless_bitwise_bool, reason = "a branch would keep loops off the vectors")]
fn is_char(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let slash_or_digit = byte.wrapping_sub(b'/') < 11;
    let plus_or_minus = byte.wrapping_sub(b'+') & !2 == 0;
    letter | slash_or_digit | plus_or_minus | (byte == b'_')
}

/// Marks the same characters.
fn are_chars(eight: u64) -> u64 {
    let comma_or_point = mask::is(eight | u64::from_le_bytes([2; 8]), b'.');
    let letter = mask::between(mask::lower(eight), b'a', b'z');
    letter | mask::between(eight, b'+', b'9') & !comma_or_point | mask::is(eight, b'_')
}

const DIGIT: u8 = 1;
const UPPER: u8 = 1 << 1;
const LOWER: u8 = 1 << 2;
const OTHER: u8 = 1 << 3;
/// Set where the character is none of base32.
const NOT_32: u8 = 1 << 4;

/// What kind of character of base64 each byte is; 0 for none.
const KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'2'..=b'7' => DIGIT,
            b'0' | b'1' | b'8' | b'9' => DIGIT | NOT_32,
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'+' | b'/' | b'-' | b'_' => OTHER | NOT_32,
            _ => 0,
        };
        byte += 1;
    }
    kinds
}

#[cold]
fn inspect(bytes: &[u8], start: usize, report: &mut dyn FnMut(Spot)) {
    let row = &bytes[start..start + ROW_MIN];
    if let Some(hex) = hex_row(&bytes[start..]) {
        if is_promising(&held_in_hex(&bytes[start + hex..])) {
            report(Spot::Stretch(Codec::Hex, start + hex));
        }
        return;
    }
    let kinds = row.iter().fold(0, |kinds, byte| kinds | kind(*byte));
    // Hardly any 31 characters of base64 lack these; names and paths mostly do. Base64 of digits has no small letters.
    if is_promising(&held_in_base64(row)) && kinds & UPPER != 0 && kinds & (LOWER | DIGIT) != 0 {
        report(Spot::Stretch(Codec::Base64, start));
    }
    if is_base32(row) {
        report(Spot::Stretch(Codec::Base32, start));
    }
}

fn kind(byte: u8) -> u8 {
    KINDS[usize::from(byte)]
}

fn is_base32(row: &[u8]) -> bool {
    let kinds = row.iter().fold(0, |kinds, byte| kinds | kind(*byte));
    kinds & NOT_32 == 0 && kinds & (UPPER | LOWER) != UPPER | LOWER
}

/// Where in a row hexadecimal digits begin, as behind 0x, if enough of them follow.
fn hex_row(row: &[u8]) -> Option<usize> {
    let other = row[..ROW_MIN].iter().rposition(|byte| !byte.is_ascii_hexdigit());
    let start = other.map_or(0, |at| at + 1);
    let digits = row.get(start..start + ROW_MIN)?;
    digits.iter().all(u8::is_ascii_hexdigit).then_some(start)
}

/// So many bytes of what a row holds are looked at.
const HELD: usize = 12;

fn held_in_base64(row: &[u8]) -> [u8; HELD] {
    let mut held = [0; HELD];
    for (three, group) in held.chunks_exact_mut(3).zip(row.chunks_exact(4)) {
        three.copy_from_slice(&base64_group(group));
    }
    held
}

fn held_in_hex(row: &[u8]) -> [u8; HELD] {
    let mut held = [0; HELD];
    for (byte, pair) in held.iter_mut().zip(row.chunks_exact(2)) {
        *byte = hex_pair(pair[0], pair[1]).unwrap_or(0);
    }
    held
}

/// Whether what a row holds at its beginning may hold something: text of some kind, or a packed stream. Random bytes,
/// as keys, hashes and pictures are, need no second scan; plain canaries in them are found without.
fn is_promising(held: &[u8; HELD]) -> bool {
    is_packed(held) | is_text(held)
}

/// Whether a gzip, zip, zstd or zlib stream, or a PDF, may begin so.
#[expect(clippy::needless_bitwise_bool, reason = "a branch would be foretold wrongly too often")]
fn is_packed(held: &[u8; HELD]) -> bool {
    let [first, second, ..] = *held;
    let is_zlib = (first == 0x78) & ((second == 0x01) | (second == 0x5e) | (second == 0x9c) | (second == 0xda));
    let head = u16::from_be_bytes([first, second]);
    (head == 0x1f8b) | (head == 0x504b) | (head == 0x28b5) | (head == 0x2550) | is_zlib
}

/// Text of one or two bytes a character. A few other bytes may stand in it, as in UTF-8 or in messages of some format.
fn is_text(held: &[u8; HELD]) -> bool {
    let plain: usize = held.iter().map(|byte| usize::from(TEXT[usize::from(*byte)])).sum();
    plain * 4 >= held.len() * 3
}

/// 1 for what text is made of, and for the zeros of UTF-16.
const TEXT: [u8; 256] = text();

const fn text() -> [u8; 256] {
    let mut text = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if matches!(byte, 0 | 9 | 10 | 13 | 32..=126) {
            text[byte] = 1;
        }
        byte += 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_tell_a_character_agree() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
            let marks = are_chars(u64::from_le_bytes([byte; 8]));
            assert_eq!((is_char(byte), kind(byte) != 0, marks != 0), (expected, expected, expected), "{byte}");
        }
    }
}
