//! One trial after another.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coalmine_core::history::Record;
use coalmine_core::verdict::Verdict;
use coalmine_core::{Plan, Seed};
use coalmine_plan::{Overrides, Scenario, ScenarioErrors};
use coalmine_run::{Destinations, Progress, Recorder, Secrets, Stop, run_round};
use tokio::runtime::Builder;

use crate::app::App;
use crate::draw::Draw;
use crate::findings::{Findings, Reaction};

/// By this name the service is known in requests; nothing listens there.
const ORIGIN: &str = "http://127.0.0.1:80";
/// So many tenants act, where the scenario has more.
const TENANTS_MAX: u32 = 3;

/// A trial is broken off after this long; what it has shown until then counts. Where a flaw lets others wait for what never comes, it would
/// take the time of hundreds.
const TRIAL_MAX: Duration = Duration::from_secs(1);

type Making = Pin<Box<dyn Future<Output = App>>>;

/// A service under test, and the scenario that says how it is used.
pub struct Harness {
    make: Box<dyn Fn() -> Making + Send + Sync>,
    draw: Mutex<Draw>,
    findings: Mutex<Findings>,
    people: People,
    trials: AtomicU32,
}

/// Whose the secrets of a trial are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum People {
    /// The same in every trial: the same bytes do the same.
    #[default]
    Same,
    /// Others in every trial: the service knows those before.
    Fresh,
}

/// The scenario cannot be used.
#[derive(thiserror::Error)]
pub enum HarnessError {
    /// It is not one.
    #[error("{}", .0.render(false))]
    Scenario(#[from] ScenarioErrors),
    /// What is known already cannot be read.
    #[error("cannot read what is known already: {0}")]
    Known(#[from] io::Error),
}

impl Harness {
    /// `make` is called once in each trial, on a runtime that ends with the trial.
    pub fn new<F>(scenario: &str, make: impl Fn() -> F + Send + Sync + 'static) -> Result<Self, HarnessError>
    where
        F: Future<Output = App> + 'static,
    {
        let scenario = Scenario::parse(scenario, "scenario.yaml")?;
        let overrides = Overrides {
            target_url: Some(ORIGIN.to_owned()),
            tenants_max: Some(TENANTS_MAX),
            repeat_max: Some(1),
            ..Overrides::default()
        };
        Ok(Self {
            make: Box::new(move || Box::pin(make())),
            draw: Mutex::new(Draw::new(scenario, overrides)),
            findings: Mutex::new(Findings::new(Reaction::Panic)),
            people: People::Same,
            trials: AtomicU32::new(0),
        })
    }

    /// The same where what `make` gives is one service that stays: each trial has people of its own then, and a finding may need trials
    /// before it. What such a service has begun in the background must not live on the runtime of a trial.
    #[must_use]
    pub fn at_a_service_that_stays(self) -> Self {
        Self { people: People::Fresh, ..self }
    }

    /// The same, with what is done about findings: `COALMINE_KNOWN` names a file of fingerprints that are known already, to which new
    /// ones are added, and with `COALMINE_FINDINGS=collect` each finding is told once, and no panic ends the search.
    pub fn as_the_environment_says(self) -> Result<Self, HarnessError> {
        Ok(Self { findings: Mutex::new(Findings::of_environment()?), ..self })
    }

    /// The same, with what is done about findings.
    #[must_use]
    pub fn reacting(self, reaction: Reaction) -> Self {
        Self { findings: Mutex::new(Findings::new(reaction)), ..self }
    }

    /// Plays what the bytes stand for, and panics with what leaks, unless it is known already: the message names oracle, step, owner and
    /// reader. False where the bytes stand for nothing that can be played, so that libFuzzer need not keep them.
    pub fn trial(&self, bytes: &[u8]) -> bool {
        let Some(verdict) = self.play(bytes) else { return false };
        let thrown = lock(&self.findings).learn(&verdict.findings, bytes);
        if let Some(told) = thrown {
            panic!("{told}");
        }
        true
    }

    /// Plays what the bytes stand for; none where they stand for nothing that can be played.
    pub fn play(&self, bytes: &[u8]) -> Option<Verdict> {
        let number = self.trials.fetch_add(1, Ordering::Relaxed);
        let seed = match self.people {
            People::Same => Seed(0),
            People::Fresh => Seed(0).child("coalmine in-process trials v1", number),
        };
        let plan = lock(&self.draw).plan(bytes, seed)?;
        Some(self.perform(plan))
    }

    fn perform(&self, plan: Plan) -> Verdict {
        let runtime = Builder::new_current_thread().enable_all().build().expect("the system has a runtime to give");
        let plan = Arc::new(plan);
        let records = runtime.block_on(async {
            let app = Arc::new((self.make)().await);
            let destinations = Destinations::in_process(&plan.target, app).expect("the address is one");
            record(&plan, &Arc::new(destinations)).await
        });
        drop(runtime);
        coalmine_judge::judge(|| Ok(coalmine_judge::Kept::new(&records)))
            .expect("a history in memory can be read")
            .verdict
    }
}

async fn record(plan: &Arc<Plan>, destinations: &Arc<Destinations>) -> Vec<Record> {
    let (recorder, stop) = (Arc::new(Recorder::in_memory()), Stop::new());
    let (secrets, progress) = (Arc::new(Secrets::default()), Arc::new(Progress::default()));
    let round = run_round(plan, destinations, &secrets, &recorder, &progress, &stop);
    within_time(round, &stop).await.expect("a round that was planned can be played");
    let recorder = Arc::into_inner(recorder).expect("every lane has ended");
    recorder.finish(stop.is_set()).expect("nothing is written")
}

/// The end of a round, which is told to stop once its time is over.
async fn within_time<T>(round: impl Future<Output = T>, stop: &Stop) -> T {
    let mut round = pin!(round);
    tokio::select! {
        end = &mut round => end,
        () = tokio::time::sleep(TRIAL_MAX) => {
            stop.set();
            round.await
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whoever expects no error wants to read it with its place.
impl fmt::Debug for HarnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness").finish_non_exhaustive()
    }
}
