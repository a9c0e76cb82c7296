//! Where records come from.

use std::io::Read;

use coalmine_core::history::{HistoryError, Reader, Record, Tail};

/// Records in their order, and how they ended.
pub trait Records: Iterator<Item = Result<Record, HistoryError>> {
    /// How the history ended, once the last record was read.
    fn tail(&self) -> Tail;
}

impl<R: Read> Records for Reader<R> {
    fn tail(&self) -> Tail {
        Reader::tail(self)
    }
}

impl<R: Records + ?Sized> Records for Box<R> {
    fn tail(&self) -> Tail {
        (**self).tail()
    }
}

/// A history that was never on disk.
pub struct Kept<'a>(std::slice::Iter<'a, Record>);

impl<'a> Kept<'a> {
    /// Of its records, in their order.
    pub fn new(records: &'a [Record]) -> Self {
        Self(records.iter())
    }
}

impl Iterator for Kept<'_> {
    type Item = Result<Record, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().cloned().map(Ok)
    }
}

impl Records for Kept<'_> {
    fn tail(&self) -> Tail {
        Tail::Whole
    }
}
