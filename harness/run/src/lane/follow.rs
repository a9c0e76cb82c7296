//! Redirects: followed where a step says so, as a browser does, and never to a host that the scenario does not list.

use std::time::Duration;

use bytes::Bytes;
use coalmine_core::history::Hop;
use coalmine_core::plan::Op;
use coalmine_core::step::Request;
use http_body_util::Full;
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, COOKIE, HOST, LOCATION, PROXY_AUTHORIZATION,
};
use hyper::{HeaderMap, Method};
use url::Url;

use super::Lane;
use super::request::{Built, Received};
use crate::allow::{Elsewhere, Place};
use crate::due::Unsent;
use crate::observe::Observer;
use crate::onlooker::{Letter, Scene};

impl Lane {
    /// Follows as many redirects as the step allows, as long as there is time left; `again` is the request that was sent. What
    /// the observer and `received` hold is true even if there is none left in the middle.
    pub(super) async fn follow(
        &mut self,
        (op, request, left): (&Op, &Request, Duration),
        again: Built,
        observer: &mut Observer<'_>,
        received: &mut Received,
    ) -> Result<(), String> {
        let following = self.follow_all((op, request), again, observer, received);
        tokio::time::timeout(left, following).await.unwrap_or_else(|_| Err("its redirects took too long".to_owned()))
    }

    async fn follow_all(
        &mut self,
        (op, request): (&Op, &Request),
        mut again: Built,
        observer: &mut Observer<'_>,
        received: &mut Received,
    ) -> Result<(), String> {
        for _ in 0..request.follow {
            if !is_redirect(received.status()) {
                return Ok(());
            }
            let place = self.redirected(received)?;
            self.keep_cookies(&received.place, &received.headers);
            self.show_answer(op, &received.answer, &received.headers, &[]);
            again = self.next_request(op, request, again, received, &place)?;
            self.show(op, || Scene::Sends(Letter::request(&again, &place.url())));
            let built = again.clone();
            let ledger = &self.round.progress.ledger;
            ledger.admit().await.map_err(|limit| format!("the budget of {limit} is used up"))?;
            received.hop(place);
            observer.next_answer();
            let mut connection = self.own_connection(&received.place.origin).await?;
            let sent = connection.exchange(built, observer, &mut received.answer, &mut received.headers).await;
            sent.map_err(|broken| broken.why)?;
            self.keep_connection(&received.place.origin, connection);
        }
        if is_redirect(received.status()) && !request.accepts(received.status()) {
            return Err(format!("it redirects once more after {} redirects", request.follow));
        }
        Ok(())
    }

    fn redirected(&self, received: &Received) -> Result<Place, String> {
        let location = received.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let location = location.ok_or("it redirects without saying where")?;
        let from = Url::parse(&received.place.url()).map_err(|error| error.to_string())?;
        let malformed = |_| "it redirects to what is no address".to_owned();
        let to = from.join(location).map_err(malformed)?;
        self.round.destinations.at_url(&to).map_err(|elsewhere| match elsewhere {
            // The name of a host is the target's text, and may hold anything.
            Elsewhere::NotAllowed(host) if !self.round.lens.detector.scan(host.as_bytes()).is_empty() => {
                format!("a redirect was not followed: {}", Elsewhere::NotAllowed("a host named by a canary".to_owned()))
            }
            elsewhere => format!("a redirect was not followed: {elsewhere}"),
        })
    }

    /// The next request: what the method becomes, and which fields may go along, is as in the Fetch standard.
    fn next_request(
        &self,
        op: &Op,
        request: &Request,
        mut built: Built,
        received: &Received,
        to: &Place,
    ) -> Result<Built, String> {
        let method = next_method(received.status(), built.method());
        if method != *built.method() {
            *built.method_mut() = method;
            *built.body_mut() = Full::new(Bytes::new());
            for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
                built.headers_mut().remove(name);
            }
        }
        let is_same = to.origin.is(&received.place.origin);
        *built.uri_mut() = to.path.parse().map_err(|_| "it redirects to what is no address".to_owned())?;
        let written = request.headers.iter().any(|(name, _)| name == "cookie") && is_same;
        let own: &[_] = if is_same { &request.cookies } else { &[] };
        let headers = built.headers_mut();
        if !is_same {
            headers.remove(AUTHORIZATION);
            headers.remove(PROXY_AUTHORIZATION);
            let host = to.origin.authority.parse().map_err(|_| "it redirects to what is no host".to_owned())?;
            headers.insert(HOST, host);
        }
        if !written {
            headers.remove(COOKIE);
            let filled = self.fill_cookies(headers, to, own, &self.values(op));
            filled.map_err(|error| match self.unsendable(op, error) {
                Unsent::Skipped(why) => why,
                Unsent::NotDue(_) => "its cookie is made of a value that was not due".to_owned(),
            })?;
        }
        Ok(built)
    }
}

impl Received {
    pub(super) fn new(place: Place) -> Self {
        Self { place, answer: coalmine_core::history::Answer::default(), headers: HeaderMap::new(), hops: vec![] }
    }

    pub(super) fn status(&self) -> u16 {
        self.answer.status.unwrap_or_default()
    }

    /// The answer was a redirect, and the next one comes from there.
    fn hop(&mut self, place: Place) {
        let hop = Hop { status: self.status(), body_bytes: std::mem::take(&mut self.answer.body_bytes) };
        self.hops.push(hop);
        self.answer.status = None;
        self.headers.clear();
        self.place = place;
    }
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

fn next_method(status: u16, method: &Method) -> Method {
    match (status, method) {
        (303, &Method::HEAD) => Method::HEAD,
        (303, _) | (301 | 302, &Method::POST) => Method::GET,
        (_, method) => method.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_change_as_in_a_browser() {
        let table = [
            (303, Method::PUT, Method::GET),
            (303, Method::HEAD, Method::HEAD),
            (301, Method::POST, Method::GET),
            (302, Method::POST, Method::GET),
            (302, Method::PUT, Method::PUT),
            (307, Method::POST, Method::POST),
            (308, Method::DELETE, Method::DELETE),
        ];
        for (status, before, after) in table {
            assert_eq!(next_method(status, &before), after, "{status} {before}");
        }
    }
}
