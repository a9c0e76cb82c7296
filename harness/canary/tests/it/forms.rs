//! Encoders that the tests hide canaries with, and text to hide them in. Written apart from the crate's own readers.

use coalmine_canary::{CanaryId, Detector, Found, Minter, Owner, RunKey, Serial, Shape, Sighting, Strength};
use std::{fmt::Write as _, io::Write as _};

use data_encoding::{BASE32, BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// A way to write a canary: its name, and what it makes of text.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) write: fn(&str) -> Vec<u8>,
}

impl Form {
    /// Whether the crate says that it finds this shape in this form.
    pub(crate) fn claim(&self, shape: Shape) -> bool {
        !UNCLAIMED.iter().any(|(form, shapes)| *form == self.name && shapes.contains(&shape))
    }
}

/// What the crate does not claim to find. A case change destroys the base64 that a JWT is made of.
const UNCLAIMED: &[(&str, &[Shape])] = &[
    ("upper case", &[Shape::Jwt]),
    ("base64 of upper case", &[Shape::Jwt]),
    ("reversed", &[Shape::Decimal, Shape::DateTime, Shape::Phone, Shape::Card, Shape::Jwt, Shape::Iban]),
    ("ROT13", &[Shape::DateTime, Shape::Jwt]),
];

const fn form(name: &'static str, write: fn(&str) -> Vec<u8>) -> Form {
    Form { name, write }
}

/// The forms every shape is found in.
pub(crate) const FORMS: &[Form] = &[
    form("as is", |text| text.as_bytes().to_vec()),
    form("upper case", |text| text.to_uppercase().into_bytes()),
    form("capitalised", capitalised),
    form("base64", |text| BASE64.encode(text.as_bytes()).into_bytes()),
    form("base64, 1 byte in", |text| BASE64.encode(format!("\"{text}\"").as_bytes()).into_bytes()),
    form("base64, 2 bytes in", |text| BASE64.encode(format!("[\"{text}\"]").as_bytes()).into_bytes()),
    form("base64, no padding", |text| BASE64_NOPAD.encode(format!("a{{\"id\":{text}}}").as_bytes()).into_bytes()),
    form("base64url", |text| BASE64URL_NOPAD.encode(format!("?~{text}?~").as_bytes()).into_bytes()),
    form("base64 of upper case", |text| BASE64.encode(text.to_uppercase().as_bytes()).into_bytes()),
    form("hex", |text| HEXLOWER.encode(text.as_bytes()).into_bytes()),
    form("hex, upper case", |text| HEXUPPER.encode(format!("{{\"{text}\"}}").as_bytes()).into_bytes()),
    form("percent", |text| each(text, |byte| plain_or(byte, format!("%{byte:02X}")))),
    form("percent, all", |text| each(text, |byte| format!("%{byte:02x}"))),
    form("percent, partly", |text| some(text, |byte| format!("%{byte:02x}"))),
    form("percent, twice", |text| each(text, |byte| format!("%25{byte:02X}"))),
    form("percent, a quoted JSON string", |text| format!("%22{text}%22").into_bytes()),
    form("percent, the same twice", |text| format!("%2522{text}%2522").into_bytes()),
    form("JSON, quoted in JSON", |text| format!("\\u0022{text}\\u0022").into_bytes()),
    form("HTML", |text| each(text, |byte| plain_or(byte, format!("&#{byte};")))),
    form("HTML, decimal", |text| each(text, |byte| format!("&#{byte};"))),
    form("HTML, hexadecimal", |text| each(text, |byte| format!("&#x{byte:x};"))),
    form("HTML, twice", |text| each(text, |byte| format!("&amp;#{byte};"))),
    form("JSON", |text| each(text, |byte| plain_or(byte, format!("\\u{byte:04x}")))),
    form("JSON, all", |text| each(text, |byte| format!("\\u{byte:04X}"))),
    form("JSON in JSON", |text| each(text, |byte| format!("\\\\u{byte:04x}"))),
    form("backslash x", |text| each(text, |byte| format!("\\x{byte:02x}"))),
    form("quoted-printable", |text| each(text, |byte| plain_or(byte, format!("={byte:02X}")))),
    form("quoted-printable, all", |text| each(text, |byte| format!("={byte:02X}"))),
    form("quoted-printable, broken", |text| broken(text, "=\r\n")),
    form("base64, lines of 76", |text| lines(&BASE64.encode(padded(text, 70).as_bytes()), 76, "\r\n")),
    form("base64, lines of 64, in JSON", |text| lines(&BASE64.encode(padded(text, 61).as_bytes()), 64, "\\n")),
    form("base64 twice", |text| twice(&padded(text, 11), |text| BASE64.encode(text))),
    form("base64 of UTF-16", |text| BASE64.encode(&utf16(text)).into_bytes()),
    form("base32", |text| BASE32.encode(padded(text, 9).as_bytes()).into_bytes()),
    form("base32, lower case", |text| BASE32.encode(padded(text, 8).as_bytes()).to_lowercase().into_bytes()),
    form("hex twice", |text| twice(text, |text| HEXLOWER.encode(text))),
    form("hex, colons", |text| each(text, |byte| format!("{byte:02x}:"))),
    form("hex, spaces", |text| each(text, |byte| format!("{byte:02X} "))),
    form("hex, lines of 60", |text| lines(&HEXLOWER.encode(padded(text, 40).as_bytes()), 60, "\n")),
    form("xxd", |text| xxd(padded(text, 5).as_bytes())),
    form("hexdump -C", |text| hexdump(padded(text, 9).as_bytes())),
    form("UTF-16, little-endian", utf16),
    form("UTF-16, big-endian", |text| text.bytes().flat_map(|byte| [0, byte]).collect()),
    form("reversed", |text| text.bytes().rev().collect()),
    form("ROT13", |text| text.bytes().map(rot13).collect()),
    form("gzip", |text| gzip(padded(text, 30).as_bytes())),
    form("zlib", |text| zlib(padded(text, 30).as_bytes())),
    form("zstd", |text| zstd::encode_all(padded(text, 30).as_bytes(), 3).expect("in memory")),
    form("zip", |text| zip(padded(text, 30).as_bytes())),
    form("gzip in base64 in JSON in zip", |text| {
        zip(format!("{{\"data\": \"{}\"}}", BASE64.encode(&gzip(padded(text, 30).as_bytes()))).as_bytes())
    }),
    form("octal", |text| each(text, |byte| format!("\\{byte:03o}"))),
];

fn padded(text: &str, by: usize) -> String {
    format!(
        "{}[{text}]{}",
        &"{\"name\": \"The quick brown fox jumps over the lazy dog\", \"value\": 12345, \"x\": "[..by],
        "\n</div>"
    )
}

fn broken(text: &str, with: &str) -> Vec<u8> {
    let (head, tail) = text.split_at(text.len() / 2);
    format!("{head}{with}{tail}").into_bytes()
}

fn lines(text: &str, width: usize, end: &str) -> Vec<u8> {
    let lines: Vec<&[u8]> = text.as_bytes().chunks(width).collect();
    [lines.join(end.as_bytes()), b";".to_vec()].concat()
}

fn twice(text: &str, write: impl Fn(&[u8]) -> String) -> Vec<u8> {
    write(write(text.as_bytes()).as_bytes()).into_bytes()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn rot13(byte: u8) -> u8 {
    let turn = |base: u8| (byte - base + 13) % 26 + base;
    match byte {
        b'a'..=b'z' => turn(b'a'),
        b'A'..=b'Z' => turn(b'A'),
        _ => byte,
    }
}

fn xxd(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::from("\n");
    for (at, line) in bytes.chunks(16).enumerate() {
        let columns: Vec<String> = line.chunks(2).map(|pair| HEXLOWER.encode(pair)).collect();
        let plain: String = line.iter().map(|byte| if *byte < 32 { '.' } else { char::from(*byte) }).collect();
        writeln!(text, "{:08x}: {:<39}  {plain}", at * 16, columns.join(" ")).expect("in memory");
    }
    text.into_bytes()
}

fn hexdump(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::from("\n");
    for (at, line) in bytes.chunks(16).enumerate() {
        let columns: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let (left, right) = columns.split_at(columns.len().min(8));
        let plain: String = line.iter().map(|byte| if *byte < 32 { '.' } else { char::from(*byte) }).collect();
        writeln!(text, "{:08x}  {:<23}  {:<23}  |{plain}|", at * 16, left.join(" "), right.join(" "))
            .expect("in memory");
    }
    text.into_bytes()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).expect("in memory");
    writer.finish().expect("in memory")
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::GzBuilder::new().filename("canary.txt").write(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes).expect("in memory");
    writer.finish().expect("in memory")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).expect("in memory");
    writer.finish().expect("in memory")
}

/// A zip archive of one entry; only the local header, which is all that a stream has when the entry comes.
fn zip(bytes: &[u8]) -> Vec<u8> {
    let packed = deflate(bytes);
    let mut archive = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0".to_vec();
    archive.extend(0_u32.to_le_bytes());
    archive.extend(u32::try_from(packed.len()).expect("small").to_le_bytes());
    archive.extend(u32::try_from(bytes.len()).expect("small").to_le_bytes());
    archive.extend([9, 0, 0, 0]);
    archive.extend(b"entry.txt");
    archive.extend(packed);
    archive
}

fn capitalised(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes[0].make_ascii_uppercase();
    bytes
}

fn each(text: &str, write: impl Fn(u8) -> String) -> Vec<u8> {
    text.bytes().map(write).collect::<String>().into_bytes()
}

fn some(text: &str, write: impl Fn(u8) -> String) -> Vec<u8> {
    let keep = |at: usize, byte: u8| if at % 3 == 1 { write(byte) } else { char::from(byte).to_string() };
    text.bytes().enumerate().map(|(at, byte)| keep(at, byte)).collect::<String>().into_bytes()
}

fn plain_or(byte: u8, escaped: String) -> String {
    if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { escaped }
}

/// A small generator of numbers (xorshift), so that a failure comes back with its seed.
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("a word is 64 bits") % below
    }
}

/// Foreign text of each kind that canaries are hidden in.
pub(crate) fn surroundings(dice: &mut Dice, kind: usize, len: usize) -> Vec<u8> {
    const SCRAPS: [&[&str]; 4] = [
        &["{\"id\": ", "4711", ", \"name\": \"", "Ada", "\", \"at\": 1700000000000000}", ", ", "\\n", "[true, null]"],
        &["<p class=\"note\">", "&nbsp;", "&#8217;", "</p>\n", "<a href=\"/x?q=a%20b&amp;r=%2F\">", "words ", "more "],
        &[
            "2024-01-01",
            ",",
            "12.5",
            "\r\n",
            "\"quoted\"",
            ";",
            "name@host.example",
            "00000000-0000-4000-8000-000000000000",
        ],
        &["INFO ", "127.0.0.1 ", "GET /path%2Fto ", "200 ", "took=0.1234567890123456s\n", "dGVzdA== ", "deadbeef "],
    ];
    let mut text = Vec::new();
    while text.len() < len {
        match SCRAPS.get(kind) {
            Some(scraps) => text.extend_from_slice(scraps[dice.roll(scraps.len())].as_bytes()),
            None => text.push(u8::try_from(dice.roll(256)).expect("below 256")),
        }
    }
    text.truncate(len);
    text
}

/// How many kinds of [`surroundings`] there are.
pub(crate) const KINDS: usize = 5;

/// Scans in chunks of random sizes.
pub(crate) fn scan_in_chunks(
    detector: &Detector,
    mut bytes: &[u8],
    dice: &mut Dice,
    chunk_max: usize,
) -> Vec<Sighting> {
    let mut scanner = detector.scanner();
    let mut sightings = Vec::new();
    while !bytes.is_empty() {
        let (chunk, rest) = bytes.split_at((1 + dice.roll(chunk_max)).min(bytes.len()));
        scanner.feed(chunk, &mut sightings);
        bytes = rest;
    }
    scanner.finish(&mut sightings);
    sightings.sort_by(|a, b| (a.offset, &a.encodings).cmp(&(b.offset, &b.encodings)));
    sightings
}

pub(crate) fn key() -> RunKey {
    RunKey::derive(b"tests")
}

pub(crate) fn mint(owner: u32, serial: u32, shape: Shape) -> (CanaryId, String) {
    let canary = Minter::new(&key()).mint(Owner(owner), Serial(serial), shape).expect("within the limits of its shape");
    (canary.id(), canary.expose().to_owned())
}

/// Whether some sighting proves this canary.
pub(crate) fn is_exact(sightings: &[Sighting], id: CanaryId) -> bool {
    sightings.iter().any(|sighting| sighting.found == Found::Canary { id, strength: Strength::Exact })
}
