//! The same on the vectors of x86-64: sixty-four bytes at a time, or twice thirty-two.
#![expect(unsafe_code, reason = "vector instructions need a processor that has them, and read memory by pointer")]

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _MM_HINT_T0, _mm_cmpeq_epi16_mask, _mm_loadu_si128, _mm_prefetch, _mm_set1_epi16,
    _mm256_adds_epu8, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256,
    _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set_m128i, _mm256_set1_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_srli_epi16, _mm256_test_epi8_mask, _mm512_add_epi64, _mm512_and_si512,
    _mm512_andnot_si512, _mm512_castsi256_si512, _mm512_castsi512_si256, _mm512_cmpeq_epi8_mask,
    _mm512_cmple_epu64_mask, _mm512_cmplt_epu64_mask, _mm512_i64gather_epi64, _mm512_loadu_si512, _mm512_lzcnt_epi64,
    _mm512_maskz_compress_epi64, _mm512_min_epu8, _mm512_min_epu64, _mm512_movepi8_mask, _mm512_or_si512,
    _mm512_permutex2var_epi8, _mm512_set1_epi8, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_slli_epi64,
    _mm512_srlv_epi64, _mm512_storeu_si512, _mm512_sub_epi64, _mm512_test_epi8_mask, _mm512_test_epi64_mask,
    _mm512_testn_epi8_mask, _mm512_testn_epi64_mask, _mm512_xor_si512,
};

use super::{Bits, Planes, Rare, Rows, SEEN, WORD, Word, any_pairs, begins, count, each_window, is_char};
use crate::{
    fingerprint::{Buckets, Halves},
    live, look, row,
};

/// Fills words from one on, as many as there are bytes for. None where the processor has no such vectors.
pub(super) fn fill(buckets: &Buckets, numbers: bool, bytes: &[u8], planes: &mut Planes, from: usize) -> Option<Rare> {
    let words = from..from + count(bytes);
    let marks = &mut planes.marks[words.clone()];
    let chars = &mut planes.chars[words.clone()];
    let digits = if numbers { &mut planes.digits[words] } else { &mut [] };
    if has_512() {
        // SAFETY: the processor has these instructions.
        Some(unsafe { fill_512(buckets, bytes, marks, chars, digits) })
    } else if has_256() {
        // SAFETY: the same.
        Some(unsafe { fill_256(&buckets.halves, bytes, marks, chars, digits) })
    } else {
        None
    }
}

/// So far ahead bytes are asked for, as far as a block is long.
const PREFETCH: usize = 8 * 1024;

/// Lines of the cache that are asked for between two searches: more answers cannot be awaited at once.
const PREFETCH_LINES: usize = 13;

/// Asks for the line of the cache in which the byte lies that is so far behind the first of these.
fn prefetch(bytes: &[u8], behind: usize) {
    // SAFETY: every processor of this kind has the instruction. It is a hint; where it points need not be memory.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(behind).cast()) };
}

/// Asks for a part of the second half of what comes behind a block. The first half is asked for while the block is looked
/// at; all of it would keep that waiting for the memory, and the memory would have nothing to do while the block is searched.
pub(super) fn prefetch_part(block: &[u8], part: usize) {
    let first = PREFETCH + PREFETCH / 2 + part * PREFETCH_LINES * WORD;
    if first < block.len() {
        for line in 0..PREFETCH_LINES {
            prefetch(block, first + line * WORD);
        }
    }
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
    let mut least = _mm512_set1_epi8(-1);
    for (at, (marks, chars)) in marks.iter_mut().zip(&mut *chars).enumerate() {
        let seen = &bytes[at * WORD..at * WORD + SEEN];
        let first = load_512(seen, 0);
        prefetch(bytes, PREFETCH + at * WORD / 2);
        let fits = _mm512_and_si512(look_up(a, first), look_up(b, load_512(seen, 1)));
        *marks = _mm512_test_epi8_mask(fits, look_up(c, load_512(seen, 2)));
        // Bytes that are not of ASCII have the highest bit themselves.
        let kinds = look_up(kinds_of, first);
        *chars = _mm512_movepi8_mask(_mm512_andnot_si512(first, kinds));
        if let Some(digits) = digits.get_mut(at) {
            *digits = _mm512_test_epi8_mask(kinds, digit) & *chars;
        }
        least = _mm512_min_epu8(least, first);
    }
    Rare { zeros: _mm512_testn_epi8_mask(least, least) != 0, pairs: any_pairs(chars) }
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
    let mut least = _mm256_set1_epi8(-1);
    for (at, (marks, chars)) in marks.iter_mut().zip(&mut *chars).enumerate() {
        let seen = &bytes[at * WORD..at * WORD + SEEN];
        prefetch(bytes, PREFETCH + at * WORD / 2);
        let [front, back] = [0, WORD / 2].map(|at| half_256(low, high, kinds, &seen[at..], &mut least));
        let join = |front: u64, back: u64| front | back << (WORD / 2);
        *marks = join(front.marks, back.marks);
        *chars = join(front.chars, back.chars);
        if let Some(digits) = digits.get_mut(at) {
            *digits = join(front.digits, back.digits);
        }
    }
    Rare { zeros: bits(_mm256_cmpeq_epi8(least, _mm256_setzero_si256())) != 0, pairs: any_pairs(chars) }
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

/// Where figures may begin. Says whether it could tell.
pub(super) fn figure_starts(words: &[u64], starts: &mut [u64]) -> bool {
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has these instructions.
        unsafe { figure_starts_512(words, starts) };
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: the same.
        unsafe { figure_starts_256(words, starts) };
    } else {
        return false;
    }
    true
}

#[target_feature(enable = "avx512f")]
fn figure_starts_512(words: &[u64], starts: &mut [u64]) {
    each_window(look::figure_starts, words, starts);
}

#[target_feature(enable = "avx2")]
fn figure_starts_256(words: &[u64], starts: &mut [u64]) {
    each_window(look::figure_starts, words, starts);
}

/// Which bytes of eight words have all their bits set.
pub(super) fn eights(words: &[u64; 8]) -> Option<u64> {
    if is_x86_feature_detected!("avx512bw") {
        // SAFETY: the processor has these instructions.
        Some(unsafe { eights_512(words) })
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: the same.
        Some(unsafe { eights_256(words) })
    } else {
        None
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn eights_512(words: &[u64; 8]) -> u64 {
    // SAFETY: eight words are sixty-four bytes.
    let words = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
    _mm512_cmpeq_epi8_mask(words, _mm512_set1_epi8(-1))
}

#[target_feature(enable = "avx2")]
fn eights_256(words: &[u64; 8]) -> u64 {
    let half = |at: usize| {
        let four: &[u64] = &words[at..at + 4];
        // SAFETY: four words are thirty-two bytes.
        let four = unsafe { _mm256_loadu_si256(four.as_ptr().cast()) };
        bits(_mm256_cmpeq_epi8(four, _mm256_set1_epi8(-1)))
    };
    half(0) | half(4) << (WORD / 2)
}

/// Finds rows, and of these the ones that may hold something: all that [`row::may_hold`] would name, and hardly any other.
/// On the vectors of AVX2 all long rows count as such. Says whether it could.
pub(super) fn find_rows(rows: &mut Rows, bytes: &[u8], chars: Bits<'_>, hashes: bool, within: (usize, usize)) -> bool {
    if has_512() {
        // SAFETY: the processor has these instructions.
        unsafe { find_rows_512(rows, bytes, chars, hashes, within) };
    } else if has_256() {
        // SAFETY: the same.
        unsafe { find_rows_256(rows, chars, hashes, within) };
    } else {
        return false;
    }
    true
}

/// AVX2 and what all processors with it have.
fn has_256() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("lzcnt")
}

/// AVX-512 as it was from its third generation on, with permutations of bytes.
fn has_512() -> bool {
    has_256()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
}

/// One after the other, but in fewer instructions than every processor has. Which rows are promising is not asked.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn find_rows_256(rows: &mut Rows, chars: Bits<'_>, hashes: bool, within: (usize, usize)) {
    rows.find_long(chars, hashes, within);
    rows.promising.clone_from(&rows.long);
}

#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512vl,avx512vbmi,bmi1,bmi2,popcnt,lzcnt")]
fn find_rows_512(rows: &mut Rows, bytes: &[u8], chars: Bits<'_>, hashes: bool, within: (usize, usize)) {
    find_long_512(rows, chars, hashes, within);
    promising_512(bytes, &rows.long, &mut rows.promising);
}

/// The same as [`Rows::find_long`], eight at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512cd,bmi1,bmi2,popcnt,lzcnt")]
fn find_long_512(rows: &mut Rows, chars: Bits<'_>, hashes: bool, (from, to): (usize, usize)) {
    let count = begins(&rows.eights, &mut rows.candidates);
    rows.long.resize(count + LANES, 0);
    rows.hashes.resize(if hashes { count + LANES } else { 0 }, 0);
    rows.padded.clear();
    rows.padded.push(0);
    rows.padded.extend_from_slice(chars.words);
    rows.padded.push(0);
    let of = |value: usize| _mm512_set1_epi64(value.cast_signed() as i64);
    let (origin, from, to) = (of(chars.origin), of(from), of(to));
    let (mut long, mut hash) = (0, 0);
    for at in (0..count).step_by(LANES) {
        let eights = load_eight(&rows.candidates[at..]);
        let windows = gather_eight(&rows.padded, _mm512_add_epi64(eights, of(LANES - 1)));
        let others = _mm512_xor_si512(windows, _mm512_set1_epi64(-1));
        let head = _mm512_or_si512(_mm512_slli_epi64::<56>(others), _mm512_set1_epi64(1 << 55));
        let before = _mm512_lzcnt_epi64(head);
        let start = _mm512_sub_epi64(_mm512_add_epi64(origin, _mm512_slli_epi64::<3>(eights)), before);
        let others = _mm512_srlv_epi64(others, _mm512_sub_epi64(of(8), before));
        let is_within = _mm512_cmple_epu64_mask(from, start) & _mm512_cmplt_epu64_mask(start, to);
        let is_within = is_within & 0xff >> LANES.saturating_sub(count - at);
        let is_long = _mm512_testn_epi64_mask(others, _mm512_set1_epi64((1 << row::ROW_MIN) - 1));
        long += keep_eight(&mut rows.long[long..], start, is_within & is_long);
        if hashes {
            // The lowest bit that is set stands as far behind the first as the row is long.
            let len = _mm512_and_si512(others, _mm512_sub_epi64(_mm512_setzero_si512(), others));
            let is_len = _mm512_test_epi64_mask(len, _mm512_set1_epi64(live::LENGTHS.cast_signed()));
            let is_len = is_len | _mm512_testn_epi64_mask(others, others);
            hash += keep_eight(&mut rows.hashes[hash..], start, is_within & is_len);
        }
    }
    rows.long.truncate(long);
    rows.hashes.truncate(hash);
}

/// Places that are looked at together.
const LANES: usize = 8;

/// Eight places, of which those behind the last are of no meaning.
#[target_feature(enable = "avx512f")]
fn load_eight(places: &[usize]) -> __m512i {
    let places = &places[..LANES];
    // SAFETY: so many places are there, of 64 bits each on this kind of processor.
    unsafe { _mm512_loadu_si512(places.as_ptr().cast()) }
}

/// The words that begin at these bytes of others. What would lie behind them is taken from their end.
#[target_feature(enable = "avx512f")]
fn gather_eight(words: &[u64], bytes: __m512i) -> __m512i {
    let last = (words.len() * 8).checked_sub(8).expect("there is a word");
    let bytes = _mm512_min_epu64(bytes, _mm512_set1_epi64(last.cast_signed() as i64));
    // SAFETY: no word is taken from behind the last, and no place is negative.
    unsafe { _mm512_i64gather_epi64::<1>(bytes, words.as_ptr().cast()) }
}

/// Writes some of eight places one behind the other, and says how many they are.
#[target_feature(enable = "avx512f,popcnt")]
fn keep_eight(kept: &mut [usize], places: __m512i, which: u8) -> usize {
    let kept = &mut kept[..LANES];
    // SAFETY: there is room for all of them.
    unsafe { _mm512_storeu_si512(kept.as_mut_ptr().cast(), _mm512_maskz_compress_epi64(which, places)) };
    which.count_ones() as usize
}

/// What each character says of the row that it stands in: five bits of what it hints at, two of what it is.
const CLUES: [u8; 128] = clues();

const HINT_0: u8 = 1;
const HINT_1: u8 = 1 << 1;
const HINT_2: u8 = 1 << 2;
/// If the character behind it has the next.
const HINT_2_HALF: u8 = 1 << 3;
const HINT_3: u8 = 1 << 4;
const NOT_HEX: u8 = 1 << 5;
/// It is none of base32 in small letters.
const NOT_SMALL_32: u8 = 1 << 6;
/// Or in capital ones.
const NOT_CAPITAL_32: u8 = 1 << 7;

const fn clue_if(is: bool, clue: u8) -> u8 {
    if is { clue } else { 0 }
}

const fn clues() -> [u8; 128] {
    let mut clues = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        let [first, second, third, fourth] = row::HINTS[byte];
        let kind = row::KINDS[byte];
        clues[byte] = clue_if(first == 1, HINT_0)
            | clue_if(second == 1, HINT_1)
            | clue_if(third == 2, HINT_2)
            | clue_if(third == 1, HINT_2_HALF)
            | clue_if(fourth == 1, HINT_3)
            | clue_if(kind & row::HEX == 0, NOT_HEX)
            | clue_if(kind & (row::NOT_32 | row::UPPER) != 0, NOT_SMALL_32)
            | clue_if(kind & (row::NOT_32 | row::LOWER) != 0, NOT_CAPITAL_32);
        byte += 1;
    }
    clues
}

/// Of a row these characters are looked at: the first sixteen for what they hint at, the sixteen from here on for what
/// they are, of those every third.
const BACK: usize = row::ROW_MIN - 16;
const THIRDS: u32 = 0b1001_0010_0100_1001 << 16;

/// For each place a clue that is asked for there.
const fn asked(hints: [u8; 4], third: u8) -> [u8; 32] {
    let mut asked = [0; 32];
    let mut at = 0;
    while at < 32 {
        asked[at] = if at < 16 {
            hints[at % 4]
        } else if THIRDS >> at & 1 == 1 {
            third
        } else {
            0
        };
        at += 1;
    }
    asked
}

const ASKED: [[u8; 32]; 3] = [
    asked([HINT_0, HINT_1, HINT_2, 0], NOT_HEX),
    asked([0, 0, HINT_2_HALF, HINT_3], NOT_SMALL_32),
    asked([0; 4], NOT_CAPITAL_32),
];

/// How packed streams begin in base64.
const PACKED: &[u8; 16] = b"H4UEKLJVeAeFeJeN";

#[expect(clippy::needless_bitwise_bool, reason = "a branch would be foretold wrongly too often")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2,popcnt,lzcnt")]
fn promising_512(bytes: &[u8], rows: &[usize], promising: &mut Vec<usize>) {
    let clues = table_512(&CLUES);
    let [first, second, third] = [0, 1, 2].map(|at| load_256(&ASKED[at], 0));
    let packed = load_128(PACKED, 0);
    promising.resize(rows.len(), 0);
    let mut kept = 0;
    for start in rows {
        let row = &bytes[*start..*start + row::ROW_MIN];
        let both = _mm256_set_m128i(load_128(row, BACK), load_128(row, 0));
        let found = _mm512_castsi512_si256(_mm512_permutex2var_epi8(clues[0], _mm512_castsi256_si512(both), clues[1]));
        let first = _mm256_test_epi8_mask(found, first);
        let second = _mm256_test_epi8_mask(found, second);
        let third = _mm256_test_epi8_mask(found, third);
        let is_digits = (first >> 16 == 0) | (second >> 16 == 0) | (third == 0);
        let plain = ((first | second & second >> 1 & 0x4444) & 0xffff).count_ones() as usize;
        let head = i16::from_le_bytes([row[0], row[1]]);
        let is_packed = _mm_cmpeq_epi16_mask(packed, _mm_set1_epi16(head)) != 0;
        promising[kept] = *start;
        kept += usize::from(is_digits | is_packed | row::is_plain(plain));
    }
    promising.truncate(kept);
}

#[target_feature(enable = "avx2")]
fn load_128(bytes: &[u8], at: usize) -> __m128i {
    let bytes = &bytes[at..at + 16];
    // SAFETY: so many bytes are there.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            if has_512() {
                // SAFETY: the processor has these instructions.
                check(&|marks, chars, digits| unsafe { fill_512(buckets, &bytes, marks, chars, digits) });
            }
            if has_256() {
                // SAFETY: the same.
                check(&|marks, chars, digits| unsafe { fill_256(&buckets.halves, &bytes, marks, chars, digits) });
            }
        }
    }

    #[test]
    fn figures_start_at_the_same_places_on_every_vector() {
        let words: Vec<u64> = (0..40_u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) | at << 20).collect();
        let (mut expected, mut given) = (vec![0; 40], vec![0; 40]);
        each_window(look::figure_starts, &words, &mut expected);
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has these instructions.
            unsafe { figure_starts_512(&words, &mut given) };
            assert_eq!(given, expected);
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the same.
            unsafe { figure_starts_256(&words, &mut given) };
            assert_eq!(given, expected);
        }
    }

    #[test]
    fn eights_are_the_same_on_every_vector() {
        let mut words = [0; 8];
        for at in 0..64 {
            words[at / 8] = u64::MAX << (at % 8 * 8);
            words[(at + 3) % 8] ^= 0xff00 << (at % 5);
            let expected = words.iter().flat_map(|word: &u64| word.to_le_bytes()).enumerate();
            let expected = expected.fold(0, |eights, (at, byte)| eights | u64::from(byte == u8::MAX) << at);
            if is_x86_feature_detected!("avx512bw") {
                // SAFETY: the processor has these instructions.
                assert_eq!(unsafe { eights_512(&words) }, expected);
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the same.
                assert_eq!(unsafe { eights_256(&words) }, expected);
            }
        }
    }

    /// Characters of base64 in rows of any length, apart from each other by something else.
    fn row_bytes() -> impl Strategy<Value = Vec<u8>> {
        let kinds = [
            "[0-9a-f]{1,70}",
            "[A-Za-z0-9+/_-]{1,70}",
            "[A-Z2-7]{20,40}",
            "[a-z2-7]{20,40}",
            "(eJ|H4|UE|KL)[A-Za-z]{28,32}",
        ];
        let text = proptest::string::string_regex("[ -~]{9,90}").expect("it is a pattern");
        let text = text.prop_map(|text| data_encoding::BASE64.encode(text.as_bytes()));
        let row = kinds.map(|kind| proptest::string::string_regex(kind).expect("it is a pattern").boxed());
        let row = proptest::strategy::Union::new(row.into_iter().chain([text.boxed()]));
        let apart = proptest::string::string_regex("[ =\"{}.:,]{0,9}").expect("it is a pattern");
        proptest::collection::vec((row, apart), 0..40)
            .prop_map(|rows| rows.into_iter().flat_map(|(row, apart)| [row, apart]).collect::<String>().into_bytes())
    }

    proptest! {
        /// Wherever a search begins and ends.
        #[test]
        fn rows_are_the_same_on_vectors_and_all_that_may_hold_something_are_promising(
            bytes in row_bytes(), hashes: bool, from in 0_usize..300, len in 0_usize..3000,
        ) {
            let words: Vec<u64> = bytes.chunks(WORD).map(|word| {
                word.iter().enumerate().fold(0, |bits, (at, byte)| bits | u64::from(is_char(*byte)) << at)
            }).collect();
            let chars = Bits { origin: 0, words: &words };
            let within = (from, from + len);
            let found = |find: &dyn Fn(&mut Rows)| {
                let mut rows = Rows::default();
                rows.prepare(chars);
                find(&mut rows);
                rows
            };
            let expected = found(&|rows| rows.find_long(chars, hashes, within));
            // With whatever vectors the processor has.
            let given = found(&|rows| {
                if !find_rows(rows, &bytes, chars, hashes, within) {
                    rows.find(&bytes, chars, hashes, within);
                }
            });
            if has_256() {
                // SAFETY: the processor has these instructions.
                let given = found(&|rows| unsafe { find_rows_256(rows, chars, hashes, within) });
                prop_assert_eq!((&given.long, &given.hashes), (&expected.long, &expected.hashes));
            }
            prop_assert_eq!((&given.long, &given.hashes), (&expected.long, &expected.hashes));
            prop_assert!(given.promising.iter().all(|start| given.long.contains(start)));
            for start in expected.long {
                let row = bytes[start..].first_chunk().expect("a row is as long");
                prop_assert!(!row::may_hold(row) || given.promising.contains(&start), "{}", row.escape_ascii());
            }
        }
    }
}
