//! The forms a needle is searched in, and how the text around a needle in such a form is read.

use std::ops::Range;

use crate::Encoding;

/// Enough for a core, a UUID, and what stands before a needle.
const TEXT_MAX: usize = 48;

/// A way to write text, one that keeps its letters apart from what stands around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is.
    Plain,
    /// Base64 where the needle begins at this byte of a group of three.
    Base64(usize),
    /// Two hexadecimal digits a letter.
    Hex,
    /// From its last letter to its first.
    Reversed,
    /// Letters turned by thirteen.
    Rot13,
}

/// Text that was read out of a form.
pub(crate) struct Reading {
    form: Form,
    /// Where reading began: for base64 the group of four, for reversed text its end, else the first letter.
    origin: usize,
    /// Letters of the origin's group that stand before the text.
    skip: usize,
    buffer: [u8; TEXT_MAX],
    len: usize,
}

impl Form {
    /// Every form that needles are searched in.
    pub(crate) const ALL: [Self; 7] =
        [Self::Plain, Self::Base64(0), Self::Base64(1), Self::Base64(2), Self::Hex, Self::Reversed, Self::Rot13];

    /// The bytes that the text always has in this form, whatever stands around it.
    pub(crate) fn write(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => text.to_vec(),
            Self::Hex => data_encoding::HEXLOWER.encode(text).into_bytes(),
            Self::Reversed => text.iter().rev().copied().collect(),
            Self::Rot13 => text.iter().map(|letter| rot13(*letter)).collect(),
            Self::Base64(align) => {
                let mut padded = vec![0; align];
                padded.extend_from_slice(text);
                let whole = padded.len() * 8 / 6;
                let encoded = data_encoding::BASE64_NOPAD.encode(&padded).into_bytes();
                encoded[first_whole_char(align)..whole].to_vec()
            }
        }
    }

    /// The step of a sighting's chain that this form is.
    pub(crate) fn encoding(self) -> Option<Encoding> {
        match self {
            Self::Plain => None,
            Self::Base64(_) => Some(Encoding::Base64),
            Self::Hex => Some(Encoding::Hex),
            Self::Reversed => Some(Encoding::Reversed),
            Self::Rot13 => Some(Encoding::Rot13),
        }
    }

    /// Reads on from a needle of `len` letters found at `at`, beginning `before` letters ahead of it.
    pub(crate) fn read(self, bytes: &[u8], at: usize, len: usize, before: usize) -> Option<Reading> {
        let mut reading = Reading { form: self, origin: at, skip: 0, buffer: [0; TEXT_MAX], len: 0 };
        match self {
            Self::Plain => {
                reading.origin = at.checked_sub(before)?;
                reading.fill(bytes[reading.origin..].iter().map(|byte| Some(*byte)));
            }
            Self::Hex => {
                reading.origin = at.checked_sub(2 * before)?;
                reading.fill(bytes[reading.origin..].chunks_exact(2).map(|pair| hex_pair(pair[0], pair[1])));
            }
            Self::Rot13 => {
                reading.origin = at.checked_sub(before)?;
                reading.fill(bytes[reading.origin..].iter().map(|byte| Some(rot13(*byte))));
            }
            Self::Reversed => {
                reading.origin = at + len + before;
                reading.fill(bytes.get(..reading.origin)?.iter().rev().map(|byte| Some(*byte)));
            }
            Self::Base64(align) => {
                let group = at.checked_sub(first_whole_char(align))?;
                let back = if before > align { 4 * (before - align).div_ceil(3) } else { 0 };
                reading.origin = group.checked_sub(back)?;
                reading.skip = align + back / 4 * 3 - before;
                let groups = bytes[reading.origin..].chunks(4).map(base64_group);
                reading.fill(groups.flatten().skip(reading.skip).map(Some));
            }
        }
        Some(reading)
    }
}

impl Reading {
    fn fill(&mut self, letters: impl Iterator<Item = Option<u8>>) {
        for (slot, letter) in self.buffer.iter_mut().zip(letters.map_while(|letter| letter)) {
            *slot = letter;
            self.len += 1;
        }
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Where in the bytes that were read the first `letters` of the text are.
    pub(crate) fn span(&self, letters: usize) -> Range<usize> {
        match self.form {
            Form::Plain | Form::Rot13 => self.origin..self.origin + letters,
            Form::Reversed => self.origin - letters..self.origin,
            Form::Hex => self.origin..self.origin + 2 * letters,
            Form::Base64(_) => {
                let chars = base64_chars(self.skip..self.skip + letters);
                self.origin + chars.start..self.origin + chars.end
            }
        }
    }
}

/// A letter turned by thirteen places.
pub(crate) fn rot13(byte: u8) -> u8 {
    match byte {
        b'a'..=b'm' | b'A'..=b'M' => byte + 13,
        b'n'..=b'z' | b'N'..=b'Z' => byte - 13,
        _ => byte,
    }
}

/// The first character of a group that depends on nothing before the byte at this alignment.
fn first_whole_char(align: usize) -> usize {
    (align * 8).div_ceil(6)
}

/// The characters that hold some bit of these bytes.
pub(crate) fn base64_chars(bytes: Range<usize>) -> Range<usize> {
    bytes.start * 8 / 6..(bytes.end * 8).div_ceil(6)
}

/// The byte that two hexadecimal digits stand for.
pub(crate) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let value = char::from(high).to_digit(16)? << 4 | char::from(low).to_digit(16)?;
    u8::try_from(value).ok()
}

/// The value of a character of either alphabet.
pub(crate) fn base64_value(byte: u8) -> Option<u8> {
    let value = BASE64_VALUES[usize::from(byte)];
    (value != 0 || byte == b'A').then_some(value)
}

/// The value of a character of either alphabet, and 0 for any other.
pub(crate) const fn base64_value_or_zero(byte: u8) -> u8 {
    BASE64_VALUES[byte as usize]
}

/// The three bytes of a group. What is not of the alphabet counts as 0: it may stand before or after the text.
pub(crate) fn base64_group(group: &[u8]) -> [u8; 3] {
    let mut bits = 0;
    for at in 0..4 {
        bits = bits << 6 | group.get(at).map_or(0, |letter| u32::from(BASE64_VALUES[usize::from(*letter)]));
    }
    let [_, high, middle, low] = bits.to_be_bytes();
    [high, middle, low]
}

/// The value of each character in either alphabet, 0 for all others.
const BASE64_VALUES: [u8; 256] = base64_values();

const fn base64_values() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [0; 256];
    let mut value = 0;
    while value < 64 {
        values[alphabet[value as usize] as usize] = value;
        value += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back_from_every_form_with_what_stands_before_it() {
        let text = b"uxqwvpletters";
        for lead in 0..3 {
            let whole = [&b"###"[..lead], text, b"?"].concat();
            let base64 = data_encoding::BASE64_NOPAD.encode(&whole).into_bytes();
            let plain_hex = data_encoding::HEXUPPER.encode(text).into_bytes();
            let reversed = whole.iter().rev().copied().collect();
            let turned = whole.iter().map(|letter| rot13(*letter)).collect();
            let cases = [
                (Form::Plain, whole.clone()),
                (Form::Hex, plain_hex),
                (Form::Base64((lead + 1) % 3), base64),
                (Form::Reversed, reversed),
                (Form::Rot13, turned),
            ];
            for (form, bytes) in cases {
                let needle = form.write(&text[1..6]);
                let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
                let reading = form.read(&bytes, at, 5, 1).unwrap();
                assert!(reading.text().starts_with(text), "{form:?}");
                assert!(reading.span(13).end <= bytes.len());
            }
        }
    }
}
