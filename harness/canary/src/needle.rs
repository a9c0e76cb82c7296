//! What the scanner looks for by a few bytes of it: the markers in every form, packed streams, escapes, dumps and masks.

use std::sync::OnceLock;

use crate::{
    Encoding, Found, Shape, Strength,
    codec::Codec,
    detector::Families,
    dump, escape,
    fingerprint::{self, Buckets, Fingerprint, Place},
    form::{Form, Reading, rot13},
    inflate, letters,
    live::Live,
    look,
    seal::Seal,
    sieve::Sieve,
    uuid,
    view::{Hit, Spot, View},
};

/// What a fingerprint stands for.
enum Mark {
    /// Bytes that begin so far ahead of the fingerprint.
    Needle { needle: Needle, bytes: Vec<u8>, ahead: usize },
    /// A gzip header.
    Gzip,
    /// A zlib header.
    Zlib,
    /// The end of a line behind which a dump may begin.
    Line,
    /// An escape of this kind.
    Escape(Encoding),
    /// The end of a mask.
    MaskEnd,
    /// The beginning of a mask.
    MaskStart,
    /// The end of a mask in the name of a mailbox.
    Mailbox,
    /// Digits in base64.
    Digits,
}

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

/// All that is searched for by a fingerprint. It is the same for every run.
pub(crate) struct Marks {
    pub(crate) buckets: Buckets,
    marks: Vec<Mark>,
}

/// No needle begins further ahead of its fingerprint.
const AHEAD_MAX: usize = 16;

const UUID_BYTES: [u8; 4] = [0x84, 0x73, 0x73, 0x59];

impl Marks {
    /// What these families need.
    pub(crate) fn of(families: Families) -> &'static Self {
        static ALL: [OnceLock<Marks>; 8] = [const { OnceLock::new() }; 8];
        let Families { letters, uuid, number } = families;
        let index = usize::from(letters) | usize::from(uuid) << 1 | usize::from(number) << 2;
        ALL[index].get_or_init(|| Self::new(families))
    }

    fn new(families: Families) -> Self {
        let needles = list().into_iter().filter(|(_, needle)| needle.is_wanted(families)).map(|(bytes, needle)| {
            let (ahead, fingerprint) = fingerprint::rarest(&bytes);
            (fingerprint, Mark::Needle { needle, bytes, ahead })
        });
        let others = others().into_iter().filter(|(_, mark)| families.number || !matches!(mark, Mark::Digits));
        let (fingerprints, marks): (Vec<_>, _) = needles.chain(others).unzip();
        Self { buckets: Buckets::new(&fingerprints), marks }
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

/// What has no needle of its own. The fingerprints let in all that the marks do.
fn others() -> Vec<(Fingerprint, Mark)> {
    let any = || Place::of(0..=u8::MAX);
    let one = |byte: u8| Place::of([byte]);
    let of = |bytes: &[u8]| Place::of(bytes.iter().copied());
    let hex = || of(b"0123456789abcdefABCDEF");
    let alphanumeric = Place::of((0..=u8::MAX).filter(u8::is_ascii_alphanumeric));
    let escape = Mark::Escape;
    vec![
        ([one(0x1f), one(0x8b), one(8)], Mark::Gzip),
        ([one(0x78), of(&[0x01, 0x5e, 0x9c, 0xda]), Place::of((0..=u8::MAX).filter(|byte| byte & 6 != 6))], Mark::Zlib),
        ([one(b'\n'), hex(), hex()], Mark::Line),
        ([one(b'%'), of(b"234567"), hex()], escape(Encoding::Percent)),
        ([one(b'='), of(b"234567"), hex()], escape(Encoding::QuotedPrintable)),
        ([one(b'='), one(b'\n'), any()], escape(Encoding::QuotedPrintable)),
        ([one(b'='), one(b'\r'), one(b'\n')], escape(Encoding::QuotedPrintable)),
        ([one(b'&'), one(b'#'), of(b"0123456789xX")], escape(Encoding::Html)),
        ([one(b'&'), one(b'a'), one(b'm')], escape(Encoding::Html)),
        ([one(b'\\'), one(b'u'), one(b'0')], escape(Encoding::Backslash)),
        ([one(b'\\'), one(b'x'), of(b"234567")], escape(Encoding::Backslash)),
        ([one(b'\\'), of(b"01"), of(b"01234567")], escape(Encoding::Backslash)),
        ([one(b'*'), one(b'*'), alphanumeric], Mark::MaskEnd),
        ([alphanumeric, one(b'*'), one(b'*')], Mark::MaskStart),
        ([one(b'*'), one(b'*'), one(b'@')], Mark::Mailbox),
        ([of(look::PLACE_0), of(look::PLACE_1), of(look::PLACE_2)], Mark::Digits),
    ]
}

/// What is reported of the marks, and to whom.
pub(crate) struct Search<'a> {
    pub(crate) seal: &'a Seal,
    pub(crate) families: Families,
    pub(crate) live: Option<&'a Live>,
    pub(crate) view: View<'a>,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// Reports what stands at each mark that begins in `from..to`.
pub(crate) fn search(search: &Search<'_>, sieve: &Sieve, report: &mut dyn FnMut(Spot)) {
    let Search { view, from, to, .. } = *search;
    let marks = Marks::of(search.families);
    if view.offset(from) == 0 {
        open_line(view.bytes, from, report);
    }
    for at in sieve.marks().set(from, to + AHEAD_MAX) {
        let Some(near) = view.bytes[at..].first_chunk() else { continue };
        for index in marks.buckets.at(*near) {
            open(search, &marks.marks[index], at, report);
        }
    }
}

fn open(search: &Search<'_>, mark: &Mark, at: usize, report: &mut dyn FnMut(Spot)) {
    let Search { seal, view, from, to, .. } = *search;
    let bytes = view.bytes;
    if let Mark::Needle { needle, bytes: expected, ahead } = mark {
        let start = at.checked_sub(*ahead).filter(|start| (from..to).contains(start));
        if let Some(start) = start
            // Most are none, and told by their beginning.
            && bytes[start..].first_chunk::<4>() == expected.first_chunk()
            && bytes[start..].starts_with(expected)
            && let Some(spot) = needle.open(seal, bytes, start)
        {
            report(spot);
        }
        return;
    }
    if at >= to {
        return;
    }
    match mark {
        Mark::Gzip if bytes[at..].starts_with(&[0x1f, 0x8b, 8]) => report(Spot::Packed(Encoding::Gzip, at)),
        Mark::Zlib if may_be_zlib(&bytes[at..]) => report(Spot::Packed(Encoding::Zlib, at)),
        Mark::Line if bytes[at] == b'\n' => open_line(bytes, at + 1, report),
        Mark::Escape(kind) if escape::is_needless(*kind, &bytes[at..]) => {
            report(Spot::Stretch(Codec::Escape(*kind), at));
        }
        Mark::MaskEnd | Mark::MaskStart | Mark::Mailbox => {
            if let Some(live) = search.live {
                open_mask(live, mark, bytes, at, report);
            }
        }
        Mark::Digits => look::base64_figures(seal, view, at, report),
        _ => {}
    }
}

fn open_mask(live: &Live, mark: &Mark, bytes: &[u8], at: usize, report: &mut dyn FnMut(Spot)) {
    match mark {
        Mark::MaskEnd if bytes[at..].starts_with(b"**") => live.search_tail(bytes, at + 2, report),
        Mark::MaskStart => live.search_head(bytes, at, report),
        Mark::Mailbox if bytes[at..].starts_with(b"**@") => live.search_mailbox(bytes, at + 2, None, report),
        _ => {}
    }
}

/// A dump may begin with this line.
fn open_line(bytes: &[u8], at: usize, report: &mut dyn FnMut(Spot)) {
    if dump::begins(&bytes[at..]) {
        report(Spot::Stretch(Codec::Dump, at));
    }
}

/// Whether a zlib stream begins so (RFC 1950). Its header is short, so that more is asked.
fn may_be_zlib(bytes: &[u8]) -> bool {
    match bytes {
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, rest @ ..] => may_deflate(rest) && inflate::may_be_zlib(bytes),
        _ => false,
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
    fn is_wanted(self, families: Families) -> bool {
        match self {
            Self::Letters(_) => families.letters,
            Self::Uuid(_) | Self::Bits | Self::Guid => families.uuid,
            Self::Packed(_) => true,
        }
    }

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

    const ALL: Families = Families { letters: true, uuid: true, number: true };

    #[test]
    fn no_needle_begins_further_ahead_than_the_search_looks() {
        for mark in &Marks::of(ALL).marks {
            assert!(!matches!(mark, Mark::Needle { ahead, .. } if *ahead > AHEAD_MAX));
        }
    }

    #[test]
    fn no_needle_hides_another() {
        let list = list();
        for (at, (needle, _)) in list.iter().enumerate() {
            let hidden = list.iter().enumerate().any(|(other, (bytes, _))| other != at && bytes.starts_with(needle));
            assert!(!hidden, "{needle:?}");
        }
    }

    /// Whatever is an escape, or a packed stream, or a dump, is let in by some fingerprint.
    #[test]
    fn fingerprints_let_in_all_that_the_marks_do() {
        let marks = Marks::of(ALL);
        let lets_in =
            |near: [u8; 3], wanted: fn(&Mark) -> bool| marks.buckets.at(near).any(|index| wanted(&marks.marks[index]));
        for (first, kind) in [
            (b'%', Encoding::Percent),
            (b'=', Encoding::QuotedPrintable),
            (b'&', Encoding::Html),
            (b'\\', Encoding::Backslash),
        ] {
            for (second, third) in (0..=u8::MAX).flat_map(|a| (0..=u8::MAX).map(move |b| (a, b))) {
                for rest in ["41x", "037;", "p;#6", "7;a", "1;", "0041", "\n"] {
                    let text = [&[first, second, third], rest.as_bytes()].concat();
                    let is_escape = |mark: &Mark| matches!(mark, Mark::Escape(_));
                    if escape::is_needless(kind, &text) {
                        assert!(lets_in([first, second, third], is_escape), "{}", text.escape_ascii());
                    }
                }
            }
        }
        for third in 0..=u8::MAX {
            for second in [0x01, 0x5e, 0x9c, 0xda] {
                assert!(third & 6 == 6 || lets_in([0x78, second, third], |mark| matches!(mark, Mark::Zlib)));
            }
        }
    }
}
