//! Unpacks what `content-encoding` says of a body, for those who read it: captures, identities, events. Canaries are searched for in
//! the packed bytes as well, by the scanner.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use coalmine_canary::{CutReason, Encoding};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;

/// Packed bytes are taken in pieces of this size, so that what they give at once is bounded.
const PIECE_BYTES: usize = 1024;
/// One piece may give this much.
const GIVEN_AT_ONCE_MAX: usize = 4 << 20;
/// A body may give this much, however short it is.
const GIVEN_FREE: u64 = 1 << 20;
/// Beyond that, so many bytes for each that was taken.
const RATIO_MAX: u64 = 256;
/// Encodings that lie one in the other.
const STAGES_MAX: usize = 4;
/// A larger window is refused, because memory is bounded: 8 MiB, what RFC 8878 recommends to support.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
const BROTLI_BUFFER_BYTES: usize = 4096;

/// A body that is being unpacked.
pub(crate) struct Unpacker {
    /// The outermost first.
    stages: Vec<Stage>,
    taken: u64,
    given: u64,
}

struct Stage {
    coding: Coding,
    /// None until the first byte has come.
    engine: Option<Engine>,
}

/// Names that stand in `content-encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

enum Engine {
    Gzip(MultiGzDecoder<Sink>),
    Zlib(ZlibDecoder<Sink>),
    Deflate(DeflateDecoder<Sink>),
    Brotli(Box<DecompressorWriter<Sink>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Sink>>),
}

/// Takes so much and no more.
#[derive(Default)]
struct Sink {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Unpacker {
    /// None where the body is not packed, or in a way that is not known.
    pub(crate) fn of(fields: &HeaderMap) -> Option<Self> {
        let mut codings = vec![];
        for field in fields.get_all(CONTENT_ENCODING) {
            let names = field.to_str().ok()?.split(',').map(str::trim);
            for name in names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity")) {
                codings.push(Coding::named(name)?);
            }
        }
        if codings.is_empty() || codings.len() > STAGES_MAX {
            return None;
        }
        let stages = codings.into_iter().rev().map(|coding| Stage { coding, engine: None }).collect();
        Some(Self { stages, taken: 0, given: 0 })
    }

    /// What the scanner calls it.
    pub(crate) fn encoding(&self) -> Encoding {
        self.stages[0].coding.encoding()
    }

    /// Whether the scanner unpacks it by itself, announced or not.
    pub(crate) fn is_known_to_scanner(&self) -> bool {
        self.stages.len() == 1 && self.stages[0].coding != Coding::Deflate
    }

    /// Appends what the next bytes give. After an error there is nothing more to be had.
    pub(crate) fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), CutReason> {
        for piece in chunk.chunks(PIECE_BYTES) {
            self.taken += piece.len() as u64;
            let mut bytes = piece.to_vec();
            for stage in &mut self.stages {
                bytes = stage.step(&bytes)?;
            }
            self.given += bytes.len() as u64;
            if self.given > GIVEN_FREE + RATIO_MAX * self.taken {
                return Err(CutReason::Ratio);
            }
            out.append(&mut bytes);
        }
        Ok(())
    }
}

impl Coding {
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn encoding(self) -> Encoding {
        match self {
            Self::Gzip => Encoding::Gzip,
            Self::Deflate => Encoding::Zlib,
            Self::Brotli => Encoding::Brotli,
            Self::Zstd => Encoding::Zstd,
        }
    }

    /// `deflate` is a zlib stream, and from some servers what is inside one: its first byte tells.
    fn engine(self, first: u8) -> io::Result<Engine> {
        let sink = Sink::default();
        Ok(match self {
            Self::Gzip => Engine::Gzip(MultiGzDecoder::new(sink)),
            Self::Deflate if first & 0x8f == 8 => Engine::Zlib(ZlibDecoder::new(sink)),
            Self::Deflate => Engine::Deflate(DeflateDecoder::new(sink)),
            Self::Brotli => Engine::Brotli(Box::new(DecompressorWriter::new(sink, BROTLI_BUFFER_BYTES))),
            Self::Zstd => {
                let mut decoder = zstd::stream::write::Decoder::new(sink)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Engine::Zstd(Box::new(decoder))
            }
        })
    }
}

impl Stage {
    fn step(&mut self, packed: &[u8]) -> Result<Vec<u8>, CutReason> {
        let Some(first) = packed.first() else { return Ok(vec![]) };
        if self.engine.is_none() {
            self.engine = Some(self.coding.engine(*first).map_err(|_| CutReason::Broken)?);
        }
        let Some(engine) = &mut self.engine else { return Ok(vec![]) };
        let written = engine.writer().write_all(packed).and_then(|()| engine.writer().flush());
        let sink = engine.sink();
        match written {
            Ok(()) => Ok(std::mem::take(&mut sink.bytes)),
            Err(_) if sink.is_full => Err(CutReason::Ratio),
            Err(_) => Err(CutReason::Broken),
        }
    }
}

impl Engine {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Gzip(decoder) => decoder,
            Self::Zlib(decoder) => decoder,
            Self::Deflate(decoder) => decoder,
            Self::Brotli(decoder) => decoder,
            Self::Zstd(decoder) => decoder,
        }
    }

    fn sink(&mut self) -> &mut Sink {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_full = self.bytes.len() + bytes.len() > GIVEN_AT_ONCE_MAX;
        if self.is_full {
            return Err(io::Error::other("it gives too much"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(coding: &'static str, packed: &[u8], chunk_bytes: usize) -> Result<Vec<u8>, CutReason> {
        let mut fields = HeaderMap::new();
        fields.insert(CONTENT_ENCODING, hyper::header::HeaderValue::from_static(coding));
        let mut unpacker = Unpacker::of(&fields).unwrap();
        let mut out = vec![];
        packed.chunks(chunk_bytes).try_for_each(|chunk| unpacker.feed(chunk, &mut out))?;
        Ok(out)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(vec![], flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(vec![], flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_encoding_comes_out_however_it_is_cut() {
        let text = b"{\"id\": 17, \"text\": \"some words, some words, some words\"}".repeat(50);
        let zstd = zstd::encode_all(&text[..], 3).unwrap();
        // Brotli of the text `hello`, not compressed: RFC 7932, section 9.2.
        let brotli = [0x0b, 0x02, 0x80, b'h', b'e', b'l', b'l', b'o', 0x03];
        for chunk_bytes in [1, 7, 100_000] {
            for (coding, packed) in
                [("gzip", gzip(&text)), ("deflate", zlib(&text)), ("deflate", raw(&text)), ("zstd", zstd.clone())]
            {
                assert_eq!(unpack(coding, &packed, chunk_bytes).as_ref(), Ok(&text), "{coding} by {chunk_bytes}");
            }
            assert_eq!(
                unpack("gzip, zstd", &zstd::encode_all(&gzip(&text)[..], 3).unwrap(), chunk_bytes).as_ref(),
                Ok(&text)
            );
            assert_eq!(unpack("br", &brotli, chunk_bytes).as_deref(), Ok(&b"hello"[..]));
        }
    }

    #[test]
    fn a_bomb_ends_at_its_bound() {
        assert_eq!(unpack("gzip", &gzip(&vec![0; 64 << 20]), 65_536), Err(CutReason::Ratio));
        let zstd = zstd::encode_all(&vec![0; 64 << 20][..], 19).unwrap();
        assert_eq!(unpack("zstd", &zstd, 65_536), Err(CutReason::Ratio));
    }

    #[test]
    fn what_is_not_what_it_says_is_broken() {
        assert_eq!(unpack("gzip", b"{\"plain\": true}", 64), Err(CutReason::Broken));
    }

    #[test]
    fn unknown_names_are_left_alone() {
        for coding in ["identity", "compress", "gzip, aws-chunked", ""] {
            let mut fields = HeaderMap::new();
            fields.insert(CONTENT_ENCODING, hyper::header::HeaderValue::from_static(coding));
            assert!(Unpacker::of(&fields).is_none(), "{coding}");
        }
    }
}
