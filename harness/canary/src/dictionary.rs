//! Secrets of the user's own, searched in the forms they may take.

use aho_corasick::{AhoCorasick, Input, MatchKind};
use thiserror::Error;

use crate::{
    Encoding, Found,
    form::Form,
    view::{Hit, Spot},
};

/// Shorter secrets would be found everywhere.
const ENTRY_MIN: usize = 6;

/// Longer secrets are known by so many bytes of their beginning.
const ENTRY_SEEN: usize = 40;

/// A dictionary that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DictionaryError {
    /// An entry is so short that ordinary text would hold it.
    #[error("entry {entry} of the dictionary has {len} bytes, and fewer than {ENTRY_MIN} are found by accident")]
    EntryTooShort {
        /// Its place, from 0.
        entry: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// The entries together are more than an automaton can be built for.
    #[error("the dictionary is too large")]
    TooLarge,
}

/// The entries in all their forms.
pub(crate) struct Dictionary {
    automaton: AhoCorasick,
    /// The entry and the encodings of each pattern.
    patterns: Vec<(u32, Vec<Encoding>)>,
}

impl Dictionary {
    pub(crate) fn new<E: AsRef<[u8]>>(entries: impl IntoIterator<Item = E>) -> Result<Self, DictionaryError> {
        let mut bytes: Vec<Vec<u8>> = Vec::new();
        let mut patterns = Vec::new();
        for (entry, secret) in entries.into_iter().enumerate() {
            let secret = secret.as_ref();
            if secret.len() < ENTRY_MIN {
                return Err(DictionaryError::EntryTooShort { entry, len: secret.len() });
            }
            let number = u32::try_from(entry).map_err(|_| DictionaryError::TooLarge)?;
            let mut known: Vec<Vec<u8>> = Vec::new();
            for (form, encodings) in forms(&secret[..secret.len().min(ENTRY_SEEN)]) {
                if !known.contains(&form) {
                    known.push(form.clone());
                    bytes.push(form);
                    patterns.push((number, encodings));
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&bytes)
            .map_err(|_| DictionaryError::TooLarge)?;
        Ok(Self { automaton, patterns })
    }

    /// Reports the entries that begin in `from..to`.
    pub(crate) fn search(&self, bytes: &[u8], from: usize, to: usize, report: &mut dyn FnMut(Spot)) {
        let end = bytes.len().min(to + self.automaton.max_pattern_len());
        let mut start = from;
        while let Some(found) = self.automaton.find(Input::new(bytes).range(start..end)) {
            if found.start() >= to {
                break;
            }
            let (entry, encodings) = &self.patterns[found.pattern().as_usize()];
            let found_entry = Found::Dictionary { entry: *entry };
            report(Spot::Hit(Hit { found: found_entry, encodings: encodings.clone(), span: found.range() }));
            start = found.start() + 1;
        }
    }
}

/// What a secret becomes, and by which encodings. All others are undone ahead of the search.
fn forms(secret: &[u8]) -> Vec<(Vec<u8>, Vec<Encoding>)> {
    let mut forms = vec![
        (secret.to_vec(), vec![]),
        (secret.to_ascii_lowercase(), vec![Encoding::Case]),
        (secret.to_ascii_uppercase(), vec![Encoding::Case]),
        (secret.iter().rev().copied().collect(), vec![Encoding::Reversed]),
        (Form::Rot13.write(secret), vec![Encoding::Rot13]),
        (Form::Hex.write(secret), vec![Encoding::Hex]),
        (Form::Hex.write(secret).to_ascii_uppercase(), vec![Encoding::Hex]),
    ];
    for align in 0..3 {
        let base64 = Form::Base64(align).write(secret);
        let url_safe = base64.iter().map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            byte => *byte,
        });
        forms.push((url_safe.collect(), vec![Encoding::Base64]));
        forms.push((base64, vec![Encoding::Base64]));
    }
    for upper in [true, false] {
        forms.push((escape(secret, |byte| percent(byte, upper)), vec![Encoding::Percent]));
    }
    forms.push((
        escape(secret, |byte| if byte == b' ' { b"+".to_vec() } else { percent(byte, true) }),
        vec![Encoding::Percent],
    ));
    forms.push((escape(secret, html), vec![Encoding::Html]));
    forms.push((escape(secret, json), vec![Encoding::Backslash]));
    forms
}

fn escape(secret: &[u8], write: impl Fn(u8) -> Vec<u8>) -> Vec<u8> {
    secret.iter().flat_map(|byte| write(*byte)).collect()
}

/// As `encodeURIComponent` does, and most others with it.
fn percent(byte: u8, upper: bool) -> Vec<u8> {
    match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => vec![byte],
        byte if upper => format!("%{byte:02X}").into_bytes(),
        byte => format!("%{byte:02x}").into_bytes(),
    }
}

fn html(byte: u8) -> Vec<u8> {
    match byte {
        b'&' => b"&amp;".to_vec(),
        b'<' => b"&lt;".to_vec(),
        b'>' => b"&gt;".to_vec(),
        b'"' => b"&quot;".to_vec(),
        b'\'' => b"&#39;".to_vec(),
        byte => vec![byte],
    }
}

fn json(byte: u8) -> Vec<u8> {
    match byte {
        b'"' => b"\\\"".to_vec(),
        b'\\' => b"\\\\".to_vec(),
        b'\n' => b"\\n".to_vec(),
        b'\t' => b"\\t".to_vec(),
        b'\r' => b"\\r".to_vec(),
        byte => vec![byte],
    }
}
