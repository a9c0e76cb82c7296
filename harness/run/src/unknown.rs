//! Ids that nobody has, in the form of one that somebody has.

use serde_json::Value;

/// Letters and digits at the end of an id that are changed.
const CHANGED_MAX: usize = 12;
/// With fewer to change, another id might well be somebody's.
const CHANGED_MIN: usize = 8;
/// Ids that count up are passed by so much, and stay below 2^31.
const FAR: u64 = 1_000_000_000;

/// Another id of the same form: digits become digits, letters letters of the same case, hexadecimal stays hexadecimal. A
/// short id counts up, so that it is made longer instead: its length is told beside every answer.
pub(crate) fn like(id: &Value, key: &[u8; 32]) -> Value {
    match id {
        Value::Number(number) => number.as_u64().map_or_else(|| id.clone(), |number| far(number).into()),
        Value::String(text) if text.parse::<u64>().is_ok_and(|number| number < FAR) => {
            text.parse().map_or_else(|_| id.clone(), |number| far(number).to_string().into())
        }
        Value::String(text) => changed(text, key).into(),
        other => other.clone(),
    }
}

fn far(number: u64) -> u64 {
    if number < FAR { number + FAR } else { number ^ 0x2AAA_AAAA }
}

fn changed(text: &str, key: &[u8; 32]) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric).count();
    if letters < CHANGED_MIN {
        return lengthened(text);
    }
    let hex = text.chars().filter(char::is_ascii_alphanumeric).all(|c| c.is_ascii_hexdigit());
    let mut kept = letters.saturating_sub(CHANGED_MAX);
    let mut bytes = key.iter().copied().cycle();
    let change = |c: char| {
        if !c.is_ascii_alphanumeric() {
            return c;
        }
        if kept > 0 {
            kept -= 1;
            return c;
        }
        another(c, hex, bytes.next().unwrap_or_default())
    };
    text.chars().map(change).collect()
}

/// Another character of the same kind.
fn another(c: char, hex: bool, byte: u8) -> char {
    let kinds = match (c, hex) {
        ('0'..='9', _) => "0123456789",
        ('a'..='z', true) => "abcdef",
        ('A'..='Z', true) => "ABCDEF",
        ('a'..='z', false) => "abcdefghijklmnopqrstuvwxyz",
        _ => "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    };
    let at = kinds.find(c).unwrap_or_default();
    let step = 1 + usize::from(byte) % (kinds.len() - 1);
    kinds.chars().nth((at + step) % kinds.len()).unwrap_or(c)
}

/// A number goes before the last digits of `n-17`; without digits they stand at the end.
fn lengthened(text: &str) -> String {
    let digits = text.chars().rev().take_while(char::is_ascii_digit).count();
    let (head, tail) = text.split_at(text.len() - digits);
    format!("{head}9{tail:0>8}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(id: &Value) -> Value {
        like(id, &[7; 32])
    }

    #[test]
    fn numbers_that_count_up_are_passed_by_far() {
        assert_eq!(of(&json!(17)), json!(1_000_000_017));
        assert_eq!(of(&json!("17")), json!("1000000017"));
        assert_eq!(of(&json!("n-17")), json!("n-900000017"));
        assert_ne!(of(&json!(5_000_000_000_u64)), json!(5_000_000_000_u64));
    }

    #[test]
    fn long_ids_keep_their_form() {
        let uuid = of(&json!("6f1b1c9e-3a52-4d2c-8f7e-0123456789ab"));
        let text = uuid.as_str().unwrap();
        assert!(text.starts_with("6f1b1c9e-3a52-4d2c-8f7e-") && text.len() == 36, "{text}");
        assert!(text.chars().all(|c| c == '-' || c.is_ascii_hexdigit() && !c.is_ascii_uppercase()), "{text}");
        assert_ne!(text, "6f1b1c9e-3a52-4d2c-8f7e-0123456789ab");
        let token = of(&json!("note_ABCDefgh1234xyz"));
        assert!(token.as_str().unwrap().starts_with("note_ABC"), "{token}");
    }

    #[test]
    fn the_same_key_gives_the_same_id_and_anything_else_stays() {
        assert_eq!(of(&json!("abcdefghijkl")), of(&json!("abcdefghijkl")));
        assert_eq!(of(&json!({"a": 1})), json!({"a": 1}));
        assert_eq!(of(&json!("é")), json!("é900000000"));
    }
}
