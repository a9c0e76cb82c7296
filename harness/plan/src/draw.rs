//! What is drawn by chance when a plan is made.

use coalmine_core::Seed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of numbers that depends on nothing but the seed, the round and what it is for.
///
/// The bounded draw is written out here, so that no new version of a library changes the plans of old seeds.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    pub(crate) fn new(seed: Seed, purpose: &str, round: u32, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::from_seed(seed.derive(purpose, round));
        rng.set_stream(stream);
        Self(rng)
    }

    /// A number below `bound`, which is not 0. The bias of 2^-32 at most is of no concern here.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        u32::try_from(wide >> 64).expect("the product's upper half is below the bound")
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let bound = u32::try_from(last + 1).expect("no list of a plan has 2^32 items");
            items.swap(last, self.below(bound) as usize);
        }
    }

    /// `count` different numbers below `bound`, or all of them when there are not so many.
    pub(crate) fn distinct_below(&mut self, bound: u32, count: u32) -> Vec<u32> {
        if count >= bound {
            let mut all: Vec<u32> = (0..bound).collect();
            self.shuffle(&mut all);
            return all;
        }
        let mut drawn = vec![];
        // Robert Floyd's sampling: one draw for each number, however many are asked for.
        for last in bound - count..bound {
            let number = self.below(last + 1);
            drawn.push(if drawn.contains(&number) { last } else { number });
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_numbers_are_distinct_and_below_the_bound() {
        let mut draw = Draw::new(Seed(1), "test", 0, 0);
        for (bound, count) in [(1, 5), (5, 5), (7, 3), (100, 20), (2, 1)] {
            let mut drawn = draw.distinct_below(bound, count);
            assert_eq!(drawn.len(), bound.min(count) as usize);
            assert!(drawn.iter().all(|number| *number < bound));
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), bound.min(count) as usize);
        }
    }

    #[test]
    fn streams_differ_and_repeat() {
        let first = |stream| Draw::new(Seed(1), "test", 0, stream).below(u32::MAX);
        assert_eq!(first(3), first(3));
        assert_ne!(first(3), first(4));
    }
}
