//! Finds what has no marker: numbers, and the beginnings of encoded stretches.

use crate::{
    Found, Strength,
    codec::Codec,
    figure,
    form::{base64_chars, base64_group, hex_pair},
    seal::Seal,
    sieve::Sieve,
    view::{Hit, Spot, View},
};

/// Pairs of digits that make a stretch of hexadecimal.
const PAIRS_MIN: usize = 12;

/// Characters that make a stretch of UTF-16.
const WIDE_MIN: usize = 14;

/// Groups of base64 that the digits of the shortest figure fill as a whole, wherever they begin.
const GROUPS_MIN: usize = 4;

/// Base64 of digits: at each place of a group of four stand but a few characters.
pub(crate) const PLACE_0: &[u8] = b"MNO";
pub(crate) const PLACE_1: &[u8] = b"DTjz";
pub(crate) const PLACE_2: &[u8] = b"AEIMQUYcgk";
const PLACE_3: &[u8] = b"wxyz012345";

/// Reports what is first looked at in `from..to`.
pub(crate) fn search(view: View<'_>, sieve: &Sieve, from: usize, to: usize, report: &mut dyn FnMut(Spot)) {
    let within = |at: &usize| (from..to).contains(at);
    for (word_at, zeros) in sieve.zeros().into_iter().flat_map(|zeros| zeros.words(from, to)) {
        let alternates = |place: &usize| matches!(zeros >> place & 0xff, 0x55 | 0xaa);
        for at in (0..64).step_by(WIDE_LOOK).filter(alternates).map(|place| word_at + place).filter(within) {
            if let Some(start) = wide_start(view.bytes, at) {
                report(Spot::Stretch(Codec::Utf16, start));
            }
        }
    }
    for (word_at, chars) in sieve.pairs().into_iter().flat_map(|chars| chars.words(from, to)) {
        let in_pairs = |place: &usize| matches!(chars >> place & 0xffff, 0xdb6d | 0xb6db | 0x6db6);
        for at in (0..64).step_by(PAIRS_LOOK).filter(in_pairs).map(|place| word_at + place).filter(within) {
            pairs(view.bytes, at, report);
        }
    }
}

/// Looks for pairs stand this far apart.
const PAIRS_LOOK: usize = 16;

/// Looks for UTF-16.
const WIDE_LOOK: usize = 8;

/// Whether the look at `at` is the first that lies wholly inside what begins at `start`.
fn is_first_look(at: usize, start: usize, apart: usize) -> bool {
    start <= at && at - start < apart
}

/// Reports the figures that begin in `from..to`, save those behind an escape, which count as begun with its digits.
pub(crate) fn figures(
    seal: &Seal,
    view: View<'_>,
    sieve: &Sieve,
    from: usize,
    to: usize,
    report: &mut dyn FnMut(Spot),
) {
    for start in sieve.figures().set(from, to) {
        figure_at(seal, view.bytes, start, report);
        if start > 0 && matches!(view.bytes[start - 1], b'%' | b'=' | b'x' | b'u') {
            for start in [start + 2, start + 4].into_iter().filter(|start| is_behind_escape(view.bytes, *start)) {
                figure_at(seal, view.bytes, start, report);
            }
        }
    }
}

/// The groups of digits in which a figure may begin, in a window of digits: bits 8 to 39 of it are told.
///
/// A figure has fourteen digits in a row, or groups at equal distances: a time's of two digits, three apart; those of
/// thousands four, five or six apart, as what stands between takes one byte, two or three; a card's of four digits.
pub(crate) fn figure_starts(digits: u64) -> u64 {
    let starts = digits & !(digits << 1);
    let pairs = digits & digits >> 1;
    let fours = pairs & pairs >> 2;
    let eights = fours & fours >> 4;
    let long = starts & eights & eights >> 6;
    let two = starts & pairs & !(digits >> 2);
    let three = starts & pairs & digits >> 2 & !(digits >> 3);
    let four = starts & fours;
    let times = two & two >> 3;
    let time = times & times >> 6 & starts >> 12 & fours << 5;
    let thousands = three & three >> 4;
    let thousands = thousands & thousands >> 4 & starts >> 12;
    let five = (three & three >> 5 | four & four >> 5) & starts >> 10;
    let six = three & three >> 6 & starts >> 12;
    // What follows the first group of a figure comes two to ten bytes behind its start.
    let next = time | thousands | five | six | long;
    let ahead = next >> 2 | next >> 3;
    let ahead = ahead | ahead >> 2;
    starts & (long | ahead | ahead >> 4 | next >> 10)
}

fn figure_at(seal: &Seal, bytes: &[u8], start: usize, report: &mut dyn FnMut(Spot)) {
    if let Some(figure) = bytes.get(start..).and_then(|_| figure::read(seal, bytes, start)) {
        let found = Found::Canary { id: figure.id, strength: Strength::Exact };
        let encodings = figure.encoding.into_iter().collect();
        report(Spot::Hit(Hit { found, encodings, span: start..start + figure.len }));
    }
}

/// Whether the digits ahead of a place belong to an escape, as in `%22` or `\u0022` for a quotation mark.
fn is_behind_escape(bytes: &[u8], at: usize) -> bool {
    let back = |by: usize| at.checked_sub(by).and_then(|at| bytes.get(at)).copied().unwrap_or(0);
    match (back(3), back(4), back(5), back(6)) {
        (b'%' | b'=', ..) | (b'x', b'\\', ..) | (_, _, b'u', b'\\') => true,
        (_, _, b'%', _) => back(4) == b'2' && back(3) == b'5',
        _ => false,
    }
}

/// Reports the figure whose digits fill the groups of base64 from here on, if the group before is not of digits as well.
pub(crate) fn base64_figures(seal: &Seal, view: View<'_>, at: usize, report: &mut dyn FnMut(Spot)) {
    const GROUPS: usize = 9;
    let groups = view.bytes[at..].chunks(4).take(GROUPS_MIN);
    if groups.len() < GROUPS_MIN || !groups.into_iter().all(is_of_digits) {
        return;
    }
    let before = at.checked_sub(4).map(|before| &view.bytes[before..at]);
    if before.is_some_and(is_of_digits) {
        return;
    }
    let origin = before.map_or(at, |_| at - 4);
    let mut text = [0; GROUPS * 3];
    for (slot, group) in text.chunks_exact_mut(3).zip(view.bytes[origin..].chunks(4)) {
        slot.copy_from_slice(&base64_group(group));
    }
    let group = (at - origin) / 4 * 3;
    let start = group - text[..group].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    if let Some(figure) = figure::read(seal, &text, start) {
        let found = Found::Canary { id: figure.id, strength: Strength::Exact };
        let chars = base64_chars(start..start + figure.len);
        let span = origin + chars.start..(origin + chars.end).min(view.bytes.len());
        let encodings = [crate::Encoding::Base64].into_iter().chain(figure.encoding).collect();
        report(Spot::Hit(Hit { found, encodings, span }));
    }
}

/// Whether a group of base64 holds three digits.
fn is_of_digits(group: &[u8]) -> bool {
    match group {
        [a, b, c, d] => PLACE_0.contains(a) && PLACE_1.contains(b) && PLACE_2.contains(c) && PLACE_3.contains(d),
        _ => false,
    }
}

/// Where a row of units begins that this look is the first to see, if it is long enough.
fn start_of(at: usize, unit: usize, units_min: usize, is_unit: impl Fn(usize) -> bool) -> Option<usize> {
    let mut start = (at.saturating_sub(unit - 1)..=at).find(|start| is_unit(*start) && is_unit(start + unit))?;
    while start >= unit && is_unit(start - unit) {
        start -= unit;
        (at - start < PAIRS_LOOK + unit).then_some(())?;
    }
    let is_first = at < start + PAIRS_LOOK;
    (is_first && (0..units_min).all(|count| is_unit(start + count * unit))).then_some(start)
}

/// Where text in UTF-16 begins that this look is the first to see, if it is long enough.
fn wide_start(bytes: &[u8], at: usize) -> Option<usize> {
    let is_text = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let alternates = |at: usize| match bytes.get(at..at + 2) {
        Some([0, byte] | [byte, 0]) => is_text(*byte),
        _ => false,
    };
    let mut start = at;
    while start > 0 && alternates(start - 1) {
        start -= 1;
        is_first_look(at, start, WIDE_LOOK).then_some(())?;
    }
    let len = 1 + (start..).take(2 * WIDE_MIN).take_while(|at| alternates(*at)).count();
    (len >= 2 * WIDE_MIN).then_some(start)
}

/// Pairs of hexadecimal digits apart from each other.
fn pairs(bytes: &[u8], at: usize, report: &mut dyn FnMut(Spot)) {
    let Some(near) = bytes.get(at..at + 3) else { return };
    let Some(mark) = near.iter().copied().find(|byte| matches!(byte, b' ' | b':' | b',')) else { return };
    let is_pair = |at: usize| {
        let pair = bytes.get(at..at + 3);
        pair.is_some_and(|pair| pair[2] == mark && hex_pair(pair[0], pair[1]).is_some())
    };
    if let Some(start) = start_of(at, 3, PAIRS_MIN, is_pair) {
        report(Spot::Stretch(Codec::Pairs, start));
    }
}
