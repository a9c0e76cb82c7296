//! The body of a request as HTTP/2 takes it: whole, or with its last byte in a frame of its own.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

/// See the module.
pub(crate) struct Outgoing {
    body: Full<Bytes>,
    end: End,
    last: Option<Bytes>,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With all the rest.
    Joined,
    /// With the last byte in a frame of its own, where there is one.
    Apart,
}

impl Outgoing {
    pub(crate) fn new(body: Full<Bytes>, end: End) -> Self {
        Self { body, end, last: None }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(last) = self.last.take() {
            return Poll::Ready(Some(Ok(Frame::data(last))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let Some(Ok(Ok(mut bytes))) = frame.map(|frame| frame.map(Frame::into_data)) else { return Poll::Ready(None) };
        if self.end == End::Apart && bytes.len() > 1 {
            self.last = Some(bytes.split_off(bytes.len() - 1));
        }
        self.end = End::Joined;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.last.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
