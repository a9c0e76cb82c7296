//! What a run has spent of its budget, over all rounds and lanes.
//!
//! The rate is a schedule: each request takes the next free moment of it, however long the one before takes to be answered. A
//! moment that nobody took is lost, so that a target which hesitated is not overrun afterwards. Two requests share each moment:
//! a run in which no two tenants are ever in flight together would prove nothing.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use coalmine_core::Budget;
use coalmine_core::budget::Limit;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::socket::Socket;

/// A connection that was closed gives its seat back a moment later.
const SEAT_WAIT_MAX: Duration = Duration::from_secs(5);

/// What a run has spent of its budget.
#[derive(Debug)]
pub(crate) struct Ledger {
    budget: Budget,
    seats: Arc<Semaphore>,
    schedule: Mutex<Schedule>,
    bytes: AtomicU64,
    /// Set while what was made is removed, which time and bytes do not stop.
    cleans_up: AtomicBool,
}

#[derive(Debug, Default)]
struct Schedule {
    started: Option<Instant>,
    next: Option<Instant>,
    /// The moment that one more request may share.
    shared: Option<Instant>,
    requests: u64,
    /// Requests that only cleaning up may use.
    reserved: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new(Budget::default())
    }
}

impl Ledger {
    pub(crate) fn new(budget: Budget) -> Self {
        let seats = budget.connections_max.map_or(Semaphore::MAX_PERMITS, |count| count as usize);
        Self {
            budget,
            seats: Arc::new(Semaphore::new(seats.min(Semaphore::MAX_PERMITS))),
            schedule: Mutex::default(),
            bytes: AtomicU64::new(0),
            cleans_up: AtomicBool::new(false),
        }
    }

    /// A round begins, in which so many requests clean up.
    pub(crate) fn begin_round(&self, cleaning_up: u64) {
        self.cleans_up.store(false, Ordering::Relaxed);
        let mut schedule = self.schedule();
        schedule.started.get_or_insert_with(Instant::now);
        schedule.reserved = cleaning_up;
    }

    /// From now on what was made is removed.
    pub(crate) fn begin_cleaning_up(&self) {
        self.cleans_up.store(true, Ordering::Relaxed);
        self.schedule().reserved = 0;
    }

    pub(crate) fn is_cleaning_up(&self) -> bool {
        self.cleans_up.load(Ordering::Relaxed)
    }

    /// Waits for the next moment at which something may be sent.
    pub(crate) async fn admit(&self) -> Result<(), Limit> {
        if self.budget.is_unbounded() {
            return Ok(());
        }
        let moment = self.take_moment()?;
        if moment > Instant::now() {
            tokio::time::sleep_until(moment).await;
        }
        Ok(())
    }

    fn take_moment(&self) -> Result<Instant, Limit> {
        let now = Instant::now();
        let mut schedule = self.schedule();
        let moment = schedule.shared.or(schedule.next).map_or(now, |planned| planned.max(now));
        if schedule.requests + schedule.reserved >= self.budget.requests_max.unwrap_or(u64::MAX) {
            return Err(Limit::Requests);
        }
        if !self.cleans_up.load(Ordering::Relaxed) {
            let time_max = self.budget.time_max_ms.map(Duration::from_millis);
            if time_max.is_some_and(|max| schedule.started.is_some_and(|started| moment > started + max)) {
                return Err(Limit::Time);
            }
            if self.is_full() {
                return Err(Limit::Bytes);
            }
        }
        schedule.requests += 1;
        if schedule.shared.take().is_none() {
            let pair = self.budget.rate_max.map(|rate| Duration::from_micros(rate.interval_us) * 2);
            schedule.next = pair.map(|pair| moment + pair);
            schedule.shared = pair.map(|_| moment);
        }
        Ok(moment)
    }

    /// How many lanes may be at work at the same time, each of which has so many connections open.
    pub(crate) fn lanes_max(&self, connections_each: usize) -> usize {
        let seats = self.budget.connections_max.map_or(Semaphore::MAX_PERMITS, |count| count as usize);
        (seats / connections_each.max(1)).clamp(1, Semaphore::MAX_PERMITS)
    }

    /// Whether connections are so few that a lane which rests must not keep its own.
    pub(crate) fn bounds_connections(&self) -> bool {
        self.budget.connections_max.is_some()
    }

    /// Waits until one more connection may be open. The error says why none may.
    pub(crate) async fn seat(self: &Arc<Self>) -> Result<Seat, String> {
        let permit = tokio::time::timeout(SEAT_WAIT_MAX, Arc::clone(&self.seats).acquire_owned()).await;
        let permit = permit.map_err(|_| "all connections of the budget are in use".to_owned())?;
        Ok(Seat { ledger: Arc::clone(self), _permit: permit.expect("the seats are never closed") })
    }

    /// Whether the socket's bytes have to be counted, or its place to be kept.
    pub(crate) fn watches_sockets(&self) -> bool {
        self.budget.bytes_max.is_some() || self.bounds_connections()
    }

    fn is_full(&self) -> bool {
        self.budget.bytes_max.is_some_and(|max| self.bytes.load(Ordering::Relaxed) >= max)
    }

    fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn schedule(&self) -> std::sync::MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one connection open.
#[derive(Debug)]
pub(crate) struct Seat {
    ledger: Arc<Ledger>,
    _permit: OwnedSemaphorePermit,
}

/// A socket whose bytes are counted, and which gives its seat back when it is closed.
#[derive(Debug)]
pub(crate) struct Metered {
    socket: Socket,
    seat: Seat,
}

impl Metered {
    pub(crate) fn new(socket: Socket, seat: Seat) -> Self {
        Self { socket, seat }
    }

    /// Whether what is said on it is encrypted on its way.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.socket.is_encrypted()
    }

    /// What lies under it, where that is a connection of TCP.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        self.socket.tcp()
    }
}

impl AsyncRead for Metered {
    /// An answer that is longer than what is left of the budget breaks off.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { socket, seat: Seat { ledger, .. } } = self.get_mut();
        if ledger.is_full() && !ledger.cleans_up.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::Error::other("the budget of bytes is used up")));
        }
        let before = buf.filled().len();
        let read = Pin::new(socket).poll_read(cx, buf);
        ledger.count(buf.filled().len() - before);
        read
    }
}

impl AsyncWrite for Metered {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { socket, seat: Seat { ledger, .. } } = self.get_mut();
        let written = Pin::new(socket).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            ledger.count(*count);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_core::budget::Rate;

    fn ledger(budget: Budget) -> Ledger {
        let ledger = Ledger::new(budget);
        ledger.begin_round(2);
        ledger
    }

    #[test]
    fn requests_that_clean_up_are_reserved() {
        let ledger = ledger(Budget { requests_max: Some(3), ..Budget::default() });
        assert!(ledger.take_moment().is_ok());
        assert_eq!(ledger.take_moment(), Err(Limit::Requests));
        ledger.begin_cleaning_up();
        assert!(ledger.take_moment().is_ok() && ledger.take_moment().is_ok());
        assert_eq!(ledger.take_moment(), Err(Limit::Requests));
    }

    #[test]
    fn pairs_lie_two_intervals_apart_whoever_takes_them() {
        let ledger = ledger(Budget { rate_max: Some(Rate::parse("1/m").unwrap()), ..Budget::default() });
        let moments: Vec<Instant> = (0..4).map(|_| ledger.take_moment().unwrap()).collect();
        assert!(moments[1] - moments[0] < Duration::from_secs(1), "{moments:?}");
        assert_eq!((moments[2] - moments[0], moments[3] - moments[2]), (Duration::from_secs(120), Duration::ZERO));
    }

    #[test]
    fn no_moment_lies_behind_the_time() {
        let rate_max = Some(Rate::parse("1/m").unwrap());
        let ledger = ledger(Budget { rate_max, time_max_ms: Some(119_000), ..Budget::default() });
        assert!(ledger.take_moment().is_ok() && ledger.take_moment().is_ok());
        assert_eq!(ledger.take_moment(), Err(Limit::Time));
        ledger.begin_cleaning_up();
        assert!(ledger.take_moment().is_ok(), "cleaning up goes on");
    }

    #[test]
    fn lanes_share_the_connections() {
        let ledger = ledger(Budget { connections_max: Some(7), ..Budget::default() });
        assert_eq!((ledger.lanes_max(1), ledger.lanes_max(3), ledger.lanes_max(9)), (7, 2, 1));
    }
}
