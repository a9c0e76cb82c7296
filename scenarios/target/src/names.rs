//! The names that the service is known by: its own, or others in their place.
//!
//! A test bench that knows its targets by heart proves nothing. Under other names the service is the same: each segment of a path, each
//! field, parameter, heading, kind of event and status is another word, and ids look different. What users say is never touched.

use std::collections::{BTreeMap, BTreeSet};

use argon2::password_hash::rand_core::{OsRng, RngCore};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE32_NOPAD;
use serde::Serialize;
use serde_json::Value;

use crate::refusal::Refusal;
use crate::service::{App, BODY_BYTES_MAX, ROWS_MAX};

/// Where the service says what it is. That address is the same everywhere.
pub(crate) const WELL_KNOWN: &str = "openapi.json";

/// The names that the service is known by.
#[derive(Clone, Debug, Default)]
pub struct Names {
    seed: u64,
    ids: Ids,
    /// Each word with the one that stands for it, and the other way round: a word that was given away means nothing more.
    swapped: BTreeMap<String, String>,
    /// Fields whose values are words as well.
    worded: BTreeSet<String>,
}

/// What ids look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ids {
    /// `run-5f0c7a91d2e83b64`
    #[default]
    WithKind,
    /// `5f0c7a91-d2e83b64`
    Hex,
    /// `L4GHVEOS5A5WI`
    Letters,
    /// `06850237591472987492`
    Digits,
}

impl Names {
    /// Other names for all that the service's own document mentions.
    pub fn drawn(seed: u64) -> Self {
        let vocabulary = Vocabulary::of(&crate::service::described());
        let ids = [Ids::Hex, Ids::Letters, Ids::Digits][usize::try_from(seed % 3).unwrap_or_default()];
        let mut names = Self { seed, ids, swapped: BTreeMap::new(), worded: vocabulary.worded };
        for word in &vocabulary.words {
            let other = names.free_word(word, &vocabulary.words);
            names.swapped.insert(word.clone(), other.clone());
            names.swapped.insert(other, word.clone());
        }
        names
    }

    /// The word that stands for this one; for a word that stands for another, that other.
    pub fn word<'a>(&'a self, word: &'a str) -> &'a str {
        self.swapped.get(word).map_or(word, String::as_str)
    }

    /// Whether the values of a field are words, whichever of its names it goes by.
    pub fn is_worded(&self, field: &str) -> bool {
        self.worded.contains(field) || self.worded.contains(self.word(field))
    }

    /// A word for what the service knows nothing of, such as a step of a scenario. Under its own names, what it was before.
    pub fn alias(&self, name: &str) -> String {
        if self.is_own() { name.to_owned() } else { drawn_word(self.seed, name, SYLLABLES_MAX) }
    }

    /// Whether they are the service's own.
    pub fn is_own(&self) -> bool {
        self.swapped.is_empty()
    }

    /// A path of which the variable parts stay.
    pub(crate) fn path(&self, path: &str) -> String {
        path.split('/').map(|part| self.word(part)).collect::<Vec<_>>().join("/")
    }

    /// A query, as it was sent.
    pub(crate) fn query(&self, query: &str) -> String {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, value)) if self.is_worded(name) => {
                let values: Vec<_> = value.split(',').map(|value| self.word(value)).collect();
                format!("{}={}", self.word(name), values.join(","))
            }
            Some((name, value)) => format!("{}={value}", self.word(name)),
            None => self.word(pair).to_owned(),
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// A JSON value with the names in it changed, wherever it comes from.
    pub(crate) fn renamed(&self, mut value: Value) -> Value {
        self.rename(&mut value);
        value
    }

    fn rename(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                *fields = std::mem::take(fields).into_iter().map(|field| self.field(field)).collect();
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.rename(item)),
            _ => {}
        }
    }

    fn field(&self, (name, mut value): (String, Value)) -> (String, Value) {
        match &mut value {
            Value::String(word) if self.is_worded(&name) => *word = self.word(word).to_owned(),
            value => self.rename(value),
        }
        (self.word(&name).to_owned(), value)
    }

    /// JSON under these names.
    pub(crate) fn json(&self, value: &impl Serialize) -> serde_json::Result<String> {
        if self.is_own() {
            return serde_json::to_string(value);
        }
        serde_json::to_string(&self.renamed(serde_json::to_value(value)?))
    }

    /// A schema, or a part of the document: the names that it speaks of, and not those that it speaks with.
    pub(crate) fn rename_schema(&self, schema: &mut Value) {
        match schema {
            Value::Array(items) => items.iter_mut().for_each(|item| self.rename_schema(item)),
            Value::Object(keywords) => {
                for (keyword, said) in keywords {
                    self.rename_said(keyword, said);
                }
            }
            _ => {}
        }
    }

    fn rename_said(&self, keyword: &str, said: &mut Value) {
        match (keyword, said) {
            ("paths", Value::Object(paths)) => {
                *paths = std::mem::take(paths).into_iter().map(|(path, said)| (self.path(&path), said)).collect();
                paths.values_mut().for_each(|said| self.rename_schema(said));
            }
            ("properties", Value::Object(fields)) => {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, said)| (self.word(&name).to_owned(), said))
                    .collect();
                fields.values_mut().for_each(|said| self.rename_schema(said));
            }
            ("required" | "enum", Value::Array(words)) => words.iter_mut().for_each(|word| self.rename_text(word)),
            ("const" | "name", word) => self.rename_text(word),
            (_, said) => self.rename_schema(said),
        }
    }

    fn rename_text(&self, text: &mut Value) {
        if let Value::String(word) = text {
            *word = self.word(word).to_owned();
        }
    }

    /// A fresh id of 64 random bits.
    pub(crate) fn fresh_id(&self, kind: &str) -> String {
        let number = OsRng.next_u64();
        match self.ids {
            Ids::WithKind => crate::id::of(kind, number),
            Ids::Hex => format!("{:08x}-{:08x}", number >> 32, number & 0xffff_ffff),
            Ids::Letters => BASE32_NOPAD.encode(&number.to_be_bytes()),
            Ids::Digits => format!("{number:020}"),
        }
    }

    /// A word that stands for no other, and is none of the service's own.
    fn free_word(&self, word: &str, own: &BTreeSet<String>) -> String {
        let drawn = (0..).map(|attempt| drawn_word(self.seed.wrapping_add(attempt << 32), word, SYLLABLES_MIN));
        let mut free = drawn.filter(|other| !own.contains(other) && !self.swapped.contains_key(other));
        free.next().unwrap_or_default()
    }
}

/// The longest list of the largest rows is shorter.
const ANSWER_BYTES_MAX: usize = 2 * ROWS_MAX as usize * BODY_BYTES_MAX;

const SYLLABLES_MIN: u64 = 3;
const SYLLABLES_MAX: u64 = 6;

/// A word to pronounce, in the case of the one that it stands for.
fn drawn_word(seed: u64, word: &str, syllables: u64) -> String {
    const CONSONANTS: &[u8; 16] = b"bdfghklmnprstvwz";
    const VOWELS: &[u8; 4] = b"aeio";
    let mut bits = mixed(word.bytes().fold(mixed(seed), |bits, byte| mixed(bits ^ u64::from(byte))));
    let mut draw = |letters: &[u8]| {
        let letter = letters[usize::try_from(bits % letters.len() as u64).unwrap_or_default()];
        bits /= letters.len() as u64;
        char::from(letter)
    };
    let drawn: String = (0..syllables).flat_map(|_| [draw(CONSONANTS), draw(VOWELS)]).collect();
    if word.chars().all(char::is_uppercase) { drawn.to_uppercase() } else { drawn }
}

/// The finalizer of splitmix64.
fn mixed(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The names in the document.
#[derive(Debug, Default)]
struct Vocabulary {
    words: BTreeSet<String>,
    /// Fields and parameters whose values are words.
    worded: BTreeSet<String>,
}

impl Vocabulary {
    fn of(document: &Value) -> Self {
        let mut vocabulary = Self::default();
        for path in document["paths"].as_object().into_iter().flat_map(|paths| paths.keys()) {
            let fixed =
                path.split('/').filter(|part| !part.is_empty() && !part.starts_with('{') && *part != WELL_KNOWN);
            vocabulary.words.extend(fixed.map(str::to_owned));
        }
        vocabulary.read(document);
        vocabulary
    }

    fn read(&mut self, said: &Value) {
        match said {
            Value::Array(items) => items.iter().for_each(|item| self.read(item)),
            Value::Object(keywords) => {
                for (name, schema) in said["properties"].as_object().into_iter().flatten() {
                    self.name(name, schema);
                }
                if let Some(name) = said["name"].as_str().filter(|_| is_ours(said)) {
                    self.name(name, &said["schema"]);
                }
                keywords.values().for_each(|value| self.read(value));
            }
            _ => {}
        }
    }

    fn name(&mut self, name: &str, schema: &Value) {
        self.words.insert(name.to_owned());
        let values = words_of(schema);
        if !values.is_empty() {
            self.worded.insert(name.to_owned());
            self.words.extend(values);
        }
    }
}

/// Whether a parameter or a way to log in has a name of the service's own: headers of others are known to everybody.
fn is_ours(said: &Value) -> bool {
    match said["in"].as_str() {
        Some("query") => true,
        Some("header") => said["name"].as_str().is_some_and(|name| name.starts_with("x-")),
        _ => false,
    }
}

/// The words that a value may be, in itself or in a list.
fn words_of(schema: &Value) -> Vec<String> {
    let items = schema["items"].get("enum").or_else(|| schema.get("enum")).and_then(Value::as_array);
    let choices = schema["oneOf"].as_array().into_iter().flatten().flat_map(words_of);
    let words = items.into_iter().flatten().chain(schema.get("const"));
    words.filter_map(|word| word.as_str().map(str::to_owned)).chain(choices).collect()
}

/// An answer in JSON under other names. The document knows them already.
pub(crate) async fn rename_answer(State(service): State<App>, request: Request, next: Next) -> Response {
    let is_document = request.uri().path().strip_prefix('/') == Some(WELL_KNOWN);
    let (mut head, body) = next.run(request).await.into_parts();
    let is_json = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if is_document || !is_json {
        return Response::from_parts(head, body);
    }
    let Ok(body) = to_bytes(body, ANSWER_BYTES_MAX).await else { return Refusal::Fault.into_response() };
    let Ok(value) = serde_json::from_slice(&body) else { return Refusal::Fault.into_response() };
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(service.config.names.renamed(value).to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn each_name_stands_for_one_other_and_back(seed: u64, word in "[a-z_]{1,12}") {
            let names = Names::drawn(seed);
            let others: BTreeSet<_> = names.swapped.values().collect();
            prop_assert_eq!(others.len(), names.swapped.len());
            for own in names.swapped.keys().chain([&word]) {
                prop_assert_eq!(names.word(names.word(own)), own);
            }
        }

        #[test]
        fn values_of_users_stay(seed: u64, text: String) {
            let names = Names::drawn(seed);
            let mut body = json!({ "title": text, "runs": [{ "prompt": text }], "status": "running" });
            names.rename(&mut body);
            prop_assert_eq!(&body[names.word("title")], &json!(text));
            prop_assert_eq!(&body[names.word("runs")][0][names.word("prompt")], &json!(text));
            prop_assert_eq!(&body[names.word("status")], &json!(names.word("running")));
        }
    }

    #[test]
    fn every_kind_of_name_has_another() {
        let names = Names::drawn(1);
        let (path, query, field, status) = ("threads", "last_event_id", "user_id", "timed_out");
        let (event, header, role, tag) = ("agent_started", "x-api-key", "LEADER", "agent_request");
        for word in [path, query, field, status, event, header, role, tag, "month", "q", "tool"] {
            assert_ne!(names.word(word), word);
        }
        assert_eq!(
            names.query("types=agent_started&limit=1").split(['=', '&', ',']).filter(|part| *part == "1").count(),
            1
        );
        assert_eq!(names.query(&names.query("types=a,b&q=threads")), "types=a,b&q=threads");
        assert_eq!(names.word("openapi.json"), "openapi.json");
        assert_eq!(names.word("last-event-id"), "last-event-id");
        assert_eq!(Names::default().alias("a-step"), "a-step");
    }
}
