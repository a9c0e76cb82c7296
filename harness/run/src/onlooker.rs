//! Somebody who looks on while operations are carried out, exchange by exchange.
//!
//! Whoever writes a scenario wants to see what is sent and what comes back. A run that measures has no onlooker, and nothing
//! is copied for one.

use bytes::Bytes;
use coalmine_core::Principal;
use coalmine_core::history::{Answer, Channel, Happening, Receipt};
use coalmine_core::plan::Op;
use futures_util::FutureExt;
use http_body_util::{BodyExt, Full};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, StatusCode};
use serde_json::Value;

/// Is shown everything, secrets as well: what it shows to others is its own affair.
pub trait Onlooker: Send + Sync + std::fmt::Debug {
    /// A part of an operation, in the order in which its principal lives through it.
    fn see(&self, principal: &Principal, op: &Op, scene: Scene<'_>);
    /// Something came to a principal by itself: a frame, an event of a stream, a webhook; and what was recognised in it.
    fn hear(&self, principal: &Principal, channel: Channel, letter: Letter, receipt: &Receipt);
}

/// A part of an operation.
#[derive(Debug)]
pub enum Scene<'a> {
    /// It is due, and begins.
    Begins,
    /// It sends a request or a frame.
    Sends(Letter),
    /// An answer came, as far as it came.
    Receives(Letter),
    /// A value is kept for later steps.
    Captures {
        /// The variable.
        name: &'a str,
        /// The value.
        value: &'a Value,
    },
    /// It is over.
    Ends(&'a Happening),
}

/// What goes or comes at once.
#[derive(Debug, Default)]
pub struct Letter {
    /// Of a request its method and URL, of an answer its status, of a webhook its method and path. Empty for a frame.
    pub first_line: String,
    /// Header fields by name.
    pub fields: Vec<(String, String)>,
    /// The body, unpacked.
    pub body: Vec<u8>,
}

impl Letter {
    /// A request to the receiver of webhooks.
    pub(crate) fn webhook(head: &Parts, body: Vec<u8>) -> Self {
        Self { first_line: format!("{} {}", head.method, head.uri.path()), fields: fields(&head.headers), body }
    }

    /// A frame of a WebSocket, or an event of a stream.
    pub(crate) fn frame(body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..Self::default() }
    }

    /// A request without a body, such as the handshake of a WebSocket.
    pub(crate) fn handshake<B>(request: &Request<B>, url: &str) -> Self {
        let first_line = format!("{} {url}", request.method());
        Self { first_line, fields: fields(request.headers()), body: vec![] }
    }

    pub(crate) fn request(request: &Request<Full<Bytes>>, url: &str) -> Self {
        let mut body = request.body().clone();
        // It is in memory as a whole.
        let frame = body.frame().now_or_never().flatten().and_then(Result::ok);
        let body = frame.and_then(|frame| frame.into_data().ok()).unwrap_or_default();
        Self { body: body.to_vec(), ..Self::handshake(request, url) }
    }

    /// None where not even a status came.
    pub(crate) fn answer(answer: &Answer, headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let status = StatusCode::from_u16(answer.status?).ok()?;
        Some(Self { first_line: status.to_string(), fields: fields(headers), body: body.to_vec() })
    }
}

fn fields(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}
