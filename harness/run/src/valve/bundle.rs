//! Many requests in one packet: on one connection of HTTP/2 the last frame of each waits here while all else goes through, until
//! they go out by one write (the single-packet attack of J. Kettle, "Smashing the state machine", 2023).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::AsyncWrite;

use super::frames::{Frames, Passage};
use super::{State, Valve, Valved};

/// The last frames of the requests on one connection.
pub(super) struct Bundle {
    /// How far that has come which was taken from the one who writes.
    taken: Frames,
    /// The frames that wait, one after another.
    waiting: Vec<u8>,
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

impl Bundle {
    fn new() -> Self {
        Self { taken: Frames::of_client(), waiting: vec![], count: 0, state: Binding::Tied }
    }

    fn passage(&self, offered: &[u8]) -> Passage {
        match self.state {
            Binding::Tied => self.taken.passage(offered),
            // What is owed goes as soon as a frame has ended.
            Binding::Loose if !self.waiting.is_empty() => {
                let left = usize::try_from(self.taken.left()).unwrap_or(usize::MAX);
                Passage::Through(left.min(offered.len()))
            }
            Binding::Loose => Passage::Through(offered.len()),
        }
    }

    /// What is to be written between two frames, if this is between two.
    fn owed(&self) -> &[u8] {
        if self.state == Binding::Loose && self.taken.is_between() { &self.waiting } else { &[] }
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
    /// Last frames stay here, all else goes through.
    pub(super) fn poll_write_bundled(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_bundle(cx))?;
        let valve = Arc::clone(&self.valve);
        let Some(passage) = valve.lock().bundle.as_ref().map(|bundle| bundle.passage(bytes)) else {
            return Pin::new(&mut self.socket).poll_write(cx, bytes);
        };
        match passage {
            Passage::Last(count) => {
                if let Some(bundle) = &mut valve.lock().bundle {
                    bundle.taken.read(&bytes[..count], |_| {});
                    bundle.waiting.extend_from_slice(&bytes[..count]);
                    bundle.count += 1;
                }
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
