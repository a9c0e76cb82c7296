//! A stretch of encoded text that is decoded and scanned again.

use std::collections::VecDeque;

use crate::{Cut, CutReason, Scanner, Sighting, codec::Codec, view::View};

/// Escapes are decoded from this far ahead of the first: the head of a canary may be unescaped.
pub(crate) const LEAD: u64 = 48;

/// Escapes are decoded this far past the last.
pub(crate) const TAIL: u64 = 64;

/// Decoded bytes are handed on in pieces of this size.
const PIECE: usize = 4096;

/// Encoded text, from where it was first noticed.
pub(crate) struct Stretch {
    codec: Codec,
    pub(crate) scanner: Box<Scanner>,
    /// The offset up to which the stream was decoded.
    consumed: u64,
    /// The offset to decode to, for escapes.
    until: u64,
    places: Places,
    /// Whether more was to be decoded than may be; what follows is not scanned.
    is_cut: bool,
    decoded: Vec<u8>,
    sightings: Vec<Sighting>,
}

impl Stretch {
    /// A stretch that begins at an offset; for escapes, shortly ahead of it.
    pub(crate) fn new(codec: Codec, scanner: Scanner, offset: u64) -> Self {
        let lead = if matches!(codec, Codec::Escape(_)) { LEAD } else { 0 };
        let consumed = offset.saturating_sub(lead);
        Self {
            codec,
            scanner: Box::new(scanner),
            consumed,
            until: offset,
            places: Places::new(consumed, codec.ratio()),
            is_cut: false,
            decoded: Vec::new(),
            sightings: Vec::new(),
        }
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// Whether an escape at this offset still belongs to the stretch.
    pub(crate) fn reaches(&self, offset: u64) -> bool {
        !matches!(self.codec, Codec::Escape(_)) || offset.saturating_sub(LEAD) <= self.consumed
    }

    /// Decodes past an escape at this offset.
    pub(crate) fn extend(&mut self, offset: u64) {
        self.until = offset + TAIL;
    }

    /// Decodes up to `to`, and says whether the stretch goes on.
    pub(crate) fn advance(&mut self, view: View<'_>, to: usize, out: &mut Vec<Sighting>) -> bool {
        let end = match self.codec {
            Codec::Escape(_) => view.index(self.until).min(view.bytes.len()),
            _ => to,
        };
        let mut from = view.index(self.consumed);
        let mut open = true;
        while from < end && open {
            match self.codec.read(&view.bytes[from..]) {
                Some(unit) => {
                    self.decoded.extend_from_slice(unit.given());
                    self.places.step(unit.taken, unit.given_len);
                    from += unit.taken;
                    open = !unit.is_last;
                }
                None => open = false,
            }
            if self.decoded.len() >= PIECE {
                self.hand_on(out);
            }
        }
        self.consumed = self.consumed.max(view.offset(from));
        self.hand_on(out);
        open
    }

    /// Scans what is left.
    pub(crate) fn finish(mut self, out: &mut Vec<Sighting>) -> Box<Scanner> {
        self.scanner.flush(&mut self.sightings);
        self.drain(out);
        self.scanner
    }

    fn hand_on(&mut self, out: &mut Vec<Sighting>) {
        if self.is_cut || self.decoded.is_empty() {
            self.decoded.clear();
            return;
        }
        self.is_cut = !self.scanner.may_decode(self.decoded.len());
        if self.is_cut {
            self.scanner.cut(Cut { encoding: self.codec.encoding(), reason: CutReason::Ratio });
        } else {
            self.scanner.feed(&self.decoded, &mut self.sightings);
        }
        self.decoded.clear();
        self.drain(out);
    }

    fn drain(&mut self, out: &mut Vec<Sighting>) {
        let is_escape = matches!(self.codec, Codec::Escape(_));
        for mut sighting in self.sightings.drain(..) {
            let end = sighting.offset + u64::from(sighting.len);
            // With no escape inside, the scanner of the stream itself has seen it.
            if is_escape && self.places.is_straight(sighting.offset, end) {
                continue;
            }
            let (start, end) = self.places.source(sighting.offset, end);
            sighting.offset = start;
            sighting.len = u32::try_from(end - start).unwrap_or(u32::MAX);
            sighting.encodings.insert(0, self.codec.encoding());
            out.push(sighting);
        }
    }
}

/// Which offset of the source each offset of the decoded text came from.
struct Places {
    decoded: u64,
    source: u64,
    ratio: (u64, u64),
    marks: VecDeque<Mark>,
}

/// A place where the ratio of decoded to source is broken, and from which it holds again.
#[derive(Clone, Copy)]
struct Mark {
    decoded: u64,
    /// Where the source goes on.
    source: u64,
    /// Where text that ends here ends in the source: ahead of a line break, if that is what broke the ratio.
    end: u64,
}

impl Places {
    /// More than a scanner holds back, so that no place is forgotten before its sighting comes.
    const MARKS_MAX: usize = 16 * 1024;

    fn new(source: u64, ratio: (u64, u64)) -> Self {
        Self { decoded: 0, source, ratio, marks: VecDeque::from([Mark { decoded: 0, source, end: source }]) }
    }

    /// So many bytes were decoded to so many.
    fn step(&mut self, taken: usize, given: usize) {
        let before = self.source;
        self.decoded += given as u64;
        self.source += taken as u64;
        if taken as u64 * self.ratio.1 != given as u64 * self.ratio.0 {
            if self.marks.len() == Self::MARKS_MAX {
                self.marks.pop_front();
            }
            let end = if given == 0 { before } else { self.source };
            self.marks.push_back(Mark { decoded: self.decoded, source: self.source, end });
        }
    }

    fn mark(&self, decoded: u64) -> usize {
        self.marks.partition_point(|mark| mark.decoded <= decoded).saturating_sub(1)
    }

    /// Whether nothing breaks the ratio between two offsets.
    fn is_straight(&self, start: u64, end: u64) -> bool {
        let (first, last) = self.source(start, end);
        self.mark(start) == self.mark(end.max(start + 1) - 1) && last - first == end - start
    }

    fn source(&self, start: u64, end: u64) -> (u64, u64) {
        let (taken, given) = self.ratio;
        let mark = self.marks[self.mark(start)];
        let first = mark.source + start.saturating_sub(mark.decoded) * taken / given;
        let next = self.marks.partition_point(|mark| mark.decoded < end);
        let last = match self.marks.get(next) {
            Some(mark) if mark.decoded == end => mark.end,
            _ => {
                let mark = self.marks[next.saturating_sub(1)];
                mark.source + (end.saturating_sub(mark.decoded) * taken).div_ceil(given)
            }
        };
        (first, last.min(self.source).max(first))
    }
}
