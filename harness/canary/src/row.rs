//! Finds long rows of characters that may be base64, base32 or hexadecimal.

use crate::{
    codec::Codec,
    form::{base64_group, base64_value_or_zero, hex_pair},
    live::Live,
    sieve::Sieve,
    view::{Spot, View},
};

/// The shortest row that is looked into.
pub(crate) const ROW_MIN: usize = 31;

/// No more of a row is counted: a hash is no longer.
const LEN_MAX: usize = 129;

/// Reports the rows that begin in `from..to`, and those that are hashes.
pub(crate) fn search(
    live: Option<&Live>,
    view: View<'_>,
    sieve: &Sieve,
    from: usize,
    to: usize,
    report: &mut dyn FnMut(Spot),
) {
    let chars = sieve.chars();
    if let Some(live) = live.filter(|live| live.has_checksums()) {
        for start in chars.runs_of_eight(from, to) {
            live.search_checksum(view.bytes, start, report);
        }
    }
    if let Some(live) = live {
        for start in sieve.hash_rows() {
            live.search_hash(view.bytes, *start, chars.run(*start, LEN_MAX), report);
        }
    }
    for start in sieve.promising_rows() {
        if let Some(row) = view.bytes[*start..].first_chunk()
            && may_hold(row)
        {
            inspect(view.bytes, *start, report);
        }
    }
}

/// Whether hyphens stand where UUIDs have them: hardly any row is one as often.
fn is_uuid(row: &[u8; ROW_MIN]) -> bool {
    row[8] == b'-' && row[13] == b'-' && row[18] == b'-' && row[23] == b'-'
}

/// Whether some characters of a row say that it may hold something: most rows are nothing.
pub(crate) fn may_hold(row: &[u8; ROW_MIN]) -> bool {
    !is_uuid(row) && may_be_digits(row) | is_plain(plain_bytes(row)) | is_packed(base64_head(row))
}

/// Whether so many bytes of text, of those that are looked at, are enough.
pub(crate) fn is_plain(plain: usize) -> bool {
    plain * 4 >= HELD * 3
}

/// Whether the second half of a row may be hexadecimal or base32: in front of it may stand something else, as in 0x.
fn may_be_digits(row: &[u8; ROW_MIN]) -> bool {
    let of = |at: usize| kind(row[at]);
    let all = of(15) & of(18) & of(21) & of(24) & of(27) & of(30);
    all & HEX != 0 || is_base32(of(15) | of(18) | of(21) | of(24) | of(27) | of(30))
}

/// At the beginning of a row of base64, how many bytes may be of text. Each character tells something of one byte, the
/// last two of a group of another together.
fn plain_bytes(row: &[u8; ROW_MIN]) -> usize {
    let hint = |place: usize, at: usize| HINTS[usize::from(row[at])][place];
    let mut plain = 0;
    for at in [0, 4, 8, 12] {
        plain += hint(0, at) + hint(1, at + 1) + u8::midpoint(hint(2, at + 2), hint(3, at + 3));
    }
    usize::from(plain)
}

/// The first two bytes that a row of base64 holds.
fn base64_head(row: &[u8]) -> [u8; 2] {
    let [first, second, third] = [row[0], row[1], row[2]];
    let value = base64_value_or_zero;
    [value(first) << 2 | value(second) >> 4, value(second) << 4 | value(third) >> 2]
}

/// For each character and each place in a group of base64, what it says of text: at the first two whether the byte that
/// they begin may be of text; at the third 2 for that, 1 where the fourth must say 1 as well.
pub(crate) const HINTS: [[u8; 4]; 256] = hints();

const fn hints() -> [[u8; 4]; 256] {
    let mut hints = [[0; 4]; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let value = base64_value_or_zero(byte);
        let third = match value & 3 {
            0 => 1,
            1 => 2,
            _ => 0,
        };
        hints[byte as usize] = [
            matches!(value, 0 | 2 | 3 | 8..=31) as u8,
            matches!(value & 15, 0 | 2..=7) as u8,
            third,
            matches!(value, 0 | 9 | 10 | 13 | 32..) as u8,
        ];
        byte += 1;
    }
    hints
}

const DIGIT: u8 = 1;
pub(crate) const UPPER: u8 = 1 << 1;
pub(crate) const LOWER: u8 = 1 << 2;
const OTHER: u8 = 1 << 3;
/// Set where the character is none of base32.
pub(crate) const NOT_32: u8 = 1 << 4;
/// Set where it is a digit of hexadecimal.
pub(crate) const HEX: u8 = 1 << 5;

/// What kind of character of base64 each byte is; 0 for none.
pub(crate) const KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'2'..=b'7' => DIGIT | HEX,
            b'0' | b'1' | b'8' | b'9' => DIGIT | HEX | NOT_32,
            b'A'..=b'F' => UPPER | HEX,
            b'G'..=b'Z' => UPPER,
            b'a'..=b'f' => LOWER | HEX,
            b'g'..=b'z' => LOWER,
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
    if is_promising(&held_in_base64(row)) && goes_on(row) && kinds & UPPER != 0 && kinds & (LOWER | DIGIT) != 0 {
        report(Spot::Stretch(Codec::Base64, start));
    }
    if is_base32(kinds) {
        report(Spot::Stretch(Codec::Base32, start));
    }
}

fn kind(byte: u8) -> u8 {
    KINDS[usize::from(byte)]
}

/// Whether characters of these kinds are all of base32, and of one case.
fn is_base32(kinds: u8) -> bool {
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
    is_packed([held[0], held[1]]) || is_text(held)
}

/// Whether what begins like text in a row of base64 goes on a little like it, as hardly any random bytes do.
fn goes_on(row: &[u8]) -> bool {
    let next = held_in_base64(&row[16..28]);
    is_packed(base64_head(row)) || next[..9].iter().filter(|byte| TEXT[usize::from(**byte)] == 1).count() >= 5
}

/// Whether a gzip, zip, zstd or zlib stream, or a PDF, may begin so.
#[expect(clippy::needless_bitwise_bool, reason = "a branch would be foretold wrongly too often")]
fn is_packed([first, second]: [u8; 2]) -> bool {
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
