//! Writes a history of 1,000,000 operations (or as many as the first argument says) into a temporary folder, judges it and
//! prints the time and the memory that it took: `cargo run --release -p coalmine-judge --example million`.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

use coalmine_core::history::{HistoryError, Reader, Writer, encode};
use coalmine_judge::judge;

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

/// Lines of a frame.
const FRAME_BYTES: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let ops: u32 = std::env::args().nth(1).map_or(Ok(1_000_000), |ops| ops.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("history.jsonl.zst");
    let start = Instant::now();
    write(&path, ops.div_ceil(synthetic::ROUND_OPS))?;
    let bytes = path.metadata()?.len();
    println!("written: {ops} operations, {bytes} bytes, {:.1?}, {}", start.elapsed(), peak());
    let start = Instant::now();
    let judgement = judge(|| File::open(&path).map(Reader::new).map_err(HistoryError::Io))?;
    let verdict = &judgement.verdict;
    println!(
        "judged: {} with {} findings, {:.1?}, {}",
        verdict.outcome,
        verdict.findings.len(),
        start.elapsed(),
        peak()
    );
    Ok(())
}

fn write(path: &Path, rounds: u32) -> Result<(), Box<dyn Error>> {
    let mut writer = Writer::new(BufWriter::new(File::create(path)?))?;
    let mut lines = Vec::new();
    for record in synthetic::records(rounds) {
        encode(&record, &mut lines);
        if lines.len() >= FRAME_BYTES {
            writer.write_frame(&lines)?;
            lines.clear();
        }
    }
    writer.write_frame(&lines)?;
    Ok(())
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
    peak.map_or_else(|| "peak memory unknown here".to_owned(), |line| format!("peak{}", &line["VmHWM".len()..]))
}
