//! The forms in which a canary may come back.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One step between a canary as it was minted and the bytes it was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Encoding {
    /// Another case than it was minted in; for all but the first letter.
    Case,
    /// Base64, of either alphabet, at any of the three alignments, padded or not, in lines or not.
    Base64,
    /// Base32 (RFC 4648), of either case.
    Base32,
    /// Pairs of hexadecimal digits, of either case, together or apart, or as a dump of xxd, hexdump or od.
    Hex,
    /// Percent-encoding, also of characters that need none.
    Percent,
    /// HTML or XML character references.
    Html,
    /// Backslash escapes, as JSON, JavaScript and Python write them.
    Backslash,
    /// Quoted-printable (RFC 2045), its soft line breaks included.
    QuotedPrintable,
    /// UTF-16 of either byte order.
    Utf16,
    /// Last character first.
    Reversed,
    /// Letters turned by thirteen places.
    Rot13,
    /// Digits in groups of three, or with a point set elsewhere than it was minted.
    Grouped,
    /// A number as a float in scientific form.
    Scientific,
    /// The bits of a UUID, not its text.
    Binary,
    /// A gzip member.
    Gzip,
    /// A zlib stream, as PDF, PNG and git hold it.
    Zlib,
    /// An entry of a zip archive, and so of xlsx, docx and jar.
    Zip,
    /// A Zstandard frame.
    Zstd,
    /// A Brotli stream, which must be announced: it has no mark of its own.
    Brotli,
    /// An MD5 hash.
    Md5,
    /// A SHA-1 hash.
    Sha1,
    /// A SHA-256 hash.
    Sha256,
    /// A SHA-512 hash.
    Sha512,
    /// A CRC-32 checksum, which proves nothing.
    Crc32,
}

impl Encoding {
    fn words(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Base64 => "base64",
            Self::Base32 => "base32",
            Self::Hex => "hex",
            Self::Percent => "percent",
            Self::Html => "html",
            Self::Backslash => "backslash",
            Self::QuotedPrintable => "quoted-printable",
            Self::Utf16 => "utf-16",
            Self::Reversed => "reversed",
            Self::Rot13 => "rot13",
            Self::Grouped => "grouped",
            Self::Scientific => "scientific",
            Self::Binary => "binary",
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Zip => "zip",
            Self::Zstd => "zstd",
            Self::Brotli => "brotli",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Crc32 => "crc32",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}
