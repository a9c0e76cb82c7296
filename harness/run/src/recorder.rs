//! Writes the history while the run goes on.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use coalmine_core::Plan;
use coalmine_core::history::{Event, HISTORY_FORMAT, Happening, Header, Record, RoundEnd, Writer, encode};
use coalmine_core::plan::OpId;

use crate::queue::{Limits, Queue, Taken};

/// A frame is written when this much is waiting, or after [`FRAME_WAIT_MAX`].
const FRAME_BYTES: usize = 256 << 10;
/// A kill loses at most what was recorded within this time.
const FRAME_WAIT_MAX: Duration = Duration::from_millis(100);
/// Recording blocks while more than this is waiting: a slow disk slows the run instead of filling the memory.
const WAITING_BYTES_MAX: usize = 64 << 20;

const LIMITS: Limits =
    Limits { frame_bytes: FRAME_BYTES, frame_wait_max: FRAME_WAIT_MAX, waiting_bytes_max: WAITING_BYTES_MAX };

/// A history that is kept in memory has no more records than this; what comes after counts as not written.
const KEPT_MAX: usize = 1 << 18;

/// Stamps events with one clock and one order, and hands them to a thread that writes them to disk, or keeps them.
pub struct Recorder {
    sink: Sink,
    started: Instant,
}

/// Where records go.
enum Sink {
    Disk {
        queue: Arc<Queue>,
        thread: Option<JoinHandle<()>>,
    },
    /// Those of a small round, which nobody reads but the judge.
    Memory(Mutex<Kept>),
}

/// What is kept in memory.
#[derive(Default)]
struct Kept {
    records: Vec<Record>,
    next_seq: u64,
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
        let queue = Arc::new(Queue::new(LIMITS));
        let thread = {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name("recorder".into()).spawn(move || write_all(&queue, writer))?
        };
        Ok(Self::begin(Sink::Disk { queue, thread: Some(thread) }, reproduce))
    }

    /// Keeps a history of 262,144 records at most, without a file and without a thread.
    pub fn in_memory() -> Self {
        Self::begin(Sink::Memory(Mutex::default()), "")
    }

    fn begin(sink: Sink, reproduce: &str) -> Self {
        let recorder = Self { sink, started: Instant::now() };
        recorder.append(Record::Header(Header {
            format: HISTORY_FORMAT,
            coalmine: env!("CARGO_PKG_VERSION").to_owned(),
            started_unix_ms: unix_ms(),
            reproduce: reproduce.to_owned(),
        }));
        recorder
    }

    /// Records that something happened to an operation, now.
    pub fn event(&self, op: OpId, what: Happening) {
        let event = |seq| Record::Event(Event { seq, at_us: self.elapsed_us(), op, what });
        match &self.sink {
            Sink::Disk { queue, .. } => queue.add_numbered(|seq, lines| encode(&event(seq), lines)),
            Sink::Memory(kept) => {
                let mut kept = lock(kept);
                let seq = kept.next_seq;
                kept.next_seq += 1;
                kept.add(event(seq));
            }
        }
    }

    /// Records that a round begins.
    pub fn round(&self, plan: &Plan) {
        self.append(Record::Round(Box::new(plan.clone())));
    }

    /// Records how the round ended.
    pub fn round_end(&self, end: RoundEnd) {
        self.append(Record::RoundEnd(end));
    }

    /// Records the end of the run, and waits until everything is on disk, or hands out what was kept.
    pub fn finish(mut self, interrupted: bool) -> Result<Vec<Record>, RecorderError> {
        self.append(Record::RunEnd { at_us: self.elapsed_us(), interrupted });
        self.close()?;
        Ok(match &self.sink {
            Sink::Disk { .. } => vec![],
            Sink::Memory(kept) => std::mem::take(&mut lock(kept).records),
        })
    }

    /// Whether writing has failed: nothing more is recorded, and the run should stop.
    pub fn has_failed(&self) -> bool {
        match &self.sink {
            Sink::Disk { queue, .. } => queue.has_failed(),
            Sink::Memory(kept) => lock(kept).records.len() >= KEPT_MAX,
        }
    }

    fn append(&self, record: Record) {
        match &self.sink {
            Sink::Disk { queue, .. } => queue.add(|lines| encode(&record, lines)),
            Sink::Memory(kept) => lock(kept).add(record),
        }
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).expect("a run is shorter than 500,000 years")
    }

    fn close(&mut self) -> Result<(), RecorderError> {
        let Sink::Disk { queue, thread } = &mut self.sink else { return Ok(()) };
        queue.close();
        if let Some(thread) = thread.take() {
            thread.join().map_err(|_| io::Error::other("the writing thread panicked"))?;
        }
        match queue.take_failure() {
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

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    /// What is too much is left out, and the history has no end: whoever judges it learns that it was cut off.
    fn add(&mut self, record: Record) {
        if self.records.len() < KEPT_MAX {
            self.records.push(record);
        }
    }
}

fn write_all(queue: &Queue, mut writer: Writer<File>) {
    let mut lines = Vec::new();
    loop {
        let taken = queue.take(&mut lines);
        if let Err(error) = writer.write_frame(&lines) {
            return queue.fail(error);
        }
        lines.clear();
        if taken == Taken::Last {
            break;
        }
    }
    if let Err(error) = writer.into_inner().sync_data() {
        queue.fail(error);
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[cfg(not(coalmine_loom))]
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
    fn a_history_in_memory_holds_what_one_on_disk_holds() {
        let recorder = Recorder::in_memory();
        (0..3).for_each(|op| recorder.event(OpId(op), Happening::Invoke { connection: None }));
        recorder.round_end(RoundEnd::Completed);
        let records = recorder.finish(false).unwrap();
        assert!(matches!(records.first(), Some(Record::Header(_))));
        let numbers = records.iter().filter_map(|record| match record {
            Record::Event(event) => Some((event.seq, event.op.0)),
            _ => None,
        });
        assert_eq!(numbers.collect::<Vec<_>>(), [(0, 0), (1, 1), (2, 2)]);
        assert!(matches!(records.last(), Some(Record::RunEnd { interrupted: false, .. })));
    }

    #[test]
    fn what_is_too_much_for_memory_counts_as_a_history_without_an_end() {
        let recorder = Recorder::in_memory();
        (0..KEPT_MAX).for_each(|_| recorder.event(OpId(0), Happening::Invoke { connection: None }));
        assert!(recorder.has_failed());
        assert!(!matches!(recorder.finish(false).unwrap().last(), Some(Record::RunEnd { .. })));
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
