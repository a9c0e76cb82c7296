//! Encoders that the tests hide canaries with, and text to hide them in. Written apart from the crate's own readers.

use coalmine_canary::{CanaryId, Detector, Found, Minter, Owner, RunKey, Serial, Shape, Sighting, Strength};
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// A way to write a canary: its name, and what it makes of text.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) write: fn(&str) -> Vec<u8>,
}

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
    form("HTML", |text| each(text, |byte| plain_or(byte, format!("&#{byte};")))),
    form("HTML, decimal", |text| each(text, |byte| format!("&#{byte};"))),
    form("HTML, hexadecimal", |text| each(text, |byte| format!("&#x{byte:x};"))),
    form("HTML, twice", |text| each(text, |byte| format!("&amp;#{byte};"))),
    form("JSON", |text| each(text, |byte| plain_or(byte, format!("\\u{byte:04x}")))),
    form("JSON, all", |text| each(text, |byte| format!("\\u{byte:04X}"))),
    form("JSON in JSON", |text| each(text, |byte| format!("\\\\u{byte:04x}"))),
    form("backslash x", |text| each(text, |byte| format!("\\x{byte:02x}"))),
    form("octal", |text| each(text, |byte| format!("\\{byte:03o}"))),
];

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
