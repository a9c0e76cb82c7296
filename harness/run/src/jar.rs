//! The cookies of one session: kept and sent back as a browser does, and never shared with another session.

use std::sync::{Arc, Mutex, PoisonError};

use coalmine_core::plan::Cookies;
use coalmine_core::{Plan, PrincipalId, TenantId};
use cookie_store::{CookieStore, RawCookie};
use hyper::HeaderMap;
use hyper::header::{HeaderValue, SET_COOKIE};
use url::Url;

use crate::allow::Place;

/// Cookies that one answer may set; browsers keep about as many for a whole site.
const SET_MAX: usize = 200;

/// A cookie jar after RFC 6265: domain, path, expiry and `Secure`. Plain http to loopback counts as secure, as in browsers.
#[derive(Default)]
pub(crate) struct Jar(CookieStore);

impl Jar {
    /// Keeps what an answer from there sets.
    pub(crate) fn keep(&mut self, place: &Place, headers: &HeaderMap) {
        if !headers.contains_key(SET_COOKIE) {
            return;
        }
        let Ok(url) = Url::parse(&place.url()) else { return };
        for cookie in set_cookies(headers) {
            // One that is not meant for this host is refused, as it should be.
            let _ = self.0.insert_raw(&cookie, &url);
        }
    }

    /// Names and values to send there.
    pub(crate) fn of(&self, place: &Place) -> Vec<(String, String)> {
        if self.0.iter_any().next().is_none() {
            return vec![];
        }
        let Ok(url) = Url::parse(&place.url()) else { return vec![] };
        let cookies = self.0.get_request_values(&url);
        cookies.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// The jars of a round, one for each principal; none where the plan wants no cookies kept.
pub(crate) struct Jars(Vec<(PrincipalId, TenantId, Arc<Mutex<Jar>>)>);

impl Jars {
    pub(crate) fn new(plan: &Plan) -> Self {
        let principals = plan.principals.iter().filter(|_| plan.cookies == Cookies::Jar);
        Self(principals.map(|principal| (principal.id, principal.tenant, Arc::default())).collect())
    }

    pub(crate) fn of(&self, owner: PrincipalId) -> Option<Arc<Mutex<Jar>>> {
        self.0.iter().find(|(principal, ..)| *principal == owner).map(|(.., jar)| Arc::clone(jar))
    }

    /// The value that the cookie of this name has for somebody of another tenant.
    pub(crate) fn of_another(&self, own: TenantId, name: &str, place: &Place) -> Option<String> {
        let others = self.0.iter().filter(|(_, tenant, _)| *tenant != own);
        others
            .flat_map(|(.., jar)| jar.lock().unwrap_or_else(PoisonError::into_inner).of(place))
            .find_map(|(known, value)| (known == name).then_some(value))
    }
}

/// The cookies that an answer sets, as far as they can be read.
pub(crate) fn set_cookies(headers: &HeaderMap) -> impl Iterator<Item = RawCookie<'static>> {
    let fields = headers.get_all(SET_COOKIE).iter().take(SET_MAX);
    fields.filter_map(|field| RawCookie::parse(field.to_str().ok()?.to_owned()).ok())
}

/// The `Cookie` field: what the step sends itself, and what the jar has besides. The error names a value that cannot stand
/// there.
pub(crate) fn cookie_field(
    own: Vec<(String, String)>,
    kept: Vec<(String, String)>,
) -> Result<Option<HeaderValue>, String> {
    let kept = kept.into_iter().filter(|(name, _)| own.iter().all(|(own, _)| own != name)).collect::<Vec<_>>();
    let pairs = own.into_iter().chain(kept).map(|(name, value)| {
        if value.contains(';') {
            Err(format!("the value of the cookie `{name}` has a `;`"))
        } else {
            Ok(format!("{name}={value}"))
        }
    });
    let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
    if pairs.is_empty() {
        return Ok(None);
    }
    let field = HeaderValue::from_str(&pairs.join("; "));
    field.map(Some).map_err(|_| "a cookie's value has control characters".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Place {
        Place::of_test("http://127.0.0.1:8080", path)
    }

    fn jar(fields: &[&str]) -> Jar {
        let mut jar = Jar::default();
        keep(&mut jar, "/login/form", fields);
        jar
    }

    fn keep(jar: &mut Jar, path: &str, fields: &[&str]) {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(SET_COOKIE, HeaderValue::from_str(field).unwrap());
        }
        jar.keep(&at(path), &headers);
    }

    fn sent(jar: &Jar, path: &str) -> String {
        let mut pairs: Vec<_> = jar.of(&at(path)).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.sort();
        pairs.join("; ")
    }

    #[test]
    fn paths_and_domains_are_obeyed() {
        let jar = jar(&[
            "a=1; Path=/",
            "b=2",
            "c=3; Path=/other",
            "d=4; Domain=example.com; Path=/",
            "e=5; Path=/; Secure; HttpOnly",
        ]);
        assert_eq!(sent(&jar, "/notes"), "a=1; e=5");
        assert_eq!(sent(&jar, "/login/again?x=1"), "a=1; b=2; e=5");
        assert_eq!(sent(&jar, "/other"), "a=1; c=3; e=5");
    }

    #[test]
    fn a_cookie_is_replaced_and_removed() {
        let mut jar = jar(&["sid=old; Path=/", "x=1; Path=/; Max-Age=100"]);
        keep(&mut jar, "/", &["sid=new; Path=/"]);
        assert_eq!(sent(&jar, "/"), "sid=new; x=1");
        keep(&mut jar, "/", &["sid=; Path=/; Max-Age=0", "x=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]);
        assert_eq!(sent(&jar, "/"), "");
    }

    #[test]
    fn what_the_step_says_wins_over_the_jar() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let field = cookie_field(vec![pair("a", "1")], vec![pair("a", "2"), pair("b", "3")]).unwrap();
        assert_eq!(field.unwrap(), "a=1; b=3");
        assert_eq!(cookie_field(vec![], vec![]), Ok(None));
        assert!(cookie_field(vec![pair("a", "1; b=2")], vec![]).is_err());
    }
}
