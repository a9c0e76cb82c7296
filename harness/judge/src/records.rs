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
