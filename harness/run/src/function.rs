//! What the functions of the scenario language compute.

use std::time::{SystemTime, UNIX_EPOCH};

use coalmine_core::function::Function;
use coalmine_core::template::{percent_encode, plain};
use data_encoding::{BASE64, BASE64_MIME_PERMISSIVE, BASE64URL_NOPAD, HEXLOWER};
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{digest, hmac, rand};
use serde_json::{Value, json};

/// Where a call stands: what `uuid`, `chosen` and `shared` depend on.
pub(crate) struct CallSite<'a> {
    /// The run's key for values that are not secret.
    pub(crate) key: &'a [u8; 32],
    /// Tells the principal and its pass from all others.
    pub(crate) own: String,
    /// The same, or what tells another tenant's principal, whose choice is taken.
    pub(crate) chosen: String,
    /// The same for all principals in the same pass of the same flow.
    pub(crate) common: String,
}

/// What a function makes of these values outside a run, where `uuid`, `chosen` and `shared` have no key: no values make it panic.
///
/// # Errors
///
/// In words, without the values: why it makes nothing of them.
pub fn computed(function: Function, arguments: &[Value]) -> Result<Value, String> {
    call(
        function,
        arguments,
        &CallSite { key: &[0; 32], own: String::new(), chosen: String::new(), common: String::new() },
    )
}

/// Computes it. The error says in words what is wrong, without the values.
pub(crate) fn call(function: Function, arguments: &[Value], site: &CallSite<'_>) -> Result<Value, String> {
    let text = |at: usize| arguments.get(at).map_or_else(String::new, |value| plain(value).into_owned());
    Ok(match function {
        Function::Base64 => BASE64.encode(text(0).as_bytes()).into(),
        Function::Base64Url => BASE64URL_NOPAD.encode(text(0).as_bytes()).into(),
        Function::Url => percent_encode(&text(0)).into(),
        Function::Hex => HEXLOWER.encode(text(0).as_bytes()).into(),
        Function::Lower => text(0).to_lowercase().into(),
        Function::Upper => text(0).to_uppercase().into(),
        Function::Sha256 => HEXLOWER.encode(digest::digest(&digest::SHA256, text(0).as_bytes()).as_ref()).into(),
        Function::Json => arguments.first().unwrap_or(&Value::Null).to_string().into(),
        Function::Basic => format!("Basic {}", BASE64.encode(format!("{}:{}", text(0), text(1)).as_bytes())).into(),
        Function::JwtHs256 => jwt("HS256", arguments.first(), |signed| Ok(hs256(signed, &text(1))))?.into(),
        Function::JwtRs256 => jwt("RS256", arguments.first(), |signed| rs256(signed, &text(1)))?.into(),
        Function::Uuid => uuid(site.key, &site.own, &text(0)).into(),
        Function::Chosen => uuid(site.key, &site.chosen, &text(0)).into(),
        Function::Shared => {
            let word = digest_of(site.key, &format!("shared/{}/{}", site.common, text(0)));
            format!("s{}", HEXLOWER.encode(&word[..8])).into()
        }
        Function::Now => now().saturating_add(whole(arguments.first(), "seconds")?).into(),
        Function::Date => day(now().div_euclid(86_400).saturating_add(whole(arguments.first(), "days")?)).into(),
        Function::Repeat => repeat(&text(0), whole(arguments.get(1), "times")?)?.into(),
    })
}

/// A longer text is no text that a scenario would send.
const REPEATED_BYTES_MAX: usize = 4 << 20;

fn repeat(text: &str, times: i64) -> Result<String, String> {
    let times = usize::try_from(times).map_err(|_| "needs times that are no less than 0".to_owned())?;
    match text.len().checked_mul(times) {
        Some(..=REPEATED_BYTES_MAX) => Ok(text.repeat(times)),
        _ => Err(format!("would be longer than {REPEATED_BYTES_MAX} bytes")),
    }
}

fn digest_of(key: &[u8; 32], text: &str) -> [u8; 32] {
    *blake3::keyed_hash(key, text.as_bytes()).as_bytes()
}

fn jwt(
    algorithm: &str,
    claims: Option<&Value>,
    sign: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
) -> Result<String, String> {
    let claims =
        claims.filter(|claims| claims.is_object()).ok_or("needs claims that are a map; name them under `values`")?;
    let header = json!({"alg": algorithm, "typ": "JWT"});
    let part = |json: &Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = sign(signed.as_bytes())?;
    Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
}

fn hs256(signed: &[u8], secret: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed).as_ref().to_vec()
}

fn rs256(signed: &[u8], pem: &str) -> Result<Vec<u8>, String> {
    let key = private_key(pem).ok_or("needs an RSA private key in PEM, of 2048 bits or more")?;
    let mut signature = vec![0; key.public().modulus_len()];
    let signing = key.sign(&RSA_PKCS1_SHA256, &rand::SystemRandom::new(), signed, &mut signature);
    signing.map_err(|_| "could not sign with this key".to_owned())?;
    Ok(signature)
}

/// PKCS#8 (`PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`).
fn private_key(pem: &str) -> Option<RsaKeyPair> {
    let (_, after) = pem.split_once("-----BEGIN ")?;
    let (label, after) = after.split_once("-----")?;
    let (body, _) = after.split_once("-----END ")?;
    let der = BASE64_MIME_PERMISSIVE.decode(body.trim().as_bytes()).ok()?;
    match label {
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der).ok(),
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).ok(),
        _ => None,
    }
}

/// A version 4 UUID (RFC 9562) of which the bits come from the run's key.
fn uuid(key: &[u8; 32], whose: &str, name: &str) -> String {
    let mut bytes = digest_of(key, &format!("uuid/{whose}/{name}"));
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = HEXLOWER.encode(&bytes[..16]);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn whole(argument: Option<&Value>, what: &str) -> Result<i64, String> {
    let Some(value) = argument else { return Ok(0) };
    plain(value).trim().parse().map_err(|_| format!("needs {what} that are a whole number"))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The civil date of a day counted from 1 January 1970. Years are counted from March, so that the leap day is the last, in
/// eras of 400 years, which all have the same days.
fn day(days: i64) -> String {
    let shifted = days.clamp(-700_000, 2_900_000) + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(own: &str) -> CallSite<'static> {
        CallSite { key: &[7; 32], own: own.to_owned(), chosen: own.to_owned(), common: "0/0".to_owned() }
    }

    fn of(function: Function, arguments: &[Value]) -> String {
        plain(&call(function, arguments, &site("1")).unwrap()).into_owned()
    }

    #[test]
    fn texts_are_encoded_as_the_standards_say() {
        assert_eq!(of(Function::Base64, &["fo>?".into()]), "Zm8+Pw==");
        assert_eq!(of(Function::Base64Url, &["fo>?".into()]), "Zm8-Pw");
        assert_eq!(of(Function::Url, &["a b/ü".into()]), "a%20b%2F%C3%BC");
        assert_eq!(of(Function::Hex, &["az".into()]), "617a");
        assert_eq!(of(Function::Upper, &["aß".into()]), "ASS");
        assert_eq!(of(Function::Sha256, &["abc".into()])[..16], *"ba7816bf8f01cfea");
        assert_eq!(of(Function::Json, &["a\"b".into()]), r#""a\"b""#);
        assert_eq!(
            of(Function::Basic, &["Aladdin".into(), "open sesame".into()]),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
    }

    #[test]
    fn a_token_has_the_signature_that_others_compute() {
        let token = of(Function::JwtHs256, &[json!({"sub": "1234567890"}), "secret".into()]);
        let expected = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0";
        assert!(token.starts_with(expected), "{token}");
        assert_eq!(token.rsplit('.').next().unwrap().len(), 43);
    }

    #[test]
    fn what_cannot_be_signed_is_said_without_the_key() {
        let refused = |arguments: &[Value]| call(Function::JwtRs256, arguments, &site("1")).unwrap_err();
        assert!(refused(&["text".into(), "key".into()]).contains("a map"));
        let why = refused(&[json!({}), "-----BEGIN PRIVATE KEY-----\nabcd\n-----END PRIVATE KEY-----".into()]);
        assert!(why.contains("RSA private key") && !why.contains("abcd"), "{why}");
    }

    #[test]
    fn identifiers_differ_by_pass_and_name_and_shared_words_do_not() {
        let uuid = |own: &str, name: &str| call(Function::Uuid, &[name.into()], &site(own)).unwrap();
        assert_eq!(uuid("1", "a"), uuid("1", "a"));
        assert_ne!(uuid("1", "a"), uuid("2", "a"));
        assert_ne!(uuid("1", "a"), uuid("1", "b"));
        let shared = |own: &str| call(Function::Shared, &["a".into()], &site(own)).unwrap();
        assert_eq!(shared("1"), shared("2"));
        let chosen = |chosen: &str| {
            let site = CallSite { chosen: chosen.to_owned(), ..site("1") };
            call(Function::Chosen, &["a".into()], &site).unwrap()
        };
        assert_eq!((chosen("1"), chosen("2")), (uuid("1", "a"), uuid("2", "a")));
    }

    #[test]
    fn a_text_is_repeated_up_to_a_limit() {
        assert_eq!(of(Function::Repeat, &["ab ".into(), 3.into()]), "ab ab ab ");
        assert_eq!(of(Function::Repeat, &["ab".into(), "0".into()]), "");
        let refused = |times: i64| call(Function::Repeat, &["ab".into(), times.into()], &site("1")).unwrap_err();
        assert!(refused(1 << 40).contains("longer than") && refused(-1).contains("no less than 0"));
    }

    #[test]
    fn days_have_the_dates_of_the_calendar() {
        let table = [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_514, "2026-03-02"),
        ];
        for (days, date) in table {
            assert_eq!(day(days), date);
        }
        assert_eq!(of(Function::Now, &[json!(5)]).len(), 10);
        assert!(call(Function::Date, &["x".into()], &site("1")).is_err());
    }
}
