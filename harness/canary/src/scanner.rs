//! Scans one stream.

use crate::{
    Detector, ScanSummary, Sighting, context, escape,
    layer::{self, Layer},
    needle, run,
    view::{Hit, View},
};

/// What a search may look at before the place it examines, in bytes.
const BACK: usize = 96;

/// What a search may look at after it.
const AHEAD: usize = 192;

/// Less than this is gathered before it is examined.
const BATCH: usize = 2048;

/// This much is searched for one thing and then for the next, so that it stays in the cache.
const BLOCK: usize = 32 * 1024;

/// How many layers may lie one in the other.
const DEPTH_MAX: u8 = 4;

const _: () = assert!(layer::AHEAD < AHEAD);

/// Finds the canaries of one stream, while it comes in. However the stream is cut into chunks, the sightings are the same.
pub struct Scanner {
    detector: Detector,
    depth: u8,
    /// The end of what was fed: what is not examined yet, and what came just before it.
    carry: Vec<u8>,
    /// The offset of the carry.
    base: u64,
    /// The offset up to which everything was examined.
    examined: u64,
    layers: Vec<Layer>,
    summary: ScanSummary,
}

impl Scanner {
    pub(crate) fn new(detector: Detector, depth: u8) -> Self {
        Self {
            detector,
            depth,
            carry: Vec::new(),
            base: 0,
            examined: 0,
            layers: Vec::new(),
            summary: ScanSummary::default(),
        }
    }

    /// Takes the next bytes of the stream and appends to `out` what is found. A sighting comes once enough of what
    /// follows it was seen, some hundred bytes to 2 KiB later or at the end.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<Sighting>) {
        let before = out.len();
        self.summary.bytes += chunk.len() as u64;
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
        self.examine(View { bytes, base: 0 }, bytes.len(), out);
        self.flush(out);
        self.summary
    }

    /// Examines what is left.
    pub(crate) fn flush(&mut self, out: &mut Vec<Sighting>) {
        let before = out.len();
        let carry = std::mem::take(&mut self.carry);
        self.examine(View { bytes: &carry, base: self.base }, carry.len(), out);
        for layer in std::mem::take(&mut self.layers) {
            layer.finish(out);
        }
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
        while from < to {
            let end = to.min(from + BLOCK);
            self.search(view, from, end, out);
            self.unescape(view, from, end, out);
            from = end;
        }
        self.examined = self.examined.max(view.offset(to));
        self.close_layers(out);
    }

    fn search(&self, view: View<'_>, from: usize, to: usize, out: &mut Vec<Sighting>) {
        let seal = self.detector.seal();
        let mut report = |hit: Hit| out.push(sighting(view, hit));
        needle::search(seal, view.bytes, from, to, &mut report);
        run::search(seal, view.bytes, view.base, from, to, &mut report);
    }

    fn unescape(&mut self, view: View<'_>, from: usize, to: usize, out: &mut Vec<Sighting>) {
        if self.depth == DEPTH_MAX {
            return;
        }
        for found in memchr::memchr3_iter(b'%', b'&', b'\\', &view.bytes[from..to]) {
            let at = from + found;
            let text = &view.bytes[at..];
            let kind = escape::kind_of(text[0]).filter(|kind| escape::is_needless(*kind, text));
            let Some(kind) = kind else { continue };
            let offset = view.offset(at);
            let open = self.layers.iter().position(|layer| layer.kind() == kind);
            let index = match open {
                Some(index) if self.layers[index].reaches(offset) => index,
                stale => {
                    if let Some(index) = stale {
                        self.layers.swap_remove(index).finish(out);
                    }
                    let scanner = Self::new(self.detector.clone(), self.depth + 1);
                    self.layers.push(Layer::new(kind, scanner, offset));
                    self.layers.len() - 1
                }
            };
            self.layers[index].follow(view, at, out);
        }
    }

    /// Ends the layers that no escape can join any more.
    fn close_layers(&mut self, out: &mut Vec<Sighting>) {
        let mut index = 0;
        while index < self.layers.len() {
            if self.layers[index].reaches(self.examined) {
                index += 1;
            } else {
                self.layers.swap_remove(index).finish(out);
            }
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
