//! How fast streams are scanned, beside searches that find far less. Run with `cargo bench -p coalmine-canary`.

use std::{hint::black_box, sync::LazyLock, time::Instant};

use aho_corasick::AhoCorasick;
use coalmine_canary::{CanaryId, Detector, Minter, Owner, RunKey, Serial, Shape};
use divan::{Bencher, counter::BytesCount};

const MIB: usize = 1 << 20;

/// A needle like a marker with some of what follows it.
const NEEDLE: &str = "uxqwvpabcdefghi";

fn main() {
    if std::env::args().any(|arg| arg == "--bench") {
        print_ratios();
    }
    divan::main();
}

/// JSON of ids, words, numbers, times and base64, as services send it.
fn json(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "secret", "tenant"];
    let mut text = Vec::with_capacity(len + 1024);
    while text.len() < len {
        let mut word = || words[usize::try_from(next() % 10).expect("below 10")];
        let title = [word(), word(), word(), word(), word()].join(" ");
        let blob: Vec<u8> = (0..12).flat_map(|_| next().to_le_bytes()).collect();
        let (id, count, at) = (next(), next() % 100_000, next() % 1_000_000);
        let blob = data_encoding::BASE64.encode(&blob);
        let line = format!(
            "{{\"id\": \"{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}\", \"title\": \"{title}\", \"count\": {count}, \
             \"at\": \"2026-11-22T10:00:00.{at:06}Z\", \"price\": {}.{:02}, \"blob\": \"{blob}\"}},\n",
            id & 0xffff_ffff,
            id >> 32 & 0xffff,
            id >> 48 & 0xfff,
            id >> 52 & 0xfff,
            id >> 16,
            count,
            at % 100
        );
        text.extend_from_slice(line.as_bytes());
    }
    text.truncate(len);
    text
}

static CORPUS: LazyLock<Vec<u8>> = LazyLock::new(|| json(64 * MIB));

fn key() -> RunKey {
    RunKey::derive(b"bench")
}

/// The measure of all: one needle, of which nothing more is known.
#[divan::bench(sample_count = 7)]
fn memmem_one_needle(bencher: Bencher) {
    let finder = memchr::memmem::Finder::new(NEEDLE);
    bencher.counter(BytesCount::new(CORPUS.len())).bench(|| finder.find(black_box(&CORPUS)));
}

/// Token shape, in all forms of text.
#[divan::bench(sample_count = 7)]
fn lettered_shapes(bencher: Bencher) {
    let detector = Detector::builder(&key()).shapes([Shape::Token]).build();
    bencher.counter(BytesCount::new(CORPUS.len())).bench(|| detector.scan(black_box(&CORPUS)));
}

#[divan::bench(sample_count = 7)]
fn all_shapes_and_forms(bencher: Bencher) {
    let detector = Detector::new(&key());
    bencher.counter(BytesCount::new(CORPUS.len())).bench(|| detector.scan(black_box(&CORPUS)));
}

/// The same with hashes and masked ends of so many live canaries.
#[divan::bench(sample_count = 7, args = [1, 1_000, 1_000_000])]
fn all_and_live(bencher: Bencher, live: u32) {
    let detector = detector_of(live);
    bencher.counter(BytesCount::new(CORPUS.len())).bench(|| detector.scan(black_box(&CORPUS)));
}

/// The time grows as the bytes do.
#[divan::bench(sample_count = 5, args = [1, 4, 16, 64])]
fn sizes_in_mib(bencher: Bencher, mib: usize) {
    let detector = Detector::new(&key());
    let part = &CORPUS[..mib * MIB];
    bencher.counter(BytesCount::new(part.len())).bench(|| detector.scan(black_box(part)));
}

fn detector_of(live: u32) -> Detector {
    let ids = (0..live).map(|count| CanaryId { owner: Owner(count), serial: Serial(0), shape: Shape::Token });
    Detector::builder(&key()).live(ids).build()
}

/// A search of a part of the corpus.
type Search = Box<dyn FnMut(&[u8])>;

/// Prints how fast each search is beside memmem. The searches go through the corpus in turns, and of each MiB the best of
/// all rounds counts, so that what else the machine does meets none of them alone.
fn print_ratios() {
    let token = Detector::builder(&key()).shapes([Shape::Token]).build();
    let finder = memchr::memmem::Finder::new(NEEDLE);
    let automaton = automaton_of_10_000();
    let mut searches: Vec<(&str, Search)> = vec![
        ("memmem, one needle", Box::new(move |part| _ = black_box(finder.find(part)))),
        ("token shape, text forms", stream(token)),
        ("all shapes and forms", stream(Detector::new(&key()))),
        ("all, hashes of 1 live", stream(detector_of(1))),
        ("all, hashes of 1,000", stream(detector_of(1_000))),
        ("all, hashes of 1,000,000", stream(detector_of(1_000_000))),
        ("aho-corasick of 10,000", Box::new(move |part| _ = black_box(automaton.find_iter(part).count()))),
    ];
    let mut best = vec![vec![f64::INFINITY; CORPUS.len() / MIB]; searches.len()];
    for _ in 0..9 {
        for ((_, search), best) in searches.iter_mut().zip(&mut best) {
            for (part, best) in CORPUS.chunks(MIB).zip(best) {
                let start = Instant::now();
                search(black_box(part));
                *best = best.min(start.elapsed().as_secs_f64());
            }
        }
    }
    let seconds: Vec<f64> = best.iter().map(|parts| parts.iter().sum()).collect();
    for ((name, _), seconds_of) in searches.iter().zip(&seconds) {
        println!("{name:<28}{:>8.2} GB/s{:>8.3} of memmem", gigabytes(*seconds_of), seconds[0] / seconds_of);
    }
}

/// Scans one part after the other as one stream.
fn stream(detector: Detector) -> Search {
    let mut scanner = detector.scanner();
    let mut sightings = Vec::new();
    Box::new(move |part| scanner.feed(part, &mut sightings))
}

#[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
fn gigabytes(seconds: f64) -> f64 {
    CORPUS.len() as f64 / seconds / 1e9
}

/// Six encoded forms of 10,000 canaries of one shape, in one automaton.
fn automaton_of_10_000() -> AhoCorasick {
    let minter = Minter::new(&key());
    let tokens = (0..10_000).map(|owner| minter.mint(Owner(owner), Serial(0), Shape::Token));
    let mut needles = Vec::new();
    for token in tokens.map(|token| token.expect("tokens name every owner")) {
        let text = token.expose();
        needles.extend([text.to_owned(), text.to_uppercase(), data_encoding::HEXLOWER.encode(text.as_bytes())]);
        for lead in 0..3 {
            let encoded = data_encoding::BASE64_NOPAD.encode(format!("{}{text}", &"##"[..lead]).as_bytes());
            needles.push(encoded[4..encoded.len() - 4].to_owned());
        }
    }
    AhoCorasick::new(&needles).expect("it fits")
}

#[divan::bench(sample_count = 1)]
fn aho_corasick_of_10_000_canaries(bencher: Bencher) {
    let automaton = automaton_of_10_000();
    let part = &CORPUS[..8 * MIB];
    bencher.counter(BytesCount::new(part.len())).bench(|| automaton.find_iter(black_box(part)).count());
}

/// One response of a service.
#[divan::bench(args = [64, 1024, 16 * 1024])]
fn one_response(bencher: Bencher, len: usize) {
    let detector = Detector::new(&key());
    let body = &CORPUS[4096..4096 + len];
    bencher.counter(BytesCount::new(len)).bench(|| detector.scan(black_box(body)));
}
