//! The queue between those who record and the thread that writes: one order for all, whole lines, bounded memory.
//!
//! It knows neither files nor clocks that matter to what is written, so that loom can check it.

use std::io;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::sync::{Condvar, Mutex, MutexGuard};

/// How much waits, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The writing thread takes them when this much is waiting.
    pub(crate) frame_bytes: usize,
    /// It takes whatever waits after this time.
    pub(crate) frame_wait_max: Duration,
    /// Nobody adds to more than this.
    pub(crate) waiting_bytes_max: usize,
}

/// See the module.
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Rung when lines are waiting for the thread.
    filled: Condvar,
    /// Rung when the thread took the lines away.
    emptied: Condvar,
    limits: Limits,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    next_seq: u64,
    is_closing: bool,
    failed: Option<io::Error>,
    has_failed: bool,
}

/// Whether there will be more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There may be.
    More,
    /// These were the last.
    Last,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { state: Mutex::new(State::default()), filled: Condvar::new(), emptied: Condvar::new(), limits }
    }

    /// Adds what `write` makes of the next number; numbers have no gaps. Waits while too much is waiting.
    pub(crate) fn add_numbered(&self, write: impl FnOnce(u64, &mut Vec<u8>)) {
        let mut state = self.room();
        let seq = state.next_seq;
        state.next_seq += 1;
        self.add_to(state, |lines| write(seq, lines));
    }

    /// Adds what `write` writes. Waits while too much is waiting.
    pub(crate) fn add(&self, write: impl FnOnce(&mut Vec<u8>)) {
        self.add_to(self.room(), write);
    }

    /// After a failed write nothing is kept: nobody would take it away.
    fn add_to(&self, mut state: MutexGuard<'_, State>, write: impl FnOnce(&mut Vec<u8>)) {
        if !state.has_failed {
            write(&mut state.lines);
        }
        if state.lines.len() >= self.limits.frame_bytes {
            self.filled.notify_one();
        }
    }

    /// The state, once there is room in it.
    fn room(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while state.lines.len() > self.limits.waiting_bytes_max && !state.has_failed {
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Swaps the waiting lines for an empty buffer.
    pub(crate) fn take(&self, lines: &mut Vec<u8>) -> Taken {
        let until = Instant::now() + self.limits.frame_wait_max;
        let mut state = self.lock();
        while state.lines.len() < self.limits.frame_bytes && !state.is_closing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (state, _) = self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.lines, lines);
        self.emptied.notify_all();
        if state.is_closing { Taken::Last } else { Taken::More }
    }

    /// Nothing more is added.
    pub(crate) fn close(&self) {
        self.lock().is_closing = true;
        self.filled.notify_one();
    }

    /// What was taken could not be written: nobody takes any more.
    pub(crate) fn fail(&self, error: io::Error) {
        let mut state = self.lock();
        state.failed = Some(error);
        state.has_failed = true;
        self.emptied.notify_all();
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.lock().has_failed
    }

    /// Why it failed, once.
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.lock().failed.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, coalmine_loom))]
mod models {
    use std::sync::Mutex as Notes;

    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::sync::explore;

    /// So small that everyone has to wait for everyone. Time does not pass in a model: nobody is woken by it.
    const TIGHT: Limits = Limits { frame_bytes: 1, frame_wait_max: Duration::from_secs(1 << 20), waiting_bytes_max: 1 };
    /// So much that the thread is first woken at the end.
    const WIDE: Limits = Limits { frame_bytes: 1 << 10, waiting_bytes_max: 1 << 10, ..TIGHT };

    /// What a thread does that records events.
    fn record(queue: &Queue, name: char, count: usize) {
        for _ in 0..count {
            queue.add_numbered(|seq, lines| lines.extend(format!("{seq}{name}\n").bytes()));
        }
    }

    /// Takes to the end; each frame as text.
    fn take_all(queue: &Queue) -> Vec<String> {
        let mut frames = vec![];
        loop {
            let mut lines = vec![];
            let taken = queue.take(&mut lines);
            frames.push(String::from_utf8(lines).expect("lines are text"));
            if taken == Taken::Last {
                return frames;
            }
        }
    }

    /// Two threads record, a third writes; returns the different ways in which the lines were cut into frames.
    fn no_event_is_torn_lost_or_doubled(limits: Limits) -> Vec<Vec<String>> {
        let seen = std::sync::Arc::new(Notes::new(Vec::<Vec<String>>::new()));
        let notes = seen.clone();
        explore(move || {
            let queue = Arc::new(Queue::new(limits));
            let writing = thread::spawn({
                let queue = Arc::clone(&queue);
                move || take_all(&queue)
            });
            let other = thread::spawn({
                let queue = Arc::clone(&queue);
                move || record(&queue, 'b', 2)
            });
            record(&queue, 'a', 2);
            other.join().expect("recording does not panic");
            queue.close();
            let frames = writing.join().expect("writing does not panic");
            let text = frames.concat();
            let numbers: Vec<_> = text.lines().map(|line| line.split_at(1).0).collect();
            assert_eq!(numbers, ["0", "1", "2", "3"], "{text}");
            for name in ["a", "b"] {
                assert_eq!(text.lines().filter(|line| line.ends_with(name)).count(), 2, "{text}");
            }
            notes.lock().expect("nobody panics with it").push(frames);
        });
        let mut seen = std::mem::take(&mut *seen.lock().expect("nobody panics with it"));
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    #[test]
    fn no_event_is_torn_lost_or_doubled_when_all_wait_for_room() {
        let seen = no_event_is_torn_lost_or_doubled(TIGHT);
        assert!(seen.len() > 4, "too few ways to cut: {seen:?}");
        assert!(seen.iter().any(|frames| frames[0].starts_with("0b")), "the other thread never came first: {seen:?}");
    }

    #[test]
    fn what_waits_at_the_end_is_taken_at_the_end() {
        let seen = no_event_is_torn_lost_or_doubled(WIDE);
        assert!(seen.iter().all(|frames| frames.len() == 1), "{seen:?}");
    }

    #[test]
    fn nobody_waits_for_room_after_a_failure() {
        explore(|| {
            let queue = Arc::new(Queue::new(TIGHT));
            let recording = thread::spawn({
                let queue = Arc::clone(&queue);
                move || record(&queue, 'a', 3)
            });
            // The second line has room then, and the third has none.
            queue.take(&mut vec![]);
            queue.fail(io::Error::other("the disk is full"));
            recording.join().expect("recording does not panic");
            assert!(queue.has_failed());
        });
    }
}
