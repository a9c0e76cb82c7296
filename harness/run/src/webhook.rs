//! Receives webhooks: looks at each request that comes to a URL of a principal, and lays it into the inbox of that URL.
//!
//! Whose a webhook is, the path says: 32 letters and digits that only that principal's requests contain. Every webhook is
//! answered with 200 as soon as it has been looked at, so that no queue of the target waits for Coalmine.

mod hooks;
mod listener;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use coalmine_core::Plan;
use coalmine_core::history::{Channel, CutOff, Digest, EventFrame, Opcode, Receipt};
use coalmine_core::plan::{CredentialFrom, OpId};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use serde_json::map::Entry;

pub(crate) use hooks::{Hook, Hooks};
pub(crate) use listener::{Listener, Serving};

use crate::inbox::Event;
use crate::observe::{Lens, Observer, Own};
use crate::onlooker::{Letter, Onlooker};
use crate::socket::Socket;

/// Of a longer body, the rest is not taken.
const BODY_BYTES_MAX: u64 = 16 << 20;
/// A sender may take this long for a header, and as long for a body.
const READ_WAIT_MAX: Duration = Duration::from_secs(10);

/// Takes note of a webhook, with the operation that it belongs to.
pub(crate) type Sink = Box<dyn FnMut(OpId, EventFrame) + Send>;

/// What every connection needs.
pub(crate) struct Receiver {
    pub(crate) plan: Arc<Plan>,
    pub(crate) lens: Arc<Lens>,
    pub(crate) hooks: Arc<Hooks>,
    /// None once the round is over: what comes later is in no history.
    pub(crate) sink: Mutex<Option<Sink>>,
    pub(crate) onlooker: Option<Arc<dyn Onlooker>>,
}

impl Receiver {
    /// Serves one connection to its end.
    pub(crate) async fn serve(&self, socket: Socket) {
        let service = service_fn(|request| async { Ok::<_, Infallible>(self.answer(request).await) });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(READ_WAIT_MAX)
            .serve_connection(TokioIo::new(socket), service);
        // A connection that breaks has nobody else to tell; what came on it was looked at.
        let _ = connection.await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Empty<Bytes>> {
        let status = match self.hooks.at(request.uri().path()) {
            None => StatusCode::NOT_FOUND,
            Some(hook) => self.receive(hook, request).await,
        };
        let mut response = Response::new(Empty::new());
        *response.status_mut() = status;
        response
    }

    async fn receive(&self, hook: &Hook, request: Request<Incoming>) -> StatusCode {
        let (head, body) = request.into_parts();
        let mut observer = Observer::new(&self.plan, &self.lens, &hook.principal, Own::All, true);
        let text = head_text(&head);
        observer.message(Channel::Webhook, &text);
        let (body_bytes, broken) = read_body(body, &mut observer).await;
        let (mut receipt, json, body) = observer.finish_with_body();
        receipt.cut_off.extend(broken.filter(|status| *status == StatusCode::PAYLOAD_TOO_LARGE).map(too_long));
        let json = form(&head, &body).or(json).unwrap_or_else(|| as_text(&body));
        receipt.credential = self.credential(&head, &json);
        if let Some(onlooker) = &self.onlooker {
            onlooker.hear(&hook.principal, Channel::Webhook, Letter::webhook(&head, body), &receipt);
        }
        self.note(hook, text.len() as u64 + body_bytes, receipt);
        if let Some(status) = broken {
            return status;
        }
        hook.mailbox.push(Event { json, fields: Some(Box::new(head.headers)), ..Event::default() });
        StatusCode::OK
    }

    fn credential(&self, head: &Parts, json: &Value) -> Option<Digest> {
        let credential = self.plan.webhooks.as_ref()?.credential.as_ref()?;
        let value = match &credential.from {
            CredentialFrom::Header(name) => Value::from(head.headers.get(name)?.to_str().ok()?),
            CredentialFrom::Json(path) => self.lens.paths.get(path).query(json).first()?.clone(),
        };
        Some(Digest::of(&self.lens.digest_key, &value))
    }

    fn note(&self, hook: &Hook, bytes: u64, receipt: Receipt) {
        if let Some(sink) = self.sink.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            let frame =
                EventFrame { index: hook.next_index(), opcode: Opcode::Webhook, bytes, event_type: None, receipt };
            sink(hook.op(), frame);
        }
    }
}

fn too_long(_: StatusCode) -> CutOff {
    CutOff::Body { bytes_max: BODY_BYTES_MAX }
}

/// The fields of a form; those of which there are several are lists.
fn form(head: &Parts, body: &[u8]) -> Option<Value> {
    let written = head.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = written.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return None;
    }
    let mut fields = serde_json::Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        match fields.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(Value::from(value));
            }
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Value::Array(values) => values.push(Value::from(value)),
                one => *one = vec![one.take(), Value::from(value)].into(),
            },
        }
    }
    Some(Value::Object(fields))
}

/// Data that is no JSON is text.
fn as_text(body: &[u8]) -> Value {
    if body.is_empty() { Value::Null } else { String::from_utf8_lossy(body).into() }
}

/// The request line and the header fields as they are written.
fn head_text(head: &Parts) -> Vec<u8> {
    let mut text = format!("{} {} {:?}\r\n", head.method, head.uri, head.version).into_bytes();
    for (name, value) in &head.headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// How much came, and with which status the rest was refused or missed.
async fn read_body(mut body: Incoming, observer: &mut Observer<'_>) -> (u64, Option<StatusCode>) {
    let mut bytes = 0;
    let read = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Some(StatusCode::BAD_REQUEST) };
            let Some(chunk) = frame.data_ref() else { continue };
            bytes += chunk.len() as u64;
            observer.message(Channel::Webhook, chunk);
            observer.message_data(chunk);
            if bytes > BODY_BYTES_MAX {
                return Some(StatusCode::PAYLOAD_TOO_LARGE);
            }
        }
        None
    };
    let broken = tokio::time::timeout(READ_WAIT_MAX, read).await;
    (bytes, broken.unwrap_or(Some(StatusCode::REQUEST_TIMEOUT)))
}
