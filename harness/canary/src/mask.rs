//! Classes of bytes as bits, so that a question about a run of bytes is one about an integer.

use std::ops::RangeInclusive;

/// One bit for each byte that belongs to the class, the first byte's lowest. `class` must not branch, so that the loop runs
/// on vectors.
pub(crate) fn of<const N: usize>(bytes: &[u8; N], class: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0; N];
    for (flag, byte) in flags.iter_mut().zip(bytes) {
        *flag = u8::from(class(*byte));
    }
    let eights = flags.as_chunks::<8>().0.iter();
    eights.rev().fold(0, |bits, eight| bits << 8 | gather(u64::from_le_bytes(*eight)))
}

/// The lowest bits of eight bytes, side by side: each is moved to the top byte by a factor of its own.
fn gather(flags: u64) -> u64 {
    flags.wrapping_mul(0x0102_0408_1020_4080) >> 56
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
            assert_eq!(of(&bytes, |byte| byte.is_ascii_digit()), 1 << at);
            assert_eq!(set(1 << at | 1 << 63).next(), Some(at));
        }
        assert_eq!(places(1..=3), 0b1110);
    }

    #[test]
    fn a_window_at_an_edge_is_filled_with_zeros() {
        assert_eq!(window::<64>(b"abc", 1, 3)[..6], *b"\0\0abc\0");
        assert_eq!(window::<64>(&[7; 80], 70, 10)[..21], [[7; 20].as_slice(), &[0]].concat());
    }
}
