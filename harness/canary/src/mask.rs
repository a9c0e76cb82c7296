//! Classes of bytes as bits, so that a question about a run of bytes is one about an integer.
//!
//! Eight bytes are looked at together in one integer. (The ways are those of Warren's "Hacker's Delight", 2012.)

use std::ops::RangeInclusive;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * ONES;

/// One bit for each byte that belongs to the class, the first byte's lowest. A class takes eight bytes at a time and marks
/// those that belong by their highest bit.
pub(crate) fn of<const N: usize>(bytes: &[u8; N], class: impl Fn(u64) -> u64) -> u64 {
    let eights = bytes.as_chunks::<8>().0.iter().map(|eight| u64::from_le_bytes(*eight));
    eights.rev().fold(0, |bits, eight| bits << 8 | gather(class(eight)))
}

/// The highest bits of eight bytes, side by side: each is moved to the top byte by a factor of its own.
fn gather(marks: u64) -> u64 {
    (marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Marks the bytes from `low` to `high`, both of ASCII.
pub(crate) fn between(eight: u64, low: u8, high: u8) -> u64 {
    let seven = eight & !HIGH;
    let from = seven + ONES * u64::from(0x80 - low);
    let past = seven + ONES * u64::from(0x7f - high);
    from & !past & !eight & HIGH
}

/// Marks the bytes that are this one, of ASCII.
pub(crate) fn is(eight: u64, byte: u8) -> u64 {
    between(eight, byte, byte)
}

/// Marks the bytes that are none of ASCII.
pub(crate) fn is_not_ascii(eight: u64) -> u64 {
    eight & HIGH
}

/// The letters in lower case. Other bytes become others.
pub(crate) fn lower(eight: u64) -> u64 {
    eight | (0x20 * ONES)
}

/// The bytes of a window that begins `before` ahead of `at`. What lies outside counts as zero.
pub(crate) fn window<const N: usize>(bytes: &[u8], at: usize, before: usize) -> [u8; N] {
    if let Some(whole) = at.checked_sub(before).and_then(|from| bytes[from..].first_chunk()) {
        return *whole;
    }
    let mut window = [0; N];
    let lead = before.saturating_sub(at);
    let from = at.saturating_sub(before);
    for (slot, byte) in window[lead..].iter_mut().zip(&bytes[from.min(bytes.len())..]) {
        *slot = *byte;
    }
    window
}

/// Where at least so many bits stand in a row, counted from the first of them.
pub(crate) fn runs(bits: u64, len: usize) -> u64 {
    let (mut runs, mut have) = (bits, 1);
    while have < len {
        let step = have.min(len - have);
        runs &= runs >> step;
        have += step;
    }
    runs
}

/// The bits of these places.
pub(crate) fn places(range: RangeInclusive<usize>) -> u64 {
    u64::MAX >> (63 - range.end()) & u64::MAX << range.start()
}

/// The places of the bits that are set, the lowest first.
pub(crate) fn set(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        let is_some = bits != 0;
        bits &= bits.wrapping_sub(1);
        is_some.then_some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_stand_where_bytes_do() {
        for at in 0..64 {
            let mut bytes = [b' '; 64];
            bytes[at] = b'7';
            assert_eq!(of(&bytes, |eight| between(eight, b'0', b'9')), 1 << at);
            assert_eq!(set(1 << at | 1 << 63).next(), Some(at));
        }
        assert_eq!(places(1..=3), 0b1110);
        assert_eq!(runs(0b1_1111_0111, 3), 0b0_0111_0001);
    }

    #[test]
    fn a_class_holds_what_it_says() {
        for byte in 0..=u8::MAX {
            let eight = u64::from_le_bytes([byte; 8]);
            let all = |is: bool| if is { HIGH } else { 0 };
            assert_eq!(between(eight, b'0', b'9'), all(byte.is_ascii_digit()), "{byte}");
            assert_eq!(between(lower(eight), b'a', b'z'), all(byte.is_ascii_alphabetic()), "{byte}");
            assert_eq!(is(eight, b'_') | is_not_ascii(eight), all(byte == b'_' || byte >= 128), "{byte}");
        }
    }

    #[test]
    fn a_window_at_an_edge_is_filled_with_zeros() {
        assert_eq!(window::<64>(b"abc", 1, 3)[..6], *b"\0\0abc\0");
        assert_eq!(window::<64>(&[7; 80], 70, 10)[..21], [[7; 20].as_slice(), &[0]].concat());
    }
}
