//! Frames into records.

use std::io::{self, BufRead, BufReader, Read};

use zstd::stream::read::Decoder;

use super::{HISTORY_FORMAT, Record};

/// A line longer than this is refused; a plan of a million operations is shorter.
const LINE_BYTES_MAX: usize = 512 << 20;

/// Reads a history record by record, in memory bounded by its longest line.
///
/// The last line may have been torn off by a kill: it is dropped, and [`Reader::tail`] says so.
pub struct Reader<R: Read> {
    state: State<R>,
    line: Vec<u8>,
    lines_read: u64,
    tail: Tail,
}

enum State<R: Read> {
    BetweenFrames(BufReader<R>),
    InFrame(BufReader<Decoder<'static, BufReader<R>>>),
    Done,
}

/// How the file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// It has not been reached yet.
    Unread,
    /// After a whole frame.
    Whole,
    /// Within a frame, which was cut short by a kill or a full disk; the incomplete end was dropped.
    Torn,
}

/// The history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file could not be read.
    #[error("cannot read the history: {0}")]
    Io(#[source] io::Error),
    /// A frame is damaged, and not at the end of the file.
    #[error("the history is damaged after line {line}: {source}")]
    Damaged {
        /// Lines read before it.
        line: u64,
        /// What the decoder said.
        source: io::Error,
    },
    /// A line is not a record.
    #[error("line {line} of the history is not a record: {source}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line is longer than any plan.
    #[error("line {line} of the history is longer than {LINE_BYTES_MAX} bytes")]
    LongLine {
        /// Counted from 1.
        line: u64,
    },
    /// The first line is no header.
    #[error("this is no history: it does not begin with a header")]
    NoHeader,
    /// It was written by another version.
    #[error("this history has format {found}; this version of Coalmine reads format {HISTORY_FORMAT}")]
    Format {
        /// The format that it has.
        found: u32,
    },
}

impl<R: Read> Reader<R> {
    /// A reader that has checked nothing yet: the first record shows whether it is a history.
    pub fn new(source: R) -> Self {
        let state = State::BetweenFrames(BufReader::new(source));
        Self { state, line: Vec::new(), lines_read: 0, tail: Tail::Unread }
    }

    /// How the file ended, once the last record was read.
    pub fn tail(&self) -> Tail {
        self.tail
    }

    fn next_record(&mut self) -> Result<Option<Record>, HistoryError> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Ok(None),
                State::BetweenFrames(source) => self.open_frame(source)?,
                State::InFrame(frame) => {
                    if self.read_line(frame)? {
                        return self.parse_line().map(Some);
                    }
                }
            }
        }
    }

    fn open_frame(&mut self, mut source: BufReader<R>) -> Result<(), HistoryError> {
        if source.fill_buf().map_err(HistoryError::Io)?.is_empty() {
            self.tail = Tail::Whole;
            return Ok(());
        }
        let decoder = Decoder::with_buffer(source).map_err(HistoryError::Io)?.single_frame();
        self.state = State::InFrame(BufReader::new(decoder));
        Ok(())
    }

    /// Reads one line of the frame; false at its end.
    fn read_line(&mut self, mut frame: BufReader<Decoder<'static, BufReader<R>>>) -> Result<bool, HistoryError> {
        self.line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        match (&mut frame).take(limit).read_until(b'\n', &mut self.line) {
            Ok(0) => {
                self.state = State::BetweenFrames(frame.into_inner().finish());
                Ok(false)
            }
            Ok(_) if self.line.len() > LINE_BYTES_MAX => Err(HistoryError::LongLine { line: self.lines_read + 1 }),
            Ok(_) => {
                self.state = State::InFrame(frame);
                Ok(true)
            }
            Err(error) => self.broken(error),
        }
    }

    fn broken(&mut self, error: io::Error) -> Result<bool, HistoryError> {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            self.tail = Tail::Torn;
            return Ok(false);
        }
        Err(HistoryError::Damaged { line: self.lines_read, source: error })
    }

    fn parse_line(&mut self) -> Result<Record, HistoryError> {
        self.lines_read += 1;
        let line = self.lines_read;
        let record = serde_json::from_slice(&self.line);
        if line == 1 {
            return check_header(record.ok());
        }
        record.map_err(|source| HistoryError::Line { line, source })
    }
}

fn check_header(first: Option<Record>) -> Result<Record, HistoryError> {
    match first {
        Some(Record::Header(header)) if header.format == HISTORY_FORMAT => Ok(Record::Header(header)),
        Some(Record::Header(header)) => Err(HistoryError::Format { found: header.format }),
        _ => Err(HistoryError::NoHeader),
    }
}

/// Ends after the first error.
impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_record().transpose();
        if matches!(next, Some(Err(_))) {
            self.state = State::Done;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Header, Writer, encode};
    use super::*;

    fn header() -> Record {
        Record::Header(Header {
            format: HISTORY_FORMAT,
            coalmine: "0".into(),
            started_unix_ms: 0,
            reproduce: String::new(),
        })
    }

    fn file(frames: &[&[Record]]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new()).unwrap();
        for records in frames {
            let mut lines = Vec::new();
            records.iter().for_each(|record| encode(record, &mut lines));
            writer.write_frame(&lines).unwrap();
        }
        writer.into_inner()
    }

    fn end(at_us: u64) -> Record {
        Record::RunEnd { at_us, interrupted: false }
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = file(&[&[header(), end(1)], &[end(2)]]);
        let mut reader = Reader::new(&bytes[..]);
        let records: Result<Vec<_>, _> = reader.by_ref().collect();
        assert_eq!(records.unwrap(), [header(), end(1), end(2)]);
        assert_eq!(reader.tail(), Tail::Whole);
    }

    #[test]
    fn a_file_cut_anywhere_reads_up_to_the_cut_and_says_so() {
        let bytes = file(&[&[header(), end(1)], &[end(2)]]);
        let first_frame = file(&[&[header(), end(1)]]).len();
        for cut in 1..bytes.len() {
            let mut reader = Reader::new(&bytes[..cut]);
            let whole = reader.by_ref().flatten().count();
            let expected = if cut == first_frame { Tail::Whole } else { Tail::Torn };
            assert_eq!(reader.tail(), expected, "cut at {cut}");
            assert!(whole >= if cut >= first_frame { 2 } else { 0 }, "cut at {cut}: {whole}");
        }
    }

    #[test]
    fn a_flipped_bit_in_the_middle_is_damage_and_not_a_torn_end() {
        let mut bytes = file(&[&[header(), end(1)], &[end(2)]]);
        let checksum_of_first = file(&[&[header(), end(1)]]).len() - 1;
        bytes[checksum_of_first] ^= 1;
        let error = Reader::new(&bytes[..]).find_map(Result::err).unwrap();
        assert!(matches!(error, HistoryError::Damaged { .. }), "{error}");
    }

    #[test]
    fn other_files_and_other_formats_are_refused() {
        let future =
            Record::Header(Header { format: 99, coalmine: "9".into(), started_unix_ms: 0, reproduce: String::new() });
        let error = |bytes: &[u8]| Reader::new(bytes).next().unwrap().unwrap_err();
        assert!(matches!(error(&file(&[&[future]])), HistoryError::Format { found: 99 }));
        assert!(matches!(error(&file(&[&[end(1)]])), HistoryError::NoHeader));
        assert!(matches!(error(b"hello, this is not zstd at all"), HistoryError::Damaged { .. }));
    }
}
