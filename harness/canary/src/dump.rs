//! Lines of hexadecimal dumps, as xxd, hexdump -C and od -t x1 write them.

use crate::form::hex_pair;

/// Bytes that a first line shows at least. Later ones may show fewer.
const SHOWN_MIN: usize = 8;

/// The longest line that is read.
pub(crate) const LINE_MAX: usize = 96;

/// The most bytes that a line shows.
pub(crate) const LINE_BYTES: usize = 32;

/// Whether a dump may begin with this line.
pub(crate) fn begins(text: &[u8]) -> bool {
    let is_address = text.len() > 6 && text[..6].iter().all(u8::is_ascii_hexdigit);
    is_address && line(text).is_some_and(|(_, shown, _)| shown >= SHOWN_MIN)
}

/// Reads one line with its end: the bytes it shows, how many they are, and the length of the line.
pub(crate) fn line(text: &[u8]) -> Option<([u8; LINE_BYTES], usize, usize)> {
    let window = &text[..text.len().min(LINE_MAX)];
    let newline = window.iter().position(|byte| *byte == b'\n');
    let line = &window[..newline.unwrap_or(window.len())];
    let address = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if !(6..=16).contains(&address) {
        return None;
    }
    let colon = usize::from(line.get(address) == Some(&b':'));
    let (bytes, count) = columns(line.get(address + colon..)?)?;
    Some((bytes, count, newline.map_or(line.len(), |at| at + 1)))
}

/// The bytes in the columns behind an address; what stands behind two spaces is their text again.
fn columns(mut rest: &[u8]) -> Option<([u8; LINE_BYTES], usize)> {
    let mut bytes = [0; LINE_BYTES];
    let mut count = 0;
    let mut digits_before = 0;
    while count < LINE_BYTES {
        let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
        let digits = rest[spaces..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        // Groups of two may stand in halves, two spaces apart; behind longer groups two spaces end the columns.
        let ended = count > 0 && (spaces > 1 && digits_before > 2 || digits > digits_before);
        if spaces == 0 || digits == 0 || digits % 2 == 1 || digits > 8 || ended {
            break;
        }
        for pair in rest[spaces..spaces + digits].chunks_exact(2).take(LINE_BYTES - count) {
            bytes[count] = hex_pair(pair[0], pair[1])?;
            count += 1;
        }
        digits_before = digits;
        rest = &rest[spaces + digits..];
    }
    (count > 0).then_some((bytes, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_known_tools_are_read() {
        for text in [
            "00000000: 6865 6c6c 6f20 776f 726c 64              hello world\n",
            "00000000  68 65 6c 6c 6f 20 77 6f  72 6c 64                 |hello world|\n",
            "0000000 68 65 6c 6c 6f 20 77 6f 72 6c 64\n",
            "00000000: 68656c6c 6f20776f 726c64             ab hello world\n",
        ] {
            let (bytes, count, len) = line(text.as_bytes()).unwrap();
            assert_eq!((&bytes[..count], len), (&b"hello world"[..], text.len()), "{text}");
        }
    }

    #[test]
    fn other_lines_are_not() {
        for text in ["hello world\n", "deadbeef\n", "00000000:\n", "1234567 words\n"] {
            assert_eq!(line(text.as_bytes()), None, "{text}");
        }
    }
}
