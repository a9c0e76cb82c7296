//! Scans files that hold no canary, and shows what was taken for one: `cargo run --release --example sweep -- /usr`.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    time::Instant,
};

use coalmine_canary::{CanaryId, Detector, Owner, RunKey, Serial, Shape};

/// Stops after so many bytes.
const BYTES_MAX: u64 = 6 << 30;

#[derive(Default)]
struct Sweep {
    files: u64,
    bytes: u64,
    unpacked: u64,
    cuts: u64,
    reasons: BTreeMap<String, u64>,
    sightings: u64,
}

fn main() {
    let ids = (0..1000).flat_map(|owner| {
        Shape::ALL.iter().map(move |shape| CanaryId { owner: Owner(owner), serial: Serial(0), shape: *shape })
    });
    let detector = Detector::builder(&RunKey::derive(b"sweep")).live(ids).build();
    let start = Instant::now();
    let mut sweep = Sweep::default();
    for path in env::args().skip(1) {
        visit(&detector, &PathBuf::from(path), &mut sweep);
    }
    let Sweep { files, bytes, unpacked, cuts, reasons, sightings } = sweep;
    let seconds = start.elapsed().as_secs();
    println!(
        "{files} files, {} MiB, {} MiB unpacked, {cuts} cuts, {sightings} sightings, {seconds} s",
        bytes >> 20,
        unpacked >> 20
    );
    println!("{reasons:?}");
}

fn visit(detector: &Detector, path: &Path, sweep: &mut Sweep) {
    let Ok(kind) = fs::symlink_metadata(path) else { return };
    if kind.is_dir() {
        let Ok(entries) = fs::read_dir(path) else { return };
        for entry in entries.flatten() {
            visit(detector, &entry.path(), sweep);
        }
    } else if kind.is_file() && sweep.bytes < BYTES_MAX {
        scan(detector, path, sweep);
    }
}

fn scan(detector: &Detector, path: &Path, sweep: &mut Sweep) {
    let Ok(mut file) = File::open(path) else { return };
    let mut scanner = detector.scanner();
    let mut sightings = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(read @ 1..) = file.read(&mut buffer) {
        scanner.feed(&buffer[..read], &mut sightings);
    }
    let summary = scanner.finish(&mut sightings);
    for cut in &summary.cuts {
        *sweep.reasons.entry(format!("{} {:?}", cut.encoding, cut.reason)).or_default() += 1;
    }
    for sighting in &sightings {
        println!("{}: {sighting:?}", path.display());
    }
    sweep.files += 1;
    sweep.bytes += summary.bytes;
    sweep.unpacked += summary.unpacked;
    sweep.cuts += summary.cuts_total;
    sweep.sightings += summary.sightings;
}
