//! Canaries in the bits of a UUID of version 4.
//!
//! Of its 128 bits 32 are the marker, 6 say version and variant, 48 are the name and 42 the check.

use crate::{CanaryId, Owner, Serial, Shape, seal::Seal};

/// The first eight digits of each. Decimal digits only, so that case does not matter and hexadecimal of it is digits.
pub(crate) const MARKER: &[u8; 8] = b"84737359";

/// The length of a UUID as text, with its hyphens.
pub(crate) const TEXT_LEN: usize = 36;

/// Owners and serials stop here.
pub(crate) const NUMBER_MAX: u32 = (1 << 24) - 1;

const MARKER_BITS: u128 = 0x8473_7359;

/// What the bits of a UUID with the marker turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    Exact(CanaryId),
    Residue,
}

/// Writes the UUID of a canary, in lower case.
pub(crate) fn close(seal: &Seal, id: CanaryId) -> String {
    let name = u128::from(id.owner.0) << 24 | u128::from(id.serial.0);
    let name = (name ^ seal.pad()) & ((1 << 48) - 1);
    let payload = name << 42 | check(seal, id);
    let high = payload >> 74;
    let middle = payload >> 62 & 0xfff;
    let low = payload & ((1 << 62) - 1);
    let bits = MARKER_BITS << 96 | high << 80 | 4 << 76 | middle << 64 | 2 << 62 | low;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Reads the bits of a UUID.
pub(crate) fn open(seal: &Seal, bits: u128) -> Option<Opened> {
    if bits >> 96 != MARKER_BITS || bits >> 76 & 0xf != 4 || bits >> 62 & 3 != 2 {
        return None;
    }
    let payload = (bits >> 80 & 0xffff) << 74 | (bits >> 64 & 0xfff) << 62 | bits & ((1 << 62) - 1);
    let name = (payload >> 42 ^ seal.pad()) & ((1 << 48) - 1);
    let owner = Owner(u32::try_from(name >> 24).ok()?);
    let serial = Serial(u32::try_from(name & 0xff_ffff).ok()?);
    let id = CanaryId { owner, serial, shape: Shape::Uuid };
    let genuine = check(seal, id) == payload & ((1 << 42) - 1);
    Some(if genuine { Opened::Exact(id) } else { Opened::Residue })
}

/// Reads a UUID written with or without its hyphens, and says how many characters it took.
pub(crate) fn parse(text: &[u8]) -> Option<(u128, usize)> {
    let hyphens = text.get(8) == Some(&b'-');
    let mut bits = 0;
    let mut at = 0;
    for digit in 0..32 {
        if hyphens && matches!(digit, 8 | 12 | 16 | 20) {
            (*text.get(at)? == b'-').then_some(())?;
            at += 1;
        }
        bits = bits << 4 | u128::from(char::from(*text.get(at)?).to_digit(16)?);
        at += 1;
    }
    Some((bits, at))
}

fn check(seal: &Seal, id: CanaryId) -> u128 {
    let mut low = [0; 16];
    low.copy_from_slice(&seal.check(id)[..16]);
    u128::from_le_bytes(low) & ((1 << 42) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunKey;

    #[test]
    fn a_uuid_opens_to_its_name_and_is_of_version_4() {
        let seal = Seal::new(&RunKey::derive(b"a"));
        for (owner, serial) in [(0, 0), (5, 77), (NUMBER_MAX, NUMBER_MAX)] {
            let id = CanaryId { owner: Owner(owner), serial: Serial(serial), shape: Shape::Uuid };
            let text = close(&seal, id);
            let (bits, len) = parse(text.as_bytes()).unwrap();
            assert_eq!((len, text.as_bytes()[14]), (36, b'4'));
            assert!(b"89ab".contains(&text.as_bytes()[19]));
            assert_eq!(open(&seal, bits), Some(Opened::Exact(id)));
            let other = Seal::new(&RunKey::derive(b"b"));
            assert_eq!(open(&other, bits), Some(Opened::Residue));
        }
    }

    #[test]
    fn a_uuid_is_read_without_its_hyphens_too() {
        assert_eq!(parse(b"00000000000000000000000000000010!"), Some((16, 32)));
        assert_eq!(parse(b"00000000-0000-0000-0000-000000000010"), Some((16, 36)));
        assert_eq!(parse(b"00000000-0000-0000-00000000000000010"), None);
        assert_eq!(parse(b"0000"), None);
    }
}
