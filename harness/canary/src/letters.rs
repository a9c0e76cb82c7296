//! The core of lettered canaries: a marker, a head, the name and its check, all in letters.
//!
//! Letters alone, because no escaping touches them, names and sentences may hold them, and a change of case loses
//! nothing. They come in words of three, 14 bits each (26^3 = 17,576). The name stands before the check, and the check
//! is compared letter by letter, so that a core that was cut off still names its owner.

use crate::{CanaryId, Owner, Serial, Shape, seal::Seal, shape::Family};

/// Six letters that no language and no known file holds in a row. Each is among a to i and p to y, so that its
/// hexadecimal form is digits only, of no case.
pub(crate) const MARKER: &[u8; 6] = b"uxqwvp";

/// The check: 26^15 is 2^70.5.
const CHECK_LETTERS: usize = 15;

/// A core that was cut off counts from this many letters of the check on: 26^7 is 2^32.9.
const FRAGMENT_LETTERS_MIN: usize = 7;

const COMPACT_WORDS: usize = 2;
const WIDE_WORDS: usize = 5;
const COMPACT_MAX: u32 = (1 << 14) - 1;

/// What a run of letters turned out to be, and how many of them it takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    Exact(CanaryId, usize),
    Fragment(CanaryId, usize),
    Residue(Shape, usize),
}

/// Writes the core of a canary.
pub(crate) fn close(seal: &Seal, id: CanaryId) -> String {
    let wide = id.owner.0.max(id.serial.0) > COMPACT_MAX;
    let mut core: Vec<u8> = MARKER.to_vec();
    core.extend(spell(head(id.shape, wide)));
    for word in name(seal, id, wide) {
        core.extend(spell(word));
    }
    core.extend(check(seal, id));
    core.into_iter().map(char::from).collect()
}

/// How many letters of a core must be left so that it names its owner.
pub(crate) fn letters_min(core: &str) -> usize {
    core.len() - CHECK_LETTERS + FRAGMENT_LETTERS_MIN
}

/// Reads a core from text that begins with the marker, in any case.
pub(crate) fn open(seal: &Seal, text: &[u8]) -> Option<Opened> {
    if text.len() < MARKER.len() + 3 || !text[..MARKER.len()].eq_ignore_ascii_case(MARKER) {
        return None;
    }
    let (shape, wide) = behead(read(&text[MARKER.len()..])?)?;
    let words = if wide { WIDE_WORDS } else { COMPACT_WORDS };
    let check_at = MARKER.len() + 3 + words * 3;
    let name_text = text.get(MARKER.len() + 3..check_at)?;
    let given = &text[check_at..];
    if let Some(id) = unname(seal, shape, wide, name_text) {
        let expected = check(seal, id);
        let same = given.iter().zip(&expected).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        if same == CHECK_LETTERS {
            return Some(Opened::Exact(id, check_at + same));
        } else if same >= FRAGMENT_LETTERS_MIN {
            return Some(Opened::Fragment(id, check_at + same));
        }
    }
    let whole = text.get(..check_at + CHECK_LETTERS)?;
    whole.iter().all(u8::is_ascii_alphabetic).then_some(Opened::Residue(shape, whole.len()))
}

/// The head tells the shape and the layout; half of it is redundant, so that other text rarely passes for residue.
fn head(shape: Shape, wide: bool) -> u16 {
    let word = u16::from(shape.tag()) << 1 | u16::from(wide);
    word << 7 | (word.wrapping_mul(0x5b) ^ 0x2a) & 0x7f
}

fn behead(word: u16) -> Option<(Shape, bool)> {
    let wide = word >> 7 & 1 == 1;
    let tag = u8::try_from(word >> 8).ok()?;
    let shape = Shape::from_tag(tag).filter(|shape| shape.family() == Family::Letters)?;
    (head(shape, wide) == word).then_some((shape, wide))
}

fn name(seal: &Seal, id: CanaryId, wide: bool) -> Vec<u16> {
    let (owner, serial) = (u128::from(id.owner.0), u128::from(id.serial.0));
    let (bits, words) = if wide { (owner | serial << 32, WIDE_WORDS) } else { (owner | serial << 14, COMPACT_WORDS) };
    let bits = bits ^ seal.pad() & ((1 << (14 * words)) - 1);
    (0..words).map(|word| low14(bits >> (14 * word))).collect()
}

fn low14(bits: u128) -> u16 {
    u16::try_from(bits & 0x3fff).expect("14 bits fit in 16")
}

fn unname(seal: &Seal, shape: Shape, wide: bool, text: &[u8]) -> Option<CanaryId> {
    let mut bits = 0;
    for (word, letters) in text.chunks_exact(3).enumerate() {
        bits |= u128::from(read(letters)?) << (14 * word);
    }
    let width = text.len() / 3 * 14;
    bits ^= seal.pad() & ((1 << width) - 1);
    let half = if wide { 32 } else { 14 };
    let owner = Owner(u32::try_from(bits & ((1 << half) - 1)).ok()?);
    let serial = Serial(u32::try_from(bits >> half).ok()?);
    Some(CanaryId { owner, serial, shape })
}

fn check(seal: &Seal, id: CanaryId) -> [u8; CHECK_LETTERS] {
    let bits = seal.check(id);
    let mut letters = [0; CHECK_LETTERS];
    for (letter, pair) in letters.iter_mut().zip(bits.chunks_exact(2)) {
        let number = u16::from_le_bytes([pair[0], pair[1]]) % 26;
        *letter = letter_of(number);
    }
    letters
}

fn letter_of(number: u16) -> u8 {
    b'a' + u8::try_from(number % 26).expect("below 26")
}

fn spell(word: u16) -> [u8; 3] {
    [letter_of(word / 676), letter_of(word / 26), letter_of(word)]
}

fn read(letters: &[u8]) -> Option<u16> {
    let mut word = 0;
    for letter in &letters[..3] {
        let letter = letter.to_ascii_lowercase();
        if !letter.is_ascii_lowercase() {
            return None;
        }
        word = word * 26 + u16::from(letter - b'a');
    }
    (word < 1 << 14).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunKey;

    fn seal(material: &[u8]) -> Seal {
        Seal::new(&RunKey::derive(material))
    }

    fn id(owner: u32, serial: u32) -> CanaryId {
        CanaryId { owner: Owner(owner), serial: Serial(serial), shape: Shape::Token }
    }

    #[test]
    fn a_core_opens_to_its_name() {
        let seal = seal(b"a");
        for (owner, serial, letters) in [(0, 0, 30), (16_383, 16_383, 30), (16_384, 0, 39), (u32::MAX, u32::MAX, 39)] {
            let core = close(&seal, id(owner, serial));
            assert_eq!(core.len(), letters);
            assert_eq!(open(&seal, core.as_bytes()), Some(Opened::Exact(id(owner, serial), letters)));
            assert_eq!(open(&seal, core.to_uppercase().as_bytes()), Some(Opened::Exact(id(owner, serial), letters)));
        }
    }

    #[test]
    fn a_core_cut_off_is_a_fragment_from_22_letters_on() {
        let seal = seal(b"a");
        let core = close(&seal, id(3, 7));
        assert_eq!(open(&seal, &core.as_bytes()[..22]), Some(Opened::Fragment(id(3, 7), 22)));
        assert_eq!(open(&seal, &core.as_bytes()[..21]), None);
    }

    #[test]
    fn a_core_of_another_key_is_residue() {
        let core = close(&seal(b"a"), id(3, 7));
        assert_eq!(open(&seal(b"b"), core.as_bytes()), Some(Opened::Residue(Shape::Token, 30)));
    }

    #[test]
    fn one_letter_changed_leaves_a_fragment_or_residue_never_another_owner() {
        let seal = seal(b"a");
        let core = close(&seal, id(3, 7)).into_bytes();
        for at in 0..core.len() {
            let mut changed = core.clone();
            changed[at] = if changed[at] == b'z' { b'a' } else { changed[at] + 1 };
            let named = match open(&seal, &changed) {
                Some(Opened::Exact(id, _) | Opened::Fragment(id, _)) => Some(id),
                _ => None,
            };
            assert!(named.is_none_or(|named| named == id(3, 7)), "letter {at}");
        }
    }
}
