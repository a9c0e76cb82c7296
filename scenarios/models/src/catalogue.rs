//! The built-in models: each pattern with its right, its guilty and its hollow structures.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::model::{Bounds, Child, Explored, Extent, Failure, Pattern, Request};
use crate::pattern;
use crate::sync::Loom;

pub(crate) const RIGHT: &str = "right";
const HOLLOW: &str = "hollow";

/// What a structure must be found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It keeps every promise.
    Right,
    /// It breaks this one.
    Guilty(&'static str),
    /// It does nothing, so that nothing is proved.
    Hollow,
}

/// Whether a structure was found to be what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Proved right, or caught for what it is, or refused.
    AsExpected,
    /// A right structure broke a promise.
    RightFailed,
    /// A guilty structure was not caught, or was caught for something else; or a hollow one was not refused.
    Missed,
    /// Nothing was decided.
    Undecided,
}

/// One structure of one pattern.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// The pattern.
    pub pattern: &'static Pattern,
    /// The structure's name.
    pub implementation: &'static str,
    /// What it must be found to be.
    pub expected: Expected,
    run: Run<Bounds>,
    #[cfg(feature = "shuttle")]
    sample: Run<crate::model::Sampling>,
}

type Run<B> = fn(&str, B) -> Result<Explored, Failure>;

/// A structure, for the list of its pattern.
pub(crate) struct Entry {
    name: &'static str,
    expected: Expected,
}

impl Entry {
    pub(crate) const fn right() -> Self {
        Self { name: RIGHT, expected: Expected::Right }
    }

    pub(crate) const fn guilty(name: &'static str, invariant: &'static str) -> Self {
        Self { name, expected: Expected::Guilty(invariant) }
    }

    pub(crate) const fn hollow() -> Self {
        Self { name: HOLLOW, expected: Expected::Hollow }
    }
}

/// All of them, pattern by pattern.
pub fn catalogue() -> Vec<Model> {
    let mut models = Vec::new();
    macro_rules! add {
        ($($module:ident $pattern:ident),* $(,)?) => {
            $(models.extend(pattern::$module::ENTRIES.iter().map(|entry| Model {
                pattern: &pattern::$module::$pattern,
                implementation: entry.name,
                expected: entry.expected,
                run: pattern::$module::run::<Loom>,
                #[cfg(feature = "shuttle")]
                sample: pattern::$module::run::<crate::sync::Shuttle>,
            }));)*
        };
    }
    add!(
        pool POOL,
        slot SLOT,
        states STATES,
        children CHILDREN,
        cache CACHE,
        flight FLIGHT,
        lazy LAZY,
        registry REGISTRY,
        tokens TOKENS,
        idempotency IDEMPOTENCY,
        router ROUTER,
        stream STREAM,
        queue QUEUE,
        buffers BUFFERS,
        limiter LIMITER,
        drain DRAIN,
    );
    models
}

/// Runs the model that this process was started for by [`Model::explore_in`], if it was started for one. What came of it goes
/// to the parent, and the process ends.
pub fn run_as_child() {
    let Ok(Some(request)) = Request::read() else {
        return;
    };
    if let Some(model) = catalogue().into_iter().find(|model| model.key() == request.model) {
        // The process ends in there.
        let _ = model.go_to(request.bounds);
    }
}

/// Explores models, each in a process of its own, as many at a time as there are processors. The results are in the order of
/// the models.
pub fn explore_all(models: &[Model], child: &Child, extent: impl Into<Extent>) -> Vec<Result<Explored, Failure>> {
    let extent = extent.into();
    let next = AtomicUsize::new(0);
    let pairs: Vec<_> = models.iter().map(|model| (model, OnceLock::new())).collect();
    let work = || {
        while let Some((model, slot)) = pairs.get(next.fetch_add(1, Relaxed)) {
            let _first = slot.set(model.explore_in(child, extent, None));
        }
    };
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    pairs.into_iter().map(|(_, slot)| slot.into_inner().expect("every model has been taken by a worker")).collect()
}

impl Model {
    /// `pattern/implementation`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.pattern.name, self.implementation)
    }

    /// Explores it.
    ///
    /// # Errors
    ///
    /// As [`crate::explore`].
    pub fn explore(&self, bounds: Bounds) -> Result<Explored, Failure> {
        (self.run)(self.implementation, bounds)
    }

    /// Explores it, or draws samples of it, in a process of its own, or plays the interleaving of a file there.
    ///
    /// # Errors
    ///
    /// As [`crate::explore`].
    pub fn explore_in(
        &self,
        child: &Child,
        extent: impl Into<Extent>,
        replay: Option<&std::path::Path>,
    ) -> Result<Explored, Failure> {
        child.run(&self.key(), extent.into(), replay)
    }

    fn go_to(&self, extent: Extent) -> Result<Explored, Failure> {
        match extent {
            Extent::Exhausted(bounds) => self.explore(bounds),
            #[cfg(feature = "shuttle")]
            Extent::Sampled(sampling) => self.sample(sampling),
            #[cfg(not(feature = "shuttle"))]
            Extent::Sampled(_) => {
                Err(Failure::Fault { what: "this was built without the feature `shuttle`".to_owned() })
            }
        }
    }

    /// Draws samples of it.
    ///
    /// # Errors
    ///
    /// As [`crate::explore`].
    #[cfg(feature = "shuttle")]
    pub fn sample(&self, sampling: crate::model::Sampling) -> Result<Explored, Failure> {
        (self.sample)(self.implementation, sampling)
    }

    /// Compares what came of it with what it is.
    pub fn mark(&self, result: &Result<Explored, Failure>) -> Mark {
        match (self.expected, result) {
            (Expected::Right, Ok(_)) | (Expected::Hollow, Err(Failure::Hollow { .. })) => Mark::AsExpected,
            (Expected::Guilty(invariant), Err(Failure::Violation(violation))) if violation.invariant == invariant => {
                Mark::AsExpected
            }
            (Expected::Right, Err(Failure::Violation(_))) => Mark::RightFailed,
            (_, Err(Failure::Incomplete { .. } | Failure::Limited { .. } | Failure::Fault { .. })) => Mark::Undecided,
            _ => Mark::Missed,
        }
    }
}
