//! A hostile stream costs no more than its share, and what was not scanned is said.

use std::io::Write;

use coalmine_canary::{CutReason, Detector, Encoding, Shape};

use crate::forms::{gzip, key, mint};

#[test]
fn a_bomb_is_cut_off_and_said_to_be() {
    let mut bomb = vec![b' '; 30 << 20];
    for _ in 0..2 {
        bomb = gzip(&bomb);
    }
    let (sightings, summary) = Detector::new(&key()).scan_all(&bomb);
    assert_eq!(sightings, []);
    assert!(summary.unpacked < 4 << 20, "{summary:?}");
    assert!(summary.cuts.iter().any(|cut| cut.reason == CutReason::Ratio), "{summary:?}");
}

#[test]
fn what_lies_too_deep_is_said() {
    let (_, text) = mint(1, 1, Shape::Token);
    let mut nested = text.into_bytes();
    for _ in 0..9 {
        nested = gzip(&nested);
    }
    let (_, summary) = Detector::new(&key()).scan_all(&nested);
    assert!(summary.cuts.iter().any(|cut| cut.reason == CutReason::Depth), "{summary:?}");
}

#[test]
fn a_torn_archive_is_said_and_its_beginning_scanned() {
    let (_, text) = mint(1, 1, Shape::Token);
    let filler: Vec<String> = (0..20_000).map(|number: u32| number.to_string()).collect();
    let mut packed = gzip(format!("<{text}>{}", filler.join(" ")).as_bytes());
    let middle = packed.len() / 2;
    packed[middle..].fill(0xff);
    let (sightings, summary) = Detector::new(&key()).scan_all(&packed);
    assert_eq!(sightings[0].encodings, [Encoding::Gzip]);
    assert!(summary.cuts.iter().any(|cut| cut.reason == CutReason::Broken), "{summary:?}");
}

#[test]
fn a_stream_announced_as_brotli_is_unpacked() {
    let (_, text) = mint(1, 1, Shape::Token);
    // One uncompressed meta-block and the last, empty one (RFC 7932, section 9.2).
    let len = u32::try_from(text.len() - 1).unwrap();
    let head = len << 4 | 1 << 20;
    let mut stream = head.to_le_bytes()[..3].to_vec();
    stream.write_all(text.as_bytes()).unwrap();
    stream.push(3);
    let mut scanner = Detector::new(&key()).scanner_unpacking(Encoding::Brotli);
    let mut sightings = Vec::new();
    scanner.feed(&stream, &mut sightings);
    scanner.finish(&mut sightings);
    assert!(sightings.iter().any(|sighting| sighting.encodings == [Encoding::Brotli]), "{sightings:?}");
}
