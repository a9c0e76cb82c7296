//! Secrets of existing accounts that are looked for in whatever anybody receives.
//!
//! A canary is unique because it was made to be. A password or a token was made by somebody else, so only one is looked for
//! that no ordinary text can hold: [`mark`] says which, and by which part it is known. `password1`, a name, an address, a number,
//! a date and a UUID are none: services show such things to others with good reason.

use serde::{Deserialize, Serialize};

use crate::principal::TenantId;

/// A secret by its place; its bytes stand in no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sought {
    /// The tenant whose it is.
    pub tenant: TenantId,
    /// The first user of the tenant who has it.
    pub user: u32,
    /// Index into [`crate::Plan::attributes`].
    pub attribute: u16,
}

/// What is shorter could be a word with a year.
const MARK_BYTES_MIN: usize = 16;
/// Of what is longer the end is looked for: tokens of one issuer begin alike.
const MARK_BYTES_MAX: usize = 40;
/// How often random text of so many bytes changes between letters, capitals and digits, and text of words does not.
const CHANGES_MIN: usize = 5;

/// The part by which a secret is known, if it is long and odd enough that nothing else can be it.
pub fn mark(secret: &str) -> Option<&str> {
    let is_one_word = secret.bytes().all(|byte| byte.is_ascii_graphic());
    let is_address = secret.contains('@') || secret.contains("://");
    if !is_one_word || is_address || is_uuid(secret) {
        return None;
    }
    let mark = &secret[secret.len().saturating_sub(MARK_BYTES_MAX)..];
    (mark.len() >= MARK_BYTES_MIN && changes(mark.as_bytes()) >= CHANGES_MIN).then_some(mark)
}

/// Places where a digit stands beside a letter, or a capital after a small one. `OrderNumber-2026` has two.
fn changes(text: &[u8]) -> usize {
    let is_change = |pair: &&[u8]| match pair {
        [a, b] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() => {
            a.is_ascii_digit() != b.is_ascii_digit() || a.is_ascii_lowercase() && b.is_ascii_uppercase()
        }
        _ => false,
    };
    text.windows(2).filter(is_change).count()
}

/// With or without hyphens: the id of something, far more often than a secret.
fn is_uuid(text: &str) -> bool {
    let hyphens = [8, 13, 18, 23];
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.len() {
        32 => hex(text),
        36 => text.bytes().enumerate().all(
            |(at, byte)| {
                if hyphens.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() }
            },
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_and_tables_hold_is_too_common_to_be_looked_for() {
        let common = [
            "password1",
            "hush-ann-password-2026",
            "CorrectHorseBatteryStaple1",
            "ann.smith01.b2b4c6@acme.example",
            "https://t1.example/a1b2c3d4e5",
            "2026-03-09T08:15:00Z",
            "customer-000000123",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "0f8fad5bd9cb469fa16570867728950e",
            "a1 b2 c3 d4 e5 f6 g7",
            "4929384756102938",
        ];
        for text in common {
            assert_eq!(mark(text), None, "{text}");
        }
    }

    #[test]
    fn passwords_and_tokens_that_a_machine_made_are_looked_for_by_their_end() {
        for secret in
            ["Xk9#mP2$vL5nQ8wR", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"]
        {
            assert_eq!(mark(secret), Some(secret));
        }
        let token =
            format!("{}.{}", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "q4uXm9ZrT1bWk3Vh8Ls2Dn6Yc0Fp5JgA7eRtKxU1iOa");
        assert_eq!(mark(&token), Some(&token[token.len() - 40..]));
    }
}
