//! Values that are allowed and odd, as JSON.

use coalmine_core::perturb::{Letters, ODD_CHARACTERS_MAX, ODD_DEPTH_MAX, ODD_EXPONENT_MAX, ODD_PLACES_MAX, Odd, Sign};
use serde_json::Value;

/// The value in the place of another, as it stands in JSON. A case may be edited by hand, so that every number is bounded here.
pub(crate) fn odd(odd: Odd, was: &Value) -> String {
    match odd {
        Odd::Text { letters, count } => format!("\"{}\"", letter(letters).repeat(bounded(count))),
        Odd::Power { exponent, plus, sign } => {
            let number = (1_i128 << exponent.min(ODD_EXPONENT_MAX)) + i128::from(plus);
            if sign == Sign::Minus { (-number).to_string() } else { number.to_string() }
        }
        Odd::Fraction { places } => format!("0.{}1", "0".repeat(usize::from(places.min(ODD_PLACES_MAX)))),
        Odd::Exponent { places } => format!("1e{places}"),
        Odd::Nested { depth } => {
            let depth = usize::from(depth.min(ODD_DEPTH_MAX));
            format!("{}{}", "[{\"a\":".repeat(depth) + "null", "}]".repeat(depth))
        }
        Odd::List { count } => format!("[{}]", vec!["0"; bounded(count)].join(",")),
        Odd::Null => "null".to_owned(),
        Odd::True => "true".to_owned(),
        Odd::Listed => format!("[{was}]"),
        Odd::Retyped => retyped(was),
    }
}

fn bounded(count: u32) -> usize {
    count.min(ODD_CHARACTERS_MAX) as usize
}

/// A character, or its escape where it cannot stand in a text by itself.
fn letter(letters: Letters) -> &'static str {
    match letters {
        Letters::Plain => "a",
        Letters::Space => " ",
        Letters::Line => "\\n",
        Letters::Digit => "7",
        Letters::Two => "\u{e9}",
        Letters::Three => "\u{6f22}",
        Letters::Four => "\u{1f600}",
        Letters::Combining => "e\u{301}",
        Letters::Arabic => "\u{627}",
        Letters::Hidden => "\u{200b}",
        Letters::Lone => "\\ud800",
        Letters::Folding => "\u{130}",
    }
}

fn retyped(was: &Value) -> String {
    let text = was.as_str();
    let meant = text.and_then(|text| serde_json::from_str::<Value>(text).ok()).filter(|meant| !meant.is_string());
    match (text, meant) {
        (_, Some(meant)) => meant.to_string(),
        (Some(_), None) => "false".to_owned(),
        (None, _) => Value::from(was.to_string()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Odd) -> Value {
        serde_json::from_str(&odd(value, &Value::from("12"))).unwrap()
    }

    #[test]
    fn texts_have_as_many_characters_as_they_say_and_no_more_than_they_may() {
        for letters in Letters::ALL.into_iter().filter(|letters| *letters != Letters::Lone) {
            for (count, expected) in [(0, 0), (300, 300), (u32::MAX, ODD_CHARACTERS_MAX)] {
                let text = read(Odd::Text { letters, count });
                let per = if letters == Letters::Combining { 2 } else { 1 };
                assert_eq!(text.as_str().unwrap().chars().count(), expected as usize * per, "{letters:?}");
            }
        }
        assert_eq!(odd(Odd::Text { letters: Letters::Lone, count: 2 }, &Value::Null), r#""\ud800\ud800""#);
    }

    #[test]
    fn numbers_stand_where_types_end() {
        let power = |exponent, plus, sign| odd(Odd::Power { exponent, plus, sign }, &Value::Null);
        assert_eq!(power(31, -1, Sign::Plus), "2147483647");
        assert_eq!(power(63, 0, Sign::Minus), "-9223372036854775808");
        assert_eq!(power(64, 1, Sign::Plus), "18446744073709551617");
        assert!(power(u8::MAX, i8::MAX, Sign::Plus).len() < 40);
        assert_eq!(odd(Odd::Fraction { places: 2 }, &Value::Null), "0.001");
        assert_eq!(odd(Odd::Exponent { places: -400 }, &Value::Null), "1e-400");
    }

    #[test]
    fn what_is_nested_is_json_and_what_is_retyped_means_the_same() {
        let mut depth = 0;
        let mut inner = &read(Odd::Nested { depth: u16::MAX });
        while let Some(next) = inner.pointer("/0/a") {
            (inner, depth) = (next, depth + 1);
        }
        assert_eq!((depth, inner.is_null()), (ODD_DEPTH_MAX, true));
        assert_eq!(read(Odd::List { count: 3 }), serde_json::json!([0, 0, 0]));
        assert_eq!((read(Odd::Retyped), read(Odd::Listed)), (Value::from(12), serde_json::json!(["12"])));
        assert_eq!(odd(Odd::Retyped, &Value::from(12)), "\"12\"");
        assert_eq!(odd(Odd::Retyped, &Value::from("x")), "false");
    }
}
