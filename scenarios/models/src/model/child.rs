//! A model in a process of its own, for model checkers end the process where they cannot unwind.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::bounds::{Extent, MINUTES_MAX};
use super::explored::Explored;
use super::explorer::{Outcome, violation};
use super::failure::Failure;
use super::limits;
use super::pattern::Pattern;
use super::saved::{Saved, Shelf};
use super::tape::Tape;

thread_local! {
    /// What came of the models of the test that runs in this thread, one after another.
    static TOLD: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
}

type Told = Result<Explored, Failure>;

/// Names the file in which a process is told that it is the one of a model.
const VARIABLE: &str = "COALMINE_MODEL_CHILD";
const POLL: Duration = Duration::from_millis(2);
const LAST_WORDS_CHARS_MAX: usize = 600;

/// How to start the process of a model.
#[derive(Clone, Debug)]
pub struct Child {
    program: PathBuf,
    arguments: Vec<OsString>,
    shelf: Shelf,
}

/// What this process is.
pub(super) enum Role {
    /// The one of this model.
    Child(Box<Request>),
    /// One that can start the one of this model.
    Parent(Child),
    /// The one of a later model of the same test, to which the parent has told what came of this one.
    Knowing(Told),
    /// None of these.
    Alone,
}

/// What a parent wants.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) model: String,
    pub(crate) bounds: Extent,
    /// What came of the models that the same test has run before.
    told: Vec<Told>,
    result: PathBuf,
    /// Not to explore, but to leave the interleaving with this number in a file.
    pub(super) capture: Option<(u64, PathBuf)>,
}

/// What a child leaves.
#[derive(Serialize, Deserialize)]
struct Report {
    result: Result<Explored, Failure>,
    path: Option<String>,
}

impl Role {
    pub(super) fn here(model: &str) -> Result<Self, Failure> {
        let Some(request) = Request::read()? else {
            return Ok(Child::of_this_test().map_or(Self::Alone, Self::Parent));
        };
        let number = TOLD.with_borrow(Vec::len);
        match request.told.get(number).cloned() {
            Some(told) => {
                remember(&told);
                Ok(Self::Knowing(told))
            }
            None if request.model == model => Ok(Self::Child(Box::new(request))),
            None => Err(fault(model, format_args!("the test was to come to {} again", request.model))),
        }
    }
}

impl Request {
    /// What the parent of this process wants, if it is the process of a model.
    pub(crate) fn read() -> Result<Option<Self>, Failure> {
        let Some(file) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let text = std::fs::read(file).map_err(|error| fault(VARIABLE, error))?;
        serde_json::from_slice(&text).map(Some).map_err(|error| fault(VARIABLE, error))
    }

    /// Leaves a report from now on when there is a panic, for it may be the last thing that happens in this process.
    pub(super) fn watch(&self, pattern: &'static Pattern, implementation: &str) {
        let (file, implementation) = (self.result.clone(), implementation.to_owned());
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            before(panic);
            let said = super::loom::words_of(panic);
            Tape::with_current(|tape| {
                // The stack of a model's thread is small.
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        if let Some(mut violation) = violation(tape, pattern.name, &implementation, Some(said)) {
                            violation.aborted = true;
                            write(&file, &Report { result: Err(Failure::Violation(Box::new(violation))), path: None });
                        }
                    });
                });
            });
        }));
    }

    /// Leaves the report, and ends the process: it was started for nothing else, and what follows in its test is the parent's.
    pub(super) fn report(&self, outcome: Outcome) -> ! {
        let (result, path) = outcome;
        write(&self.result, &Report { result, path });
        std::process::exit(0)
    }
}

/// A parent that finds no report says so.
fn write(file: &Path, report: &Report) {
    let text = serde_json::to_vec(report).expect("a report has string keys only");
    let _ = std::fs::write(file, text);
}

impl Child {
    /// The process of a model is `program` with `arguments`; its interleavings go to `folder`. `replay` is the line that plays
    /// one again, with `{}` for the file.
    pub fn new(program: PathBuf, arguments: Vec<OsString>, folder: PathBuf, replay: &str) -> Self {
        Self { program, arguments, shelf: Shelf { folder, replay: replay.to_owned() } }
    }

    /// The test that runs in this thread, once more. Only where cargo's test harness names its threads.
    fn of_this_test() -> Option<Self> {
        let program =
            std::env::current_exe().ok().filter(|exe| exe.parent().is_some_and(|dir| dir.ends_with("deps")))?;
        let thread = std::thread::current();
        let name = thread.name().filter(|name| *name != "main")?;
        let arguments = [name, "--exact", "--nocapture", "--include-ignored"].map(OsString::from);
        Some(Self { program, arguments: arguments.into(), shelf: Shelf::of_tests() })
    }

    /// Runs the next model of the test in this thread.
    pub(super) fn run_next(&self, model: &str, bounds: Extent) -> Result<Explored, Failure> {
        let result = self.run(model, bounds, None);
        remember(&result);
        result
    }

    /// Runs the model in a process of its own, or plays the interleaving of a file there.
    ///
    /// # Errors
    ///
    /// As [`super::explore`], and where there could be no such process.
    pub fn run(&self, model: &str, bounds: Extent, replay: Option<&Path>) -> Result<Explored, Failure> {
        limits::refuse()?;
        let Report { result, mut path } = self.report(model, bounds, None, replay)?;
        let aborted = result.as_ref().err().and_then(Failure::violation).filter(|violation| violation.aborted);
        if let (Some(violation), None) = (aborted, replay) {
            path = self.capture(model, bounds, violation.iteration);
        }
        Saved::keep(result, path, bounds, Some(self.shelf.clone()))
    }

    fn capture(&self, model: &str, bounds: Extent, iteration: u64) -> Option<String> {
        let folder = tempfile::tempdir().ok()?;
        let file = folder.path().join("path");
        let _same_abort = self.report(model, bounds, Some((iteration, file.clone())), None);
        std::fs::read_to_string(file).ok()
    }

    fn report(
        &self,
        model: &str,
        bounds: Extent,
        capture: Option<(u64, PathBuf)>,
        replay: Option<&Path>,
    ) -> Result<Report, Failure> {
        let folder = tempfile::tempdir().map_err(|error| fault("a folder for a model's process", error))?;
        let [request, result, words] = ["request", "result", "words"].map(|name| folder.path().join(name));
        let told = TOLD.with_borrow(Vec::clone);
        let wanted = Request { model: model.to_owned(), bounds, told, result: result.clone(), capture };
        let text = serde_json::to_vec(&wanted).expect("a request has string keys only");
        let written = std::fs::write(&request, text);
        let ended = written.and_then(|()| self.spawn(&request, &words, bounds, replay));
        let ended = ended.map_err(|error| fault("a model's process", error))?;
        let Some(status) = ended else {
            return Err(Failure::Incomplete { why: "it took longer than its bounds allow".to_owned() });
        };
        let report = std::fs::read(&result).ok().and_then(|text| serde_json::from_slice(&text).ok());
        report.ok_or_else(|| Failure::Fault { what: format!("{model} ended its process ({status}): {}", last(&words)) })
    }

    fn spawn(
        &self,
        request: &Path,
        words: &Path,
        bounds: Extent,
        replay: Option<&Path>,
    ) -> io::Result<Option<ExitStatus>> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env(VARIABLE, request).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(words)?);
        if let Some(file) = replay {
            Saved::ask(&mut command, file);
        }
        let mut child = command.spawn()?;
        let until = Instant::now() + time_max(bounds);
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > until {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(POLL);
        }
    }
}

/// The test that runs in this thread may come to another model.
fn remember(result: &Told) {
    TOLD.with_borrow_mut(|told| told.push(result.clone()));
}

fn time_max(bounds: Extent) -> Duration {
    let minutes_max = match bounds {
        Extent::Exhausted(bounds) => bounds.minutes_max,
        Extent::Sampled(_) => MINUTES_MAX,
    };
    Duration::from_secs(60 * u64::from(minutes_max))
}

fn last(words: &Path) -> String {
    let text = std::fs::read_to_string(words).unwrap_or_default();
    let skipped = text.chars().count().saturating_sub(LAST_WORDS_CHARS_MAX);
    text.chars().skip(skipped).collect()
}

fn fault(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::Fault { what: format!("{what}: {error}") }
}
