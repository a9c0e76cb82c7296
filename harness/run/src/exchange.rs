//! HTTP requests and their answers, over a connection that one principal has to itself.
//!
//! hyper's bare connection instead of a pool: it is known which connection carried what, and nothing is sent twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use bytes::Bytes;
use coalmine_core::history::{Answer, Channel, ConnectionId};
use coalmine_core::plan::HttpVersion;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::ext::ReasonPhrase;
use hyper::header::HOST;
use hyper::http::uri::{Authority, Scheme};
use hyper::{HeaderMap, Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::observe::Observer;
use crate::outgoing::{End, Outgoing};
use crate::tls;
use crate::valve::{Valve, Valved};

/// A body longer than this is cut off: a hostile target costs bounded time and traffic.
pub(crate) const BODY_BYTES_MAX: u64 = 256 << 20;

/// Header fields of an answer over HTTP/2 may take so much.
const FIELDS_BYTES_MAX: u32 = 256 << 10;

/// Hands out the numbers of connections.
#[derive(Default)]
pub(crate) struct ConnectionIds(AtomicU32);

impl ConnectionIds {
    pub(crate) fn next(&self) -> ConnectionId {
        ConnectionId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// An open connection.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    sender: Sender,
    held: Arc<Held>,
    /// How bodies end on it, in HTTP/2.
    end: End,
    /// It has carried an answer before.
    is_used: bool,
}

/// The valve of a connection, for as long as anybody can use it.
struct Held(Arc<Valve>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Why there is no whole answer.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) why: String,
    pub(crate) how: How,
}

/// What is known of a request without a whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The connection was closed before any of it was written.
    Unsent,
    /// A connection that had been kept open was closed before any of the answer came: the target may have been about to close it
    /// before it saw the request (RFC 9112, section 9.5).
    KeptTooLong,
    /// Anything else.
    Midway,
}

impl From<String> for Broken {
    fn from(why: String) -> Self {
        Self { why, how: How::Midway }
    }
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Outgoing>, Scheme),
}

impl Connection {
    /// Speaks HTTP on a socket.
    pub(crate) async fn handshake(id: ConnectionId, socket: Valved, version: HttpVersion) -> Result<Self, String> {
        let held = Arc::new(Held(Arc::clone(socket.valve())));
        let scheme = if socket.socket().is_encrypted() { Scheme::HTTPS } else { Scheme::HTTP };
        let sender = match version {
            HttpVersion::Http1 => speak_http1(socket).await.map(Sender::Http1),
            HttpVersion::Http2 => speak_http2(socket).await.map(|sender| Sender::Http2(sender, scheme)),
        };
        sender
            .map(|sender| Self { id, sender, held, end: End::Joined, is_used: false })
            .map_err(|error| in_words(&error))
    }

    /// Where its bytes can be held up.
    pub(crate) fn valve(&self) -> &Arc<Valve> {
        &self.held.0
    }

    /// The same connection once more, for another request at the same time. None where there can be one only.
    pub(crate) fn share(&self) -> Option<Self> {
        let Sender::Http2(sender, scheme) = &self.sender else { return None };
        let sender = Sender::Http2(sender.clone(), scheme.clone());
        Some(Self { id: self.id, sender, held: Arc::clone(&self.held), end: End::Joined, is_used: self.is_used })
    }

    /// The last byte of each request goes in a frame of its own.
    pub(crate) fn ending_apart(self) -> Self {
        Self { end: End::Apart, ..self }
    }

    /// Whether several requests may be in flight on it.
    pub(crate) fn carries_many(&self) -> bool {
        matches!(self.sender, Sender::Http2(..))
    }

    /// Whether another request can be sent on it. A connection that the target closed is not used again.
    pub(crate) async fn is_usable(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await.is_ok(),
            Sender::Http2(sender, _) => sender.ready().await.is_ok(),
        }
    }

    /// Sends a request; nothing has looked at what comes back.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Broken> {
        let answered = match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender, scheme) => {
                let request = with_authority(request, scheme).map_err(|error| error.to_string())?;
                sender.send_request(request.map(|body| Outgoing::new(body, self.end))).await
            }
        };
        answered.map_err(|error| Broken { why: in_words(&error), how: self.how(&error) })
    }

    fn how(&self, error: &hyper::Error) -> How {
        match self.sender {
            Sender::Http1(_) if error.is_canceled() => How::Unsent,
            Sender::Http1(_) if self.is_used && (error.is_incomplete_message() || is_closed(error)) => How::KeptTooLong,
            _ => How::Midway,
        }
    }

    /// Sends a request and observes its answer. What `answer` holds is true even if this is dropped in the middle.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        observer: &mut Observer<'_>,
        answer: &mut Answer,
        headers: &mut HeaderMap,
    ) -> Result<(), Broken> {
        let body = self.begin(request, observer, answer, headers).await?;
        observe_body(body, observer, answer).await?;
        self.is_used = true;
        Ok(())
    }

    /// The same up to the head of the answer; the body, which has not been looked at, comes back.
    pub(crate) async fn begin(
        &mut self,
        request: Request<Full<Bytes>>,
        observer: &mut Observer<'_>,
        answer: &mut Answer,
        headers: &mut HeaderMap,
    ) -> Result<Incoming, Broken> {
        let began = Instant::now();
        let response = self.send(request).await?;
        answer.head_us = u32::try_from(began.elapsed().as_micros()).ok();
        answer.status = Some(response.status().as_u16());
        observe_head(&response, observer);
        headers.clone_from(response.headers());
        Ok(response.into_body())
    }
}

/// What a target that closed a connection makes of a request on it.
fn is_closed(error: &hyper::Error) -> bool {
    use std::error::Error;
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| matches!(io.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe))
}

/// Whatever goes wrong on a connection is told to the exchange that waits on it; the task that moves its bytes need not.
async fn speak_http1(socket: Valved) -> hyper::Result<http1::SendRequest<Full<Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn speak_http2(socket: Valved) -> hyper::Result<http2::SendRequest<Outgoing>> {
    socket.valve().expect_frames();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_header_list_size(FIELDS_BYTES_MAX);
    let (sender, connection) = builder.handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// HTTP/2 says in its address what HTTP/1.1 says in the field `host`.
fn with_authority(request: Request<Full<Bytes>>, scheme: &Scheme) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let (mut head, body) = request.into_parts();
    let authority = head.headers.remove(HOST);
    let mut uri = head.uri.into_parts();
    uri.scheme = Some(scheme.clone());
    uri.authority = authority.map(|host| Authority::try_from(host.as_bytes())).transpose()?;
    head.uri = Uri::from_parts(uri)?;
    Ok(Request::from_parts(head, body))
}

fn observe_head(response: &Response<Incoming>, observer: &mut Observer<'_>) {
    if let Some(reason) = response.extensions().get::<ReasonPhrase>() {
        observer.status_line(reason.as_bytes());
    }
    observer.fields(Channel::Header, response.headers());
    observer.content(response.headers());
}

/// Looks at a whole body and its trailers.
pub(crate) async fn observe_body(
    mut body: Incoming,
    observer: &mut Observer<'_>,
    answer: &mut Answer,
) -> Result<(), String> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| in_words(&error))?;
        if let Some(chunk) = frame.data_ref() {
            answer.body_bytes += chunk.len() as u64;
            observer.body(chunk);
        } else if let Some(trailers) = frame.trailers_ref() {
            observer.fields(Channel::Trailer, trailers);
        }
        if answer.body_bytes > BODY_BYTES_MAX {
            return Err(format!("the body is longer than {BODY_BYTES_MAX} bytes"));
        }
    }
    Ok(())
}

/// The error and its causes; hyper's own first sentence says little.
pub(crate) fn in_words(error: &hyper::Error) -> String {
    use std::error::Error;
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        words = format!("{words}: {source}");
        if let Some(help) = source.downcast_ref().and_then(tls::help) {
            words = format!("{words}; {help}");
        }
        cause = source.source();
    }
    if error.is_parse() {
        words = format!("what came is not HTTP ({words}); is it another service that listens there?");
    }
    words
}

#[cfg(test)]
mod tests {
    use coalmine_core::perturb::HangUp;
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::valve::tests::pair;
    use crate::valve::{Program, WriteStop};

    /// hyper writes what it has before it closes, and here it cannot.
    #[tokio::test]
    async fn a_connection_that_is_dropped_is_closed_whatever_is_stuck_in_it() {
        let versions = [HttpVersion::Http1, HttpVersion::Http2];
        for (version, by) in
            versions.into_iter().flat_map(|version| [(version, HangUp::Silence), (version, HangUp::HalfClose)])
        {
            let (near, mut far) = pair().await;
            let mut connection = Connection::handshake(ConnectionId(0), near, version).await.unwrap();
            let valve = Arc::clone(connection.valve());
            valve.arm(Program { write: WriteStop::Nothing, ..Program::default() });
            let request = Request::post("/").header(HOST, "a").body(Full::new(Bytes::from_static(b"0123"))).unwrap();
            tokio::select! {
                _ = connection.send(request) => panic!("{version:?}: nothing of it was sent"),
                () = valve.stopped() => valve.hang_up(by),
            }
            drop(connection);
            // Until nobody is there to take it.
            while far.write_all(b"?").await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
    }
}
