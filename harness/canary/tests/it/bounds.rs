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

/// A stream that goes on without end, in one form of each kind, keeps no more than it must.
#[test]
fn endless_streams_are_scanned_in_the_same_little_memory() {
    let detector = Detector::new(&key());
    let packed = gzip(&[b' '; 4096]);
    let forms: [&[u8]; 9] = [
        b"uxqwvpabcuxqwvp",
        b"84737359-0000-4",
        b"%41%",
        b"QUFB",
        b"41:",
        b"1234567890123456 ",
        b"a\0",
        b"2026-11-22T10:00:00.123456Z ",
        &packed,
    ];
    for form in forms {
        let chunk = form.repeat((64 * 1024) / form.len());
        let mut scanner = detector.scanner();
        let mut sightings = Vec::new();
        for _ in 0..16 {
            scanner.feed(&chunk, &mut sightings);
        }
        let summary = scanner.finish(&mut sightings);
        assert_eq!(summary.bytes, 16 * chunk.len() as u64);
        assert_eq!(sightings, [], "{}", form.escape_ascii());
    }
}

/// Each may hold a window of 8 MiB for as long as it is open.
#[test]
fn the_windows_of_a_stream_and_all_inside_it_are_bounded_together() {
    let (_, text) = mint(1, 1, Shape::Token);
    let deep = |levels: usize, log: u32| {
        (0..levels).fold(text.clone().into_bytes(), |inner, _| {
            let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            writer.window_log(log).unwrap();
            writer.write_all(&vec![b' '; 100_000]).unwrap();
            writer.write_all(&inner).unwrap();
            writer.finish().unwrap()
        })
    };
    let detector = Detector::new(&key());
    for (levels, log, is_cut) in [(2, 23, false), (6, 23, true), (6, 17, false)] {
        let (sightings, summary) = detector.scan_all(&deep(levels, log));
        let is_whole = sightings.iter().any(|sighting| sighting.encodings == vec![Encoding::Zstd; levels]);
        let is_crowded = summary.cuts.iter().any(|cut| cut.reason == CutReason::Crowd);
        assert_eq!((is_whole, is_crowded), (!is_cut, is_cut), "{levels} of 2^{log}: {summary:?}");
    }
}

#[test]
fn archives_side_by_side_share_no_allowance() {
    let bomb = gzip(&vec![0; 4 << 20]);
    let mut stream = Vec::new();
    for _ in 0..8 {
        stream.extend_from_slice(&bomb);
        stream.extend_from_slice(b" -- ");
    }
    let (_, summary) = Detector::new(&key()).scan_all(&stream);
    assert!(summary.unpacked <= 8 * ((1 << 20) + 256 * bomb.len() as u64 + (16 << 10)), "{summary:?}");
    assert!(summary.cuts_total >= 8, "{summary:?}");
}

#[test]
fn escapes_inside_each_other_do_not_multiply_without_end() {
    let (_, text) = mint(1, 1, Shape::Token);
    let mut stream = b"%41%2541=41\\x41&#65;".repeat(1 << 16);
    stream.extend(format!(" ... {text}").bytes());
    let (sightings, summary) = Detector::new(&key()).scan_all(&stream);
    assert!(sightings.iter().any(|sighting| sighting.encodings.is_empty()), "{summary:?}");
    assert!(summary.cuts.iter().any(|cut| cut.reason == CutReason::Ratio), "{summary:?}");
}
