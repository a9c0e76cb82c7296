//! Shuttle as the model checker, for what is too large for loom. It draws interleavings; what it does not draw it does not see.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

use super::bounds::{Sampling, Schedule};
use super::explorer::{Ended, Engine, Explorer, Halt, Scene, Task};
use super::loom::words;
use crate::sync::Shuttle;

impl Engine for Shuttle {
    type Handle = shuttle::thread::JoinHandle<()>;

    fn spawn(who: &'static str, work: Box<dyn FnOnce() + Send>) -> Self::Handle {
        let builder = shuttle::thread::Builder::new().name(who.to_owned());
        builder.spawn(work).expect("shuttle's threads are no threads of the system")
    }

    fn join(handle: Self::Handle) {
        handle.join().expect("a panic ends the whole model");
    }
}

impl Explorer for Shuttle {
    type Bounds = Sampling;

    fn play(scene: Scene, bounds: Sampling, task: Task<'_>) -> Ended {
        let caught = match task {
            Task::Explore => catch_unwind(AssertUnwindSafe(|| draw(bounds, scene, None))),
            Task::Replay(file) => {
                let scheduler = ReplayScheduler::new_from_file(file).ok();
                catch_unwind(AssertUnwindSafe(|| run(scheduler, scene, None)))
            }
            Task::Capture(_, file) => {
                // A thread of its own: shuttle writes no schedule whose length is that of the last one of its thread.
                let draw = || draw(bounds, scene, file.parent());
                let caught = std::thread::scope(|scope| scope.spawn(draw).join());
                keep(file);
                caught
            }
        };
        let panic = caught.as_ref().err().filter(|payload| !payload.is::<Halt>()).map(|payload| words(&**payload));
        let wanted = usize::try_from(bounds.iterations).unwrap_or(usize::MAX);
        let complete = match caught {
            Ok(drawn) if drawn == wanted => Ok(u64::from(bounds.iterations)),
            Ok(drawn) => Err(format!("shuttle drew {drawn} schedules, not {wanted}")),
            Err(_) => Err("shuttle stopped before it had drawn all".to_owned()),
        };
        Ended { complete, panic }
    }
}

fn draw(bounds: Sampling, scene: Scene, folder: Option<&Path>) -> usize {
    let iterations = usize::try_from(bounds.iterations).unwrap_or(usize::MAX);
    match bounds.schedule {
        Schedule::Random => run(Some(RandomScheduler::new_from_seed(bounds.seed, iterations)), scene, folder),
        Schedule::Pct { depth } => {
            run(Some(PctScheduler::new_from_seed(bounds.seed, usize::from(depth), iterations)), scene, folder)
        }
    }
}

/// Plays what `scheduler` wants. Says how many interleavings that were.
fn run(scheduler: Option<impl Scheduler + 'static>, scene: Scene, folder: Option<&Path>) -> usize {
    let mut config = Config::new();
    config.silence_warnings = true;
    config.failure_persistence = match folder {
        Some(folder) => FailurePersistence::File(Some(folder.to_owned())),
        None => FailurePersistence::None,
    };
    scheduler.map_or(0, |scheduler| Runner::new(scheduler, config).run(move || scene()))
}

/// Shuttle chooses the name of the file.
fn keep(file: &Path) {
    let written = file.parent().map(|folder| folder.join("schedule000.txt"));
    if let Some(written) = written {
        // Without it there is no replay, and the violation says none.
        let _ = std::fs::rename(written, file);
    }
}
