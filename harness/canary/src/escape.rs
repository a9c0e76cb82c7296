//! Escapes that stand for one character.

use crate::Encoding;

/// The longest escape that is read.
const LEN_MAX: usize = 10;

/// One character, and how many bytes it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unit {
    /// None for a line break that belongs to the writing, not to the text.
    byte: Option<u8>,
    len: usize,
}

/// Reads the character that text begins with, and how many bytes it takes. What is no escape of this kind stands for
/// itself.
pub(crate) fn read(kind: Encoding, text: &[u8]) -> (Option<u8>, usize) {
    let unit = escape(kind, text).unwrap_or(Unit { byte: Some(text[0]), len: 1 });
    (unit.byte, unit.len)
}

fn escape(kind: Encoding, text: &[u8]) -> Option<Unit> {
    match kind {
        Encoding::Percent => percent(text),
        Encoding::Html => reference(text),
        Encoding::Backslash => backslash(text),
        Encoding::QuotedPrintable => quoted(text),
        _ => None,
    }
}

/// Whether text begins with an escape that no ordinary writer would use: of a character that needs none, or of
/// such an escape. Only these can hide a canary; and line breaks, which may come anywhere.
pub(crate) fn is_needless(kind: Encoding, text: &[u8]) -> bool {
    let Some(unit) = escape(kind, text) else { return false };
    let next = text.get(unit.len).copied().unwrap_or(b' ');
    let Some(byte) = unit.byte else { return next.is_ascii_graphic() };
    match kind {
        // As in a time.
        _ if byte == b':' => next.is_ascii_digit(),
        _ if is_plain(byte) => true,
        Encoding::Percent if byte == b'%' => hex(text, 3, 2).is_some_and(|byte| is_plain(byte) || byte == b':'),
        Encoding::Html if byte == b'&' => next == b'#',
        _ => false,
    }
}

/// What canaries are made of.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')
}

fn quoted(text: &[u8]) -> Option<Unit> {
    (text[0] == b'=').then_some(())?;
    match text.get(1)? {
        b'\n' => Some(Unit { byte: None, len: 2 }),
        b'\r' if text.get(2) == Some(&b'\n') => Some(Unit { byte: None, len: 3 }),
        _ => hex(text, 1, 2).map(|byte| Unit { byte: Some(byte), len: 3 }),
    }
}

fn percent(text: &[u8]) -> Option<Unit> {
    (text[0] == b'%').then_some(())?;
    hex(text, 1, 2).map(|byte| Unit { byte: Some(byte), len: 3 })
}

fn reference(text: &[u8]) -> Option<Unit> {
    if text.starts_with(b"&amp;") {
        return Some(Unit { byte: Some(b'&'), len: 5 });
    }
    text.starts_with(b"&#").then_some(())?;
    let hexadecimal = matches!(text.get(2), Some(b'x' | b'X'));
    let start = if hexadecimal { 3 } else { 2 };
    let radix = if hexadecimal { 16 } else { 10 };
    let end = text.iter().take(LEN_MAX).position(|byte| *byte == b';')?;
    let byte = u8::from_str_radix(str::from_utf8(text.get(start..end)?).ok()?, radix).ok()?;
    Some(Unit { byte: Some(byte), len: end + 1 })
}

fn backslash(text: &[u8]) -> Option<Unit> {
    (text[0] == b'\\').then_some(())?;
    match text.get(1)? {
        b'u' if text[2..].starts_with(b"00") => hex(text, 4, 2).map(|byte| Unit { byte: Some(byte), len: 6 }),
        b'x' => hex(text, 2, 2).map(|byte| Unit { byte: Some(byte), len: 4 }),
        b'0'..=b'3' => {
            let byte = u8::from_str_radix(str::from_utf8(text.get(1..4)?).ok()?, 8).ok()?;
            Some(Unit { byte: Some(byte), len: 4 })
        }
        plain @ (b'\\' | b'"' | b'\'' | b'/') => Some(Unit { byte: Some(*plain), len: 2 }),
        _ => None,
    }
}

fn hex(text: &[u8], at: usize, digits: usize) -> Option<u8> {
    let digits = text.get(at..at + digits)?;
    digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
    u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind of escape that a byte may begin.
    fn kind_of(byte: u8) -> Option<Encoding> {
        match byte {
            b'%' => Some(Encoding::Percent),
            b'&' => Some(Encoding::Html),
            b'\\' => Some(Encoding::Backslash),
            b'=' => Some(Encoding::QuotedPrintable),
            _ => None,
        }
    }

    #[test]
    fn escapes_are_read() {
        for (kind, text, byte) in [
            (Encoding::Percent, "%7a", b'z'),
            (Encoding::Html, "&#122;", b'z'),
            (Encoding::Html, "&#x7A;", b'z'),
            (Encoding::Html, "&#0122;", b'z'),
            (Encoding::Html, "&amp;", b'&'),
            (Encoding::Backslash, "\\u007a", b'z'),
            (Encoding::Backslash, "\\x7a", b'z'),
            (Encoding::Backslash, "\\172", b'z'),
            (Encoding::Backslash, "\\/", b'/'),
            (Encoding::QuotedPrintable, "=7A", b'z'),
        ] {
            assert_eq!(read(kind, text.as_bytes()), (Some(byte), text.len()), "{text}");
        }
    }

    #[test]
    fn text_that_only_begins_like_an_escape_stands_for_itself() {
        for text in ["%", "%7", "%zz", "&", "&#", "&#;", "&#999;", "&nbsp;", "\\", "\\u12", "\\uffff", "\\9", "\\x+1"] {
            let kind = kind_of(text.as_bytes()[0]).unwrap();
            assert_eq!(read(kind, text.as_bytes()).1, 1, "{text}");
        }
    }

    #[test]
    fn only_escapes_that_nobody_needs_are_needless() {
        for (text, needless) in [
            ("%41", true),
            ("%20", false),
            ("%2541", true),
            ("%2520", false),
            ("&amp;#65;", true),
            ("=\r\na", true),
            ("=\n ", false),
            ("%3A0", true),
            ("%3A%2F", false),
        ] {
            let kind = kind_of(text.as_bytes()[0]).unwrap();
            assert_eq!(is_needless(kind, text.as_bytes()), needless, "{text}");
        }
    }
}
