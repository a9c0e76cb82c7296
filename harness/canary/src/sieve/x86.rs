//! The same on the vectors of x86-64: sixty-four bytes at a time, or twice thirty-two.
#![expect(unsafe_code, reason = "vector instructions need a processor that has them, and read memory by pointer")]

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm256_adds_epu8, _mm256_and_si256,
    _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8,
    _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16, _mm512_and_si512,
    _mm512_andnot_si512, _mm512_loadu_si512, _mm512_min_epu8, _mm512_movepi8_mask, _mm512_permutex2var_epi8,
    _mm512_set1_epi8, _mm512_test_epi8_mask, _mm512_testn_epi8_mask,
};

use super::{Planes, Rare, SEEN, Start, WORD, Word, count, is_char, pairs as pairs_of, starts_of};
use crate::fingerprint::{Buckets, Halves};

/// Fills words from one on, as many as there are bytes for. None where the processor has no such vectors.
pub(super) fn fill(buckets: &Buckets, numbers: bool, bytes: &[u8], planes: &mut Planes, from: usize) -> Option<Rare> {
    let words = from..from + count(bytes);
    let marks = &mut planes.marks[words.clone()];
    let chars = &mut planes.chars[words.clone()];
    let digits = if numbers { &mut planes.digits[words] } else { &mut [] };
    if is_x86_feature_detected!("avx512vbmi") && is_x86_feature_detected!("avx512bw") {
        // SAFETY: the processor has these instructions.
        Some(unsafe { fill_512(buckets, bytes, marks, chars, digits) })
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: the same.
        Some(unsafe { fill_256(&buckets.halves, bytes, marks, chars, digits) })
    } else {
        None
    }
}

/// So far ahead bytes are asked for, as far as a block is long: what is searched between would keep the memory waiting.
const PREFETCH: usize = 8 * 1024;

fn prefetch(seen: &[u8]) {
    // SAFETY: every processor of this kind has the instruction. It is a hint; where it points need not be memory.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(seen.as_ptr().wrapping_add(PREFETCH).cast()) };
}

/// What each byte of ASCII is: a character of base64, by the highest bit; a digit, by the lowest.
const KINDS: [u8; 128] = kinds();

const DIGIT: u8 = 1;

const fn kinds() -> [u8; 128] {
    let mut kinds = [0; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        kinds[byte as usize] = if is_char(byte) { 0x80 } else { 0 } | if byte.is_ascii_digit() { DIGIT } else { 0 };
        byte += 1;
    }
    kinds
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi1,bmi2,popcnt,lzcnt")]
fn fill_512(buckets: &Buckets, bytes: &[u8], marks: &mut [u64], chars: &mut [u64], digits: &mut [u64]) -> Rare {
    let [a, b, c] = [0, 1, 2].map(|place| table_512(&buckets.fits_seven[place]));
    let kinds_of = table_512(&KINDS);
    let look_up = |table: [__m512i; 2], bytes: __m512i| _mm512_permutex2var_epi8(table[0], bytes, table[1]);
    let digit = _mm512_set1_epi8(DIGIT.cast_signed());
    let (mut least, mut pairs) = (_mm512_set1_epi8(-1), 0);
    for (at, (marks, chars)) in marks.iter_mut().zip(chars).enumerate() {
        let seen = &bytes[at * WORD..at * WORD + SEEN];
        let first = load_512(seen, 0);
        prefetch(seen);
        let fits = _mm512_and_si512(look_up(a, first), look_up(b, load_512(seen, 1)));
        *marks = _mm512_test_epi8_mask(fits, look_up(c, load_512(seen, 2)));
        // Bytes that are not of ASCII have the highest bit themselves.
        let kinds = look_up(kinds_of, first);
        *chars = _mm512_movepi8_mask(_mm512_andnot_si512(first, kinds));
        if let Some(digits) = digits.get_mut(at) {
            *digits = _mm512_test_epi8_mask(kinds, digit) & *chars;
        }
        pairs |= pairs_of(*chars);
        least = _mm512_min_epu8(least, first);
    }
    Rare { zeros: _mm512_testn_epi8_mask(least, least) != 0, pairs: pairs != 0 }
}

#[target_feature(enable = "avx512f")]
fn table_512(bytes: &[u8; 128]) -> [__m512i; 2] {
    [load_512(bytes, 0), load_512(bytes, 64)]
}

#[target_feature(enable = "avx512f")]
fn load_512(bytes: &[u8], at: usize) -> __m512i {
    let bytes = &bytes[at..at + 64];
    // SAFETY: so many bytes are there.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// What each half of a byte may belong to. A byte is of the kinds that both of its halves have, numbered such that
/// characters of base64 are those with a number as large as this or larger, and digits have the largest.
const CHAR_256: u8 = 0x04;
const DIGIT_256: u8 = 0x40;
/// + - /
const HIGH_2: u8 = 0x04;
/// _
const HIGH_5: u8 = 0x08;
/// A to O, a to o
const HIGH_46: u8 = 0x10;
/// P to Z, p to z
const HIGH_57: u8 = 0x20;

const LOW_HALF: [u8; 16] = low_half();
const HIGH_HALF: [u8; 16] =
    [0, 0, HIGH_2, DIGIT_256, HIGH_46, HIGH_57 | HIGH_5, HIGH_46, HIGH_57, 0, 0, 0, 0, 0, 0, 0, 0];

const fn low_half() -> [u8; 16] {
    let mut low = [0; 16];
    let mut half = 0;
    while half < 16 {
        low[half] = if half <= 9 { DIGIT_256 } else { 0 }
            | if half >= 1 { HIGH_46 } else { 0 }
            | if half <= 10 { HIGH_57 } else { 0 }
            | if half == 11 || half == 13 || half == 15 { HIGH_2 } else { 0 }
            | if half == 15 { HIGH_5 } else { 0 };
        half += 1;
    }
    low
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn fill_256(halves: &Halves, bytes: &[u8], marks: &mut [u64], chars: &mut [u64], digits: &mut [u64]) -> Rare {
    let low = halves.low.each_ref().map(|half| table_256(half));
    let high = halves.high.each_ref().map(|half| table_256(half));
    let kinds = (table_256(&LOW_HALF), table_256(&HIGH_HALF));
    let (mut least, mut pairs) = (_mm256_set1_epi8(-1), 0);
    for (at, (marks, chars)) in marks.iter_mut().zip(chars).enumerate() {
        let seen = &bytes[at * WORD..at * WORD + SEEN];
        prefetch(seen);
        let [front, back] = [0, WORD / 2].map(|at| half_256(low, high, kinds, &seen[at..], &mut least));
        let join = |front: u64, back: u64| front | back << (WORD / 2);
        *marks = join(front.marks, back.marks);
        *chars = join(front.chars, back.chars);
        pairs |= pairs_of(*chars);
        if let Some(digits) = digits.get_mut(at) {
            *digits = join(front.digits, back.digits);
        }
    }
    Rare { zeros: bits(_mm256_cmpeq_epi8(least, _mm256_setzero_si256())) != 0, pairs: pairs != 0 }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn half_256(
    low: [__m256i; 3],
    high: [__m256i; 3],
    kinds: (__m256i, __m256i),
    seen: &[u8],
    least: &mut __m256i,
) -> Word {
    let fifteen = _mm256_set1_epi8(15);
    let upper = |bytes: __m256i| _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), fifteen);
    let mut misses = _mm256_setzero_si256();
    for place in 0..3 {
        let bytes = load_256(seen, place);
        misses = _mm256_or_si256(misses, _mm256_shuffle_epi8(low[place], bytes));
        misses = _mm256_or_si256(misses, _mm256_shuffle_epi8(high[place], upper(bytes)));
    }
    let first = load_256(seen, 0);
    let kinds = _mm256_and_si256(_mm256_shuffle_epi8(kinds.0, first), _mm256_shuffle_epi8(kinds.1, upper(first)));
    let from = |kind: u8| bits(_mm256_adds_epu8(kinds, _mm256_set1_epi8((0x80 - kind).cast_signed())));
    *least = _mm256_min_epu8(*least, first);
    Word {
        marks: u64::from(u32::MAX) ^ bits(_mm256_cmpeq_epi8(misses, _mm256_set1_epi8(-1))),
        chars: from(CHAR_256),
        digits: from(DIGIT_256),
    }
}

#[target_feature(enable = "avx2")]
fn bits(bytes: __m256i) -> u64 {
    u64::from(_mm256_movemask_epi8(bytes).cast_unsigned())
}

#[target_feature(enable = "avx2")]
fn table_256(halves: &[u8; 16]) -> __m256i {
    // SAFETY: sixteen bytes are there.
    let halves: __m128i = unsafe { _mm_loadu_si128(halves.as_ptr().cast()) };
    _mm256_broadcastsi128_si256(halves)
}

#[target_feature(enable = "avx2")]
fn load_256(bytes: &[u8], at: usize) -> __m256i {
    let bytes = &bytes[at..at + 32];
    // SAFETY: so many bytes are there.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// Where something may begin. Says whether it could.
pub(super) fn starts(start: Start, words: &[u64], starts: &mut [u64]) -> bool {
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has these instructions.
        unsafe { starts_512(start, words, starts) };
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: the same.
        unsafe { starts_256(start, words, starts) };
    } else {
        return false;
    }
    true
}

#[target_feature(enable = "avx512f")]
fn starts_512(start: Start, words: &[u64], starts: &mut [u64]) {
    starts_of(start, words, starts);
}

#[target_feature(enable = "avx2")]
fn starts_256(start: Start, words: &[u64], starts: &mut [u64]) {
    starts_of(start, words, starts);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        detector::Families,
        needle::Marks,
        sieve::{scalar, tests::bytes},
    };

    type Fill<'a> = dyn Fn(&mut [u64], &mut [u64], &mut [u64]) -> Rare + 'a;

    #[test]
    fn vectors_say_what_is_said_byte_by_byte() {
        let buckets = &Marks::of(Families { letters: true, uuid: true, number: true }).buckets;
        for seed in 1..200 {
            let bytes = bytes(seed, 8 * WORD + SEEN - WORD);
            let expected: Vec<Word> = (0..8).map(|at| scalar(buckets, &bytes[at * WORD..at * WORD + SEEN])).collect();
            let zeros = bytes[..8 * WORD].contains(&0);
            let check = |fill: &Fill<'_>| {
                let (mut marks, mut chars, mut digits) = ([0; 8], [0; 8], [0; 8]);
                assert_eq!(fill(&mut marks, &mut chars, &mut digits).zeros, zeros);
                for (at, word) in expected.iter().enumerate() {
                    assert_eq!((chars[at], digits[at]), (word.chars, word.digits), "seed {seed}");
                    assert_eq!(marks[at] & word.marks, word.marks, "seed {seed}");
                }
            };
            if is_x86_feature_detected!("avx512vbmi") && is_x86_feature_detected!("avx512bw") {
                // SAFETY: the processor has these instructions.
                check(&|marks, chars, digits| unsafe { fill_512(buckets, &bytes, marks, chars, digits) });
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the same.
                check(&|marks, chars, digits| unsafe { fill_256(&buckets.halves, &bytes, marks, chars, digits) });
            }
        }
    }

    #[test]
    fn starts_are_the_same_on_every_vector() {
        let words: Vec<u64> = (0..40_u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) | at << 20).collect();
        for start in [Start::Row, Start::Figure] {
            let (mut expected, mut given) = (vec![0; 40], vec![0; 40]);
            starts_of(start, &words, &mut expected);
            if is_x86_feature_detected!("avx512f") {
                // SAFETY: the processor has these instructions.
                unsafe { starts_512(start, &words, &mut given) };
                assert_eq!(given, expected);
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the same.
                unsafe { starts_256(start, &words, &mut given) };
                assert_eq!(given, expected);
            }
        }
    }
}
