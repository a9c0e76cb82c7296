//! What the JSON of an answer is made of: which keys lead to values of which type. By it, a campaign tells states of a service apart.

use std::collections::BTreeSet;

use coalmine_core::history::Digest;
use serde_json::Value;

/// A longer body has no shape.
const BODY_BYTES_MAX: usize = 64 << 10;
/// What lies deeper is not looked at.
const DEPTH_MAX: usize = 12;
/// Items of a list beyond these are not looked at.
const ITEMS_MAX: usize = 64;
/// A longer key is taken for a value.
const KEY_BYTES_MAX: usize = 40;

/// The beginning of a body, while it streams.
pub(crate) struct Shaper {
    body: Option<Vec<u8>>,
}

impl Shaper {
    pub(crate) fn new() -> Self {
        Self { body: Some(vec![]) }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.body = self.body.take().filter(|body| body.len() + chunk.len() <= BODY_BYTES_MAX).map(|mut body| {
            body.extend_from_slice(chunk);
            body
        });
    }

    /// None where it is no JSON, or too long.
    pub(crate) fn shape(&self) -> Option<u16> {
        let json: Value = serde_json::from_slice(self.body.as_ref()?).ok()?;
        let mut paths = BTreeSet::new();
        collect(&json, "$", 0, &mut paths);
        let text = paths.into_iter().collect::<Vec<_>>().join("\n");
        // The same under every run key: what is hashed are names that the service gives to its fields.
        let Digest(number) = Digest::of(&[0; 32], &Value::from(text));
        Some(u16::from_le_bytes([number.to_le_bytes()[0], number.to_le_bytes()[1]]))
    }
}

fn collect(json: &Value, at: &str, depth: usize, paths: &mut BTreeSet<String>) {
    let kind = match json {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    paths.insert(format!("{at} {kind}"));
    if depth == DEPTH_MAX {
        return;
    }
    match json {
        Value::Array(items) => {
            items.iter().take(ITEMS_MAX).for_each(|item| collect(item, &format!("{at}[]"), depth + 1, paths));
        }
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| collect(value, &format!("{at}.{}", name(key)), depth + 1, paths));
        }
        _ => {}
    }
}

/// A key with digits, or a long one, may be a value: an id, a date, a secret.
fn name(key: &str) -> &str {
    let is_name =
        key.len() <= KEY_BYTES_MAX && key.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_-$@".contains(&byte));
    if is_name { key } else { "*" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(body: &str) -> Option<u16> {
        let mut shaper = Shaper::new();
        let (one, other) = body.as_bytes().split_at(body.len() / 2);
        shaper.push(one);
        shaper.push(other);
        shaper.shape()
    }

    #[test]
    fn values_order_and_length_of_lists_do_not_matter() {
        let known = shape(r#"{"id":1,"notes":[{"text":"a"}]}"#);
        assert!(known.is_some());
        assert_eq!(shape(r#"{"notes":[{"text":"b"},{"text":"c"}],"id":2}"#), known);
    }

    #[test]
    fn keys_types_and_empty_lists_do() {
        let bodies = [
            r#"{"id":1}"#,
            r#"{"id":"1"}"#,
            r#"{"id":null}"#,
            r#"{"ids":1}"#,
            r#"{"id":[]}"#,
            r#"{"id":[1]}"#,
            "[]",
            "null",
        ];
        let shapes: BTreeSet<_> = bodies.iter().map(|body| shape(body).unwrap()).collect();
        assert_eq!(shapes.len(), bodies.len());
    }

    #[test]
    fn keys_that_may_be_values_are_all_the_same() {
        assert_eq!(shape(r#"{"2026-01-01":1}"#), shape(r#"{"n-17":2,"n-18":3}"#));
        assert_eq!(shape(&format!("{{\"{}\":1}}", "a".repeat(41))), shape(r#"{"n-17":2}"#));
    }

    #[test]
    fn what_is_no_json_or_too_long_has_none() {
        assert_eq!((shape("no"), shape(""), shape(&format!("\"{}\"", "a".repeat(BODY_BYTES_MAX)))), (None, None, None));
    }
}
