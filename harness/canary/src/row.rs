//! Finds long rows of characters that may be base64, base32 or hexadecimal.

use crate::{
    codec::{Codec, base32_value},
    form::base64_value,
    view::{Spot, View},
};

/// A look covers this many bytes.
const LOOK: usize = 16;

/// Looks stand this far apart.
const STRIDE: usize = 16;

/// The shortest row that no look misses.
const ROW_MIN: usize = LOOK + STRIDE - 1;

/// The longest part of a row that is looked at to tell what it is.
const ROW_SEEN: usize = 64;

/// Reports the rows that are first looked at in `from..to`. Looks stand at fixed offsets of the stream.
pub(crate) fn search(view: View<'_>, from: usize, to: usize, report: &mut dyn FnMut(Spot)) {
    let mut at = view.next_multiple(from, STRIDE);
    while at < to {
        let Some(look) = view.bytes.get(at..at + LOOK) else { return };
        if is_row(look) {
            inspect(view.bytes, at, report);
        }
        at += STRIDE;
    }
}

/// Whether all are letters, digits or one of the other characters of base64. Without branches, so that it runs on
/// vectors.
fn is_row(look: &[u8]) -> bool {
    let mut all = true;
    for byte in look {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let digit_or_slash = byte.wrapping_sub(b'/') < 11;
        let plus_or_minus = byte.wrapping_sub(b'+') & !2 == 0;
        let underscore = *byte == b'_';
        all &= letter | digit_or_slash | plus_or_minus | underscore;
    }
    all
}

#[cold]
fn inspect(bytes: &[u8], at: usize, report: &mut dyn FnMut(Spot)) {
    let is_char = |byte: &u8| base64_value(*byte).is_some();
    let before = bytes[..at].iter().rev().take(STRIDE).take_while(|byte| is_char(byte)).count();
    if before >= STRIDE {
        return;
    }
    let start = at - before;
    let seen = bytes[start..].iter().take(ROW_SEEN).take_while(|byte| is_char(byte)).count();
    let row = &bytes[start..start + seen];
    if row.len() < ROW_MIN {
        return;
    }
    if row.iter().take_while(|byte| byte.is_ascii_hexdigit()).count() >= ROW_MIN {
        report(Spot::Stretch(Codec::Hex, start));
        return;
    }
    let (upper, lower) = (row.iter().any(u8::is_ascii_uppercase), row.iter().any(u8::is_ascii_lowercase));
    let digit = row.iter().any(u8::is_ascii_digit);
    // Hardly any 31 characters of base64 lack these; names and paths mostly do. Base64 of digits has no small letters.
    if upper && (lower || digit) {
        report(Spot::Stretch(Codec::Base64, start));
    }
    if row.iter().all(|byte| base32_value(*byte).is_some()) {
        report(Spot::Stretch(Codec::Base32, start));
    }
}
