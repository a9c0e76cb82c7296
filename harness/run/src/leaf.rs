//! All that an answer says, value by value, as digests: for looks that are compared with each other.

use coalmine_canary::Detector;
use coalmine_core::Seed;
use coalmine_core::history::{Digest, Leaf, LeafValue, Veiled};
use hyper::HeaderMap;
use serde_json::Value;

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
    detector: &Detector,
    seed: Seed,
    (status, headers): (u16, &HeaderMap),
    json: Option<&Value>,
    body: &[u8],
) -> Box<[Leaf]> {
    let mut tree = Tree { detector, seed, digest_key: seed.derive("coalmine digest v1", 0), leaves: vec![], more: 0 };
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
    detector: &'a Detector,
    seed: Seed,
    digest_key: [u8; 32],
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
            None => LeafValue::Other(Digest::of(&self.digest_key, value)),
        };
        self.leaves.push(Leaf { at, value });
    }

    /// A name, or a digest of what may be an id or a secret.
    fn name(&self, name: &str) -> String {
        let is_plain = name.len() <= NAME_CHARS_MAX
            && name.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
            && name.bytes().filter(u8::is_ascii_digit).count() <= NAME_DIGITS_MAX;
        if is_plain && self.detector.scan(name.as_bytes()).is_empty() {
            return name.to_owned();
        }
        format!("~{:?}", Digest::of(&self.digest_key, &name.into()))
    }
}

#[cfg(test)]
mod tests {
    use coalmine_canary::{CanaryId, Minter, Owner, Serial, Shape};
    use serde_json::json;

    use super::*;

    const SEED: Seed = Seed(1);

    fn of(headers: &HeaderMap, json: Option<&Value>, body: &[u8]) -> Vec<Leaf> {
        let detector = Detector::builder(&SEED.run_key()).build();
        leaves(&detector, SEED, (200, headers), json, body).into()
    }

    fn places(json: &Value) -> Vec<String> {
        of(&HeaderMap::new(), Some(json), b"").into_iter().map(|leaf| leaf.at).collect()
    }

    #[test]
    fn every_value_of_json_has_its_place_and_what_is_empty_is_one() {
        let json = json!({"a": [{"id": 1}, {"id": "x"}], "none": null, "rows": [], "more": {}});
        assert_eq!(places(&json), ["status", "$.a[0].id", "$.a[1].id", "$.more", "$.none", "$.rows"]);
    }

    #[test]
    fn names_that_may_be_ids_or_hold_secrets_are_not_kept() {
        let id = CanaryId { owner: Owner(1), serial: Serial(0), shape: Shape::Token };
        let secret = Minter::new(&SEED.run_key()).mint(id.owner, id.serial, id.shape).unwrap();
        for name in [secret.expose(), "u-18273", "jo@example.org", &"long".repeat(11)] {
            let places = places(&json!({name: 1}));
            assert!(places[1].starts_with("$.~") && !places[1].contains(name), "{places:?}");
        }
        assert_eq!(places(&json!({"line_2-b": 1}))[1], "$.line_2-b");
    }

    #[test]
    fn fields_that_come_and_go_by_themselves_are_left_out_and_numbers_are_numbers() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("date", "today"), ("x-request-id", "7"), ("x-ratelimit-remaining", "41")] {
            headers.insert(name, value.parse().unwrap());
        }
        let leaves = of(&headers, None, b"no such note\n12\n");
        let numbers = leaves.iter().map(|leaf| match leaf.value {
            LeafValue::Number(number) => (leaf.at.as_str(), Some(number.number(SEED))),
            LeafValue::Other(_) => (leaf.at.as_str(), None),
        });
        let expected = [
            ("status", Some(200.0)),
            ("header x-ratelimit-remaining", Some(41.0)),
            ("line 1", None),
            ("line 2", Some(12.0)),
        ];
        assert_eq!(numbers.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_long_list_is_cut_and_says_how_many_values_are_left() {
        let json = Value::from((0..300).collect::<Vec<_>>());
        let leaves = of(&HeaderMap::new(), Some(&json), b"");
        let LeafValue::Number(more) = leaves[LEAVES_MAX].value else { panic!("{:?}", leaves[LEAVES_MAX]) };
        assert_eq!((leaves.len(), more.number(SEED)), (LEAVES_MAX + 1, 45.0));
    }

    #[test]
    fn a_text_of_many_lines_is_one_value() {
        let places = |lines: usize| of(&HeaderMap::new(), None, "x\n".repeat(lines).as_bytes()).len();
        assert_eq!((places(LINES_MAX), places(LINES_MAX + 1)), (1 + LINES_MAX, 2));
    }
}
