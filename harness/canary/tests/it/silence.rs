//! Where no canary is, none is seen: the machine's own files, which hold text and programs of every kind.

use std::{
    fs,
    path::{Path, PathBuf},
};

use coalmine_canary::{CanaryId, Detector, Owner, Serial, Shape};

use crate::forms::key;

/// A part of what the example `sweep` reads by hand.
const BYTES_MAX: usize = 200 << 20;

/// Larger files are of one kind throughout.
const FILE_MAX: u64 = 1 << 20;

fn visit(folder: &Path, left: &mut usize, scan: &mut dyn FnMut(&Path, &[u8])) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(kind) = fs::symlink_metadata(&path) else { continue };
        if *left == 0 {
            return;
        } else if kind.is_dir() {
            visit(&path, left, scan);
        } else if kind.is_file() && kind.len() <= FILE_MAX {
            let bytes = fs::read(&path).unwrap_or_default();
            *left = left.saturating_sub(bytes.len());
            scan(&path, &bytes);
        }
    }
}

#[test]
fn files_without_canaries_give_no_sighting() {
    let ids = (0..100).flat_map(|owner| {
        Shape::ALL.iter().map(move |shape| CanaryId { owner: Owner(owner), serial: Serial(0), shape: *shape })
    });
    let detector = Detector::builder(&key()).live(ids).build();
    for folder in ["/usr/lib", "/usr/share", "/usr/bin"] {
        let mut left = BYTES_MAX / 3;
        visit(Path::new(folder), &mut left, &mut |path, bytes| {
            assert_eq!(detector.scan(bytes), [], "{}", path.display());
        });
        if left > 0 {
            println!("{folder} held {left} bytes less than was to be scanned");
        }
    }
}
