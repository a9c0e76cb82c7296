//! Lines into frames.

use std::io::{self, Write};

use super::Record;

/// Writes whole lines as one zstd frame each time, so that what is written is readable at once.
pub struct Writer<W> {
    sink: W,
    compressor: zstd::bulk::Compressor<'static>,
}

/// Appends a record to `lines` as one line of JSON.
pub fn encode(record: &Record, lines: &mut Vec<u8>) {
    serde_json::to_writer(&mut *lines, record).expect("records have string keys and writing to memory does not fail");
    lines.push(b'\n');
}

impl<W: Write> Writer<W> {
    /// A writer into `sink`, to which it only appends.
    pub fn new(sink: W) -> io::Result<Self> {
        let mut compressor = zstd::bulk::Compressor::new(1)?;
        compressor.include_checksum(true)?;
        Ok(Self { sink, compressor })
    }

    /// Writes the lines as one frame and flushes the sink. No lines, no frame.
    pub fn write_frame(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let frame = self.compressor.compress(lines)?;
        self.sink.write_all(&frame)?;
        self.sink.flush()
    }

    /// Ends the writing and gives the sink back.
    pub fn into_inner(self) -> W {
        self.sink
    }
}
