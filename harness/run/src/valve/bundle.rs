//! Many requests in one packet: on one connection of HTTP/2 the last frame of each waits here while all else goes through, until
//! they go out by one write (the single-packet attack of J. Kettle, "Smashing the state machine", 2023).

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::AsyncWrite;

use super::frames::{Frame, Frames, HEAD_BYTES, Kind, Rest, Seen};
use super::{State, Valve, Valved};

/// Frames that wait take so much at most; then whoever writes waits as well.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// The last frames of the requests on one connection. Of a request without a body that is its head, since many servers act on it
/// before its stream has ended. Heads refer to those before them (RFC 7541, section 2.2), so what comes after one that waits waits too.
pub(super) struct Bundle {
    /// How far that has come which was taken from the one who writes.
    taken: Frames,
    /// The frames that wait, one after another.
    waiting: Vec<u8>,
    /// Streams of which the head waits.
    unopened: BTreeSet<u32>,
    /// The frame that is being taken waits.
    is_keeping: bool,
    /// Requests that are here to their end.
    count: u16,
    state: Binding,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Binding {
    /// Last frames are kept.
    Tied,
    /// They go, and nothing is kept any longer.
    Loose,
}

/// What may be done with so many of the bytes that are written next.
enum Passage {
    Through(usize),
    Kept(usize),
}

impl Bundle {
    fn new() -> Self {
        let (waiting, unopened) = (vec![], BTreeSet::new());
        Self { taken: Frames::of_client(), waiting, unopened, is_keeping: false, count: 0, state: Binding::Tied }
    }

    fn passage(&self, offered: &[u8]) -> Passage {
        if self.state == Binding::Loose && self.waiting.is_empty() {
            return Passage::Through(offered.len());
        }
        let left = usize::try_from(self.taken.left()).unwrap_or(usize::MAX).min(offered.len());
        // What is owed goes as soon as a frame has ended.
        if !self.taken.is_between() || self.state == Binding::Loose {
            return if self.is_keeping { Passage::Kept(left) } else { Passage::Through(left) };
        }
        let Some(frame) = offered.first_chunk().map(Frame::parse) else { return Passage::Through(left) };
        let whole =
            usize::try_from(frame.payload_bytes).map_or(usize::MAX, |payload| HEAD_BYTES.saturating_add(payload));
        let now = whole.min(offered.len());
        if self.keeps(&frame) { Passage::Kept(now) } else { Passage::Through(now) }
    }

    fn keeps(&self, frame: &Frame) -> bool {
        match frame.kind {
            Kind::Headers => frame.ends_stream() || !self.unopened.is_empty(),
            Kind::Data if frame.ends_stream() && frame.payload_bytes <= 1 => true,
            _ => self.unopened.contains(&frame.stream),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        let Self { taken, unopened, count, .. } = self;
        taken.read(bytes, |seen| match seen {
            Seen::Head(frame, _) if frame.kind == Kind::Headers => _ = unopened.insert(frame.stream),
            Seen::Payload(frame, _, Rest::Nothing) if frame.ends_stream() => *count += 1,
            _ => {}
        });
        self.is_keeping = !self.taken.is_between();
    }

    /// What is to be written now: between two frames, or where the first of a frame has waited.
    fn owed(&self) -> &[u8] {
        let is_due = self.state == Binding::Loose && (self.taken.is_between() || self.is_keeping);
        if is_due { &self.waiting } else { &[] }
    }

    /// Whoever writes waits until they have gone.
    fn is_full(&self) -> bool {
        self.state == Binding::Tied && self.waiting.len() >= WAITING_BYTES_MAX
    }
}

impl Valve {
    /// From now on, on a connection that is still to be spoken on, the last frame of each request waits for those of the others.
    pub(crate) fn bundle(&self) {
        self.lock().bundle = Some(Bundle::new());
        self.is_armed.store(true, Ordering::Release);
    }

    /// Whether last frames of several requests wait, or have waited, for each other here.
    pub(crate) fn is_bundled(&self) -> bool {
        self.lock().bundle.is_some()
    }

    /// Returns once so many last frames wait, or have gone.
    pub(crate) async fn gathered(&self, count: u16) {
        self.until(|state| state.bundle.as_ref().is_none_or(|it| it.count >= count || it.state == Binding::Loose))
            .await;
    }

    /// Writes all that waits at once. True where it was kept until now; None where nothing is ever kept.
    pub(super) fn let_bundle_go(&self, opened: Instant, company: u16) -> Option<bool> {
        let mut state = self.lock();
        let bundle = state.bundle.as_mut()?;
        if bundle.state == Binding::Loose {
            return Some(false);
        }
        bundle.state = Binding::Loose;
        let direct = self.tcp.upgrade().filter(|_| !bundle.owed().is_empty());
        // What the system does not take at once, the socket's own task writes.
        let written = direct.and_then(|tcp| tcp.try_write(&bundle.waiting).ok()).unwrap_or_default();
        bundle.waiting.drain(..written);
        let now = Instant::now();
        state.marks.released = Some((now.saturating_duration_since(opened), company));
        state.marks.sent = Some(now);
        if let Some(writer) = state.writer.take() {
            writer.wake();
        }
        Some(true)
    }
}

impl State {
    /// What is to be written now; whoever asks is woken when there is some.
    fn owed_bundle(&mut self, cx: &Context<'_>) -> Vec<u8> {
        let Some(bundle) = &self.bundle else { return vec![] };
        self.writer = Some(cx.waker().clone());
        bundle.owed().to_vec()
    }
}

impl Valved {
    /// Last frames stay here, and what would have to come after them; all else goes through.
    pub(super) fn poll_write_bundled(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_bundle(cx))?;
        let valve = Arc::clone(&self.valve);
        let Some(passage) = valve.lock().bundle.as_ref().map(|bundle| bundle.passage(bytes)) else {
            return Pin::new(&mut self.socket).poll_write(cx, bytes);
        };
        match passage {
            Passage::Kept(count) => {
                let mut state = valve.lock();
                if state.bundle.as_ref().is_some_and(Bundle::is_full) {
                    return Poll::Pending;
                }
                state.bundle.iter_mut().for_each(|bundle| bundle.keep(&bytes[..count]));
                drop(state);
                valve.changed.notify_waiters();
                Poll::Ready(Ok(count))
            }
            Passage::Through(count) => {
                let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &bytes[..count]))?;
                if let Some(bundle) = &mut valve.lock().bundle {
                    bundle.taken.read(&bytes[..written], |_| {});
                }
                Poll::Ready(Ok(written))
            }
        }
    }

    /// Writes what was let go and could not take the shortest way.
    pub(super) fn poll_bundle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let valve = Arc::clone(&self.valve);
        loop {
            let owed = valve.lock().owed_bundle(cx);
            if owed.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &owed))?;
            if let Some(bundle) = &mut valve.lock().bundle {
                bundle.waiting.drain(..written);
            }
        }
    }
}
