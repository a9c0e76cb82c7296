//! Unpacks compressed streams piece by piece, into a buffer of fixed size.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use crate::Encoding;

/// Names and extra fields ahead of the compressed bytes may take this much.
const HEADER_MAX: usize = 8 * 1024;

/// A Zstandard frame that asks for a larger window than 2^23 bytes (8 MiB, what RFC 8878 recommends to support) is
/// refused, because memory is bounded.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// There may be more.
    Open,
    /// The stream ended well.
    Ended,
    /// The bytes are no such stream.
    Broken,
}

/// Bytes read and written in a step, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) read: usize,
    pub(crate) written: usize,
    pub(crate) state: State,
}

/// A compressed stream that is being unpacked.
pub(crate) struct Inflater {
    /// Until the packed bytes begin: what tells where, and the bytes seen so far.
    header: Option<(ReadHeader, Vec<u8>)>,
    engine: Engine,
}

enum Engine {
    Deflate(Box<Decompress>),
    Zstd(Box<Decoder<'static>>),
    Brotli(Box<Brotli>),
}

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// Says from the bytes seen so far where the packed bytes begin.
type ReadHeader = fn(&[u8]) -> Header;

enum Header {
    Needs(usize),
    Ends,
    Wrong,
}

/// How much memory a stream that begins so makes its decoder hold; where it does not say, the most it may.
pub(crate) fn window(encoding: Encoding, head: &[u8]) -> u64 {
    match encoding {
        Encoding::Zstd => zstd_window(head).unwrap_or(1 << ZSTD_WINDOW_LOG_MAX),
        // RFC 7932, section 9.1.
        Encoding::Brotli => 1 << 24,
        _ => 0,
    }
}

/// The window of a frame (RFC 8878, section 3.1.1.1). One that is too large is refused when it comes to be read.
fn zstd_window(frame: &[u8]) -> Option<u64> {
    let descriptor = *frame.get(4)?;
    let is_single = descriptor & 0x20 != 0;
    let window = if is_single {
        let at = 5 + [0, 1, 2, 4][usize::from(descriptor & 3)];
        let len = [1, 2, 4, 8][usize::from(descriptor >> 6)];
        let size = frame.get(at..at + len)?.iter().rev().fold(0, |size, byte| size << 8 | u64::from(*byte));
        if len == 2 { size + 256 } else { size }
    } else {
        let byte = u64::from(*frame.get(5)?);
        let base = 1 << (10 + (byte >> 3));
        base + base / 8 * (byte & 7)
    };
    Some(window.min(1 << ZSTD_WINDOW_LOG_MAX))
}

/// Whether bytes can begin a zlib stream: nothing contradicts it in the first of them.
pub(crate) fn may_be_zlib(bytes: &[u8]) -> bool {
    const SEEN: usize = 192;
    let mut output = [0; 4096];
    let mut engine = Decompress::new(true);
    let step = deflate(&mut engine, &bytes[..bytes.len().min(SEEN)], &mut output);
    step.state != State::Broken
}

impl Inflater {
    /// Begins to unpack a stream of this encoding. None for an encoding that is not packed, or when a decoder
    /// cannot be had.
    pub(crate) fn new(encoding: Encoding) -> Option<Self> {
        let (header, engine): (Option<ReadHeader>, _) = match encoding {
            Encoding::Gzip => (Some(gzip_header), Engine::Deflate(Box::new(Decompress::new(false)))),
            Encoding::Zip => (Some(zip_header), Engine::Deflate(Box::new(Decompress::new(false)))),
            Encoding::Zlib => (None, Engine::Deflate(Box::new(Decompress::new(true)))),
            Encoding::Zstd => {
                let mut decoder = Decoder::new().ok()?;
                decoder.set_parameter(zstd::zstd_safe::DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).ok()?;
                (None, Engine::Zstd(Box::new(decoder)))
            }
            Encoding::Brotli => {
                let state =
                    BrotliState::new(StandardAlloc::default(), StandardAlloc::default(), StandardAlloc::default());
                (None, Engine::Brotli(Box::new(state)))
            }
            _ => return None,
        };
        Some(Self { header: header.map(|read| (read, Vec::new())), engine })
    }

    /// Unpacks on. Call it again with what is left of the input until nothing is read and nothing written.
    pub(crate) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let Some((read, seen)) = &mut self.header else { return self.engine.step(input, output) };
        let before = seen.len();
        match read(seen) {
            Header::Wrong => Step { read: 0, written: 0, state: State::Broken },
            Header::Needs(len) if len > HEADER_MAX => Step { read: 0, written: 0, state: State::Broken },
            Header::Needs(len) => {
                seen.extend(input.iter().take(len - before));
                Step { read: seen.len() - before, written: 0, state: State::Open }
            }
            Header::Ends => {
                self.header = None;
                self.engine.step(input, output)
            }
        }
    }
}

impl Engine {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        match self {
            Self::Deflate(engine) => deflate(engine, input, output),
            Self::Zstd(engine) => zstd(engine, input, output),
            Self::Brotli(state) => brotli(state, input, output),
        }
    }
}

fn deflate(engine: &mut Decompress, input: &[u8], output: &mut [u8]) -> Step {
    let (read, written) = (engine.total_in(), engine.total_out());
    let state = match engine.decompress(input, output, FlushDecompress::None) {
        Ok(Status::StreamEnd) => State::Ended,
        Ok(Status::Ok | Status::BufError) => State::Open,
        Err(_) => State::Broken,
    };
    let step = |total: u64, before: u64| usize::try_from(total - before).expect("no more than a buffer");
    Step { read: step(engine.total_in(), read), written: step(engine.total_out(), written), state }
}

fn zstd(engine: &mut Decoder<'static>, input: &[u8], output: &mut [u8]) -> Step {
    let mut from = InBuffer::around(input);
    let mut to = OutBuffer::around(output);
    let state = match engine.run(&mut from, &mut to) {
        Ok(0) => State::Ended,
        Ok(_) => State::Open,
        Err(_) => State::Broken,
    };
    Step { read: from.pos(), written: to.pos(), state }
}

fn brotli(state: &mut Brotli, input: &[u8], output: &mut [u8]) -> Step {
    let (mut available_in, mut read) = (input.len(), 0);
    let (mut available_out, mut written, mut total) = (output.len(), 0, 0);
    let result = BrotliDecompressStream(
        &mut available_in,
        &mut read,
        input,
        &mut available_out,
        &mut written,
        output,
        &mut total,
        state,
    );
    let state = match result {
        BrotliResult::ResultSuccess => State::Ended,
        BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => State::Open,
        BrotliResult::ResultFailure => State::Broken,
    };
    Step { read, written, state }
}

/// RFC 1952, section 2.3.
fn gzip_header(seen: &[u8]) -> Header {
    let Some(flags) = seen.get(3) else { return Header::Needs(10) };
    if seen[..3] != [0x1f, 0x8b, 8] || flags & 0xe0 != 0 {
        return Header::Wrong;
    }
    let mut end = 10;
    if flags & 4 != 0 {
        let Some(len) = seen.get(end..end + 2) else { return Header::Needs(end + 2) };
        end += 2 + usize::from(u16::from_le_bytes([len[0], len[1]]));
    }
    for _ in 0..(flags >> 3 & 1) + (flags >> 4 & 1) {
        let Some(nul) = seen.get(end..).and_then(|rest| rest.iter().position(|byte| *byte == 0)) else {
            return Header::Needs(seen.len().max(end) + 1);
        };
        end += nul + 1;
    }
    end += usize::from(flags & 2);
    if seen.len() < end { Header::Needs(end) } else { Header::Ends }
}

/// The local header of an entry (APPNOTE.TXT, section 4.3.7). Stored entries need no unpacking.
fn zip_header(seen: &[u8]) -> Header {
    const LEN: usize = 30;
    let Some(fixed) = seen.get(..LEN) else { return Header::Needs(LEN) };
    let number = |at: usize| usize::from(u16::from_le_bytes([fixed[at], fixed[at + 1]]));
    let (encrypted, method) = (number(6) & 1 == 1, number(8));
    if !fixed.starts_with(b"PK\x03\x04") || encrypted || method != 8 {
        return Header::Wrong;
    }
    let end = LEN + number(26) + number(28);
    if seen.len() < end { Header::Needs(end) } else { Header::Ends }
}
