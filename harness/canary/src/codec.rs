//! Reads encoded text one unit at a time: a group of base64, an escape, a pair of digits.

use crate::{
    Encoding, dump, escape,
    form::{base64_group, base64_value, hex_pair},
};

/// What a unit was read from, and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Bytes it takes.
    pub(crate) taken: usize,
    pub(crate) given: [u8; dump::LINE_BYTES],
    pub(crate) given_len: usize,
    /// Whether the stretch ends with it.
    pub(crate) is_last: bool,
}

impl Unit {
    fn new(taken: usize, given: &[u8]) -> Self {
        let mut unit = Self { taken, given: [0; dump::LINE_BYTES], given_len: given.len(), is_last: false };
        unit.given[..given.len()].copy_from_slice(given);
        unit
    }

    pub(crate) fn given(&self) -> &[u8] {
        &self.given[..self.given_len]
    }
}

/// Stretches of text in one encoding, which end where a character does not belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Escapes of this kind among plain text. Ends where none comes for a while, which is not the codec's to know.
    Escape(Encoding),
    Base64,
    Base32,
    /// Pairs of digits, one behind the other.
    Hex,
    /// Pairs of digits with something between them.
    Pairs,
    /// Lines of a dump.
    Dump,
    Utf16,
}

/// No unit looks further than this.
pub(crate) const AHEAD: usize = dump::LINE_MAX;

impl Codec {
    pub(crate) fn encoding(self) -> Encoding {
        match self {
            Self::Escape(kind) => kind,
            Self::Base64 => Encoding::Base64,
            Self::Base32 => Encoding::Base32,
            Self::Hex | Self::Pairs | Self::Dump => Encoding::Hex,
            Self::Utf16 => Encoding::Utf16,
        }
    }

    /// How many bytes this encoding takes for how many, where nothing disturbs it.
    pub(crate) fn ratio(self) -> (u64, u64) {
        match self {
            Self::Escape(_) => (1, 1),
            Self::Base64 => (4, 3),
            Self::Base32 => (8, 5),
            Self::Hex | Self::Utf16 => (2, 1),
            Self::Pairs | Self::Dump => (3, 1),
        }
    }

    /// Reads the unit that text begins with, or finds the stretch at its end.
    pub(crate) fn read(self, text: &[u8]) -> Option<Unit> {
        match self {
            Self::Escape(kind) => {
                let (byte, taken) = escape::read(kind, text);
                Some(Unit::new(taken, byte.as_slice()))
            }
            Self::Base64 => base64_unit(text),
            Self::Base32 => base32_unit(text),
            Self::Hex => hex_unit(text),
            Self::Pairs => pair_unit(text),
            Self::Dump => {
                let (bytes, count, taken) = dump::line(text)?;
                Some(Unit::new(taken, &bytes[..count]))
            }
            Self::Utf16 => utf16_unit(text),
        }
    }
}

/// A line break within a stretch, as it is or escaped in JSON, with the spaces of a folded header behind it: its length.
fn line_break(text: &[u8]) -> Option<usize> {
    let breaks: [&[u8]; 4] = [b"\n", b"\r\n", b"\\n", b"\\r\\n"];
    let found = breaks.iter().find(|found| text.starts_with(found))?.len();
    let spaces = text[found..].iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    Some(found + spaces)
}

/// The next characters of a stretch, wherever its lines break: the characters, how many, and the bytes they take.
fn group<const N: usize>(text: &[u8], is_char: fn(u8) -> bool) -> ([u8; N], usize, usize) {
    let (mut chars, mut count, mut taken) = ([0; N], 0, 0);
    while count < N {
        let broken = line_break(&text[taken..]).unwrap_or(0);
        let Some(byte) = text.get(taken + broken).filter(|byte| is_char(**byte)) else { break };
        chars[count] = *byte;
        count += 1;
        taken += broken + 1;
    }
    (chars, count, taken)
}

fn base64_unit(text: &[u8]) -> Option<Unit> {
    let (chars, count, taken) = group::<4>(text, |byte| base64_value(byte).is_some());
    match count {
        0 | 1 => None,
        count => Some(Unit::new(taken, &base64_group(&chars[..count])[..count - 1])),
    }
}

fn base32_unit(text: &[u8]) -> Option<Unit> {
    let (chars, count, taken) = group::<8>(text, |byte| base32_value(byte).is_some());
    let given = count * 5 / 8;
    let bits = chars[..count].iter().fold(0, |bits, byte| bits << 5 | base32_value(*byte).unwrap_or(0));
    let bytes = (bits << (64 - 5 * count.max(1))).to_be_bytes();
    (given > 0).then(|| Unit::new(taken, &bytes[..given]))
}

fn base32_value(byte: u8) -> Option<u64> {
    match byte {
        b'A'..=b'Z' => Some(u64::from(byte - b'A')),
        b'a'..=b'z' => Some(u64::from(byte - b'a')),
        b'2'..=b'7' => Some(u64::from(byte - b'2') + 26),
        _ => None,
    }
}

fn hex_unit(text: &[u8]) -> Option<Unit> {
    let (chars, count, taken) = group::<2>(text, |byte| byte.is_ascii_hexdigit());
    let byte = hex_pair(chars[0], chars[1]).filter(|_| count == 2)?;
    Some(Unit::new(taken, &[byte]))
}

fn pair_unit(text: &[u8]) -> Option<Unit> {
    const BETWEEN: [&[u8]; 10] = [b" ", b":\n", b":", b"-", b", ", b",\n", b",", b"\r\n", b"\n", b"\\n"];
    let byte = hex_pair(*text.first()?, *text.get(1)?)?;
    let rest = &text[2..];
    if rest.first().is_some_and(u8::is_ascii_hexdigit) {
        return None;
    }
    let between = BETWEEN.iter().find(|between| rest.starts_with(between)).map_or(0, |between| between.len());
    let goes_on = rest[between..].iter().take(2).filter(|byte| byte.is_ascii_hexdigit()).count() == 2;
    let taken = if goes_on { 2 + between } else { 2 };
    Some(Unit { is_last: !goes_on, ..Unit::new(taken, &[byte]) })
}

/// Of either byte order. A last character counts even without its zero: where text begins cannot always be told, and the
/// zero may have been taken with the character before.
fn utf16_unit(text: &[u8]) -> Option<Unit> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    match text {
        [byte, 0, ..] | [0, byte, ..] if is_plain(*byte) => Some(Unit::new(2, &[*byte])),
        [byte, ..] if is_plain(*byte) => Some(Unit { is_last: true, ..Unit::new(1, &[*byte]) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(codec: Codec, text: &[u8]) -> (Vec<u8>, usize) {
        let mut given = Vec::new();
        let mut at = 0;
        while let Some(unit) = codec.read(&text[at..]) {
            given.extend(unit.given());
            at += unit.taken;
            if at == text.len() || unit.is_last {
                break;
            }
        }
        (given, at)
    }

    #[test]
    fn stretches_are_read_to_their_end() {
        let cases: [(Codec, &str, &str); 11] = [
            (Codec::Base64, "aGVsbG8gd29ybGQ=", "hello world"),
            (Codec::Base64, "aGVsbG8g\r\nd29ybGQ\"", "hello world"),
            (Codec::Base64, "aGVsbG8g\\nd29ybGQ\\", "hello world"),
            (Codec::Base32, "NBSWY3DPEB3\nW64TMMQ=", "hello world"),
            (Codec::Base32, "nbswy3dpeb3w64tmmq;", "hello world"),
            (Codec::Hex, "68656c6c6f\n20776f726C64.", "hello world"),
            (Codec::Pairs, "68:65:6c:6c:6f;", "hello"),
            (Codec::Pairs, "68 65 6c\n6c 6F zz", "hello"),
            (Codec::Utf16, "h\0i\0!?", "hi!"),
            (Codec::Utf16, "h\0i!?", "hi"),
            (Codec::Utf16, "\0h\0i\x01", "hi"),
        ];
        for (codec, text, expected) in cases {
            let (given, at) = decode(codec, text.as_bytes());
            assert_eq!((String::from_utf8_lossy(&given).as_ref(), at < text.len()), (expected, true), "{text}");
        }
    }
}
