//! No packed stream makes the scanner panic, hang or give more than it may.

#![no_main]

use std::sync::LazyLock;

use coalmine_canary::{Detector, Encoding, RunKey};
use libfuzzer_sys::fuzz_target;

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| Detector::new(&RunKey::derive(b"fuzz")));

const MARKS: [&[u8]; 5] = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], b"PK\x03\x04", &[0x28, 0xb5, 0x2f, 0xfd], &[0x78, 0x9c], b""];

fuzz_target!(|input: (u8, &[u8])| {
    let (mark, data) = input;
    let stream = [MARKS[usize::from(mark) % MARKS.len()], data].concat();
    let mut scanner = if mark & 0x80 == 0 {
        DETECTOR.scanner()
    } else {
        DETECTOR.scanner_unpacking(Encoding::Brotli)
    };
    let mut sightings = Vec::new();
    scanner.feed(&stream, &mut sightings);
    let summary = scanner.finish(&mut sightings);
    assert!(summary.unpacked <= 64 << 20);
});
