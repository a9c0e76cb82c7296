//! What kinds of bytes stand where, as bits: one look at each byte, after which most bytes need no other.

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::{
    fingerprint::{self, Buckets},
    live, look, mask, row,
    view::View,
};

/// Bytes that one word stands for.
const WORD: usize = 64;

/// Bytes that a look at a word takes: its last fingerprint goes on behind it.
const SEEN: usize = WORD + fingerprint::LEN - 1;

/// Bits are kept so far ahead of the bytes that are searched, at least.
const BACK: usize = WORD;

/// And so far behind them: as far as the longest hash, and a little.
const AHEAD: usize = 192;

/// The bits of the bytes that are being searched.
#[derive(Default)]
pub(crate) struct Sieve {
    /// Where in the view the first bit stands. Its offset in the stream is a multiple of 64.
    origin: usize,
    planes: Planes,
    rows: Rows,
    /// Groups of digits in which a figure may begin.
    figures: Vec<u64>,
    has_zeros: bool,
    /// Whether something stands apart in every third place somewhere.
    has_pairs: bool,
}

/// Bits for each byte.
#[derive(Default)]
struct Planes {
    /// A fingerprint may begin here.
    marks: Vec<u64>,
    /// The characters of base64, of either alphabet.
    chars: Vec<u64>,
    /// Digits, where numbers are searched for.
    digits: Vec<u64>,
    /// Zeros, where there are any.
    zeros: Vec<u64>,
}

/// What of this kind the bytes of a word are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Word {
    marks: u64,
    chars: u64,
    digits: u64,
}

/// Long rows of characters of base64.
#[derive(Default)]
struct Rows {
    /// For each eight bytes that begin at a multiple of eight whether all are such characters, a bit each.
    eights: Vec<u64>,
    /// Where in the bits rows may begin; what lies behind the last is of no meaning.
    candidates: Vec<usize>,
    /// The characters between two words of nothing.
    padded: Vec<u64>,
    /// Where in the view rows begin that may be as long as a hash, if hashes are searched for.
    hashes: Vec<usize>,
    /// Where rows begin that are long enough to be looked into.
    long: Vec<usize>,
    /// Of these the ones that may hold something.
    promising: Vec<usize>,
}

/// What is asked of the bytes beside what everybody asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) numbers: bool,
    pub(crate) hashes: bool,
}

/// What is done with a block when more of the stream is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pause {
    Looked,
    Rows,
    Marks,
    Looks,
    Inspected,
}

/// Asks the memory for a part of what comes behind a block, so that it has something to do all the time.
fn prefetch(block: &[u8], pause: Pause) {
    #[cfg(target_arch = "x86_64")]
    x86::prefetch_part(block, pause as usize);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (block, pause);
}

/// One kind of bits.
#[derive(Clone, Copy)]
pub(crate) struct Bits<'a> {
    origin: usize,
    words: &'a [u64],
}

impl Sieve {
    /// Looks at the bytes in `from..to` and at those around.
    pub(crate) fn fill(&mut self, buckets: &Buckets, wanted: Wanted, view: View<'_>, from: usize, to: usize) {
        let Wanted { numbers, hashes } = wanted;
        let start = (view.offset(from) / WORD as u64 * WORD as u64).saturating_sub(BACK as u64);
        self.origin = view.index(start);
        let bytes = &view.bytes[self.origin..];
        let count = bytes.len().min(to + AHEAD - self.origin).div_ceil(WORD);
        let whole = count.min(bytes.len().saturating_sub(SEEN - WORD) / WORD);
        self.planes.resize(count, numbers);
        let mut found = self.planes.fill(buckets, numbers, &bytes[..(whole * WORD + SEEN - WORD).min(bytes.len())], 0);
        for at in whole..count {
            found = found.or(self.planes.fill_last(buckets, numbers, &bytes[at * WORD..], at));
        }
        prefetch(bytes, Pause::Looked);
        (self.has_zeros, self.has_pairs) = (found.zeros, found.pairs);
        if found.zeros {
            self.planes.fill_zeros(bytes);
        }
        let chars = Bits { origin: self.origin, words: &self.planes.chars };
        self.rows.find(view.bytes, chars, hashes, (from, to));
        prefetch(bytes, Pause::Rows);
        if numbers {
            figure_starts(&self.planes.digits, &mut self.figures);
        }
    }

    /// Asks the memory for a part of what comes behind the bytes that are being searched.
    pub(crate) fn prefetch(&self, view: View<'_>, pause: Pause) {
        prefetch(&view.bytes[self.origin..], pause);
    }

    fn bits<'a>(&self, words: &'a [u64]) -> Bits<'a> {
        Bits { origin: self.origin, words }
    }

    /// Where fingerprints may begin.
    pub(crate) fn marks(&self) -> Bits<'_> {
        self.bits(&self.planes.marks)
    }

    /// The characters of base64, of either alphabet.
    pub(crate) fn chars(&self) -> Bits<'_> {
        self.bits(&self.planes.chars)
    }

    /// Groups of digits in which a figure may begin. None are told where no numbers are searched for.
    pub(crate) fn figures(&self) -> Bits<'_> {
        self.bits(&self.figures)
    }

    /// The characters of base64, where something may stand apart in every third place.
    pub(crate) fn pairs(&self) -> Option<Bits<'_>> {
        self.has_pairs.then(|| self.chars())
    }

    /// Zeros, if there are any.
    pub(crate) fn zeros(&self) -> Option<Bits<'_>> {
        self.has_zeros.then(|| self.bits(&self.planes.zeros))
    }

    /// Where in the bytes that are searched rows begin that are as long as a hash. None are told where no hashes are searched for.
    pub(crate) fn hash_rows(&self) -> &[usize] {
        &self.rows.hashes
    }

    /// Where in them rows begin that may be worth to be looked into: all that are, and not many others.
    pub(crate) fn promising_rows(&self) -> &[usize] {
        &self.rows.promising
    }
}

impl Rows {
    /// Finds the rows that begin in `from..to`.
    fn find(&mut self, bytes: &[u8], chars: Bits<'_>, hashes: bool, within: (usize, usize)) {
        self.prepare(chars);
        if self.eights.iter().all(|eights| *eights == 0) {
            [&mut self.hashes, &mut self.long, &mut self.promising].into_iter().for_each(Vec::clear);
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if x86::find_rows(self, bytes, chars, hashes, within) {
            return;
        }
        self.find_long(chars, hashes, within);
        self.promising.clone_from(&self.long);
    }

    fn prepare(&mut self, chars: Bits<'_>) {
        self.eights.clear();
        self.eights.extend(chars.words.chunks(8).map(eights));
        // In a word half as many may begin, and the next places may be written in vain.
        self.candidates.resize(self.eights.len() * WORD / 2 + SLACK, 0);
    }

    /// A row that is long enough has eight characters that begin at a multiple of eight, and by the first such eight it is
    /// known.
    #[expect(clippy::inline_always, reason = "it takes on the instructions of whoever calls it")]
    #[inline(always)]
    fn find_long(&mut self, chars: Bits<'_>, hashes: bool, (from, to): (usize, usize)) {
        let count = begins(&self.eights, &mut self.candidates);
        self.long.resize(count, 0);
        self.hashes.resize(if hashes { count } else { 0 }, 0);
        let (mut long, mut hash) = (0, 0);
        for eight in &self.candidates[..count] {
            // With the eight before it, in which the row may begin.
            let (at, window) = (eight * 8, chars.window_before(eight * 8));
            let before = (!window << (WORD - 8) | 1 << (WORD - 9)).leading_zeros() as usize;
            let len = (window >> (8 - before)).trailing_ones() as usize;
            let start = chars.origin + at - before;
            let is_within = (from..to).contains(&start);
            self.long[long] = start;
            long += usize::from(is_within && len >= row::ROW_MIN);
            if hashes {
                self.hashes[hash] = start;
                hash += usize::from(is_within && live::LENGTHS >> len.min(WORD - 1) & 1 == 1);
            }
        }
        self.long.truncate(long);
        self.hashes.truncate(hash);
    }
}

/// So many are read at once, at most.
const SLACK: usize = 8;

/// So many places are written at once, of which the last may be of no meaning.
const EACH: usize = 4;

/// Writes where rows of set bits begin, and says how many there are.
#[expect(clippy::inline_always, reason = "it takes on the instructions of whoever calls it")]
#[inline(always)]
fn begins(words: &[u64], places: &mut [usize]) -> usize {
    let (mut count, mut before) = (0, 0);
    for (at, word) in words.iter().enumerate() {
        let mut begins = word & !(word << 1 | before >> (WORD - 1));
        before = *word;
        let end = count + begins.count_ones() as usize;
        for slots in places[count..].chunks_exact_mut(EACH).take((end - count).div_ceil(EACH)) {
            for slot in slots {
                *slot = at * WORD + begins.trailing_zeros() as usize;
                begins &= begins.wrapping_sub(1);
            }
        }
        count = end;
    }
    count
}

/// Which bytes of some words have all their bits set.
fn eights(words: &[u64]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if let Some(eights) = words.try_into().ok().and_then(x86::eights) {
        return eights;
    }
    words.iter().rev().fold(0, |eights, word| eights << 8 | zeros(!word))
}

impl Planes {
    fn resize(&mut self, count: usize, numbers: bool) {
        self.marks.resize(count, 0);
        self.chars.resize(count, 0);
        self.digits.resize(if numbers { count } else { 0 }, 0);
    }

    /// Fills words from one on, as many as there are bytes for.
    fn fill(&mut self, buckets: &Buckets, numbers: bool, bytes: &[u8], from: usize) -> Rare {
        #[cfg(target_arch = "x86_64")]
        if let Some(found) = x86::fill(buckets, numbers, bytes, self, from) {
            return found;
        }
        let mut found = Rare { zeros: bytes.contains(&0), pairs: false };
        for at in 0..count(bytes) {
            let word = scalar(buckets, &bytes[at * WORD..at * WORD + SEEN]);
            self.marks[from + at] = word.marks;
            self.chars[from + at] = word.chars;
            if numbers {
                self.digits[from + at] = word.digits;
            }
        }
        found.pairs = any_pairs(&self.chars[from..from + count(bytes)]);
        found
    }

    /// Fills a word for which there are too few bytes.
    fn fill_last(&mut self, buckets: &Buckets, numbers: bool, rest: &[u8], at: usize) -> Rare {
        let mut padded = [b' '; SEEN];
        let len = rest.len().min(SEEN);
        padded[..len].copy_from_slice(&rest[..len]);
        let found = self.fill(buckets, numbers, &padded, at);
        self.marks[at] &= u64::MAX >> WORD.saturating_sub(len).min(WORD - 1);
        found
    }

    fn fill_zeros(&mut self, bytes: &[u8]) {
        self.zeros.clear();
        let words = bytes.chunks(WORD).take(self.marks.len());
        self.zeros.extend(words.map(|word| {
            let mut padded = [b' '; WORD];
            padded[..word.len()].copy_from_slice(word);
            let eights = padded.as_chunks::<8>().0.iter().rev();
            eights.fold(0, |bits, eight| bits << 8 | zeros(u64::from_le_bytes(*eight)))
        }));
    }
}

/// One bit for each of eight bytes that is zero, the lowest for the first. (Warren, "Hacker's Delight", 2012.)
fn zeros(eight: u64) -> u64 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let marks = !((eight & !HIGH).wrapping_add(!HIGH) | eight) & HIGH;
    // Each mark is moved to the top byte by a factor of its own.
    (marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// What is seldom there at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rare {
    zeros: bool,
    /// Four bytes at distances of three that are no characters of base64, with one behind them that is.
    pairs: bool,
}

impl Rare {
    fn or(self, other: Self) -> Self {
        Self { zeros: self.zeros || other.zeros, pairs: self.pairs || other.pairs }
    }
}

/// Where something stands in every third place, and nothing right behind it.
fn pairs(chars: u64) -> u64 {
    let others = !chars;
    others & others >> 3 & others >> 6 & others >> 9 & !(others >> 1)
}

/// Whether something stands so somewhere.
#[expect(clippy::inline_always, reason = "it takes on the vectors of whoever calls it")]
#[inline(always)]
fn any_pairs(chars: &[u64]) -> bool {
    chars.iter().fold(0, |any, chars| any | pairs(*chars)) != 0
}

/// For how many words there are bytes.
fn count(bytes: &[u8]) -> usize {
    bytes.len().saturating_sub(SEEN - WORD) / WORD
}

/// The same as the vectors do, one byte after the other.
fn scalar(buckets: &Buckets, bytes: &[u8]) -> Word {
    let mut word = Word::default();
    for (at, three) in bytes.windows(fingerprint::LEN).enumerate() {
        let kind = |is: bool| u64::from(is) << at;
        let byte = three[0];
        word.marks |= kind(buckets.may_begin([three[0], three[1], three[2]]));
        word.chars |= kind(is_char(byte));
        word.digits |= kind(byte.is_ascii_digit());
    }
    word
}

const fn is_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn figure_starts(words: &[u64], starts: &mut Vec<u64>) {
    starts.clear();
    starts.resize(words.len(), 0);
    #[cfg(target_arch = "x86_64")]
    if x86::figure_starts(words, starts) {
        return;
    }
    each_window(look::figure_starts, words, starts);
}

/// Asks for half a word at a time. Bit 8 of a window is the first that is asked for: what is ahead of it is told by the
/// lower ones, what is behind by those above.
#[expect(clippy::inline_always, reason = "it takes on the vectors of whoever calls it")]
#[inline(always)]
fn each_window(told: impl Fn(u64) -> u64, words: &[u64], starts: &mut [u64]) {
    let of = |before: u64, word: u64, next: u64| {
        let low = told(word << 8 | before >> 56) >> 8 & u64::from(u32::MAX);
        let high = told(word >> 24 | next << 40) >> 8 & u64::from(u32::MAX);
        low | high << 32
    };
    let Some(last) = words.len().checked_sub(1) else { return };
    starts[0] = of(0, words[0], words.get(1).copied().unwrap_or(0));
    for (start, around) in starts[1..].iter_mut().zip(words.windows(3)) {
        *start = of(around[0], around[1], around[2]);
    }
    if last > 0 {
        starts[last] = of(words[last - 1], words[last], 0);
    }
}

impl<'a> Bits<'a> {
    /// Sixty-four bits from here on, which must not be ahead of the first. What lies behind the last counts as zero.
    pub(crate) fn window(self, at: usize) -> u64 {
        let (word, shift) = ((at - self.origin) / WORD, (at - self.origin) % WORD);
        let low = self.words.get(word).map_or(0, |word| word >> shift);
        let high = self.words.get(word + 1).map_or(0, |word| word << (WORD - 1 - shift) << 1);
        low | high
    }

    /// Eight bits ahead of a place, counted from the first bit, and fifty-six from there on. There are none ahead of the
    /// first.
    #[expect(clippy::inline_always, reason = "it takes on the instructions of whoever calls it")]
    #[inline(always)]
    fn window_before(self, place: usize) -> u64 {
        let (word, shift) = (place / WORD, place % WORD);
        let at = |word: Option<usize>| word.and_then(|word| self.words.get(word)).copied().unwrap_or(0);
        if shift == 0 {
            at(Some(word)) << 8 | at(word.checked_sub(1)) >> (WORD - 8)
        } else {
            at(Some(word)) >> (shift - 8) | at(Some(word + 1)) << (WORD + 7 - shift) << 1
        }
    }

    /// How many bits are set in a row from here on, up to a limit.
    pub(crate) fn run(self, at: usize, max: usize) -> usize {
        let mut len = 0;
        while len < max {
            let ones = self.window(at + len).trailing_ones() as usize;
            len += ones;
            if ones < WORD {
                break;
            }
        }
        len.min(max)
    }

    /// Each place in `from..to` whose bit is set.
    pub(crate) fn set(self, from: usize, to: usize) -> impl Iterator<Item = usize> + 'a {
        let words = self.words(from, to).filter(|(_, word)| *word != 0);
        words.flat_map(move |(at, word)| {
            let head = u64::MAX << from.saturating_sub(at);
            let tail = u64::MAX >> (at + WORD).saturating_sub(to);
            mask::set(word & head & tail).map(move |bit| at + bit)
        })
    }

    /// Where in `from..to` exactly eight bits are set in a row.
    pub(crate) fn runs_of_eight(self, from: usize, to: usize) -> impl Iterator<Item = usize> + 'a {
        (from..to).filter(move |at| {
            let before =
                at.checked_sub(1).filter(|before| *before >= self.origin).map_or(0, |before| self.window(before));
            before & 1 == 0 && self.window(*at) & 0x1ff == 0xff
        })
    }

    /// The words that `from..to` touches, and where each begins.
    pub(crate) fn words(self, from: usize, to: usize) -> impl Iterator<Item = (usize, u64)> + 'a {
        let (first, end) = ((from - self.origin) / WORD, (to.max(from) - self.origin).div_ceil(WORD));
        let end = end.min(self.words.len());
        let words = &self.words[first.min(end)..end];
        words.iter().enumerate().map(move |(at, word)| (self.origin + (first + at) * WORD, *word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{detector::Families, needle::Marks};

    const ALL: Families = Families { letters: true, uuid: true, number: true };

    const WANTED: Wanted = Wanted { numbers: true, hashes: true };

    /// Bytes of all kinds, each in runs of some length.
    pub(super) fn bytes(seed: u64, len: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let mut roll = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let kinds: [&[u8]; 6] = [
            b"0123456789",
            b"ABCDEFwxyz+/-_019",
            b"uxqwvp%=&\\*\n#",
            b"\0a\0b",
            b" ,:.-T",
            b"\x84\x73\x59\xff\x80\xb0",
        ];
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let (kind, run) = (roll() % 7, roll() % 40);
            bytes.extend((0..run).map(|_| match kinds.get(usize::try_from(kind).unwrap()) {
                Some(kind) => kind[usize::try_from(roll()).unwrap() % kind.len()],
                None => u8::try_from(roll() >> 56).unwrap(),
            }));
        }
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn each_bit_says_what_its_byte_is() {
        let buckets = &Marks::of(ALL).buckets;
        for (seed, len) in (1..).zip([0, 1, 2, 63, 64, 65, 66, 67, 130, 1000, 5000]) {
            let bytes = bytes(seed, len);
            let mut sieve = Sieve::default();
            sieve.fill(buckets, WANTED, View { bytes: &bytes, base: 0 }, 0, len);
            let at = |bits: Bits<'_>, at: usize| bits.window(at) & 1 == 1;
            for (place, byte) in bytes.iter().enumerate() {
                assert_eq!(at(sieve.chars(), place), is_char(*byte), "{byte} at {place} of {len}");
                assert_eq!(sieve.zeros().is_some_and(|zeros| at(zeros, place)), *byte == 0);
                let three = bytes[place..].first_chunk().copied();
                let must_mark = three.is_some_and(|three| buckets.may_begin(three));
                assert!(at(sieve.marks(), place) || !must_mark, "{place} of {len}");
                let row = bytes[place..].iter().take_while(|byte| is_char(**byte)).count();
                let is_row = live::LENGTHS >> row.min(63) & 1 == 1 && (place == 0 || !is_char(bytes[place - 1]));
                assert_eq!(sieve.hash_rows().contains(&place), is_row, "{place} of {len}");
                assert!(!is_row || sieve.chars().run(place, 129) == row.min(129));
            }
        }
    }

    #[test]
    fn a_view_that_begins_in_the_middle_gives_the_same_bits() {
        let buckets = &Marks::of(ALL).buckets;
        let bytes = bytes(77, 3000);
        let places = |view: View<'_>, from: usize, to: usize| {
            let mut sieve = Sieve::default();
            sieve.fill(buckets, WANTED, view, from, to);
            let [marks, figures] = [sieve.marks(), sieve.figures()].map(|bits| bits.set(from, to).collect());
            [marks, figures, sieve.hash_rows().to_vec()]
                .map(|places| places.iter().map(|at| view.offset(*at)).collect::<Vec<_>>())
        };
        let whole = places(View { bytes: &bytes, base: 0 }, 1000, 2000);
        for cut in [700, 777, 800, 808] {
            assert_eq!(places(View { bytes: &bytes[cut..], base: cut as u64 }, 1000 - cut, 2000 - cut), whole);
        }
    }

    #[test]
    fn rows_of_one_block_are_forgotten_with_the_next() {
        let buckets = &Marks::of(ALL).buckets;
        let mut sieve = Sieve::default();
        let mut rows_of = |text: &[u8]| {
            sieve.fill(buckets, WANTED, View { bytes: text, base: 0 }, 0, text.len());
            (sieve.hash_rows().len(), sieve.promising_rows().len())
        };
        assert_eq!(rows_of(b" 0123456789abcdef0123456789abcdef "), (1, 1));
        assert_eq!(rows_of(b"no words that are long stand here, none at all"), (0, 0));
    }
}
