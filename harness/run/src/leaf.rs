//! All that an answer says, value by value, as digests: for looks that are compared with each other.

use coalmine_core::Seed;
use coalmine_core::history::{Digest, Leaf, LeafValue, Veiled};
use hyper::HeaderMap;
use serde_json::Value;

use crate::observe::Lens;
use crate::outline::VOLATILE;

/// Values of one answer; how many there are beyond is one more.
const LEAVES_MAX: usize = 256;
/// Letters of a name that is kept as it is, and digits in it: names may be ids.
const NAME_CHARS_MAX: usize = 40;
const NAME_DIGITS_MAX: usize = 3;
/// A text of more lines is one value.
const LINES_MAX: usize = 64;

/// The status, the header fields that do not come and go by themselves, and the body: the values of JSON, or the lines of a text.
pub(crate) fn leaves(
    (lens, seed): (&Lens, Seed),
    (status, headers): (u16, &HeaderMap),
    json: Option<&Value>,
    body: &[u8],
) -> Box<[Leaf]> {
    let mut tree = Tree { lens, seed, leaves: vec![], more: 0 };
    tree.add("status".to_owned(), &status.into());
    for name in headers.keys().filter(|name| !VOLATILE.contains(&name.as_str())) {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        tree.add_text(format!("header {}", tree.name(name.as_str())), &values.collect::<Vec<_>>().join(", "));
    }
    match json {
        Some(json) => tree.walk("$".to_owned(), json),
        None => tree.text(body),
    }
    if tree.more > 0 {
        let value = LeafValue::Number(Veiled::new(seed, f64::from(tree.more)));
        tree.leaves.push(Leaf { at: "further values".to_owned(), value });
    }
    tree.leaves.into()
}

struct Tree<'a> {
    lens: &'a Lens,
    seed: Seed,
    leaves: Vec<Leaf>,
    more: u32,
}

impl Tree<'_> {
    fn walk(&mut self, at: String, json: &Value) {
        match json {
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.walk(format!("{at}[{index}]"), item);
                }
            }
            Value::Object(fields) if !fields.is_empty() => {
                for (key, value) in fields {
                    self.walk(format!("{at}.{}", self.name(key)), value);
                }
            }
            value => self.add(at, value),
        }
    }

    fn text(&mut self, body: &[u8]) {
        match std::str::from_utf8(body) {
            Ok(text) if text.lines().count() <= LINES_MAX => {
                for (number, line) in (1..).zip(text.lines()) {
                    self.add_text(format!("line {number}"), line);
                }
            }
            _ => self.add_text("body".to_owned(), &String::from_utf8_lossy(body)),
        }
    }

    /// A field or a line that is a number counts as one.
    fn add_text(&mut self, at: String, text: &str) {
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => self.add(at, &number.into()),
            _ => self.add(at, &text.into()),
        }
    }

    fn add(&mut self, at: String, value: &Value) {
        if self.leaves.len() >= LEAVES_MAX {
            self.more = self.more.saturating_add(1);
            return;
        }
        let value = match value.as_f64() {
            Some(number) => LeafValue::Number(Veiled::new(self.seed, number)),
            None => LeafValue::Other(Digest::of(&self.lens.digest_key, value)),
        };
        self.leaves.push(Leaf { at, value });
    }

    /// A name, or a digest of what may be an id or a secret.
    fn name(&self, name: &str) -> String {
        let is_plain = name.len() <= NAME_CHARS_MAX
            && name.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
            && name.bytes().filter(u8::is_ascii_digit).count() <= NAME_DIGITS_MAX;
        if is_plain && self.lens.detector.scan(name.as_bytes()).is_empty() {
            return name.to_owned();
        }
        format!("~{:?}", Digest::of(&self.lens.digest_key, &name.into()))
    }
}
