//! What the scanner looks for: the markers, in every form.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use crate::{
    Encoding, Found, Shape, Strength,
    detector::Families,
    form::{Form, Reading, rot13},
    inflate, letters,
    seal::Seal,
    uuid,
    view::{Hit, Spot},
};

/// What a needle stands for.
#[derive(Clone, Copy)]
enum Needle {
    /// The marker of a lettered core.
    Letters(Form),
    /// The marker of a UUID as text.
    Uuid(Form),
    /// The marker of a UUID as its sixteen bytes.
    Bits,
    /// The same in the byte order of Microsoft's GUIDs.
    Guid,
    /// The mark of a packed stream.
    Packed(Encoding),
}

/// All needles, and the automaton over them. They are the same for every run.
struct Needles {
    automaton: AhoCorasick,
    needles: Vec<Needle>,
}

static NEEDLES: LazyLock<Needles> = LazyLock::new(|| Needles::new(true));

/// The same without those of UUIDs.
static NO_UUIDS: LazyLock<Needles> = LazyLock::new(|| Needles::new(false));

/// The longest needle.
const LEN_MAX: usize = 16;

const UUID_BYTES: [u8; 4] = [0x84, 0x73, 0x73, 0x59];

impl Needles {
    fn new(uuids: bool) -> Self {
        let is_of_uuid = |needle| matches!(needle, Needle::Uuid(_) | Needle::Bits | Needle::Guid);
        let wanted = list().into_iter().filter(|(_, needle)| uuids || !is_of_uuid(*needle));
        let (bytes, needles): (Vec<_>, _) = wanted.unzip();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(&bytes)
            .expect("a few short needles make an automaton");
        Self { automaton, needles }
    }
}

fn list() -> Vec<(Vec<u8>, Needle)> {
    let mut list: Vec<(Vec<u8>, Needle)> = Vec::new();
    for form in Form::ALL {
        // The marker's first letter is left out, so that one needle finds it capitalised as well.
        for letters in [letters::MARKER[1..].to_vec(), letters::MARKER[1..].to_ascii_uppercase()] {
            list.push((form.write(&letters), Needle::Letters(form)));
        }
        if form != Form::Rot13 {
            list.push((form.write(uuid::MARKER), Needle::Uuid(form)));
        }
    }
    list.push((UUID_BYTES.to_vec(), Needle::Bits));
    list.push((UUID_BYTES.iter().rev().copied().collect(), Needle::Guid));
    list.push((b"PK\x03\x04".to_vec(), Needle::Packed(Encoding::Zip)));
    list.push((vec![0x28, 0xb5, 0x2f, 0xfd], Needle::Packed(Encoding::Zstd)));
    list
}

/// Reports what stands at each needle that begins in `from..to`.
pub(crate) fn search(
    seal: &Seal,
    families: Families,
    bytes: &[u8],
    from: usize,
    to: usize,
    report: &mut dyn FnMut(Spot),
) {
    let needles = if families.uuid { &*NEEDLES } else { &*NO_UUIDS };
    let end = bytes.len().min(to + LEN_MAX);
    let mut start = from;
    // Not find_iter: it passes over a needle that overlaps the last, and so would depend on where the chunk began.
    while let Some(found) = needles.automaton.find(Input::new(bytes).range(start..end)) {
        if found.start() >= to {
            break;
        }
        let needle = needles.needles[found.pattern().as_usize()];
        let is_wanted = families.letters || !matches!(needle, Needle::Letters(_));
        if is_wanted && let Some(spot) = needle.open(seal, bytes, found.start()) {
            report(spot);
        }
        start = found.start() + 1;
    }
}

/// Reports each gzip and zlib header that begins in `from..to` and may be one (RFC 1950, RFC 1952). They are too short
/// for needles; that their second byte comes rarely makes it the one to look for.
pub(crate) fn search_packed(bytes: &[u8], from: usize, to: usize, report: &mut dyn FnMut(Spot)) {
    let end = bytes.len().min(to + 1);
    let common = memchr::memchr3_iter(0x9c, 0xda, 0x01, &bytes[from..end]);
    let rest = memchr::memchr2_iter(0x5e, 0x8b, &bytes[from..end]);
    for at in common.chain(rest) {
        let Some(start) = (from + at).checked_sub(1).filter(|start| *start >= from) else { continue };
        match bytes[start..] {
            [0x1f, 0x8b, 8, ..] => report(Spot::Packed(Encoding::Gzip, start)),
            [0x78, second, ref rest @ ..]
                if second != 0x8b && may_deflate(rest) && inflate::may_be_zlib(&bytes[start..]) =>
            {
                report(Spot::Packed(Encoding::Zlib, start));
            }
            _ => {}
        }
    }
}

/// Whether bytes can begin a deflate stream: of a known block type, and a stored block tells its length twice.
fn may_deflate(bytes: &[u8]) -> bool {
    match bytes {
        [first, a, b, c, d, ..] if first & 6 == 0 => [!a, !b] == [*c, *d],
        [first, ..] => first & 6 != 6,
        [] => false,
    }
}

impl Needle {
    fn open(self, seal: &Seal, bytes: &[u8], at: usize) -> Option<Spot> {
        let hit = match self {
            Self::Letters(form) => open_letters(seal, &form.read(bytes, at, letters::MARKER.len() - 1, 1)?, form),
            Self::Uuid(form) => open_uuid(seal, &form.read(bytes, at, uuid::MARKER.len(), 0)?, form),
            Self::Bits => open_bits(seal, bytes, at),
            Self::Guid => open_guid(seal, bytes, at),
            Self::Packed(encoding) => return Some(Spot::Packed(encoding, at)),
        };
        hit.map(Spot::Hit)
    }
}

fn open_letters(seal: &Seal, reading: &Reading, form: Form) -> Option<Hit> {
    let (found, letters) = match letters::open(seal, reading.text())? {
        letters::Opened::Exact(id, letters) => (Found::Canary { id, strength: Strength::Exact }, letters),
        letters::Opened::Fragment(id, letters) => (Found::Canary { id, strength: Strength::Fragment }, letters),
        letters::Opened::Residue(shape, letters) => (Found::Residue { shape }, letters),
    };
    Some(hit(found, form, reading, letters))
}

fn open_uuid(seal: &Seal, reading: &Reading, form: Form) -> Option<Hit> {
    let Some((bits, letters)) = uuid::parse(reading.text()) else {
        return if form == Form::Plain { open_turned_uuid(seal, reading) } else { None };
    };
    let found = match uuid::open(seal, bits)? {
        uuid::Opened::Residue if letters == uuid::TEXT_LEN => Found::Residue { shape: Shape::Uuid },
        opened => exact(opened)?,
    };
    Some(hit(found, form, reading, letters))
}

/// The marker of a UUID is of digits, so that it looks the same in ROT13.
fn open_turned_uuid(seal: &Seal, reading: &Reading) -> Option<Hit> {
    let text: Vec<u8> = reading.text().iter().map(|letter| rot13(*letter)).collect();
    let (bits, letters) = uuid::parse(&text)?;
    let found = exact(uuid::open(seal, bits)?)?;
    Some(hit(found, Form::Rot13, reading, letters))
}

fn open_bits(seal: &Seal, bytes: &[u8], at: usize) -> Option<Hit> {
    let bits = u128::from_be_bytes(bytes.get(at..at + 16)?.try_into().ok()?);
    let found = exact(uuid::open(seal, bits)?)?;
    Some(Hit { found, encodings: vec![Encoding::Binary], span: at..at + 16 })
}

fn open_guid(seal: &Seal, bytes: &[u8], at: usize) -> Option<Hit> {
    let mut guid: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    let found = exact(uuid::open(seal, u128::from_be_bytes(guid))?)?;
    Some(Hit { found, encodings: vec![Encoding::Binary], span: at..at + 16 })
}

fn exact(opened: uuid::Opened) -> Option<Found> {
    match opened {
        uuid::Opened::Exact(id) => Some(Found::Canary { id, strength: Strength::Exact }),
        uuid::Opened::Residue => None,
    }
}

fn hit(found: Found, form: Form, reading: &Reading, letters: usize) -> Hit {
    let mut encodings: Vec<Encoding> = form.encoding().into_iter().collect();
    if reading.text()[1..letters].iter().any(u8::is_ascii_uppercase) {
        encodings.push(Encoding::Case);
    }
    Hit { found, encodings, span: reading.span(letters) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_needle_is_longer_than_the_search_looks_ahead() {
        assert_eq!(NEEDLES.automaton.max_pattern_len(), LEN_MAX);
    }

    #[test]
    fn no_needle_hides_another() {
        let list = list();
        for (at, (needle, _)) in list.iter().enumerate() {
            let hidden = list.iter().enumerate().any(|(other, (bytes, _))| other != at && bytes.starts_with(needle));
            assert!(!hidden, "{needle:?}");
        }
    }
}
