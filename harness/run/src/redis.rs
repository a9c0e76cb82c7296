//! Looks through the keys of a Redis for what belongs to one tenant.
//!
//! With commands that only read, key by key: `SCAN`, `TYPE`, `MEMORY USAGE`, `GETRANGE`, `HGETALL`, `LRANGE`, `SMEMBERS`, `ZRANGE` and `XRANGE`.

use coalmine_core::history::CutOff;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError, Value, cmd, pipe};

use crate::allow::Destinations;
use crate::observe::Observer;
use crate::store;

const KEYS_MAX: usize = 10_000;
/// Keys that the server looks at in one step, and how many such steps there are: a pattern that few keys have would go through all of them.
const STEP_KEYS: usize = 500;
const STEPS_MAX: usize = 4_000;
/// Of one value. Of a text that is longer the rest is cut off; a collection that is larger is left alone.
const VALUE_BYTES_MAX: usize = 4 << 20;
/// Of all values of one search.
const BYTES_MAX: usize = 64 << 20;
/// Values in values that are gone into.
const DEPTH_MAX: usize = 8;
/// Words of a key that are shown are no longer than this.
const WORD_CHARS_MAX: usize = 16;

/// What is searched, with every hole filled.
pub(crate) struct Search<'a> {
    /// `redis://user:password@host:port/database`
    pub(crate) address: &'a str,
    /// A pattern of keys.
    pub(crate) keys: &'a str,
    /// Texts of which a key holds one where it names whose its value is.
    pub(crate) names: &'a [String],
}

/// One kind of values, and the command that reads one whole.
enum Kind {
    Text,
    Hash,
    List,
    Set,
    SortedSet,
    Stream,
}

impl Search<'_> {
    /// Shows every value that concerns the tenant to the observer. The error says in words, without secrets, why it read not all of them.
    pub(crate) async fn run(&self, destinations: &Destinations, observer: &mut Observer<'_>) -> Result<(), String> {
        if self.names.iter().any(String::is_empty) {
            return Err("a name that keys should hold is empty".to_owned());
        }
        let address = self.address.into_connection_info();
        let address = address.map_err(|_| "the address of the store cannot be read".to_owned())?;
        let ConnectionAddr::Tcp(host, port) = address.addr() else {
            return Err("the address of the store is none of plain TCP, and a search speaks no other".to_owned());
        };
        let stream = store::connect(destinations, host, *port).await?;
        // Whoever searches says how long it may take.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connection = MultiplexedConnection::new_with_config(address.redis_settings(), stream, config);
        let (client, connection) = connection.await.map_err(|error| told(&error))?;
        tokio::select! {
            biased;
            outcome = self.search(client, observer) => outcome,
            () = connection => Err("the connection to Redis broke".to_owned()),
        }
    }

    async fn search(&self, mut client: MultiplexedConnection, observer: &mut Observer<'_>) -> Result<(), String> {
        let (mut cursor, mut keys_left, mut bytes_left) = ("0".to_owned(), KEYS_MAX, BYTES_MAX);
        for _ in 0..STEPS_MAX {
            let mut scan = cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(self.keys).arg("COUNT").arg(STEP_KEYS);
            let (next, keys): (String, Vec<Vec<u8>>) = scan.query_async(&mut client).await.map_err(|it| told(&it))?;
            if keys.len() > keys_left {
                break;
            }
            keys_left -= keys.len();
            if !self.look(&mut client, &keys, observer, &mut bytes_left).await? {
                observer.cut(CutOff::Body { bytes_max: BYTES_MAX as u64 });
                return Ok(());
            }
            if next == "0" {
                return Ok(());
            }
            cursor = next;
        }
        observer.cut(CutOff::Keys { keys_max: u32::try_from(KEYS_MAX).unwrap_or(u32::MAX) });
        Ok(())
    }

    /// Whether there was room for all of them.
    async fn look(
        &self,
        client: &mut MultiplexedConnection,
        keys: &[Vec<u8>],
        observer: &mut Observer<'_>,
        bytes_left: &mut usize,
    ) -> Result<bool, String> {
        if keys.is_empty() {
            return Ok(true);
        }
        let mut about = pipe();
        for key in keys {
            about.cmd("TYPE").arg(key).cmd("MEMORY").arg("USAGE").arg(key);
        }
        let about: Vec<Value> = about.query_async(client).await.map_err(|error| told(&error))?;
        for (key, about) in keys.iter().zip(about.chunks_exact(2)) {
            let (Some(word), Some(bytes)) = (word(&about[0]), size(&about[1])) else { continue };
            let Some(kind) = Kind::of(&word) else {
                observer.cut(CutOff::Kinds);
                continue;
            };
            if bytes > VALUE_BYTES_MAX {
                observer.cut(CutOff::Body { bytes_max: VALUE_BYTES_MAX as u64 });
            }
            let Some(read) = kind.reading(key, bytes) else { continue };
            let value: Value = read.query_async(client).await.map_err(|error| told(&error))?;
            let Some(left) = bytes_left.checked_sub(weight(&value, 0)) else { return Ok(false) };
            *bytes_left = left;
            self.show(observer, (key, &word), &value);
        }
        Ok(true)
    }

    fn show(&self, observer: &mut Observer<'_>, (key, kind): (&[u8], &str), value: &Value) {
        let is_named = self.names.iter().any(|name| names(key, name.as_bytes()));
        let shown = if observer.holds_secret(key) { "it holds a secret itself".to_owned() } else { outline(key) };
        let place = format!("{shown}, a {kind}");
        let mut put = |bytes: &[u8]| {
            if is_named {
                observer.stored(&place, bytes);
            } else {
                observer.stored_astray(&place, bytes);
            }
        };
        put(key);
        each_text(value, 0, &mut put);
    }
}

impl Kind {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "string" => Self::Text,
            "hash" => Self::Hash,
            "list" => Self::List,
            "set" => Self::Set,
            "zset" => Self::SortedSet,
            "stream" => Self::Stream,
            _ => return None,
        })
    }

    /// The command that reads it, unless it is too large to be read.
    fn reading(&self, key: &[u8], bytes: usize) -> Option<Cmd> {
        let (name, arguments): (&str, &[&str]) = match self {
            Self::Text => {
                let mut read = cmd("GETRANGE");
                read.arg(key).arg(0).arg(VALUE_BYTES_MAX - 1);
                return Some(read);
            }
            Self::Hash => ("HGETALL", &[]),
            Self::List => ("LRANGE", &["0", "-1"]),
            Self::Set => ("SMEMBERS", &[]),
            Self::SortedSet => ("ZRANGE", &["0", "-1"]),
            Self::Stream => ("XRANGE", &["-", "+"]),
        };
        let mut read = cmd(name);
        read.arg(key).arg(arguments);
        (bytes <= VALUE_BYTES_MAX).then_some(read)
    }
}

/// Whether the name stands in the key, and not as a part of a longer word.
fn names(key: &[u8], name: &[u8]) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let (begins, ends) = (is_word(name.first()), is_word(name.last()));
    let stands_alone = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| key.get(before));
        !(begins && is_word(before) || ends && is_word(key.get(at + name.len())))
    };
    !name.is_empty() && key.windows(name.len()).enumerate().any(|(at, window)| window == name && stands_alone(at))
}

/// The key without what may be somebody's: of its words, short ones in small letters stay.
fn outline(key: &[u8]) -> String {
    let text = String::from_utf8_lossy(key);
    let mut shown = String::from("`");
    for part in text.split_inclusive(|char: char| !char.is_alphanumeric()) {
        let word = part.trim_end_matches(|char: char| !char.is_alphanumeric());
        let is_plain = word.len() <= WORD_CHARS_MAX && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let shown_word = if is_plain { word } else { "*" };
        let between: String = part[word.len()..].chars().filter(char::is_ascii_graphic).collect();
        shown.push_str(shown_word);
        shown.push_str(&between);
    }
    shown.push('`');
    shown
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::SimpleString(word) if word != "none" => Some(word.clone()),
        _ => None,
    }
}

/// None where the key is gone by now.
fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Int(bytes) => usize::try_from(*bytes).ok(),
        _ => None,
    }
}

/// What a reply is made of, where it holds more than one.
fn parts(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(parts) | Value::Set(parts) => parts.iter().collect(),
        Value::Map(pairs) => pairs.iter().flat_map(|(key, value)| [key, value]).collect(),
        _ => vec![],
    }
}

fn text(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.as_bytes()),
        _ => None,
    }
}

fn each_text(value: &Value, depth: usize, put: &mut impl FnMut(&[u8])) {
    if let Some(text) = text(value) {
        put(text);
    } else if depth < DEPTH_MAX {
        for part in parts(value) {
            each_text(part, depth + 1, put);
        }
    }
}

fn weight(value: &Value, depth: usize) -> usize {
    match text(value) {
        Some(text) => text.len(),
        None if depth < DEPTH_MAX => parts(value).into_iter().map(|part| weight(part, depth + 1)).sum(),
        None => 0,
    }
}

/// The server's own words may quote values.
fn told(error: &RedisError) -> String {
    match error.code() {
        None if error.kind() == ErrorKind::AuthenticationFailed => "Redis refuses the credentials".to_owned(),
        Some(code) => format!("Redis answers with {code}"),
        None => "the connection to Redis broke, or what came over it is not Redis".to_owned(),
    }
}

#[cfg(test)]
#[cfg(not(coalmine_loom))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_names_somebody_by_a_word_of_its_own() {
        for (key, name, is_named) in [
            ("cache:17:summary", "17", true),
            ("17", "17", true),
            ("cache:170:summary", "17", false),
            ("cache:a17", "17", false),
            ("cache:170:17", "17", true),
            ("cache:tenant:17x", "tenant:17", false),
            ("{7f-01}.a", "7f-01", true),
            ("cache:7f-011", "7f-01", false),
            ("cache:user:17", ":17", true),
            ("cache", "17", false),
            ("cache", "", false),
        ] {
            assert_eq!(names(key.as_bytes(), name.as_bytes()), is_named, "{name} in {key}");
        }
    }

    #[test]
    fn a_key_is_shown_without_what_may_be_somebodys() {
        for (key, shown) in [
            ("app:summary:2026-01", "`app:summary:*-*`"),
            ("session:eyJhbGciOi.J9", "`session:*.*`"),
            ("jobs", "`jobs`"),
            ("cache:averyveryverylongword", "`cache:*`"),
            ("a::b", "`a::b`"),
            ("", "``"),
        ] {
            assert_eq!(outline(key.as_bytes()), shown, "{key}");
        }
    }

    #[test]
    fn every_kind_of_value_is_read_in_parts() {
        let value = Value::Array(vec![
            Value::BulkString(b"1-0".to_vec()),
            Value::Map(vec![(Value::BulkString(b"field".to_vec()), Value::SimpleString("value".to_owned()))]),
            Value::Nil,
        ]);
        let mut texts = vec![];
        each_text(&value, 0, &mut |text| texts.push(text.to_vec()));
        assert_eq!(texts, [&b"1-0"[..], b"field", b"value"]);
        assert_eq!(weight(&value, 0), 13);
    }

    #[test]
    fn a_large_collection_is_left_alone_and_of_a_large_text_the_beginning_is_read() {
        for word in ["hash", "list", "set", "zset", "stream"] {
            let kind = Kind::of(word).unwrap();
            assert!(kind.reading(b"k", VALUE_BYTES_MAX).is_some() && kind.reading(b"k", VALUE_BYTES_MAX + 1).is_none());
        }
        assert!(Kind::of("string").unwrap().reading(b"k", usize::MAX).is_some());
        assert!(Kind::of("ReJSON-RL").is_none());
    }

    proptest! {
        #[test]
        fn no_key_and_no_name_is_too_odd(key: Vec<u8>, name: Vec<u8>) {
            let around = [b":".as_slice(), &name, b":"].concat();
            prop_assert_eq!(names(&around, &name), !name.is_empty());
            let shown = outline(&key);
            prop_assert!(shown.len() <= 3 * key.len() + 2);
        }

        #[test]
        fn no_digit_and_no_large_letter_of_a_key_is_shown(key: String) {
            prop_assert!(!outline(key.as_bytes()).bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()));
        }
    }
}
