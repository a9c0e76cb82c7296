//! Bits of a word as places.

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
    fn each_bit_is_told_the_lowest_first() {
        assert_eq!(set(1 << 7 | 1 << 63 | 1).collect::<Vec<_>>(), [0, 7, 63]);
    }
}
