//! Writes the history while the run goes on.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use coalmine_core::Plan;
use coalmine_core::history::{Event, HISTORY_FORMAT, Happening, Header, Record, RoundEnd, Writer, encode};
use coalmine_core::plan::OpId;

/// A frame is written when this much is waiting, or after [`FRAME_WAIT_MAX`].
const FRAME_BYTES: usize = 256 << 10;
/// A kill loses at most what was recorded within this time.
const FRAME_WAIT_MAX: Duration = Duration::from_millis(100);
/// Recording blocks while more than this is waiting: a slow disk slows the run instead of filling the memory.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// Stamps events with one clock and one order, and hands them to a thread that writes them to disk.
pub struct Recorder {
    shared: Arc<Shared>,
    started: Instant,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Rung when lines are waiting for the thread.
    filled: Condvar,
    /// Rung when the thread took the lines away.
    emptied: Condvar,
}

#[derive(Default)]
struct Queue {
    lines: Vec<u8>,
    next_seq: u64,
    closing: bool,
    failed: Option<io::Error>,
}

/// The history could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the history: {0}")]
pub struct RecorderError(#[from] io::Error);

impl Recorder {
    /// Creates the file, which must not exist, and writes the header. `reproduce` is the command line that brings the run
    /// back.
    pub fn create(path: &Path, reproduce: &str) -> Result<Self, RecorderError> {
        let writer = Writer::new(File::create_new(path)?)?;
        let queue = Mutex::new(Queue::default());
        let shared = Arc::new(Shared { queue, filled: Condvar::new(), emptied: Condvar::new() });
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name("recorder".into()).spawn(move || shared.write_all(writer))?
        };
        let recorder = Self { shared, started: Instant::now(), thread: Some(thread) };
        recorder.append(&Record::Header(Header {
            format: HISTORY_FORMAT,
            coalmine: env!("CARGO_PKG_VERSION").to_owned(),
            started_unix_ms: unix_ms(),
            reproduce: reproduce.to_owned(),
        }));
        Ok(recorder)
    }

    /// Records that something happened to an operation, now.
    pub fn event(&self, op: OpId, what: Happening) {
        let mut queue = self.shared.room();
        let seq = queue.next_seq;
        queue.next_seq += 1;
        let at_us = self.elapsed_us();
        queue.push(&Record::Event(Event { seq, at_us, op, what }));
        self.shared.ring(&queue);
    }

    /// Records that a round begins.
    pub fn round(&self, plan: &Plan) {
        self.append(&Record::Round(Box::new(plan.clone())));
    }

    /// Records how the round ended.
    pub fn round_end(&self, end: RoundEnd) {
        self.append(&Record::RoundEnd(end));
    }

    /// Records the end of the run and waits until everything is on disk.
    pub fn finish(mut self, interrupted: bool) -> Result<(), RecorderError> {
        self.append(&Record::RunEnd { at_us: self.elapsed_us(), interrupted });
        self.close()
    }

    /// Whether writing has failed: nothing more is recorded, and the run should stop.
    pub fn has_failed(&self) -> bool {
        self.shared.lock().failed.is_some()
    }

    fn append(&self, record: &Record) {
        let mut queue = self.shared.room();
        queue.push(record);
        self.shared.ring(&queue);
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).expect("a run is shorter than 500,000 years")
    }

    fn close(&mut self) -> Result<(), RecorderError> {
        self.shared.lock().closing = true;
        self.shared.filled.notify_one();
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| io::Error::other("the writing thread panicked"))?;
        }
        match self.shared.lock().failed.take() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // `finish` reports errors; here nobody is left to hear them.
        let _ = self.close();
    }
}

impl Queue {
    /// After a failed write nothing is kept: nobody would take it away.
    fn push(&mut self, record: &Record) {
        if self.failed.is_none() {
            encode(record, &mut self.lines);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue, once there is room in it.
    fn room(&self) -> MutexGuard<'_, Queue> {
        let full = |queue: &mut Queue| queue.lines.len() > WAITING_BYTES_MAX && queue.failed.is_none();
        self.emptied.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, queue: &Queue) {
        if queue.lines.len() >= FRAME_BYTES {
            self.filled.notify_one();
        }
    }

    fn write_all(&self, mut writer: Writer<File>) {
        let mut lines = Vec::new();
        loop {
            let closing = self.take_lines(&mut lines);
            if let Err(error) = writer.write_frame(&lines) {
                return self.fail(error);
            }
            lines.clear();
            if closing {
                break;
            }
        }
        if let Err(error) = writer.into_inner().sync_data() {
            self.fail(error);
        }
    }

    /// Swaps the waiting lines for an empty buffer; true when they are the last.
    fn take_lines(&self, lines: &mut Vec<u8>) -> bool {
        let waiting = |queue: &mut Queue| queue.lines.len() < FRAME_BYTES && !queue.closing;
        let (mut queue, _) = self
            .filled
            .wait_timeout_while(self.lock(), FRAME_WAIT_MAX, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut queue.lines, lines);
        self.emptied.notify_all();
        queue.closing
    }

    fn fail(&self, error: io::Error) {
        let mut queue = self.lock();
        queue.failed = Some(error);
        self.emptied.notify_all();
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::{Reader, Tail};

    use super::*;

    fn read(path: &Path) -> (Vec<Record>, Tail) {
        let mut reader = Reader::new(File::open(path).unwrap());
        let records = reader.by_ref().map(Result::unwrap).collect();
        (records, reader.tail())
    }

    #[test]
    fn events_of_many_threads_stand_in_one_order_by_number_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let recorder = Recorder::create(&path, "").unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let recorder = &recorder;
                scope.spawn(move || {
                    (0..1000).for_each(|_| recorder.event(OpId(thread), Happening::Invoke { connection: None }));
                });
            }
        });
        recorder.finish(false).unwrap();
        let (records, tail) = read(&path);
        let events = records.iter().filter_map(|record| match record {
            Record::Event(event) => Some((event.seq, event.at_us)),
            _ => None,
        });
        let events: Vec<_> = events.collect();
        assert_eq!(events.len(), 4000);
        assert!(events.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1 && pair[1].1 >= pair[0].1));
        assert_eq!(tail, Tail::Whole);
        assert!(matches!(records.last(), Some(Record::RunEnd { interrupted: false, .. })));
    }

    #[test]
    fn an_existing_history_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        std::fs::write(&path, "precious").unwrap();
        assert!(Recorder::create(&path, "").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
