//! `coalmine scan`: search files, dumps and logs for canaries.

mod files;
mod owners;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use coalmine_canary::{Detector, Encoding, Found, Minter, RunKey, ScanSummary, Sighting, Strength};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use self::files::Source;
use self::owners::Owners;
use super::say;
use crate::args::{ScanArgs, TableFormat};
use crate::exit::{Exit, Failed};
use crate::output::{print_line, tell};

const CHUNK_BYTES: usize = 256 << 10;

/// Scans everything that was named, several files at a time, each as a stream.
pub(crate) fn run(args: &ScanArgs) -> Result<Exit, Failed> {
    let owners = args.history.as_deref().map(Owners::read).transpose()?.unwrap_or_default();
    let search = Search { detector: detector(args, &owners)?, owners, format: args.format };
    let sources = files::sources(&args.paths).map_err(Failed::usage)?;
    let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, usize::from);
    let bar = bar(sources.iter().map(|source| source.bytes).sum());
    let total = Mutex::new(Total::default());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(sources.len()) {
            scope.spawn(|| {
                while let Some(source) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let counted = search.source(source, &bar);
                    total.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(&counted);
                }
            });
        }
    });
    bar.finish_and_clear();
    let total = total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(total.conclude(&search, args.seed.is_none() && args.history.is_none()))
}

fn detector(args: &ScanArgs, owners: &Owners) -> Result<Detector, Failed> {
    let key = match (args.seed, owners.seed()) {
        (Some(seed), _) | (None, Some(seed)) => seed.run_key(),
        // Whatever is found is another run's: residue.
        (None, None) => RunKey::derive(b"coalmine scan of any run"),
    };
    let mut builder = Detector::builder(&key).planted(owners.canaries(&Minter::new(&key)));
    if let Some(path) = &args.dictionary {
        let name = path.display();
        let text = std::fs::read(path).map_err(|e| Failed::usage(format!("cannot read {name}: {e}")))?;
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        builder = builder.dictionary(lines).map_err(|e| Failed::usage(format!("{name}: {e}")))?;
    }
    Ok(builder.build())
}

fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg:>12} [{bar:24}] {bytes}/{total_bytes}, {elapsed}");
    bar.set_style(style.expect("the template is well formed").progress_chars("=> "));
    bar.set_message("Scanning");
    bar
}

/// What is looked for, and how it is told.
struct Search {
    detector: Detector,
    owners: Owners,
    format: TableFormat,
}

/// One line of the JSON output.
#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    /// Whose it is, where the history says it.
    owner: Option<String>,
    /// The scenario's name of it.
    field: Option<&'a str>,
    #[serde(flatten)]
    sighting: &'a Sighting,
}

#[derive(Default)]
struct Total {
    files: u64,
    bytes: u64,
    canaries: u64,
    secrets: u64,
    hints: u64,
    residue: u64,
    cut_off: u64,
    unreadable: u64,
}

impl Search {
    fn source(&self, source: &Source, bar: &ProgressBar) -> Total {
        let mut total = Total { files: 1, ..Total::default() };
        match self.stream(source, bar, &mut total) {
            Ok(summary) => {
                total.bytes = summary.bytes;
                total.cut_off = summary.cuts_total;
            }
            Err(error) => {
                total.unreadable = 1;
                bar.suspend(|| tell(format_args!("{:>12} {}: {error}", "unread", source.name)));
            }
        }
        total
    }

    fn stream(&self, source: &Source, bar: &ProgressBar, total: &mut Total) -> io::Result<ScanSummary> {
        let mut reader: Box<dyn Read> = match &source.path {
            Some(path) => Box::new(File::open(path)?),
            None => Box::new(io::stdin().lock()),
        };
        // Brotli alone cannot be recognised by its first bytes.
        let mut scanner = match source.path.as_deref().and_then(Path::extension) {
            Some(extension) if extension == "br" => self.detector.scanner_unpacking(Encoding::Brotli),
            _ => self.detector.scanner(),
        };
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut sightings = Vec::new();
        loop {
            let length = reader.read(&mut chunk)?;
            if length == 0 {
                break;
            }
            scanner.feed(&chunk[..length], &mut sightings);
            bar.inc(length as u64);
            self.tell(source, &mut sightings, bar, total);
        }
        let summary = scanner.finish(&mut sightings);
        self.tell(source, &mut sightings, bar, total);
        Ok(summary)
    }

    fn tell(&self, source: &Source, sightings: &mut Vec<Sighting>, bar: &ProgressBar, total: &mut Total) {
        for sighting in sightings.drain(..) {
            total.count(&sighting.found);
            bar.suspend(|| self.print(&source.name, &sighting));
        }
    }

    fn print(&self, path: &str, sighting: &Sighting) {
        let origin = self.owners.origin(&sighting.found);
        match self.format {
            TableFormat::Text => {
                let how: Vec<_> = sighting.encodings.iter().map(ToString::to_string).collect();
                let how = if how.is_empty() { String::new() } else { format!(" ({})", how.join(" > ")) };
                let end = sighting.offset + u64::from(sighting.len);
                say(
                    "found",
                    format_args!("{path}:{}..{end}: {}{how}", sighting.offset, origin.in_words(&sighting.found)),
                );
                print_line(format_args!("{:>12} context: {}", "", sighting.context.escape_debug()));
            }
            TableFormat::Json => {
                let line = Line { path, owner: origin.owner, field: origin.field, sighting };
                print_line(serde_json::to_string(&line).expect("a sighting has string keys"));
            }
        }
    }
}

impl Total {
    fn count(&mut self, found: &Found) {
        match found {
            Found::Canary { strength: Strength::Masked, .. } => self.hints += 1,
            Found::Canary { .. } => self.canaries += 1,
            Found::Residue { .. } => self.residue += 1,
            Found::Dictionary { .. } => self.secrets += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.canaries += other.canaries;
        self.secrets += other.secrets;
        self.hints += other.hints;
        self.residue += other.residue;
        self.cut_off += other.cut_off;
        self.unreadable += other.unreadable;
    }

    fn conclude(&self, search: &Search, of_any_run: bool) -> Exit {
        let Self { files, bytes, canaries, secrets, hints, residue, cut_off, unreadable } = self;
        if search.format == TableFormat::Text {
            say(
                "Summary",
                format_args!("{files} files, {bytes} bytes: {canaries} canaries, {secrets} secrets of the dictionary"),
            );
            say(
                "",
                format_args!(
                    "{hints} masked hints, {residue} canaries of other runs, {cut_off} parts cut off, {unreadable} files unread"
                ),
            );
        }
        let found = canaries + secrets + if of_any_run { *residue } else { 0 };
        match (found, cut_off + unreadable) {
            (1.., _) => Exit::Violation,
            (0, 1..) => Exit::Inconclusive,
            (0, 0) => Exit::Pass,
        }
    }
}
