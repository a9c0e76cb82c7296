//! Spoils requests: what a client sends that is broken, or means harm.

use bytes::Bytes;
use coalmine_core::perturb::{Poison, PoisonKind};
use serde_json::Value;

use crate::odd::odd;

/// The length of a long text.
const LONG_TEXT_BYTES: usize = 64 * 1024;
/// How deep lists are nested.
const NESTING: usize = 512;
/// How many characters of several bytes each a text has.
const WIDE_CHARACTERS: usize = 60;
/// Characters of two, three and four bytes.
const WIDE: [char; 3] = ['\u{e9}', '\u{6f22}', '\u{1f600}'];
/// Stands for the spoiled value until the rest is written.
const MARK: &str = "\u{e000}spoiled\u{e001}";

/// The path and the body, spoiled; `is_secret` says which texts hold canaries, and an odd value takes the place of another where there is one. What cannot be spoiled so, such as a value of a body that is no JSON, becomes the whole body.
pub(crate) fn spoil(
    Poison { kind, value }: Poison,
    (path, body): (String, Bytes),
    is_secret: impl Fn(&str) -> bool,
) -> (String, Bytes) {
    let spoiled = match kind {
        PoisonKind::HostilePath => return (hostile_path(&path), body),
        PoisonKind::Empty => Bytes::new(),
        PoisonKind::Truncated => body.slice(..body.len() / 2),
        PoisonKind::InvalidUtf8 => [&body[..body.len() / 2], b"\xc3\x28\xff", &body[body.len() / 2..]].concat().into(),
        _ => spoil_json(kind, usize::from(value), &body, is_secret).into(),
    };
    (path, spoiled)
}

fn hostile_path(path: &str) -> String {
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    format!("{path}%27%22%25%2F..%2F%3B{query}")
}

fn spoil_json(kind: PoisonKind, nth: usize, body: &[u8], is_secret: impl Fn(&str) -> bool) -> String {
    let mut tree: Value = serde_json::from_slice(body).unwrap_or_default();
    let wants_text = matches!(kind, PoisonKind::WideCharacters | PoisonKind::LongText);
    let mut places = scalars(&tree, String::new());
    if wants_text && places.iter().any(|(_, value)| value.is_string()) {
        places.retain(|(_, value)| value.is_string());
    }
    let is_open = |value: &Value| value.as_str().is_none_or(|text| !is_secret(text)) && !is_secret(&value.to_string());
    if matches!(kind, PoisonKind::Odd(_)) && places.iter().any(|(_, value)| is_open(value)) {
        places.retain(|(_, value)| is_open(value));
    }
    let (at, was) = match places.len() {
        0 => (String::new(), Value::Null),
        count => places.swap_remove(nth / WIDE.len() % count),
    };
    if let Some(value) = tree.pointer_mut(&at) {
        *value = Value::from(MARK);
    }
    let key = at.rsplit('/').next().unwrap_or_default();
    tree.to_string().replacen(&format!("\"{MARK}\""), &raw(kind, nth, key, &was), 1)
}

/// What stands in the place of a value.
fn raw(kind: PoisonKind, nth: usize, key: &str, was: &Value) -> String {
    match kind {
        PoisonKind::WideCharacters => format!("\"{}\"", WIDE[nth % WIDE.len()].to_string().repeat(WIDE_CHARACTERS)),
        PoisonKind::LongText => format!("\"{}\"", "a".repeat(LONG_TEXT_BYTES)),
        PoisonKind::ControlCharacters => r#""\u0000\u0001\u0008\u001b\u007f\u2028\ufeff""#.to_owned(),
        PoisonKind::Metacharacters => r#""'\"`;--%00%2e%2e%2f../\\${x}{{x}}</a>""#.to_owned(),
        PoisonKind::DeepNesting => format!("{}{}", "[".repeat(NESTING), "]".repeat(NESTING)),
        PoisonKind::HugeNumber => "123456789012345678901234567890".to_owned(),
        PoisonKind::Odd(value) => odd(value, was),
        PoisonKind::DuplicateKey => format!("{was},{}:17", Value::from(key)),
        _ if was.is_string() => r#"{"a":[17,null]}"#.to_owned(),
        _ => "\"text\"".to_owned(),
    }
}

/// Where values stand that hold no others, as JSON pointers (RFC 6901), and what they are.
fn scalars(tree: &Value, at: String) -> Vec<(String, Value)> {
    match tree {
        Value::Object(members) => {
            let pointer = |key: &str| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
            members.iter().flat_map(|(key, value)| scalars(value, pointer(key))).collect()
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.flat_map(|(index, value)| scalars(value, format!("{at}/{index}"))).collect()
        }
        scalar => vec![(at, scalar.clone())],
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::perturb::Odd;

    use super::*;

    const BODY: &str = r#"{"amount":12,"lines":[{"text":"one"},{"text":"two"}]}"#;

    fn body(kind: PoisonKind, value: u16) -> Bytes {
        spoil(Poison { kind, value }, ("/a".into(), BODY.into()), |text| text == "one").1
    }

    fn json(kind: PoisonKind, value: u16) -> Value {
        serde_json::from_slice(&body(kind, value)).unwrap()
    }

    #[test]
    fn every_kind_changes_what_is_sent() {
        for kind in PoisonKind::ALL {
            for value in 0..12 {
                let sent = spoil(Poison { kind, value }, ("/a?b=c".into(), BODY.into()), |_| false);
                assert_ne!(sent, ("/a?b=c".to_owned(), BODY.into()), "{kind:?}");
                assert!(sent.1.len() < 2 * LONG_TEXT_BYTES, "{kind:?}");
            }
        }
    }

    #[test]
    fn characters_of_each_width_come_into_each_text() {
        let texts = |value| {
            let tree = json(PoisonKind::WideCharacters, value);
            ["/lines/0/text", "/lines/1/text"].map(|at| tree.pointer(at).and_then(Value::as_str).unwrap().len())
        };
        assert_eq!((0..3).map(texts).collect::<Vec<_>>(), [[120, 3], [180, 3], [240, 3]]);
        assert_eq!(texts(3), [3, 120]);
        assert_eq!(json(PoisonKind::WideCharacters, 0)["amount"], 12);
    }

    #[test]
    fn a_value_is_spoiled_and_the_rest_stays() {
        assert_eq!(json(PoisonKind::WrongType, 0)["amount"], "text");
        assert_eq!(json(PoisonKind::WrongType, 3).pointer("/lines/0/text/a/0"), Some(&Value::from(17)));
        assert_eq!(json(PoisonKind::ControlCharacters, 3).pointer("/lines/1/text"), Some(&Value::from("two")));
        let twice = body(PoisonKind::DuplicateKey, 0);
        assert!(twice.starts_with(br#"{"amount":12,"amount":17,"#), "{twice:?}");
    }

    #[test]
    fn odd_values_take_the_place_of_what_is_no_secret() {
        let kind = PoisonKind::Odd(Odd::Null);
        let spoiled: Vec<Value> = (0..12).map(|value| json(kind, value)).collect();
        assert!(spoiled.iter().all(|tree| tree.pointer("/lines/0/text") == Some(&Value::from("one"))));
        for at in ["/amount", "/lines/1/text"] {
            assert!(spoiled.iter().any(|tree| tree.pointer(at) == Some(&Value::Null)), "{at}");
        }
        let all = |body: &'static str| spoil(Poison { kind, value: 0 }, ("/".into(), body.into()), |_| true).1;
        assert_eq!(all(r#"{"text":"one"}"#), r#"{"text":null}"#, "where there is nothing else");
    }

    #[test]
    fn broken_bodies_are_broken() {
        for kind in [PoisonKind::Truncated, PoisonKind::Empty, PoisonKind::InvalidUtf8] {
            assert!(serde_json::from_slice::<Value>(&body(kind, 0)).is_err(), "{kind:?}");
        }
    }

    #[test]
    fn a_body_without_values_is_replaced_as_a_whole() {
        let spoiled = |body: &'static str| {
            spoil(Poison { kind: PoisonKind::HugeNumber, value: 1 }, ("/".into(), body.into()), |_| false).1
        };
        assert_eq!(spoiled("no json"), "123456789012345678901234567890");
        assert_eq!(spoiled("{}"), "123456789012345678901234567890");
    }

    #[test]
    fn the_query_stays_behind_a_hostile_path() {
        let poison = Poison { kind: PoisonKind::HostilePath, value: 0 };
        assert_eq!(spoil(poison, ("/a/b?c=d".into(), Bytes::new()), |_| false).0, "/a/b%27%22%25%2F..%2F%3B?c=d");
    }
}
