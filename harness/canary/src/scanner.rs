//! Scans one stream.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    Cut, CutReason, Detector, Encoding, ScanSummary, Sighting,
    codec::{self, Codec},
    context, dump, inflate, look,
    needle::{self, Marks},
    row,
    sieve::{Pause, Sieve, Wanted},
    stretch::{self, Stretch},
    unpacking::{Lineage, Unpacking},
    view::{Hit, Spot, View},
};

/// What a search may look at before the place it examines, in bytes.
const BACK: usize = 192;

/// What a search may look at after it.
const AHEAD: usize = 224;

/// Less than this is gathered before it is examined.
const BATCH: usize = 2048;

/// This much is searched for one thing and then for the next, so that it stays in the cache.
const BLOCK: usize = 8 * 1024;

/// How many stretches and packings may lie one in the other.
const DEPTH_MAX: u8 = 6;

/// How many of them may be escapes: four kinds of these inside each other are four times as many stretches with each level.
const ESCAPES_MAX: u8 = 3;

const _: () = assert!(BACK >= 2 * dump::LINE_MAX && AHEAD >= 2 * codec::AHEAD);
const _: () = assert!(stretch::TAIL + codec::AHEAD as u64 <= AHEAD as u64 && stretch::LEAD <= BACK as u64);

/// Finds the canaries of one stream, while it comes in. However the stream is cut into chunks, the sightings are the same.
///
/// It holds some KiB, and for each packed stream inside another what its decoder needs: 40 KiB, and for Zstandard and
/// Brotli a window, of which all that are open take 34 MiB at most.
pub struct Scanner {
    detector: Detector,
    depth: u8,
    /// How many stretches of escapes it lies in.
    escapes: u8,
    /// The end of what was fed: what is not examined yet, and what came just before it.
    carry: Vec<u8>,
    /// The offset of the carry.
    base: u64,
    /// The offset up to which everything was examined.
    examined: u64,
    /// Encoded text that is being decoded: at most one stretch of each codec.
    stretches: Vec<Stretch>,
    /// What is being unpacked. They may overlap, because some of the marks may be none.
    packings: Vec<Unpacking>,
    lineage: Option<Arc<Lineage>>,
    effort: Arc<Effort>,
    /// What was found of late in base64 or hexadecimal, and so may be found once more by decoding it.
    latest: VecDeque<Sighting>,
    sieve: Sieve,
    summary: ScanSummary,
}

/// What a stream and all inside it has brought, and what was decoded of it: escapes of several kinds inside each other
/// multiply.
#[derive(Default)]
struct Effort {
    brought: AtomicU64,
    decoded: AtomicU64,
    /// Memory for the windows of packings that are open.
    windows: AtomicU64,
}

/// Memory for the window of a packing, given back when it ends.
pub(crate) struct Window {
    effort: Arc<Effort>,
    bytes: u64,
}

impl Window {
    /// What the windows of a stream and of all inside it may take together: four of those that Zstandard usually has at most.
    const MAX: u64 = 34 << 20;

    fn take(effort: &Arc<Effort>, bytes: u64) -> Option<Self> {
        let taken = effort.windows.fetch_add(bytes, Relaxed) + bytes;
        let window = Self { effort: Arc::clone(effort), bytes };
        (taken <= Self::MAX).then_some(window)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.effort.windows.fetch_sub(self.bytes, Relaxed);
    }
}

/// Decoding may give this much, whatever it was decoded from.
const DECODED_FREE: u64 = 16 << 20;

/// Beyond that it may give this many bytes for each that was brought.
const DECODED_RATIO_MAX: u64 = 8;

/// How many packed streams may be open in one scanner.
const PACKINGS_MAX: usize = 4;

/// More than fit in what a stretch holds back.
const LATEST_MAX: usize = 1024;

impl Scanner {
    pub(crate) fn new(detector: Detector, depth: u8) -> Self {
        Self {
            detector,
            depth,
            escapes: 0,
            carry: Vec::new(),
            base: 0,
            examined: 0,
            stretches: Vec::new(),
            packings: Vec::new(),
            lineage: None,
            effort: Arc::default(),
            latest: VecDeque::new(),
            sieve: Sieve::default(),
            summary: ScanSummary::default(),
        }
    }

    /// Takes the next bytes of the stream and appends to `out` what is found. A sighting comes once enough of what
    /// follows it was seen, some hundred bytes to 2 KiB later or at the end.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<Sighting>) {
        let before = out.len();
        self.summary.bytes += chunk.len() as u64;
        if self.depth == 0 {
            self.credit(chunk.len());
        }
        self.take(chunk, out);
        self.summary.sightings += (out.len() - before) as u64;
    }

    /// Ends the stream: examines what is left and says what was scanned.
    pub fn finish(mut self, out: &mut Vec<Sighting>) -> ScanSummary {
        self.flush(out);
        self.summary
    }

    /// Scans a stream that is in memory as a whole.
    pub(crate) fn scan(mut self, bytes: &[u8], out: &mut Vec<Sighting>) -> ScanSummary {
        self.summary.bytes = bytes.len() as u64;
        self.credit(bytes.len());
        self.examine(View { bytes, base: 0 }, bytes.len(), out);
        self.close_all(out);
        self.summary.sightings = out.len() as u64;
        self.summary
    }

    /// Takes the stream as packed from its start.
    pub(crate) fn unpack(&mut self, encoding: Encoding) {
        self.open_packing(encoding, 0, &[]);
    }

    /// Makes what is unpacked here count with what it was unpacked from.
    pub(crate) fn join(&mut self, lineage: &Arc<Lineage>) {
        self.lineage = Some(Arc::clone(lineage));
    }

    /// So many bytes have come in from outside, or out of something packed.
    pub(crate) fn credit(&self, len: usize) {
        self.effort.brought.fetch_add(len as u64, Relaxed);
    }

    /// Whether so many bytes more may be decoded.
    pub(crate) fn may_decode(&self, len: usize) -> bool {
        let decoded = self.effort.decoded.fetch_add(len as u64, Relaxed) + len as u64;
        decoded <= DECODED_FREE + DECODED_RATIO_MAX * self.effort.brought.load(Relaxed)
    }

    /// Notes that something was not scanned.
    pub(crate) fn cut(&mut self, cut: Cut) {
        self.summary.note(cut);
    }

    /// Examines what is left.
    pub(crate) fn flush(&mut self, out: &mut Vec<Sighting>) {
        let before = out.len();
        let carry = std::mem::take(&mut self.carry);
        self.examine(View { bytes: &carry, base: self.base }, carry.len(), out);
        self.close_all(out);
        self.summary.sightings += (out.len() - before) as u64;
    }

    fn take(&mut self, chunk: &[u8], out: &mut Vec<Sighting>) {
        if self.carry.len() + chunk.len() < BATCH {
            self.carry.extend_from_slice(chunk);
            return;
        }
        let mut base = self.base;
        if !self.carry.is_empty() {
            let head = chunk.len().min(BACK + AHEAD);
            let mut carry = std::mem::take(&mut self.carry);
            base += carry.len() as u64;
            carry.extend_from_slice(&chunk[..head]);
            let to = carry.len().saturating_sub(AHEAD);
            self.examine(View { bytes: &carry, base: self.base }, to, out);
            if head == chunk.len() {
                self.carry = carry;
                self.trim();
                return;
            }
        }
        let view = View { bytes: chunk, base };
        self.examine(view, chunk.len().saturating_sub(AHEAD), out);
        let keep = view.index(self.examined).saturating_sub(BACK);
        self.carry.extend_from_slice(&chunk[keep..]);
        self.base = view.offset(keep);
    }

    /// Drops what no search will look at again.
    fn trim(&mut self) {
        let view = View { bytes: &self.carry, base: self.base };
        let drop = view.index(self.examined).saturating_sub(BACK);
        self.carry.drain(..drop);
        self.base += drop as u64;
    }

    /// Searches from where the last search ended up to `to`.
    fn examine(&mut self, view: View<'_>, to: usize, out: &mut Vec<Sighting>) {
        let mut from = view.index(self.examined);
        let mut openings = Vec::new();
        let mut sieve = std::mem::take(&mut self.sieve);
        let families = self.detector.families();
        let buckets = &Marks::of(families).buckets;
        let wanted = Wanted { numbers: families.number, hashes: self.detector.live().is_some() };
        while from < to {
            let end = to.min(from + BLOCK);
            let before = out.len();
            sieve.fill(buckets, wanted, view, from, end);
            self.search(&sieve, view, (from, end), out, &mut openings);
            self.remember(&out[before..]);
            openings.sort_by_key(|opening| opening.at());
            for opening in openings.drain(..) {
                self.open(opening, view, out);
            }
            self.advance(view, end, out);
            from = end;
        }
        self.sieve = sieve;
        self.examined = self.examined.max(view.offset(to));
    }

    fn search(
        &self,
        sieve: &Sieve,
        view: View<'_>,
        (from, to): (usize, usize),
        out: &mut Vec<Sighting>,
        openings: &mut Vec<Opening>,
    ) {
        let (seal, families) = (self.detector.seal(), self.detector.families());
        let mut report = |spot: Spot| match spot {
            Spot::Hit(hit) => out.push(sighting(view, hit)),
            Spot::Stretch(codec, at) => openings.push(Opening::Stretch(codec, at)),
            Spot::Packed(encoding, at) => openings.push(Opening::Packed(encoding, at)),
        };
        let marks = needle::Search { seal, families, live: self.detector.live(), view, from, to };
        needle::search(&marks, sieve, &mut report);
        sieve.prefetch(view, Pause::Marks);
        look::search(view, sieve, from, to, &mut report);
        sieve.prefetch(view, Pause::Looks);
        row::search(self.detector.live(), view, sieve, from, to, &mut report);
        sieve.prefetch(view, Pause::Inspected);
        if families.number {
            look::figures(seal, view, sieve, from, to, &mut report);
        }
        if let Some(dictionary) = self.detector.dictionary() {
            dictionary.search(view.bytes, from, to, &mut report);
        }
    }

    fn remember(&mut self, sightings: &[Sighting]) {
        let may_be_decoded =
            |sighting: &&Sighting| matches!(sighting.encodings.first(), Some(Encoding::Base64 | Encoding::Hex));
        self.latest.extend(sightings.iter().filter(may_be_decoded).cloned());
        let surplus = self.latest.len().saturating_sub(LATEST_MAX);
        self.latest.drain(..surplus);
    }

    fn open(&mut self, opening: Opening, view: View<'_>, out: &mut Vec<Sighting>) {
        let is_escape = matches!(opening, Opening::Stretch(Codec::Escape(_), _));
        if self.depth == DEPTH_MAX || is_escape && self.escapes == ESCAPES_MAX {
            self.cut(Cut { encoding: opening.encoding(), reason: CutReason::Depth });
            return;
        }
        match opening {
            Opening::Stretch(codec, at) => self.open_stretch(codec, view, at, out),
            Opening::Packed(encoding, at) => {
                self.advance_packings(view, at, out);
                self.settle_packings(out);
                if self.packings.len() == PACKINGS_MAX {
                    self.cut(Cut { encoding, reason: CutReason::Crowd });
                } else {
                    self.open_packing(encoding, view.offset(at), &view.bytes[at..]);
                }
            }
        }
    }

    fn open_stretch(&mut self, codec: Codec, view: View<'_>, at: usize, out: &mut Vec<Sighting>) {
        let offset = view.offset(at);
        let is_escape = matches!(codec, Codec::Escape(_));
        let open = self.stretches.iter().position(|stretch| stretch.codec() == codec);
        if let Some(index) = open {
            let goes_on = if is_escape {
                self.stretches[index].reaches(offset)
            } else {
                self.advance_stretch(index, view, at, out)
            };
            if !goes_on {
                self.close_stretch(index, out);
            } else if !is_escape {
                return;
            }
        }
        let index = self.stretches.iter().position(|stretch| stretch.codec() == codec).unwrap_or_else(|| {
            let mut inner = self.new_inner(self.lineage.as_ref());
            inner.escapes += u8::from(is_escape);
            self.stretches.push(Stretch::new(codec, inner, offset));
            self.stretches.len() - 1
        });
        if is_escape {
            self.stretches[index].extend(offset);
            self.stretches[index].advance(view, at, out);
        }
    }

    fn open_packing(&mut self, encoding: Encoding, start: u64, head: &[u8]) {
        let Some(window) = Window::take(&self.effort, inflate::window(encoding, head)) else {
            self.cut(Cut { encoding, reason: CutReason::Crowd });
            return;
        };
        let scanner = self.new_inner(None);
        self.packings.extend(Unpacking::new(encoding, scanner, start, self.lineage.as_ref(), window));
    }

    fn new_inner(&self, lineage: Option<&Arc<Lineage>>) -> Self {
        let mut inner = Self::new(self.detector.clone(), self.depth + 1);
        inner.escapes = self.escapes;
        inner.effort = Arc::clone(&self.effort);
        inner.lineage = lineage.cloned();
        inner
    }

    /// Decodes and unpacks up to `to`, and ends what ends there.
    fn advance(&mut self, view: View<'_>, to: usize, out: &mut Vec<Sighting>) {
        for index in (0..self.stretches.len()).rev() {
            let goes_on = self.advance_stretch(index, view, to, out);
            if !goes_on || !self.stretches[index].reaches(view.offset(to)) {
                self.close_stretch(index, out);
            }
        }
        self.advance_packings(view, to, out);
    }

    fn advance_packings(&mut self, view: View<'_>, to: usize, out: &mut Vec<Sighting>) {
        for index in (0..self.packings.len()).rev() {
            if !self.packings[index].advance(view, to, out) {
                self.close_packing(index, out);
            }
        }
    }

    fn advance_stretch(&mut self, index: usize, view: View<'_>, to: usize, out: &mut Vec<Sighting>) -> bool {
        let before = out.len();
        let goes_on = self.stretches[index].advance(view, to, out);
        self.drop_known(before, out);
        goes_on
    }

    /// Ends the packings that have come to their end: one behind the other, small entries of an archive are many.
    fn settle_packings(&mut self, out: &mut Vec<Sighting>) {
        for index in (0..self.packings.len()).rev() {
            if !self.packings[index].settle(out) {
                self.close_packing(index, out);
            }
        }
    }

    fn close_stretch(&mut self, index: usize, out: &mut Vec<Sighting>) {
        let before = out.len();
        let inner = self.stretches.swap_remove(index).finish(out);
        self.drop_known(before, out);
        self.summary.join(&inner.summary);
    }

    /// Drops of the sightings from `from` on those that were made without decoding as well.
    fn drop_known(&self, from: usize, out: &mut Vec<Sighting>) {
        let mut at = from;
        while at < out.len() {
            let sighting = &out[at];
            let is_known = |known: &Sighting| {
                (known.offset, known.len) == (sighting.offset, sighting.len)
                    && known.found == sighting.found
                    && known.encodings == sighting.encodings
            };
            if self.latest.iter().any(is_known) {
                out.remove(at);
            } else {
                at += 1;
            }
        }
    }

    fn close_packing(&mut self, index: usize, out: &mut Vec<Sighting>) {
        let inner = self.packings.swap_remove(index).finish(out);
        self.summary.unpacked += inner.summary.bytes;
        self.summary.join(&inner.summary);
    }

    fn close_all(&mut self, out: &mut Vec<Sighting>) {
        while !self.stretches.is_empty() {
            self.close_stretch(0, out);
        }
        while !self.packings.is_empty() {
            self.close_packing(0, out);
        }
    }
}

/// Where something begins that is to be decoded or unpacked.
#[derive(Clone, Copy)]
enum Opening {
    Stretch(Codec, usize),
    Packed(Encoding, usize),
}

impl Opening {
    fn at(self) -> usize {
        match self {
            Self::Stretch(_, at) | Self::Packed(_, at) => at,
        }
    }

    fn encoding(self) -> Encoding {
        match self {
            Self::Stretch(codec, _) => codec.encoding(),
            Self::Packed(encoding, _) => encoding,
        }
    }
}

fn sighting(view: View<'_>, hit: Hit) -> Sighting {
    Sighting {
        found: hit.found,
        encodings: hit.encodings,
        offset: view.offset(hit.span.start),
        len: u32::try_from(hit.span.len()).unwrap_or(u32::MAX),
        context: context::redact(view.bytes, hit.span),
    }
}
