//! What the header of an answer tells caches.

use coalmine_core::history::{Caching, Digest, Directive, ETag};
use hyper::HeaderMap;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderName, VARY};

/// Names in `Vary` that are kept.
const VARY_MAX: usize = 16;
/// Letters of such a name that are kept.
const NAME_CHARS_MAX: usize = 64;

/// The directives that decide who may keep the answer; none where the header says nothing.
pub(crate) fn caching(digest_key: &[u8; 32], headers: &HeaderMap) -> Option<Caching> {
    let directives = items(headers, &CACHE_CONTROL).filter_map(|item| directive(&item)).collect();
    let short = |name: String| name.chars().take(NAME_CHARS_MAX).collect();
    let vary = items(headers, &VARY).take(VARY_MAX).map(short).collect();
    let etag = headers.get(ETAG).and_then(|value| value.to_str().ok()).map(|text| etag(digest_key, text));
    let caching = Caching { directives, vary, etag };
    (!caching.is_silent()).then_some(caching)
}

/// The items of all fields of a name, in small letters; commas within quotes are not expected there.
fn items<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> + 'h {
    let fields = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    fields
        .flat_map(|field| field.split(','))
        .map(|item| item.trim().to_ascii_lowercase())
        .filter(|item| !item.is_empty())
}

/// A directive with fields, such as `private="set-cookie"`, speaks only of those.
fn directive(item: &str) -> Option<Directive> {
    let (name, value) = item.split_once('=').map_or((item, None), |(name, value)| (name.trim(), Some(value.trim())));
    let seconds = || value.and_then(|value| value.trim_matches('"').parse().ok());
    match (name, value) {
        ("public", None) => Some(Directive::Public),
        ("private", None) => Some(Directive::Private),
        ("no-store", None) => Some(Directive::NoStore),
        ("no-cache", None) => Some(Directive::NoCache),
        ("max-age", _) => seconds().map(Directive::MaxAge),
        ("s-maxage", _) => seconds().map(Directive::SMaxAge),
        _ => None,
    }
}

fn etag(digest_key: &[u8; 32], text: &str) -> ETag {
    let (value, weak) = text.strip_prefix("W/").map_or((text, false), |value| (value, true));
    ETag { value: Digest::of(digest_key, &value.into()), weak }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&'static str, &'static str)]) -> Option<Caching> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, hyper::header::HeaderValue::from_static(value));
        }
        caching(&[7; 32], &headers)
    }

    #[test]
    fn a_header_without_a_word_about_caches_says_nothing() {
        assert_eq!(of(&[("content-type", "text/plain")]), None);
    }

    #[test]
    fn directives_of_all_fields_count() {
        let found = of(&[("cache-control", "Public , max-age=60"), ("cache-control", "s-maxage=\"5\", x=1")]).unwrap();
        assert_eq!(found.directives, [Directive::Public, Directive::MaxAge(60), Directive::SMaxAge(5)]);
    }

    #[test]
    fn a_directive_about_one_field_is_none_about_the_answer() {
        assert_eq!(of(&[("cache-control", "private=\"set-cookie\", no-cache=x")]), None);
    }

    #[test]
    fn names_and_validators_are_kept() {
        let found = of(&[("vary", "Authorization, Cookie"), ("etag", "W/\"a\"")]).unwrap();
        assert_eq!(found.vary, ["authorization", "cookie"]);
        let strong = of(&[("etag", "\"a\"")]).unwrap().etag.unwrap();
        assert_eq!((found.etag.unwrap().value, found.etag.unwrap().weak, strong.weak), (strong.value, true, false));
    }
}
