//! The functions that a hole may call, as in `{{base64(canary.note)}}`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A function of the scenario language. What it computes, the run computes; the plan only names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// Base64 with padding (RFC 4648, section 4).
    Base64,
    /// Base64 for URLs, without padding (RFC 4648, section 5).
    Base64Url,
    /// Percent-encoded: all but unreserved characters (RFC 3986).
    Url,
    /// Hexadecimal digits in small letters.
    Hex,
    /// Small letters.
    Lower,
    /// Capital letters.
    Upper,
    /// SHA-256, as hexadecimal digits.
    Sha256,
    /// The value as JSON text; a text gets its quotes.
    Json,
    /// `Basic` credentials of a user and a password (RFC 7617).
    Basic,
    /// A JWT of claims, signed with HMAC-SHA256 and a secret.
    JwtHs256,
    /// A JWT of claims, signed with RSA-SHA256 and a private key in PEM.
    JwtRs256,
    /// A UUID that every mention of the same name in one pass of one principal has in common.
    Uuid,
    /// A word that all principals have in common in the same pass of the same flow: honest collisions.
    Shared,
    /// The same as [`Function::Uuid`]; where tenants collide, the word of another tenant.
    Chosen,
    /// Seconds since 1970 when the step is sent, and as many more as are asked for.
    Now,
    /// A text so many times: for what is long.
    Repeat,
    /// The day when the step is sent, `2026-03-09`, and as many days later as are asked for; by UTC.
    Date,
}

impl Function {
    /// All of them, in the order of the documentation.
    pub const ALL: [Function; 17] = [
        Self::Base64,
        Self::Base64Url,
        Self::Url,
        Self::Hex,
        Self::Lower,
        Self::Upper,
        Self::Sha256,
        Self::Json,
        Self::Basic,
        Self::JwtHs256,
        Self::JwtRs256,
        Self::Uuid,
        Self::Shared,
        Self::Chosen,
        Self::Now,
        Self::Date,
        Self::Repeat,
    ];

    /// Its name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
            Self::Url => "url",
            Self::Hex => "hex",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Sha256 => "sha256",
            Self::Json => "json",
            Self::Basic => "basic",
            Self::JwtHs256 => "jwt_hs256",
            Self::JwtRs256 => "jwt_rs256",
            Self::Uuid => "uuid",
            Self::Shared => "shared",
            Self::Chosen => "chosen",
            Self::Now => "now",
            Self::Date => "date",
            Self::Repeat => "repeat",
        }
    }

    /// What its arguments are called; the optional ones are those of [`Function::arguments_min`] and beyond.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Basic => &["user", "password"],
            Self::JwtHs256 => &["claims", "secret"],
            Self::JwtRs256 => &["claims", "private key"],
            Self::Uuid | Self::Shared | Self::Chosen => &["name"],
            Self::Now => &["seconds"],
            Self::Date => &["days"],
            Self::Repeat => &["text", "times"],
            _ => &["value"],
        }
    }

    /// Whether what it computes is one user's, whatever its arguments are.
    pub fn is_own_word(self) -> bool {
        matches!(self, Self::Uuid | Self::Chosen)
    }

    /// How many arguments it needs.
    pub fn arguments_min(self) -> usize {
        if matches!(self, Self::Now | Self::Date) { 0 } else { self.arguments().len() }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
