//! Plays a scene under a model checker and judges what came of it.

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;

use super::bounds::Extent;
use super::child::Role;
use super::explored::Explored;
use super::failure::{DEADLOCK, ENDLESS, Failure, MISSED, PANIC, Violation};
use super::limits;
use super::pattern::Pattern;
use super::saved::Saved;
use super::stage::Stage;
use super::tape::{Finding, Tape};
use crate::sync::SyncTypes;

/// Sync types that a model checker stands behind. Loom explores, shuttle samples.
pub trait Explorer: Engine {
    /// How far it goes.
    type Bounds: Copy + Into<Extent>;

    /// Plays `scene`, which says by an unwinding [`Halt`] that it has seen enough.
    #[doc(hidden)]
    fn play(scene: Scene, bounds: Self::Bounds, task: Task<'_>) -> Ended;
}

/// What only this crate asks of a model checker.
pub trait Engine: SyncTypes {
    /// A thread of a model.
    type Handle;

    /// Starts a thread of the model.
    fn spawn(who: &'static str, work: Box<dyn FnOnce() + Send>) -> Self::Handle;

    /// Waits for its end.
    fn join(handle: Self::Handle);
}

/// One interleaving, whichever it is.
pub(super) type Scene = Arc<dyn Fn() + Send + Sync>;

/// What is to be done with a scene.
#[derive(Clone, Copy, Debug)]
pub enum Task<'a> {
    /// Look for a violation.
    Explore,
    /// Leave the interleaving with this number in a file.
    Capture(u64, &'a Path),
    /// Play the interleaving of a file.
    Replay(&'a Path),
}

/// How the playing ended.
#[derive(Debug)]
pub struct Ended {
    /// How many interleavings these were, if everything was played that was to be played, and if not, why.
    pub complete: Result<u64, String>,
    /// What the code under test, or the model checker, said when it panicked.
    pub panic: Option<String>,
}

/// Unwinds out of an exploration that has seen enough.
pub(super) struct Halt;

/// What came of a model, and where there was a violation, the interleaving in the model checker's own words.
pub(super) type Outcome = (Result<Explored, Failure>, Option<String>);

/// Plays `scene` under the model checker `E` with the structure `implementation`, in a process of its own where that can be:
/// a model checker may end it.
///
/// A test that calls this is run once more in the process of its own, up to here.
///
/// # Errors
///
/// Where a promise was broken, and where nothing was proved.
pub fn explore<E: Explorer>(
    pattern: &'static Pattern,
    implementation: &str,
    bounds: E::Bounds,
    scene: impl Fn(&Stage<E>) + Send + Sync + 'static,
) -> Result<Explored, Failure> {
    limits::refuse()?;
    let play = Play::<E> { pattern, implementation, bounds, scene: Arc::new(scene) };
    let key = format!("{}/{implementation}", pattern.name);
    match Role::here(&key)? {
        Role::Child(child) => {
            child.watch(pattern, implementation);
            let outcome = match &child.capture {
                Some((iteration, file)) => (play.capture(*iteration, file), None),
                None => play.outcome(),
            };
            child.report(outcome)
        }
        Role::Knowing(told) => told,
        Role::Parent(child) => child.run_next(&key, bounds.into()),
        Role::Alone => {
            let (result, path) = play.outcome();
            Saved::keep(result, path, bounds.into(), None)
        }
    }
}

type OnStage<E> = dyn Fn(&Stage<E>) + Send + Sync;

struct Play<'a, E: Explorer> {
    pattern: &'static Pattern,
    implementation: &'a str,
    bounds: E::Bounds,
    scene: Arc<OnStage<E>>,
}

impl<E: Explorer> Play<'_, E> {
    fn outcome(&self) -> Outcome {
        let replayed = match Saved::asked_for(self.pattern.name, self.implementation) {
            Ok(None) => return self.explored(),
            Ok(Some(saved)) => saved.with_path(|path| self.run(Task::Replay(path))),
            Err(error) => Err(error),
        };
        (replayed.unwrap_or_else(|error| Err(Failure::Fault { what: error.to_string() })), None)
    }

    fn explored(&self) -> Outcome {
        let result = self.run(Task::Explore);
        let Some(iteration) = result.as_ref().err().and_then(Failure::violation).map(|violation| violation.iteration)
        else {
            return (result, None);
        };
        let path = tempfile::tempdir().and_then(|folder| {
            let file = folder.path().join("path");
            let _same_violation = self.capture(iteration, &file);
            std::fs::read_to_string(file)
        });
        (result, path.ok())
    }

    /// Explores once more, for model checkers repeat themselves exactly.
    fn capture(&self, iteration: u64, file: &Path) -> Result<Explored, Failure> {
        self.run(Task::Capture(iteration, file))
    }

    fn run(&self, task: Task<'_>) -> Result<Explored, Failure> {
        let tape = Tape::new(self.pattern);
        let ended = tape.while_current(|| E::play(self.on(&tape, task), self.bounds, task));
        self.judge(&tape, ended)
    }

    fn on(&self, tape: &Arc<Tape>, task: Task<'_>) -> Scene {
        let (tape, scene) = (Arc::clone(tape), Arc::clone(&self.scene));
        let last = match task {
            Task::Explore => u64::MAX,
            Task::Capture(iteration, _) => iteration,
            Task::Replay(_) => 1,
        };
        Arc::new(move || {
            tape.rewind();
            let stage = Stage::<E>::new(Arc::clone(&tape));
            scene(&stage);
            stage.clear();
            drop(stage);
            if tape.settle() || tape.iteration() == last {
                resume_unwind(Box::new(Halt));
            }
        })
    }

    fn judge(&self, tape: &Tape, ended: Ended) -> Result<Explored, Failure> {
        let bounds = self.bounds.into();
        let complete = matches!(bounds, Extent::Exhausted(_));
        let explored = Explored { iterations: tape.iteration(), complete, witnesses: tape.witnesses(), bounds };
        let missing = explored.missing();
        if let Some(violation) = violation(tape, self.pattern.name, self.implementation, ended.panic)
            && (violation.invariant != MISSED || missing.is_empty() || ended.complete.is_err())
        {
            return Err(Failure::Violation(Box::new(violation)));
        }
        let played = ended.complete.map_err(|why| Failure::Incomplete { why })?;
        if played != explored.iterations {
            let why = format!("the model checker speaks of {played} interleavings, {} were seen", explored.iterations);
            return Err(Failure::Incomplete { why });
        }
        if missing.is_empty() { Ok(explored) } else { Err(Failure::Hollow { explored, missing }) }
    }
}

/// What the tape and the last words of a panic tell.
pub(super) fn violation(tape: &Tape, pattern: &str, implementation: &str, panic: Option<String>) -> Option<Violation> {
    tape.settle();
    let finding = tape.worst().or_else(|| {
        let (invariant, what) = classify(panic?);
        let mut steps = tape.steps();
        if let Some(last) = steps.last_mut() {
            last.crossed = true;
        }
        Some(Finding { invariant, what, iteration: tape.iteration(), steps })
    })?;
    let Finding { invariant, what, iteration, steps } = finding;
    Some(Violation {
        pattern: pattern.to_owned(),
        implementation: implementation.to_owned(),
        invariant: invariant.to_owned(),
        what,
        iteration,
        steps,
        aborted: false,
        saved: None,
        replay: None,
    })
}

fn classify(panic: String) -> (&'static str, String) {
    if panic.contains("deadlock") {
        (DEADLOCK, "nobody can go on".to_owned())
    } else if panic.contains("maximum number of branches") || panic.contains("exceeded max_steps bound") {
        (ENDLESS, "it goes on and on".to_owned())
    } else {
        (PANIC, panic)
    }
}
