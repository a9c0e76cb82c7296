//! Loom as the model checker.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, with_default};
use tracing::{Event, Level, Metadata, Subscriber};

use super::bounds::Bounds;
use super::explorer::{Ended, Engine, Explorer, Halt, Scene, Task};
use crate::sync::Loom;

/// Loom's own most, the main thread among them.
const THREADS_MAX: usize = 5;
/// Switches in one interleaving: far more than any honest model has.
const BRANCHES_MAX: usize = 20_000;

impl Engine for Loom {
    type Handle = loom::thread::JoinHandle<()>;

    fn spawn(who: &'static str, work: Box<dyn FnOnce() + Send>) -> Self::Handle {
        let builder = loom::thread::Builder::new().name(who.to_owned());
        builder.spawn(work).expect("loom's threads are no threads of the system")
    }

    fn join(handle: Self::Handle) {
        handle.join().expect("a panic ends the whole model");
    }
}

impl Explorer for Loom {
    type Bounds = Bounds;

    fn play(scene: Scene, bounds: Bounds, task: Task<'_>) -> Ended {
        let completed = Completed::default();
        let builder = builder(bounds, task);
        let check = || builder.check(move || scene());
        let caught = catch_unwind(AssertUnwindSafe(|| with_default(completed.clone(), check)));
        let panic = caught.err().filter(|payload| !payload.is::<Halt>()).map(|payload| words(&*payload));
        Ended { complete: completed.signal(), panic }
    }
}

/// Every limit is set here, so that none comes from the environment.
fn builder(bounds: Bounds, task: Task<'_>) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.max_threads = THREADS_MAX;
    builder.max_branches = BRANCHES_MAX;
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.preemption_bound = Some(usize::from(bounds.preemptions));
    builder.expect_explicit_explore = false;
    builder.location = false;
    builder.log = false;
    let (file, interval) = match task {
        Task::Explore => (None, usize::MAX),
        // Loom writes its path down before each interleaving whose number this divides.
        Task::Capture(iteration, file) => (Some(file), usize::try_from(iteration).unwrap_or(usize::MAX)),
        Task::Replay(file) => (Some(file), usize::MAX),
    };
    builder.checkpoint_file = file.map(Into::into);
    builder.checkpoint_interval = interval;
    builder
}

/// What a panic said.
pub(super) fn words(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

/// What a panic says that is under way.
pub(super) fn words_of(panic: &std::panic::PanicHookInfo<'_>) -> String {
    words(panic.payload())
}

/// Listens for the event by which loom says that it has explored everything. It returns in the same way when it was cut off.
#[derive(Clone, Default)]
struct Completed {
    heard: Arc<Mutex<Option<u64>>>,
}

impl Completed {
    /// How many interleavings loom says that there were.
    fn signal(&self) -> Result<u64, String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.ok_or_else(|| "loom never said that it had explored everything".to_owned())
    }
}

impl Subscriber for Completed {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "loom::model" && *metadata.level() == Level::INFO
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::INFO)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Message(&self.heard));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Message<'a>(&'a Mutex<Option<u64>>);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message"
            && let Some(iterations) = completed(&format!("{value:?}"))
        {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(iterations);
        }
    }
}

/// `Completed in 21 iterations` gives 21.
fn completed(message: &str) -> Option<u64> {
    message.strip_prefix("Completed in ")?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What loom can be told to look at less by must not look like completion.
    #[test]
    fn exploration_that_was_cut_off_does_not_signal() {
        let scene = || {
            let number = Arc::new(loom::sync::atomic::AtomicU64::new(0));
            let shared = Arc::clone(&number);
            let other = loom::thread::spawn(move || shared.fetch_add(1, std::sync::atomic::Ordering::AcqRel));
            number.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
            other.join().unwrap();
        };
        for cut in [false, true] {
            let completed = Completed::default();
            let mut builder = builder(Bounds::default(), Task::Explore);
            if cut {
                builder.checkpoint_interval = 1;
                builder.max_permutations = Some(1);
            }
            with_default(completed.clone(), || builder.check(scene));
            assert_eq!(completed.signal().is_err(), cut);
        }
    }
}
