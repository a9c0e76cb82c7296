//! However a stream is cut into chunks, its sightings are the same. The input is text in which `\xf0` to `\xff` stand
//! for canaries, so that the fuzzer meets them.

#![no_main]

use std::sync::LazyLock;

use coalmine_canary::{CanaryId, Detector, Minter, Owner, RunKey, Serial, Shape, Sighting};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<RunKey> = LazyLock::new(|| RunKey::derive(b"fuzz"));

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
    let ids = Shape::ALL.iter().map(|shape| CanaryId { owner: Owner(1), serial: Serial(2), shape: *shape });
    let detector = Detector::builder(&KEY).live(ids).dictionary(["hunter2hunter2"]);
    detector.expect("the entry is long enough").build()
});

fn expand(data: &[u8]) -> Vec<u8> {
    let minter = Minter::new(&KEY);
    let mut stream = Vec::new();
    for byte in data {
        match byte.checked_sub(0xe0).and_then(|at| Shape::ALL.get(usize::from(at))) {
            Some(shape) => {
                let canary = minter.mint(Owner(1), Serial(2), *shape).expect("every shape names owner 1");
                stream.extend_from_slice(canary.expose().as_bytes());
            }
            None => stream.push(*byte),
        }
    }
    stream
}

fn sorted(mut sightings: Vec<Sighting>) -> Vec<Sighting> {
    sightings.sort_by(|a, b| (a.offset, a.len, &a.encodings, &a.found).cmp(&(b.offset, b.len, &b.encodings, &b.found)));
    sightings
}

fuzz_target!(|input: (u16, &[u8])| {
    let (size, data) = input;
    let stream = expand(data);
    let mut scanner = DETECTOR.scanner();
    let mut sightings = Vec::new();
    for chunk in stream.chunks(usize::from(size).max(1)) {
        scanner.feed(chunk, &mut sightings);
    }
    scanner.finish(&mut sightings);
    assert_eq!(sorted(sightings), sorted(DETECTOR.scan(&stream)));
});
