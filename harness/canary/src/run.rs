//! Finds numbers that are canaries, without a marker to look for.
//!
//! Sixteen digits in a row cannot be passed over by a look at every thirteenth byte, and neither can the base64 of
//! them, where each of the four characters of a group comes from a small set. So only a few bytes are looked at. (The
//! thought is Boyer and Moore's, 1977: a long needle lets the search skip.)

use std::ops::Range;

use crate::{
    Encoding, Found, Strength,
    form::{base64_chars, base64_group},
    number::{DIGITS, RANGES},
    seal::Seal,
    view::Hit,
};

/// A look covers this many bytes.
const LOOK: usize = 4;

/// Looks stand this far apart: the last of them that can be the first inside a number still lies inside it as a whole.
const STRIDE: usize = DIGITS - LOOK + 1;

/// Bit of [`CLASSES`]: a digit. The four bits below it: a character at that place of a base64 group of digits.
const DIGIT: u8 = 1 << 4;

/// What each byte may be.
const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let places: [&[u8]; 4] = [b"MNO", b"DTjz", b"AEIMQUYcgk", b"wxyz012345"];
    let mut classes = [0; 256];
    let mut place = 0;
    while place < 4 {
        let mut at = 0;
        while at < places[place].len() {
            classes[places[place][at] as usize] |= 1 << place;
            at += 1;
        }
        place += 1;
    }
    let mut digit = b'0';
    while digit <= b'9' {
        classes[digit as usize] |= DIGIT;
        digit += 1;
    }
    classes
}

/// The same, turned so that byte `n` of a look tells at which place of its group byte 0 would stand.
const LOOKS: [[u8; 256]; LOOK] = [turned(0), turned(1), turned(2), turned(3)];

const fn turned(by: usize) -> [u8; 256] {
    let mut turned = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let place = CLASSES[byte] & 0xf;
        turned[byte] = CLASSES[byte] & DIGIT | (place >> by | place << (4 - by)) & 0xf;
        byte += 1;
    }
    turned
}

/// Reports the numbers whose first look lies in `from..to`. `base` is the offset of the bytes in their stream, because
/// looks stand at fixed offsets of it.
pub(crate) fn search(seal: &Seal, bytes: &[u8], base: u64, from: usize, to: usize, report: &mut dyn FnMut(Hit)) {
    let stride = STRIDE as u64;
    let first = (base + from as u64).next_multiple_of(stride) - base;
    let mut at = usize::try_from(first).expect("less than a stride past an index");
    while at < to {
        let Some(look) = bytes.get(at..at + LOOK) else { return };
        let seen = LOOKS[0][usize::from(look[0])]
            & LOOKS[1][usize::from(look[1])]
            & LOOKS[2][usize::from(look[2])]
            & LOOKS[3][usize::from(look[3])];
        if seen != 0 {
            inspect(seal, bytes, at, seen, report);
        }
        at += STRIDE;
    }
}

fn inspect(seal: &Seal, bytes: &[u8], at: usize, seen: u8, report: &mut dyn FnMut(Hit)) {
    if seen & DIGIT != 0 {
        plain(seal, bytes, at, report);
        hex(seal, bytes, at, report);
    }
    for place in (0..4).filter(|place| seen & 1 << place != 0) {
        base64(seal, bytes, at, place, report);
    }
}

/// Whether the look at `at` is the first that lies wholly inside what begins at `start`.
fn is_first_look(at: usize, start: usize) -> bool {
    start <= at && at - start < STRIDE
}

fn plain(seal: &Seal, bytes: &[u8], at: usize, report: &mut dyn FnMut(Hit)) {
    let before = bytes[..at].iter().rev().take(STRIDE).take_while(|byte| byte.is_ascii_digit()).count();
    let start = at - before;
    let digits = bytes[start..].iter().take(DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if is_first_look(at, start) && digits == DIGITS {
        open(seal, &bytes[start..start + DIGITS], start..start + DIGITS, None, report);
    }
}

/// Digits in hexadecimal are digits themselves, each behind a 3.
fn hex(seal: &Seal, bytes: &[u8], at: usize, report: &mut dyn FnMut(Hit)) {
    let is_pair = |at: usize| bytes.get(at) == Some(&b'3') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    for first in [at, at + 1] {
        let mut start = first;
        while start >= 2 && first - start <= STRIDE && is_pair(start - 2) {
            start -= 2;
        }
        if !is_first_look(at, start) || !(0..DIGITS).all(|pair| is_pair(start + 2 * pair)) {
            continue;
        }
        if !is_pair(start + 2 * DIGITS) {
            let digits: Vec<u8> = (0..DIGITS).map(|pair| bytes[start + 2 * pair + 1]).collect();
            open(seal, &digits, start..start + 2 * DIGITS, Some(Encoding::Hex), report);
        }
    }
}

/// `place` is where in its group of four the character at `at` stands.
fn base64(seal: &Seal, bytes: &[u8], at: usize, place: usize, report: &mut dyn FnMut(Hit)) {
    const GROUPS_BEFORE: usize = 5;
    const GROUPS: usize = 13;
    let Some(group) = at.checked_sub(place) else { return };
    let origin = group - (group / 4).min(GROUPS_BEFORE) * 4;
    let mut text = [0; GROUPS * 3];
    for (slot, group) in text.chunks_exact_mut(3).zip(bytes[origin..].chunks(4)) {
        slot.copy_from_slice(&base64_group(group));
    }
    for digits in digit_runs(&text).filter(|run| run.len() == DIGITS) {
        if is_first_look(at, origin + (digits.start * 8).div_ceil(6)) {
            let chars = base64_chars(digits.clone());
            let span = origin + chars.start..(origin + chars.end).min(bytes.len());
            open(seal, &text[digits], span, Some(Encoding::Base64), report);
        }
    }
}

fn digit_runs(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text[from..].iter().position(u8::is_ascii_digit)?;
        let len = text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        from = start + len;
        Some(start..from)
    })
}

fn open(seal: &Seal, digits: &[u8], span: Range<usize>, form: Option<Encoding>, report: &mut dyn FnMut(Hit)) {
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    for range in RANGES {
        if let Some(id) = range.open(seal, number) {
            let found = Found::Canary { id, strength: Strength::Exact };
            report(Hit { found, encodings: form.into_iter().collect(), span: span.clone() });
        }
    }
}
