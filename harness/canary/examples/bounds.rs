//! Scans hostile streams in their real sizes and shows what each costs: `cargo run --release --example bounds`.

use std::{fs, io::Write, time::Instant};

use coalmine_canary::{Detector, RunKey, ScanSummary};

const MIB: usize = 1 << 20;

fn main() {
    let detector = Detector::new(&RunKey::derive(b"bounds"));
    println!("{:<34}{:>10}{:>12}{:>8}{:>9}{:>12}", "stream", "KiB read", "KiB unpacked", "cuts", "ms", "peak MiB");
    let once = gzip_of_zeros(10 << 10);
    let twice = gzip(&once);
    show(&detector, "10 GiB of zeros, gzip", &once, 1);
    show(&detector, "the same, gzip again", &twice, 1);
    show(&detector, "100 of these side by side", &twice, 100);
    let window = zstd_of_zeros(64 * MIB, 8 * MIB);
    let nested = (0..4).fold(window.clone(), |inner, _| zstd_with(&inner));
    show(&detector, "Zstandard, five deep", &nested, 1);
    show(&detector, "four Zstandard at once", &window, 4);
    for (name, almost) in ALMOST {
        for mib in [4, 16, 64] {
            show(&detector, name, &almost.repeat(64 * 1024 / almost.len()), mib * 16);
        }
    }
}

/// What looks like the beginning of something, over and over.
const ALMOST: [(&str, &[u8]); 6] = [
    ("almost a lettered core", b"uxqwvpabc"),
    ("almost a UUID", b"84737359-0000-4000-8000-"),
    ("almost a number", b"1234567890123456 "),
    ("almost a time", b"2026-11-22T10:00:00.123456Z "),
    ("escapes", b"%41%2541=41\\x41&#65;"),
    ("base64 of text", b"aGVsbG8gd29ybGQgYW5kIGFsbCB0aGF0IGlzIGluIGl0 "),
];

fn show(detector: &Detector, name: &str, part: &[u8], times: usize) {
    // From here on the peak counts anew: making the streams took more.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let mut scanner = detector.scanner();
    let mut sightings = Vec::new();
    let start = Instant::now();
    for _ in 0..times {
        scanner.feed(part, &mut sightings);
        sightings.clear();
    }
    let ScanSummary { bytes, unpacked, cuts_total, .. } = scanner.finish(&mut sightings);
    let ms = start.elapsed().as_millis();
    let peak = peak_mib().map_or_else(|| "?".into(), |mib| mib.to_string());
    println!("{name:<34}{:>10}{:>12}{cuts_total:>8}{ms:>9}{peak:>12}", bytes >> 10, unpacked >> 10);
}

/// The most memory that the process has held so far, where Linux says so; what the streams themselves take is in it.
fn peak_mib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib >> 10)
}

fn gzip_of_zeros(mib: usize) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; MIB];
    for _ in 0..mib {
        writer.write_all(&zeros).expect("in memory");
    }
    writer.finish().expect("in memory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes).expect("in memory");
    writer.finish().expect("in memory")
}

fn zstd_of_zeros(len: usize, piece: usize) -> Vec<u8> {
    let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("in memory");
    let zeros = vec![0; piece];
    for _ in 0..len / piece {
        writer.write_all(&zeros).expect("in memory");
    }
    writer.finish().expect("in memory")
}

fn zstd_with(inner: &[u8]) -> Vec<u8> {
    let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 19).expect("in memory");
    writer.window_log(23).expect("what decoders support");
    writer.write_all(inner).expect("in memory");
    writer.finish().expect("in memory")
}
