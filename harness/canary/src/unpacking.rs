//! A packed stream inside another that is unpacked and scanned.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{
    Cut, CutReason, Encoding, Scanner, Sighting,
    inflate::{Inflater, State},
    scanner::Window,
    view::View,
};

/// Packed bytes are taken in pieces of this size, counted from the start of the packing, so that what is inside is
/// scanned in the same steps however the stream came in.
const PIECE: usize = 1024;

/// The size of the buffer that is unpacked into.
const BUFFER: usize = 16 * 1024;

/// Unpacking may give this much, whatever it was unpacked from.
const GIVEN_FREE: u64 = 1 << 20;

/// Beyond that it may give this many bytes for each that was read of the outermost packing.
const RATIO_MAX: u64 = 256;

/// What a packing and all that is packed inside it have taken and given.
#[derive(Default)]
pub(crate) struct Lineage {
    taken: AtomicU64,
    given: AtomicU64,
}

/// A packed stream, from its mark on.
pub(crate) struct Unpacking {
    encoding: Encoding,
    pub(crate) scanner: Box<Scanner>,
    inflater: Inflater,
    lineage: Arc<Lineage>,
    /// Whether it is the outermost of its lineage.
    outermost: bool,
    start: u64,
    consumed: u64,
    given: u64,
    open: bool,
    piece: Vec<u8>,
    sightings: Vec<Sighting>,
    _window: Window,
}

impl Unpacking {
    /// A packed stream that begins at an offset; None where no decoder can be had. `lineage` is that of the packing
    /// around it.
    pub(crate) fn new(
        encoding: Encoding,
        mut scanner: Scanner,
        start: u64,
        around: Option<&Arc<Lineage>>,
        window: Window,
    ) -> Option<Self> {
        let lineage = around.cloned().unwrap_or_default();
        scanner.join(&lineage);
        Some(Self {
            encoding,
            scanner: Box::new(scanner),
            inflater: Inflater::new(encoding)?,
            lineage,
            outermost: around.is_none(),
            start,
            consumed: start,
            given: 0,
            open: true,
            piece: Vec::new(),
            sightings: Vec::new(),
            _window: window,
        })
    }

    /// Unpacks up to `to`, and says whether the packing goes on.
    pub(crate) fn advance(&mut self, view: View<'_>, to: usize, out: &mut Vec<Sighting>) -> bool {
        let mut from = view.index(self.consumed);
        let mut open = true;
        while from < to && open {
            let taken = (PIECE - self.piece.len()).min(to - from);
            self.piece.extend_from_slice(&view.bytes[from..from + taken]);
            from += taken;
            if self.piece.len() == PIECE {
                open = self.unpack();
            }
        }
        self.open = open;
        self.consumed = self.consumed.max(view.offset(from));
        self.drain(out);
        open
    }

    /// Unpacks what has come so far, and says whether the packing goes on.
    pub(crate) fn settle(&mut self, out: &mut Vec<Sighting>) -> bool {
        if self.open && !self.piece.is_empty() {
            self.open = self.unpack();
        }
        self.drain(out);
        self.open
    }

    /// Unpacks and scans what is left.
    pub(crate) fn finish(mut self, out: &mut Vec<Sighting>) -> Box<Scanner> {
        let may_go_on = self.piece.is_empty() || self.unpack();
        if self.open && may_go_on && self.given > 0 && self.encoding != Encoding::Zlib {
            self.scanner.cut(Cut { encoding: self.encoding, reason: CutReason::Broken });
        }
        self.scanner.flush(&mut self.sightings);
        self.drain(out);
        self.scanner
    }

    fn unpack(&mut self) -> bool {
        let piece = std::mem::take(&mut self.piece);
        if self.outermost {
            self.lineage.taken.fetch_add(piece.len() as u64, Relaxed);
        }
        let mut buffer = [0; BUFFER];
        let mut rest = &piece[..];
        loop {
            let step = self.inflater.step(rest, &mut buffer);
            self.scanner.credit(step.written);
            self.scanner.feed(&buffer[..step.written], &mut self.sightings);
            self.given += step.written as u64;
            rest = &rest[step.read..];
            let reason = match step.state {
                State::Ended => return false,
                State::Broken => Some(CutReason::Broken).filter(|_| self.given > 0 && self.encoding != Encoding::Zlib),
                State::Open => self.is_over(step.written).then_some(CutReason::Ratio),
            };
            if let Some(reason) = reason {
                self.scanner.cut(Cut { encoding: self.encoding, reason });
            }
            if reason.is_some() || step.state == State::Broken {
                return false;
            }
            if step.read == 0 && step.written == 0 {
                return true;
            }
        }
    }

    fn is_over(&self, written: usize) -> bool {
        let given = self.lineage.given.fetch_add(written as u64, Relaxed) + written as u64;
        given > GIVEN_FREE + RATIO_MAX * self.lineage.taken.load(Relaxed)
    }

    fn drain(&mut self, out: &mut Vec<Sighting>) {
        for mut sighting in self.sightings.drain(..) {
            sighting.offset = self.start;
            sighting.encodings.insert(0, self.encoding);
            out.push(sighting);
        }
    }
}
