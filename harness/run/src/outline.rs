//! What an answer looks like to somebody who does not read it: names of header fields, and length.

use coalmine_core::history::{Digest, Outline};
use hyper::HeaderMap;

/// A longer body is not measured.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Fields that come and go by themselves, and those that say only how the body travels.
pub(crate) const VOLATILE: [&str; 13] = [
    "age",
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "keep-alive",
    "retry-after",
    "set-cookie",
    "traceparent",
    "transfer-encoding",
    "x-cache",
    "x-correlation-id",
    "x-request-id",
];

/// A body, and the id that it may quote.
pub(crate) struct Measure {
    id: String,
    body: Option<Vec<u8>>,
}

impl Measure {
    pub(crate) fn new(id: String) -> Self {
        Self { id, body: Some(vec![]) }
    }

    /// For another answer.
    pub(crate) fn anew(self) -> Self {
        Self::new(self.id)
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        let room = |body: &Vec<u8>| body.len() + chunk.len() <= BODY_BYTES_MAX;
        self.body = self.body.take().filter(room).map(|mut body| {
            body.extend_from_slice(chunk);
            body
        });
    }

    /// Length of the body without each quotation of the id, and length of the id.
    pub(crate) fn result(&self) -> Option<(u64, u32)> {
        let body = self.body.as_ref()?;
        let quoted = count(body, self.id.as_bytes()) * self.id.len();
        Some(((body.len() - quoted) as u64, u32::try_from(self.id.len()).ok()?))
    }
}

/// How often the one stands in the other, without overlaps.
fn count(body: &[u8], id: &[u8]) -> usize {
    let (mut found, mut at) = (0, 0);
    while !id.is_empty() && at + id.len() <= body.len() {
        let here = body[at..].starts_with(id);
        found += usize::from(here);
        at += if here { id.len() } else { 1 };
    }
    found
}

/// The outline of a measured answer.
pub(crate) fn outline(key: &[u8; 32], fields: &HeaderMap, (bytes, id_bytes): (u64, u32)) -> Outline {
    let mut names: Vec<&str> = fields.keys().map(hyper::header::HeaderName::as_str).collect();
    names.retain(|name| !VOLATILE.contains(name) && !name.contains("ratelimit") && !name.contains("trace"));
    names.sort_unstable();
    Outline { fields: Digest::of(key, &names.join("\n").into()), bytes, id_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_of_the_id_do_not_count() {
        let mut measure = Measure::new("n-17".into());
        measure.push(b"no such note: n-");
        measure.push(b"17 (n-17)");
        assert_eq!(measure.result(), Some((17, 4)));
    }

    #[test]
    fn a_long_body_is_not_measured() {
        let mut measure = Measure::new("x".into());
        measure.push(&vec![b'y'; BODY_BYTES_MAX]);
        measure.push(b"y");
        measure.push(b"y");
        assert_eq!(measure.result(), None);
    }

    #[test]
    fn only_names_that_mean_something_are_compared() {
        let mut fields = HeaderMap::new();
        fields.insert("content-type", "text/plain".parse().unwrap());
        let before = outline(&[1; 32], &fields, (1, 1));
        fields.insert("date", "today".parse().unwrap());
        assert_eq!(outline(&[1; 32], &fields, (1, 1)), before);
        fields.insert("etag", "x".parse().unwrap());
        assert_ne!(outline(&[1; 32], &fields, (1, 1)), before);
    }
}
