//! One run of the built-in scenario against the built-in service, with the flaws that are wanted.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use coalmine_campaign::{Limit, Until};
use coalmine_core::plan::Schedule;
use coalmine_core::verdict::OracleId;
use coalmine_core::{Outcome, Seed};
use coalmine_plan::{Overrides, Scenario, Shaking};
use coalmine_run::Stop;
use coalmine_target::{Config, Expected, Flaw, FlawSet, Names, start};

use super::renaming::{FILE, scenario_for};
use crate::exit::Failed;
use crate::folder::Folder;
use crate::inputs::Inputs;
use crate::pipeline::{Job, Judged, Start};
use crate::services::Services;

/// Trials of a table that go on beside each other for each processor, each with a service of its own: they mostly wait, at gates and
/// for what the service takes time for.
const AT_A_TIME_ON_ONE: usize = 5;
/// More would run out of files and ports.
const AT_A_TIME_MAX: usize = 40;
/// What chance did not bring in the first round may come in the next. Rounds, not seconds: a busy machine takes longer, and finds the same.
const ROUNDS_MAX: u32 = 8;

/// How many trials go on beside each other on this machine.
pub(super) fn trials_at_a_time() -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    (AT_A_TIME_ON_ONE * processors).min(AT_A_TIME_MAX)
}

/// What all trials have in common.
pub(super) struct Bench<'a> {
    scenario: Scenario,
    /// What it was read from.
    text: String,
    names: Names,
    services: Services,
    out: &'a Path,
    stop: Stop,
}

/// One trial.
pub(super) struct Trial {
    /// Names its folder.
    pub(super) name: String,
    pub(super) flaws: FlawSet,
    pub(super) seed: Seed,
    pub(super) schedule: Schedule,
    pub(super) shaking: Shaking,
    pub(super) limit: Limit,
    pub(super) until: Until,
}

/// What came of a trial.
pub(super) struct Tried {
    pub(super) judged: Judged,
    /// Where it can be looked up.
    pub(super) history: PathBuf,
}

/// Whether a flaw was found for what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Score {
    /// By the oracles that must find it, and by none that must not.
    Found,
    /// One of the oracles that must find it did not.
    Missed,
    /// By them, and by others that must not.
    Overfound,
}

impl<'a> Bench<'a> {
    /// Trials of a service that goes by these names.
    pub(super) fn new(out: &'a Path, names: Names, services: Services, stop: Stop) -> Result<Self, Failed> {
        let text = scenario_for(&names);
        let scenario = Scenario::parse(&text, FILE).map_err(|errors| Failed::usage(errors.render(false)))?;
        Ok(Self { scenario, text, names, services, out, stop })
    }

    /// The scenario, and its text.
    pub(super) fn scenario(&self) -> (Scenario, String) {
        (self.scenario.clone(), self.text.clone())
    }

    /// Set by Ctrl-C.
    pub(super) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Whether Ctrl-C was pressed.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_set()
    }

    /// Starts a service, tests it, stops it.
    pub(super) async fn run(&self, trial: Trial) -> Result<Tried, Failed> {
        let (names, storage) = (self.names.clone(), self.services.storage());
        let running = start(Config { flaws: trial.flaws, names, storage, ..Config::default() }).await;
        let running = running.map_err(|e| Failed::fault("cannot start the target", e))?;
        let Trial { schedule, shaking, .. } = trial;
        let overrides = Overrides { target_url: Some(running.url()), schedule, shaking, ..Overrides::default() };
        let command_line = format!("coalmine gate {FILE}");
        let job = Job {
            scenario: &self.scenario,
            seed: trial.seed,
            limit: trial.limit,
            until: trial.until,
            overrides,
            inputs: Inputs::default(),
            start: Start::Whole,
            spent: None,
            command_line,
        };
        let folder = Folder::create(self.out, &trial.name, trial.seed);
        let folder = folder.map_err(|e| Failed::fault("cannot make the folder", e))?;
        folder.write_scenario(&self.text).map_err(|e| Failed::fault("cannot write the scenario", e))?;
        let judged = job.run(&folder, &self.stop).await;
        running.stop().await;
        judged.map(|judged| Tried { judged, history: folder.history() })
    }
}

impl Trial {
    /// This flaw and no other, until it is found.
    pub(super) fn alone(flaw: Flaw, seed: Seed) -> Self {
        Self {
            name: flaw.id().to_owned(),
            flaws: FlawSet::from_iter([flaw]),
            limit: Limit::Rounds(ROUNDS_MAX),
            until: Until::Found(flaw.expected().oracles),
            ..Self::repaired(seed)
        }
    }

    /// One round with no flaw at all: the twin of each.
    pub(super) fn repaired(seed: Seed) -> Self {
        Self {
            name: "repaired".to_owned(),
            flaws: FlawSet::none(),
            seed,
            schedule: Schedule::Together,
            shaking: Shaking::On,
            limit: Limit::Rounds(1),
            until: Until::Spent,
        }
    }

    /// The same with tenants that never meet.
    pub(super) fn one_at_a_time(self) -> Self {
        Self { name: format!("{}-one-at-a-time", self.name), schedule: Schedule::OneAtATime, ..self }
    }

    /// The same, in no more than one round.
    pub(super) fn one_round(self) -> Self {
        Self { limit: Limit::Rounds(1), until: Until::Spent, ..self }
    }

    /// The same with nothing shaken.
    pub(super) fn unshaken(self) -> Self {
        Self { name: format!("{}-unshaken", self.name), shaking: Shaking::Off, ..self }
    }

    /// The same, in rounds until the time is over or what is wanted is there.
    pub(super) fn lasting(self, time: Duration, until: Until) -> Self {
        Self { limit: Limit::Time(time), until, ..self }
    }
}

impl Score {
    /// Compares the findings with what the flaw must cause.
    pub(super) fn of(flaw: Flaw, judged: &Judged) -> Self {
        let Expected { oracles: expected, also, .. } = flaw.expected();
        let found: Vec<_> = judged.report.verdict.findings.iter().map(|finding| finding.oracle.name()).collect();
        match (
            expected.iter().all(|oracle| found.contains(oracle)),
            found.iter().all(|oracle| expected.contains(oracle) || also.contains(oracle)),
        ) {
            (false, _) => Self::Missed,
            (true, false) => Self::Overfound,
            (true, true) => Self::Found,
        }
    }
}

/// Whether a repaired service passed, without a single finding.
pub(super) fn passed(judged: &Judged) -> bool {
    judged.report.verdict.outcome == Outcome::Pass
}

/// Whether tenants that never met showed nothing, and Coalmine said that this means nothing.
pub(super) fn silent_and_inconclusive(judged: &Judged) -> bool {
    judged.report.verdict.outcome == Outcome::Inconclusive
}

/// The kinds of findings, each once.
pub(super) fn kinds(judged: &Judged) -> Vec<OracleId> {
    let mut kinds: Vec<_> = judged.report.verdict.findings.iter().map(|finding| finding.oracle).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
