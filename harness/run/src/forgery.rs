//! Makes credentials that nobody was given of such as somebody was.

use coalmine_core::perturb::Forgery;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// Shorter ones may be numbers that count upwards: another would be somebody's.
const CHARS_MIN: usize = 16;

/// None where it would be the same, or where somebody may have been given what it would be.
pub(crate) fn forged(how: Forgery, own: &str, other: Option<&str>) -> Option<String> {
    if own.len() < CHARS_MIN || !own.is_ascii() {
        return None;
    }
    let (head, tail) = parts(own);
    let forged = match how {
        Forgery::Letter => with_another_letter(head, tail),
        Forgery::Splice => match other.filter(|other| other.is_ascii()).map(|other| parts(other).1) {
            Some(others) if others != tail => format!("{head}{others}"),
            _ => with_another_letter(head, tail),
        },
        Forgery::Unsigned => unsigned(own).unwrap_or_else(|| head.to_owned()),
    };
    Some(forged).filter(|forged| forged != own)
}

/// The same of a cookie. One that is put together of several values may have parts that nobody needs to look at.
pub(crate) fn forged_cookie(how: Forgery, own: &str, other: Option<&str>) -> Option<String> {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "-_.~+/%=".contains(c);
    let is_one = own.chars().all(is_of_token) && !own.trim_end_matches('=').contains('=');
    if is_one { forged(how, own, other) } else { None }
}

/// What stands before the last part, and that part: behind the last dot, or the second half.
fn parts(token: &str) -> (&str, &str) {
    let at = token.rfind('.').map_or(token.len() / 2, |dot| dot + 1);
    token.split_at(at)
}

/// In the middle: the last letter of something in base64 may have bits that mean nothing.
fn with_another_letter(head: &str, tail: &str) -> String {
    let able: Vec<usize> = tail.char_indices().filter(|(_, c)| c.is_ascii_alphanumeric()).map(|(at, _)| at).collect();
    let Some(at) = able.get(able.len() / 2) else { return format!("{head}{tail}") };
    let (before, after) = tail.split_at(*at);
    let mut after = after.chars();
    // A digit stays a digit, and what is hexadecimal stays so. Capitals alone would be no difference to some.
    let another = match after.next().unwrap_or_default() {
        '0'..='8' => '9',
        '9' => '4',
        'a' => 'c',
        'A' => 'C',
        capital if capital.is_ascii_uppercase() => 'A',
        _ => 'a',
    };
    format!("{head}{before}{another}{}", after.as_str())
}

/// A JWT that says that it has no signature.
fn unsigned(token: &str) -> Option<String> {
    let (signed, _) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).ok()?).ok()?;
    header.get("alg")?;
    let none = BASE64URL_NOPAD.encode(json!({"alg": "none", "typ": "JWT"}).to_string().as_bytes());
    Some(format!("{none}.{claims}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLW9uZQ";
    const OTHERS: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.c2lnbmF0dXJlLW9mLXR3bw";
    const OPAQUE: &str = "5f0c7a91d2e83b645f0c7a91d2e83b64";

    #[test]
    fn one_letter_is_another_of_its_kind() {
        for own in [JWT, OPAQUE, "tok_ABCDEFGHIJKLMNOP"] {
            let forged = forged(Forgery::Letter, own, None).unwrap();
            let differs: Vec<_> = own.chars().zip(forged.chars()).filter(|(own, forged)| own != forged).collect();
            let [(before, after)] = differs[..] else { panic!("{differs:?}") };
            assert_eq!(before.is_ascii_digit(), after.is_ascii_digit());
            assert!(!before.eq_ignore_ascii_case(&after));
            assert_eq!(own.len(), forged.len());
        }
    }

    #[test]
    fn the_last_part_is_that_of_another() {
        let spliced = forged(Forgery::Splice, JWT, Some(OTHERS)).unwrap();
        assert_eq!(spliced, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLXR3bw");
        let other = "a".repeat(32);
        assert_eq!(forged(Forgery::Splice, OPAQUE, Some(&other)).unwrap(), "5f0c7a91d2e83b64aaaaaaaaaaaaaaaa");
        assert_eq!(forged(Forgery::Splice, OPAQUE, None), forged(Forgery::Letter, OPAQUE, None));
    }

    #[test]
    fn a_jwt_says_that_it_has_no_signature_and_others_lack_their_last_part() {
        let unsigned = |own| forged(Forgery::Unsigned, own, None).unwrap();
        assert!(unsigned(JWT).ends_with(".eyJzdWIiOiIxIn0."));
        assert!(unsigned(JWT).starts_with(&BASE64URL_NOPAD.encode(br#"{"alg":"none""#)[..12]));
        assert_eq!(unsigned(OPAQUE), "5f0c7a91d2e83b64");
        assert_eq!(unsigned("part-one.part-two.part-three"), "part-one.part-two.");
    }

    #[test]
    fn cookies_of_several_values_are_left_alone() {
        let signed = format!("s%3A{OPAQUE}.c2lnbmF0dXJl");
        for own in [JWT, OPAQUE, &signed, "ZGFzIGlzdCBlaW4gVG9rZW4uLg=="] {
            assert_eq!(forged_cookie(Forgery::Letter, own, None), forged(Forgery::Letter, own, None), "{own}");
        }
        for own in ["theme=dark&session=5f0c7a91d2e83b64", r#"{"session":"5f0c7a91d2e83b64"}"#, "5f0c7a91d2e83b64|dark"]
        {
            assert_eq!(forged_cookie(Forgery::Letter, own, None), None, "{own}");
        }
    }

    #[test]
    fn what_is_short_or_no_text_of_a_machine_is_left_alone() {
        for own in ["17", "key-00289135", "ein Schlüssel, der lang ist", "................"] {
            assert_eq!(forged(Forgery::Letter, own, None), None, "{own}");
        }
    }
}
