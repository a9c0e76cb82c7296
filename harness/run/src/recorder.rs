//! Writes the history while the run goes on.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
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

/// Stamps events with one clock and one order, and hands them to a thread that writes them to disk.
pub struct Recorder {
    queue: Arc<Queue>,
    started: Instant,
    thread: Option<JoinHandle<()>>,
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
        let recorder = Self { queue, started: Instant::now(), thread: Some(thread) };
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
        self.queue.add_numbered(|seq, lines| {
            let at_us = self.elapsed_us();
            encode(&Record::Event(Event { seq, at_us, op, what }), lines);
        });
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
        self.queue.has_failed()
    }

    fn append(&self, record: &Record) {
        self.queue.add(|lines| encode(record, lines));
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).expect("a run is shorter than 500,000 years")
    }

    fn close(&mut self) -> Result<(), RecorderError> {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| io::Error::other("the writing thread panicked"))?;
        }
        match self.queue.take_failure() {
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
    fn an_existing_history_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        std::fs::write(&path, "precious").unwrap();
        assert!(Recorder::create(&path, "").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
