//! One HTTP request and its answer, over a connection that one principal has to itself.
//!
//! hyper's bare connection instead of a pool: it is known which connection carried what, and nothing is sent twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use coalmine_core::history::{Answer, Channel, ConnectionId};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::ext::ReasonPhrase;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;

use crate::observe::Observer;
use crate::valve::{Valve, Valved};

/// A body longer than this is cut off: a hostile target costs bounded time and traffic.
pub(crate) const BODY_BYTES_MAX: u64 = 256 << 20;

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
    sender: SendRequest<Full<Bytes>>,
    valve: Arc<Valve>,
}

impl Connection {
    /// Speaks HTTP/1.1 on a socket.
    pub(crate) async fn handshake(id: ConnectionId, socket: Valved) -> hyper::Result<Self> {
        let valve = Arc::clone(socket.valve());
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(async move {
            // Whatever goes wrong on the connection is told to the exchange that waits on it.
            let _ = connection.await;
        });
        Ok(Self { id, sender, valve })
    }

    /// Where its bytes can be held up.
    pub(crate) fn valve(&self) -> &Arc<Valve> {
        &self.valve
    }

    /// Whether another request can be sent on it. A connection that the target closed is not used again.
    pub(crate) async fn is_usable(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request and observes its answer. What `answer` holds is true even if this is dropped in the middle.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        observer: &mut Observer<'_>,
        answer: &mut Answer,
        headers: &mut HeaderMap,
    ) -> Result<(), String> {
        let body = self.begin(request, observer, answer, headers).await?;
        observe_body(body, observer, answer).await
    }

    /// The same up to the head of the answer; the body, which has not been looked at, comes back.
    pub(crate) async fn begin(
        &mut self,
        request: Request<Full<Bytes>>,
        observer: &mut Observer<'_>,
        answer: &mut Answer,
        headers: &mut HeaderMap,
    ) -> Result<Incoming, String> {
        let response = self.sender.send_request(request).await.map_err(|error| in_words(&error))?;
        answer.status = Some(response.status().as_u16());
        observe_head(&response, observer);
        headers.clone_from(response.headers());
        Ok(response.into_body())
    }
}

fn observe_head(response: &Response<Incoming>, observer: &mut Observer<'_>) {
    if let Some(reason) = response.extensions().get::<ReasonPhrase>() {
        observer.status_line(reason.as_bytes());
    }
    observer.fields(Channel::Header, response.headers());
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
        cause = source.source();
    }
    words
}
