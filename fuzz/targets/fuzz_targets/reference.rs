//! What a slow and obvious search finds, the scanner finds: a canary written plainly, in base64 or in hexadecimal,
//! between any two stretches of other bytes.

#![no_main]

use std::sync::LazyLock;

use coalmine_canary::{CanaryId, Detector, Found, Minter, Owner, RunKey, Serial, Shape, Strength};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<RunKey> = LazyLock::new(|| RunKey::derive(b"fuzz"));
static DETECTOR: LazyLock<Detector> = LazyLock::new(|| Detector::new(&KEY));

fn is_found(stream: &[u8], id: CanaryId) -> bool {
    let found = Found::Canary { id, strength: Strength::Exact };
    DETECTOR.scan(stream).iter().any(|sighting| sighting.found == found)
}

fuzz_target!(|input: (u16, u8, u8, &[u8], &[u8])| {
    let (owner, serial, shape, before, after) = input;
    let shape = [Shape::Token, Shape::Email, Shape::Uuid, Shape::Text, Shape::Name][usize::from(shape) % 5];
    let (owner, serial) = (Owner(owner.into()), Serial(serial.into()));
    let canary = Minter::new(&KEY).mint(owner, serial, shape).expect("these shapes name every owner");
    let text = canary.expose().as_bytes();
    assert!(is_found(&[before, b"\"", text, b"\"", after].concat(), canary.id()));
    let inner = [before, b"\"", text, b"\"", after].concat();
    let base64 = data_encoding::BASE64.encode(&inner);
    assert!(is_found(base64.as_bytes(), canary.id()));
    let hex = data_encoding::HEXLOWER.encode(text);
    assert!(is_found(&[before, b"\"", hex.as_bytes(), b"\"", after].concat(), canary.id()));
});
