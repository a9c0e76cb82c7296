//! The valve on a connection: the one place where perturbations touch bytes.
//!
//! It sits below HTTP and WebSocket and above TLS, so that it sees what is meant and not what is encrypted. For one operation it is
//! armed with a [`Program`]: hold the last byte back, stop at a point, go in slices. What it came to is asked afterwards.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use coalmine_core::perturb::{HangUp, Pace};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

use crate::socket::Socket;
use bundle::Bundle;
use pongs::Pongs;
use scan::{AnswerScan, RequestScan, Whose};
use stillness::Stillness;

/// An answer that is looked at closely is read in pieces of this size at most.
const READ_BYTES_MAX: usize = 4096;

mod bundle;
#[cfg(test)]
mod bundle_tests;
#[cfg(test)]
mod frame_tests;
mod frames;
mod pongs;
mod scan;
mod stillness;
#[cfg(test)]
pub(crate) mod tests;

/// What a valve does to one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) unit: Unit,
    pub(crate) write: WriteStop,
    pub(crate) read: ReadStop,
    pub(crate) pace: Pace,
}

/// What is sent as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A request, whose end follows from its head, or in HTTP/2 from its frames.
    #[default]
    Request,
    /// What is written at once: a frame of a WebSocket.
    Write,
}

/// Up to where a request is let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WriteStop {
    /// Whole.
    #[default]
    None,
    /// Nothing of it.
    Nothing,
    /// Its head.
    Head,
    /// Its head and half of its body.
    HalfBody,
    /// All but its last byte, which waits here until it is released.
    LastByte,
}

/// Up to where an answer is let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReadStop {
    /// Whole.
    #[default]
    None,
    /// Its status line.
    StatusLine,
    /// Its head, and so many bytes of its body.
    Body(u64),
}

/// When what happened to the operation at the valve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The stop was reached.
    pub(crate) stopped: Option<Instant>,
    /// All was handed to the system.
    pub(crate) sent: Option<Instant>,
    /// The first byte of the answer came.
    pub(crate) answered: Option<Instant>,
    /// How long the last byte went after the gate had opened, and with how many others.
    pub(crate) released: Option<(Duration, u16)>,
    /// Pauses that were taken.
    pub(crate) pauses: u16,
}

impl Marks {
    /// Microseconds after this moment at which all was handed to the system.
    pub(crate) fn sent_after(&self, began: Instant) -> Option<u32> {
        let after = self.sent?.checked_duration_since(began)?;
        u32::try_from(after.as_micros()).ok()
    }

    /// Whether the answer began while some of the request was still here. Many servers close the connection then, and where a byte
    /// was held back, what follows it would be read as the end of this request: it must not carry another.
    pub(crate) fn is_early(&self) -> bool {
        self.answered.is_some_and(|answered| self.sent.is_none_or(|sent| answered < sent))
    }
}

/// Shared between the socket, which asks it about every byte, and the lane, which decides.
pub(crate) struct Valve {
    is_armed: AtomicBool,
    /// HTTP/2 is spoken: where its frames begin has to be known always.
    is_framed: AtomicBool,
    state: Mutex<State>,
    changed: Notify,
    /// For the shortest way to the wire; none under TLS. Weak, so that the socket alone decides when it closes.
    tcp: Weak<TcpStream>,
}

#[derive(Default)]
struct State {
    program: Program,
    /// An operation is watched.
    is_watched: bool,
    request: RequestScan,
    answer: AnswerScan,
    held: Option<u8>,
    release: Release,
    /// A byte that was released, and goes before everything else.
    owed: Option<u8>,
    hung_up: Option<HangUp>,
    is_half_closed: bool,
    marks: Marks,
    /// What outlasts an operation.
    stillness: Stillness,
    pongs: Option<Pongs>,
    bundle: Option<Bundle>,
    writer: Option<Waker>,
    reader: Option<Waker>,
}

/// Whether what was held back has been let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Release {
    #[default]
    Not,
    /// Nothing is read until that is announced.
    Hushed,
    Announced,
}

/// What may be done with bytes that are offered.
enum Admitted {
    /// So many of them go through.
    Bytes(usize),
    /// The only one is kept here; for the one who writes it is sent.
    Held,
    Stopped,
    Gone,
}

impl Valve {
    fn new(socket: &Socket) -> Self {
        let tcp = socket.shared_tcp().map_or_else(Weak::new, Arc::downgrade);
        let (is_armed, is_framed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { is_armed, is_framed, state: Mutex::default(), changed: Notify::new(), tcp }
    }

    /// HTTP/2 is about to be spoken.
    pub(crate) fn expect_frames(&self) {
        let mut state = self.lock();
        (state.request, state.answer) = (RequestScan::framed(), AnswerScan::framed());
        self.is_framed.store(true, Ordering::Release);
    }

    /// Gets ready for one operation.
    pub(crate) fn arm(&self, program: Program) {
        let mut state = self.lock();
        let (writer, reader) = (state.writer.take(), state.reader.take());
        let (request, answer, owed) = (state.request.next(), state.answer.next(), state.owed.take());
        let (stillness, pongs, bundle) = (state.stillness, state.pongs.take(), state.bundle.take());
        let lasting = State { stillness, pongs, bundle, writer, reader, ..State::default() };
        *state = State { program, is_watched: true, request, answer, owed, ..lasting };
        self.is_armed.store(true, Ordering::Release);
    }

    /// What came of it; the valve is wide open again.
    pub(crate) fn disarm(&self) -> Marks {
        let mut state = self.lock();
        let marks = state.marks;
        state.is_watched = false;
        if state.hung_up.is_none() && self.is_framed.load(Ordering::Acquire) {
            // Other streams wait for what is still here of this one, which has ended before its time.
            self.open(&mut state);
        }
        self.is_armed.store(state.is_busy(), Ordering::Release);
        marks
    }

    /// What has happened at it so far.
    pub(crate) fn marks(&self) -> Marks {
        self.lock().marks
    }

    /// Returns once the stop is reached.
    pub(crate) async fn stopped(&self) {
        self.when(|marks| marks.stopped.is_some()).await;
    }

    /// Returns once all is sent.
    pub(crate) async fn sent(&self) {
        self.when(|marks| marks.sent.is_some()).await;
    }

    async fn when(&self, is_so: impl Fn(&Marks) -> bool) {
        self.until(|state| is_so(&state.marks)).await;
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if is_so(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// Lets the last byte go, by the shortest way, with `company` operations in all since `opened`. Nobody is told yet: whoever
    /// woke up now would take time from the bytes of the others. True where there was one.
    pub(crate) fn let_go(&self, opened: Instant, company: u16) -> bool {
        if let Some(was_tied) = self.let_bundle_go(opened, company) {
            return was_tied;
        }
        let mut state = self.lock();
        let Some(byte) = state.held.take() else { return false };
        state.release = Release::Hushed;
        self.write_held(&mut state, byte);
        state.marks.released = Some((Instant::now().saturating_duration_since(opened), company));
        true
    }

    /// Whether what was let go could not take the shortest way: it goes once that is announced.
    pub(crate) fn is_owing(&self) -> bool {
        self.lock().owed.is_some()
    }

    /// Tells those who wait that the last byte was let go.
    pub(crate) fn announce(&self) {
        let mut state = self.lock();
        state.release = Release::Announced;
        state.wake_behind();
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        drop(state);
        self.changed.notify_waiters();
    }

    fn write_held(&self, state: &mut State, byte: u8) {
        let written = self.tcp.upgrade().and_then(|tcp| tcp.try_write(&[byte]).ok());
        if written == Some(1) {
            state.wrote_last(byte);
        } else {
            // The socket's own task writes it.
            state.owed = Some(byte);
        }
    }

    /// Nothing is kept back any longer.
    fn open(&self, state: &mut State) {
        state.release = Release::Announced;
        if let Some(byte) = state.held.take() {
            self.write_held(state, byte);
        }
        state.wake_behind();
    }

    /// Gives the connection up.
    pub(crate) fn hang_up(&self, by: HangUp) {
        let mut state = self.lock();
        if by == HangUp::Stream {
            // The connection lives on: the one who drops the request says so on its stream.
            state.program = Program::default();
            self.open(&mut state);
            state.wake();
            return;
        }
        state.hung_up = Some(by);
        if by == HangUp::HalfClose {
            // What is still to come is read to its end.
            state.program.read = ReadStop::None;
        }
        self.is_armed.store(true, Ordering::Release);
        state.wake();
    }

    /// Nobody will use the connection any more. What could not be written must not keep it open.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        if matches!(state.hung_up, Some(HangUp::Silence | HangUp::HalfClose)) {
            state.hung_up = Some(HangUp::Close);
            state.wake();
        }
    }

    fn remember_reader(&self, cx: &Context<'_>) {
        let mut state = self.lock();
        if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            state.reader = Some(cx.waker().clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake(&mut self) {
        for waker in [self.writer.take(), self.reader.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// Wakes who writes what was released, or what waits behind it, as in HTTP/2.
    fn wake_behind(&mut self) {
        if self.owed.is_some() {
            self.wake();
        } else if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    /// Whether there is something to do at it though no operation is watched.
    fn is_busy(&self) -> bool {
        self.hung_up.is_some()
            || self.owed.is_some()
            || self.pongs.is_some()
            || self.bundle.is_some()
            || self.stillness.is_any()
    }

    /// Whether the socket has to let go of its connection.
    fn is_gone(&self) -> bool {
        matches!(self.hung_up, Some(HangUp::Reset | HangUp::Close | HangUp::CloseFrame))
    }

    fn is_released(&self) -> bool {
        self.release != Release::Not
    }

    fn is_silent(&self) -> bool {
        self.hung_up == Some(HangUp::Silence)
    }

    fn admit(&mut self, offered: &[u8], cx: &Context<'_>) -> Admitted {
        if self.is_gone() {
            return Admitted::Gone;
        }
        if self.held.is_some() {
            self.writer = Some(cx.waker().clone());
            return Admitted::Stopped;
        }
        self.request.look_ahead(offered, self.program.unit);
        let stop = if self.is_released() { None } else { self.request.stop(self.program.write) };
        let room = stop.map_or(u64::MAX, |stop| stop.saturating_sub(self.request.written()));
        if self.is_silent() || room == 0 {
            if room == 0 && self.program.write == WriteStop::LastByte && !self.is_silent() {
                self.held = Some(offered[0]);
                return Admitted::Held;
            }
            self.writer = Some(cx.waker().clone());
            return Admitted::Stopped;
        }
        let slice = match self.program.pace {
            Pace::Write { slice_bytes, pauses_max, .. } if self.marks.pauses < pauses_max => {
                slice_bytes.max(1) as usize
            }
            _ => usize::MAX,
        };
        Admitted::Bytes(offered.len().min(slice).min(usize::try_from(room).unwrap_or(usize::MAX)))
    }

    /// The byte that was held back has gone out.
    fn wrote_last(&mut self, byte: u8) {
        self.request.wrote(&[byte]);
        if self.request.is_whole() {
            self.marks.sent.get_or_insert_with(Instant::now);
        }
    }

    /// Notes what went out; true where somebody may be waiting for that.
    fn wrote(&mut self, bytes: &[u8]) -> bool {
        self.request.wrote(bytes);
        let stop = self.request.stop(self.program.write).filter(|_| !self.is_released());
        if self.request.is_whole() {
            self.marks.sent.get_or_insert_with(Instant::now);
            return true;
        }
        // A last byte that is held back counts as a stop once it is here.
        if self.program.write != WriteStop::LastByte && stop == Some(self.request.written()) {
            self.marks.stopped.get_or_insert_with(Instant::now);
            return true;
        }
        false
    }

    /// How many bytes of the answer may be read; none where it has to stop.
    fn readable(&mut self, cx: &Context<'_>) -> Option<usize> {
        let slice = match self.program.pace {
            Pace::Read { slice_bytes, pauses_max, .. } if self.marks.pauses < pauses_max => slice_bytes.max(1) as usize,
            _ => usize::MAX,
        };
        let room = self.answer.room(self.program.read);
        if room == Some(0) || self.is_silent() || self.release == Release::Hushed || self.stillness.stops_reading() {
            self.reader = Some(cx.waker().clone());
            return None;
        }
        Some(room.unwrap_or(usize::MAX).min(slice))
    }

    fn has_read(&mut self, bytes: &[u8]) {
        if self.answer.read(bytes, self.request.stream()) == Whose::Its {
            self.marks.answered.get_or_insert_with(Instant::now);
        }
        if self.answer.room(self.program.read) == Some(0) {
            self.marks.stopped.get_or_insert_with(Instant::now);
        }
    }

    /// The pause that is due after some bytes went through, in this direction.
    fn pause(&mut self, writes: bool) -> Option<Duration> {
        let (Pace::Write { pause_us, pauses_max, .. } | Pace::Read { pause_us, pauses_max, .. }) = self.program.pace
        else {
            return None;
        };
        let is_due = matches!(self.program.pace, Pace::Write { .. }) == writes && self.marks.pauses < pauses_max;
        is_due.then(|| {
            self.marks.pauses += 1;
            Duration::from_micros(u64::from(pause_us))
        })
    }
}

/// A socket with its valve.
pub(crate) struct Valved {
    socket: Socket,
    valve: Arc<Valve>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Valved {
    pub(crate) fn new(socket: Socket) -> Self {
        let valve = Arc::new(Valve::new(&socket));
        Self { socket, valve, pause: None }
    }

    /// What lies below.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(crate) fn valve(&self) -> &Arc<Valve> {
        &self.valve
    }

    /// Dropping the socket after this sends RST instead of FIN.
    fn give_up(&self) -> io::Error {
        if self.valve.lock().hung_up == Some(HangUp::Reset)
            && let Some(tcp) = self.socket.tcp()
        {
            // Where the option cannot be set the connection ends with FIN, which is a hang-up as well.
            let _ = tcp.set_zero_linger();
        }
        io::ErrorKind::ConnectionAborted.into()
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// A last byte that was released and could not take the shortest way.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let valve = Arc::clone(&self.valve);
        let Some(byte) = valve.lock().owed else { return Poll::Ready(Ok(())) };
        if ready!(Pin::new(&mut self.socket).poll_write(cx, &[byte]))? == 1 {
            let mut state = valve.lock();
            state.owed = None;
            state.wrote_last(byte);
            drop(state);
            valve.changed.notify_waiters();
            // Under TLS it is still in the library's buffer.
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Closes our direction where that was asked for.
    fn poll_half_close(&mut self, cx: &mut Context<'_>) {
        let mut state = self.valve.lock();
        let is_due = state.hung_up == Some(HangUp::HalfClose) && !state.is_half_closed;
        state.is_half_closed |= is_due;
        drop(state);
        if is_due {
            // A direction that cannot be closed is one that is closed.
            let _ = Pin::new(&mut self.socket).poll_shutdown(cx);
        }
    }

    fn poll_write_armed(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.valve.poll_still(cx));
        if self.valve.lock().bundle.is_some() {
            return self.poll_write_bundled(cx, bytes);
        }
        ready!(self.poll_pause(cx));
        ready!(self.poll_held(cx))?;
        self.poll_half_close(cx);
        let bytes = match self.valve.pass_pongs(bytes) {
            Ok(frame) => frame,
            Err(swallowed) => return Poll::Ready(Ok(swallowed)),
        };
        let admitted = self.valve.lock().admit(bytes, cx);
        let count = match admitted {
            Admitted::Bytes(count) => count,
            Admitted::Held => return Poll::Ready(Ok(self.hold())),
            Admitted::Stopped => {
                self.note_stop();
                return Poll::Pending;
            }
            Admitted::Gone => return Poll::Ready(Err(self.give_up())),
        };
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &bytes[..count]))?;
        let mut state = self.valve.lock();
        state.pongs.iter_mut().for_each(|pongs| pongs.wrote(written));
        let news = state.wrote(&bytes[..written]);
        let pause = if state.request.is_whole() { None } else { state.pause(true) };
        drop(state);
        self.pause = pause.map(|pause| Box::pin(sleep(pause)));
        if news {
            self.valve.changed.notify_waiters();
        }
        Poll::Ready(Ok(written))
    }

    fn hold(&self) -> usize {
        self.note_stop();
        1
    }

    fn note_stop(&self) {
        self.valve.lock().marks.stopped.get_or_insert_with(Instant::now);
        self.valve.changed.notify_waiters();
    }

    fn poll_read_armed(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_held(cx))?;
        self.poll_half_close(cx);
        ready!(self.poll_pause(cx));
        let mut state = self.valve.lock();
        if state.is_gone() {
            drop(state);
            return Poll::Ready(Err(self.give_up()));
        }
        state.reader = Some(cx.waker().clone());
        let Some(room) = state.readable(cx) else { return Poll::Pending };
        drop(state);
        let mut memory = [0; READ_BYTES_MAX];
        let room = room.min(buf.remaining()).min(READ_BYTES_MAX);
        let mut part = ReadBuf::new(&mut memory[..room]);
        let read = Pin::new(&mut self.socket).poll_read(cx, &mut part);
        self.valve.note_after_stillness(!part.filled().is_empty());
        ready!(read)?;
        let mut state = self.valve.lock();
        state.has_read(part.filled());
        let pause = if part.filled().is_empty() { None } else { state.pause(false) };
        drop(state);
        buf.put_slice(part.filled());
        self.pause = pause.map(|pause| Box::pin(sleep(pause)));
        self.valve.changed.notify_waiters();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Valved {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let valved = self.get_mut();
        if valved.valve.is_armed.load(Ordering::Acquire) {
            return valved.poll_read_armed(cx, buf);
        }
        // Whoever arms it later, or hangs up, has to be able to wake the one who waits here.
        valved.valve.remember_reader(cx);
        let before = buf.filled().len();
        ready!(Pin::new(&mut valved.socket).poll_read(cx, buf))?;
        if valved.valve.is_framed.load(Ordering::Acquire) {
            valved.valve.lock().answer.read(&buf.filled()[before..], None);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Valved {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let valved = self.get_mut();
        if valved.valve.is_armed.load(Ordering::Acquire) {
            return valved.poll_write_armed(cx, bytes);
        }
        let written = ready!(Pin::new(&mut valved.socket).poll_write(cx, bytes))?;
        if valved.valve.is_framed.load(Ordering::Acquire) {
            valved.valve.lock().request.wrote(&bytes[..written]);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let valved = self.get_mut();
        if valved.valve.is_armed.load(Ordering::Acquire) {
            ready!(valved.poll_bundle(cx))?;
        }
        Pin::new(&mut valved.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let valved = self.get_mut();
        if valved.valve.lock().is_gone() {
            return Poll::Ready(Err(valved.give_up()));
        }
        Pin::new(&mut valved.socket).poll_shutdown(cx)
    }
}
