//! A stretch of a stream that is in memory.

use std::ops::Range;

use crate::{Encoding, Found, codec::Codec};

/// Bytes of a stream, and where in it they begin.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) base: u64,
}

impl View<'_> {
    pub(crate) fn offset(&self, at: usize) -> u64 {
        self.base + at as u64
    }

    /// Where an offset of the stream lies in this view; 0 where it lies before it.
    pub(crate) fn index(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.base)).expect("a view is no longer than memory")
    }
}

/// What a search came upon.
pub(crate) enum Spot {
    /// A canary, or what looks like one.
    Hit(Hit),
    /// Encoded text that begins here.
    Stretch(Codec, usize),
    /// A packed stream that begins here.
    Packed(Encoding, usize),
}

/// What a search made of some bytes: where in the view, and through which encodings, the outermost first.
pub(crate) struct Hit {
    pub(crate) found: Found,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) span: Range<usize>,
}
