//! A stretch of a stream that is decoded and scanned again.

use std::collections::VecDeque;

use crate::{Encoding, Scanner, Sighting, escape, view::View};

/// Decoding begins this far ahead of the first escape: the head of a canary may be unescaped.
const LEAD: u64 = 48;

/// Decoding goes on this far past the last escape.
const TAIL: u64 = 64;

/// What [`Layer::follow`] needs to see after an escape.
pub(crate) const AHEAD: usize = 64 + escape::LEN_MAX;

/// A stretch with escapes of one kind.
pub(crate) struct Layer {
    kind: Encoding,
    scanner: Scanner,
    /// The offset up to which the stream was decoded.
    consumed: u64,
    places: Places,
    decoded: Vec<u8>,
    sightings: Vec<Sighting>,
}

impl Layer {
    /// Opens a layer for the escape at an offset.
    pub(crate) fn new(kind: Encoding, scanner: Scanner, offset: u64) -> Self {
        let consumed = offset.saturating_sub(LEAD);
        let places = Places::new(consumed);
        Self { kind, scanner, consumed, places, decoded: Vec::new(), sightings: Vec::new() }
    }

    pub(crate) fn kind(&self) -> Encoding {
        self.kind
    }

    /// Whether an escape at this offset still belongs to the stretch.
    pub(crate) fn reaches(&self, offset: u64) -> bool {
        offset.saturating_sub(LEAD) <= self.consumed
    }

    /// Decodes on, past the escape at `at`.
    pub(crate) fn follow(&mut self, view: View<'_>, at: usize, out: &mut Vec<Sighting>) {
        let end = view.bytes.len().min(view.index(view.offset(at) + TAIL));
        let mut from = view.index(self.consumed);
        self.decoded.clear();
        while from < end {
            let unit = escape::read(self.kind, &view.bytes[from..]);
            self.decoded.push(unit.byte);
            self.places.step(unit.len);
            from += unit.len;
        }
        self.consumed = self.consumed.max(view.offset(from));
        self.scanner.feed(&self.decoded, &mut self.sightings);
        self.drain(out);
    }

    /// Scans what is left.
    pub(crate) fn finish(mut self, out: &mut Vec<Sighting>) {
        self.scanner.flush(&mut self.sightings);
        self.drain(out);
    }

    fn drain(&mut self, out: &mut Vec<Sighting>) {
        for mut sighting in self.sightings.drain(..) {
            let start = self.places.source(sighting.offset);
            let end = self.places.source(sighting.offset + u64::from(sighting.len));
            // With no escape inside, the scanner of the stream itself has seen it.
            if end - start != u64::from(sighting.len) {
                sighting.offset = start;
                sighting.len = u32::try_from(end - start).unwrap_or(u32::MAX);
                sighting.encodings.insert(0, self.kind);
                out.push(sighting);
            }
        }
    }
}

/// Which offset of the source each offset of the decoded text came from: the places where the two drift apart.
struct Places {
    decoded: u64,
    source: u64,
    marks: VecDeque<(u64, u64)>,
}

impl Places {
    /// More than a scanner holds back, so that no place is forgotten before its sighting comes.
    const MARKS_MAX: usize = 8192;

    fn new(source: u64) -> Self {
        Self { decoded: 0, source, marks: VecDeque::from([(0, source)]) }
    }

    /// One character was decoded from this many bytes.
    fn step(&mut self, bytes: usize) {
        self.decoded += 1;
        self.source += bytes as u64;
        if bytes != 1 {
            if self.marks.len() == Self::MARKS_MAX {
                self.marks.pop_front();
            }
            self.marks.push_back((self.decoded, self.source));
        }
    }

    fn source(&self, decoded: u64) -> u64 {
        let next = self.marks.partition_point(|mark| mark.0 <= decoded);
        let (at, source) = self.marks[next.saturating_sub(1)];
        source + decoded.saturating_sub(at)
    }
}
