//! Finds what has no marker: numbers, and the beginnings of encoded stretches.
//!
//! What is looked for is long, so a look at a few bytes now and then cannot miss it, and most bytes are never looked at.
//! (The thought is Boyer and Moore's, 1977: a long needle lets the search skip.)

use std::{ops::Range, sync::LazyLock};

use crate::{
    Found, Strength,
    codec::Codec,
    detector::Families,
    figure,
    form::{base64_chars, base64_group},
    mask,
    seal::Seal,
    view::{Hit, Spot, View},
};

/// A look covers this many bytes.
const LOOK: usize = 4;

/// Digits of the shortest row that a look must not miss, and of base64 that holds nothing but them.
const ROW: usize = 14;

/// Bytes of the shortest figure: a phone number's.
const FIGURE_MIN: usize = 15;

/// Digits that no figure has fewer of, together.
const DIGITS_MIN: usize = 14;

/// Bytes of the shortest figure with something between its digits: a decimal's.
const FIGURE_APART_MIN: usize = 17;

/// Looks stand this far apart: the first inside a row still lies inside it as a whole.
const STRIDE: usize = ROW - LOOK + 1;

/// Pairs of digits that make a stretch of hexadecimal.
const PAIRS_MIN: usize = 12;

/// Characters that make a stretch of UTF-16.
const WIDE_MIN: usize = 14;

type Class = fn(u8) -> bool;

/// What four bytes may look like. A look at text in base64 tells where in its group of four it began.
const WINDOWS: [(u32, [Class; LOOK]); 15] = [
    (FIGURE, [digit_or_wide, digit_or_wide, digit_or_wide, digit_or_wide]),
    (FIGURE << 1, [mark, digit, digit, digit]),
    (FIGURE << 2, [digit, mark, digit, digit]),
    (FIGURE << 3, [digit, digit, mark, digit]),
    (FIGURE << 4, [digit, digit, digit, mark]),
    (FIGURE << 5, [mark, digit, digit, mark]),
    (BASE64, [place_0, place_1, place_2, place_3]),
    (BASE64 << 1, [place_1, place_2, place_3, place_0]),
    (BASE64 << 2, [place_2, place_3, place_0, place_1]),
    (BASE64 << 3, [place_3, place_0, place_1, place_2]),
    (WIDE, [plain, nul, plain, nul]),
    (WIDE << 1, [nul, plain, nul, plain]),
    (PAIRS, [hex, hex, between, hex]),
    (PAIRS << 1, [hex, between, hex, hex]),
    (PAIRS << 2, [between, hex, hex, between]),
];

const FIGURE: u32 = 1;
const FIGURES: u32 = 0b11_1111;
const BASE64: u32 = 1 << 6;
const WIDE: u32 = 1 << 10;
const WIDES: u32 = WIDE | WIDE << 1;
const PAIRS: u32 = 1 << 12;
const ALL_PAIRS: u32 = PAIRS * 0b111;

fn digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// Bytes of the spaces U+00A0, U+2009 and U+202F, which stand between groups of digits.
fn digit_or_wide(byte: u8) -> bool {
    digit(byte) || matches!(byte, 0xc2 | 0xa0 | 0xe2 | 0x80 | 0x89 | 0xaf)
}

fn mark(byte: u8) -> bool {
    matches!(byte, b',' | b'.' | b'\'' | b' ' | b'_' | b'-' | b':' | b'T' | b't')
}

/// Base64 of digits: at each place of a group of four stand but a few characters.
fn place_0(byte: u8) -> bool {
    b"MNO".contains(&byte)
}

fn place_1(byte: u8) -> bool {
    b"DTjz".contains(&byte)
}

fn place_2(byte: u8) -> bool {
    b"AEIMQUYcgk".contains(&byte)
}

fn place_3(byte: u8) -> bool {
    b"wxyz012345".contains(&byte)
}

fn plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

fn nul(byte: u8) -> bool {
    byte == 0
}

fn hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn between(byte: u8) -> bool {
    matches!(byte, b' ' | b':' | b'-' | b',')
}

/// For each byte of a look, the windows that it fits into.
static FITS: LazyLock<[[u32; 256]; LOOK]> = LazyLock::new(|| {
    let mut fits = [[0; 256]; LOOK];
    for (window, classes) in WINDOWS {
        for (place, class) in classes.iter().enumerate() {
            for byte in 0..=u8::MAX {
                fits[place][usize::from(byte)] |= if class(byte) { window } else { 0 };
            }
        }
    }
    fits
});

/// Reports what is first looked at in `from..to`. Looks stand at fixed offsets of the stream.
pub(crate) fn search(
    seal: &Seal,
    families: Families,
    view: View<'_>,
    from: usize,
    to: usize,
    report: &mut dyn FnMut(Spot),
) {
    let bytes = view.bytes;
    let fits = &*FITS;
    let wanted = if families.number { u32::MAX } else { WIDES | ALL_PAIRS };
    let mut at = view.next_multiple(from, STRIDE);
    while at < to {
        let Some(look) = bytes.get(at..at + LOOK) else { return };
        let seen = fits[0][usize::from(look[0])]
            & fits[1][usize::from(look[1])]
            & fits[2][usize::from(look[2])]
            & fits[3][usize::from(look[3])]
            & wanted;
        if seen != 0 && may_be(bytes, at, seen) {
            inspect(seal, bytes, at, seen, report);
        }
        at += STRIDE;
    }
}

/// What most looks are is asked of the bytes around first.
fn may_be(bytes: &[u8], at: usize, seen: u32) -> bool {
    seen & !(FIGURES | ALL_PAIRS) != 0
        || seen & FIGURES != 0 && may_be_figure(bytes, at)
        || seen & ALL_PAIRS != 0 && may_be_pairs(bytes, at, seen)
}

#[cold]
fn inspect(seal: &Seal, bytes: &[u8], at: usize, seen: u32, report: &mut dyn FnMut(Spot)) {
    if seen & FIGURES != 0 {
        figures(seal, bytes, at, report);
    }
    for place in (0..4).filter(|place| seen & BASE64 << place != 0) {
        base64_figures(seal, bytes, at, place, report);
    }
    if seen & WIDES != 0
        && let Some(start) = wide_start(bytes, at)
    {
        report(Spot::Stretch(Codec::Utf16, start));
    }
    if seen & ALL_PAIRS != 0 {
        pairs(bytes, at, report);
    }
}

/// Whether the look at `at` is the first that lies wholly inside what begins at `start`.
fn is_first_look(at: usize, start: usize) -> bool {
    start <= at && at - start < STRIDE
}

/// Marks the bytes that figures are written in, and a few others that are quicker to let in than to keep out.
fn may_be_in_figure(eight: u64) -> u64 {
    let between = mask::between(eight, b'\'', b':') | mask::is(eight, b' ') | mask::is(eight, b'_');
    between | mask::is(mask::lower(eight), b't') | mask::is_not_ascii(eight)
}

/// The bytes around a look, from a stride ahead of it on. A figure that begins there is seen as far as needed.
fn near(bytes: &[u8], at: usize) -> [u8; 32] {
    mask::window(bytes, at, STRIDE)
}

/// Whether the look stands in a run of bytes that is long enough for a figure.
fn may_be_figure(bytes: &[u8], at: usize) -> bool {
    let run = mask::of(&near(bytes, at), may_be_in_figure);
    let (ahead, behind) = (run >> STRIDE, run << (64 - STRIDE));
    (ahead.trailing_ones() + behind.leading_ones()) as usize >= FIGURE_MIN
}

/// Every group of digits that the look is the first to see.
fn figures(seal: &Seal, bytes: &[u8], at: usize, report: &mut dyn FnMut(Spot)) {
    let near = near(bytes, at);
    let digits = mask::of(&near, |eight| mask::between(eight, b'0', b'9'));
    let runs = mask::of(&near, may_be_in_figure);
    // What stands between the parts of a time, behind fewer than four digits.
    let parts =
        mask::of(&near, |eight| mask::is(eight, b'-') | mask::is(eight, b':') | mask::is(mask::lower(eight), b't'));
    let short_parts = digits & (parts >> 1 | digits >> 1 & (parts >> 2 | digits >> 2 & parts >> 3));
    let long = mask::runs(runs, FIGURE_APART_MIN) | mask::runs(digits, DIGITS_MIN);
    for place in mask::set(digits & !(digits << 1) & long & !short_parts & mask::places(1..=STRIDE)) {
        let start = at + place - STRIDE;
        let behind_escape = [2, 4].map(|past| start + past);
        figure_at(seal, bytes, start, report);
        if matches!(near[place - 1], b'%' | b'=' | b'x' | b'u') {
            for start in behind_escape.into_iter().filter(|start| is_behind_escape(bytes, *start)) {
                figure_at(seal, bytes, start, report);
            }
        }
    }
}

fn figure_at(seal: &Seal, bytes: &[u8], start: usize, report: &mut dyn FnMut(Spot)) {
    if let Some(figure) = figure::read(seal, bytes, start) {
        let found = Found::Canary { id: figure.id, strength: Strength::Exact };
        let encodings = figure.encoding.into_iter().collect();
        report(Spot::Hit(Hit { found, encodings, span: start..start + figure.len }));
    }
}

/// Whether the digits ahead of a place belong to an escape, as in `%22` or `\u0022` for a quotation mark.
fn is_behind_escape(bytes: &[u8], at: usize) -> bool {
    let back = |by: usize| at.checked_sub(by).map_or(0, |at| bytes[at]);
    match (back(3), back(4), back(5), back(6)) {
        (b'%' | b'=', ..) | (b'x', b'\\', ..) | (_, _, b'u', b'\\') => true,
        (_, _, b'%', _) => back(4) == b'2' && back(3) == b'5',
        _ => false,
    }
}

/// `place` is where in its group of four the character at `at` stands.
fn base64_figures(seal: &Seal, bytes: &[u8], at: usize, place: usize, report: &mut dyn FnMut(Spot)) {
    const GROUPS_BEFORE: usize = 5;
    const GROUPS: usize = 13;
    let Some(group) = at.checked_sub(place) else { return };
    let origin = group - (group / 4).min(GROUPS_BEFORE) * 4;
    let mut text = [0; GROUPS * 3];
    for (slot, group) in text.chunks_exact_mut(3).zip(bytes[origin..].chunks(4)) {
        slot.copy_from_slice(&base64_group(group));
    }
    for digits in digit_runs(&text) {
        // The first character that these digits alone decide.
        let first = origin + (digits.start * 8).div_ceil(6);
        if is_first_look(at, first)
            && let Some(figure) = figure::read(seal, &text, digits.start)
        {
            let found = Found::Canary { id: figure.id, strength: Strength::Exact };
            let chars = base64_chars(digits.start..digits.start + figure.len);
            let span = origin + chars.start..(origin + chars.end).min(bytes.len());
            let encodings = [crate::Encoding::Base64].into_iter().chain(figure.encoding).collect();
            report(Spot::Hit(Hit { found, encodings, span }));
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

/// Where a row of units begins that this look is the first to see, if it is long enough.
fn start_of(at: usize, unit: usize, units_min: usize, is_unit: impl Fn(usize) -> bool) -> Option<usize> {
    let mut start = (at.saturating_sub(unit - 1)..=at).find(|start| is_unit(*start) && is_unit(start + unit))?;
    while start >= unit && is_unit(start - unit) {
        start -= unit;
        (at - start < STRIDE + unit).then_some(())?;
    }
    let is_first = at < start + STRIDE;
    (is_first && (0..units_min).all(|count| is_unit(start + count * unit))).then_some(start)
}

/// Where text in UTF-16 begins that this look is the first to see, if it is long enough.
fn wide_start(bytes: &[u8], at: usize) -> Option<usize> {
    let is_text = |byte: u8| plain(byte) || matches!(byte, b'\t' | b'\r' | b'\n');
    let alternates = |at: usize| match bytes.get(at..at + 2) {
        Some([0, byte] | [byte, 0]) => is_text(*byte),
        _ => false,
    };
    let mut start = at;
    while start > 0 && alternates(start - 1) {
        start -= 1;
        is_first_look(at, start).then_some(())?;
    }
    let len = 1 + (start..).take(2 * WIDE_MIN).take_while(|at| alternates(*at)).count();
    (len >= 2 * WIDE_MIN).then_some(start)
}

/// Whether what stands between two digits of the look comes again where it would in pairs.
fn may_be_pairs(bytes: &[u8], at: usize, seen: u32) -> bool {
    let place = at + usize::from(seen & PAIRS != 0) * 2 + usize::from(seen & PAIRS << 1 != 0);
    let Some(near) = bytes[place..].first_chunk::<7>() else { return false };
    near[0] == near[3] && near[0] == near[6]
}

/// Pairs of hexadecimal digits apart from each other.
fn pairs(bytes: &[u8], at: usize, report: &mut dyn FnMut(Spot)) {
    let Some(near) = bytes.get(at..at + 3) else { return };
    let Some(mark) = near.iter().copied().find(|byte| between(*byte)) else { return };
    let is_pair = |at: usize| {
        let pair = bytes.get(at..at + 3);
        pair.is_some_and(|pair| pair[2] == mark && hex(pair[0]) && hex(pair[1]))
    };
    if let Some(start) = start_of(at, 3, PAIRS_MIN, is_pair) {
        report(Spot::Stretch(Codec::Pairs, start));
    }
}
