//! Bytes that are no text: written in base64 or as hexadecimal digits, or drawn by the seed.

use coalmine_core::step::{Bytes, PartContent, Payload};
use coalmine_core::template::Template;
use data_encoding::{BASE64, Encoding, HEXLOWER_PERMISSIVE};

use super::Compiler;
use super::words::Planting;
use crate::document::{BinaryText, BytesText, Either};
use crate::span::Spanned;

const RANDOM_MAX: u32 = 1 << 20;

/// What is sent as bytes.
enum Binary {
    Text(Template),
    Bytes(Bytes),
}

impl Compiler<'_> {
    pub(super) fn binary_payload(&mut self, written: &Spanned<BinaryText>) -> Payload {
        match self.binary(written) {
            Binary::Text(text) => Payload::Binary(text),
            Binary::Bytes(bytes) => Payload::Bytes(bytes),
        }
    }

    pub(super) fn binary_part(&mut self, written: &Spanned<BinaryText>) -> PartContent {
        match self.binary(written) {
            Binary::Text(text) => PartContent::Text(text),
            Binary::Bytes(bytes) => PartContent::Bytes(bytes),
        }
    }

    /// Bytes that must stand in what comes.
    pub(super) fn contained(&mut self, written: &Spanned<BinaryText>) -> Payload {
        match &written.value {
            Either::Short(text) => Payload::Binary(self.template_with(text, Planting::Refused, str::to_owned)),
            Either::Long(long) => {
                if let Some(count) = &long.random {
                    let help = "take `hex`, `base64` or a text".to_owned();
                    self.problems.add(count.span, "nobody knows which bytes would have to come", Some(help));
                }
                Payload::Bytes(self.bytes(&written.with(()), long))
            }
        }
    }

    fn binary(&mut self, written: &Spanned<BinaryText>) -> Binary {
        match &written.value {
            Either::Short(text) => Binary::Text(self.template(text)),
            Either::Long(long) => Binary::Bytes(self.bytes(&written.with(()), long)),
        }
    }

    fn bytes(&self, place: &Spanned<()>, written: &BytesText) -> Bytes {
        match (&written.base64, &written.hex, &written.random) {
            (Some(text), None, None) => self.decoded(text, &BASE64, "base64"),
            (None, Some(text), None) => {
                self.decoded(text, &HEXLOWER_PERMISSIVE, "a row of pairs of hexadecimal digits")
            }
            (None, None, Some(count)) => {
                if !(1..=RANDOM_MAX).contains(&count.value) {
                    self.problems.add(count.span, format!("random bytes are 1 to {RANDOM_MAX}"), None);
                }
                Bytes::Random(count.value)
            }
            _ => {
                let help = "take one of `base64`, `hex` and `random`".to_owned();
                self.problems.add(place.span, "bytes are written in one way", Some(help));
                Bytes::Fixed(vec![])
            }
        }
    }

    fn decoded(&self, text: &Spanned<String>, encoding: &Encoding, name: &str) -> Bytes {
        let clean: String = text.value.split_whitespace().collect();
        Bytes::Fixed(encoding.decode(clean.as_bytes()).unwrap_or_else(|_| {
            self.problems.add(text.span, format!("this is not {name}"), None);
            vec![]
        }))
    }
}
