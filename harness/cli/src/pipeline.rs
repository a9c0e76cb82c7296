//! Scenario -> Plan -> History -> Verdict -> Report.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coalmine_campaign::{Limit, Next, Search, Until};
use coalmine_canary::CanaryId;
use coalmine_core::history::{HistoryError, Reader, Record, RoundEnd};
use coalmine_core::report::{REPORT_FORMAT, Smoke};
use coalmine_core::{Plan, Report, Seed};
use coalmine_plan::{Overrides, PlanError, Scenario};
use coalmine_run::{Destinations, Progress, Recorder, Stop, run_round};

use crate::exit::{Exit, Failed};
use crate::folder::Folder;
use crate::inputs::{self, Inputs};
use crate::progress::Shown;

/// A run that has been decided on.
pub(crate) struct Job<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) seed: Seed,
    pub(crate) limit: Limit,
    pub(crate) until: Until,
    pub(crate) overrides: Overrides,
    pub(crate) inputs: Inputs,
    /// Whether one tenant goes first, and the others follow only when the target is healthy.
    pub(crate) start: Start,
    /// What was spent of its budget before.
    pub(crate) spent: Option<Arc<Progress>>,
    /// The one line that brings it back, but for the seed.
    pub(crate) command_line: String,
}

/// How a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// With all tenants.
    Whole,
    /// With a round of one tenant, or of two where a scenario needs partners.
    Careful,
}

/// A run that has been judged.
pub(crate) struct Judged {
    pub(crate) report: Report,
    pub(crate) exit: Exit,
    /// Canaries that everybody was shown, as the scenario allows.
    pub(crate) public: Vec<CanaryId>,
}

impl Job<'_> {
    /// Runs it, judges it, and leaves history and reports in the folder.
    pub(crate) async fn run(&self, folder: &Folder, stop: &Stop) -> Result<Judged, Failed> {
        let secrets = Arc::new(self.inputs.secrets(self.scenario)?);
        let first = self.first().map_err(Failed::usage)?;
        let certificates = inputs::certificates(&first.target.tls)?;
        let destinations = Destinations::resolve(&first.target, &certificates).await;
        let destinations = Arc::new(destinations.map_err(Failed::usage)?);
        let recorder = Recorder::create(&folder.history(), &self.reproduce(&first.target.base_url))
            .map_err(|e| Failed::fault("cannot record", e))?;
        let recorder = Arc::new(recorder);
        let spent = self.spent.as_ref().map(|spent| spent.beside());
        let shown = Arc::new(spent.unwrap_or_else(|| Progress::within(first.budget)));
        let bar = Shown::start(shown.clone(), self.planned(&first));
        let mut search = Search::new(self.limit, self.until);
        let began = Instant::now();
        let first_plan = Arc::clone(&first);
        let mut rounds = 0;
        let mut next = Some(first);
        while let Some(plan) = next.take() {
            let end = run_round(&plan, &destinations, &secrets, &recorder, &shown, stop).await;
            let end = end.map_err(|e| Failed::fault("the round could not be run", e))?;
            rounds += 1;
            let goes_on = self.start == Start::Whole || is_healthy(&shown, &plan);
            if end == RoundEnd::Completed && goes_on {
                next = self.next(&mut search, began.elapsed(), plan.round + 1, folder)?;
            }
        }
        drop(bar);
        let recorder = Arc::into_inner(recorder).expect("every lane has ended");
        recorder.finish(stop.is_set()).map_err(|e| Failed::fault("cannot record", e))?;
        let mut judged = judge(&folder.history())?;
        if self.start == Start::Careful {
            judged.report.smoke = Some(smoke(&judged.report, &shown, &first_plan));
            if rounds == 1 && !stop.is_set() {
                judged.exit = judged.exit.merged(Exit::Untestable);
            }
        }
        folder.write_reports(&judged.report).map_err(|e| Failed::fault("cannot write the reports", e))?;
        Ok(judged)
    }

    /// The plan of the first round.
    pub(crate) fn first(&self) -> Result<Arc<Plan>, PlanError> {
        if self.start == Start::Whole {
            return self.plan(0, &[]);
        }
        let with = |tenants| {
            let inputs = self.inputs.values(self.scenario);
            let overrides = Overrides { tenants: Some(tenants), inputs, ..self.overrides.clone() };
            coalmine_plan::plan(self.scenario, self.seed, 0, &overrides)
        };
        let plan = match with(1) {
            Err(PlanError::OutOfRange { min: 2, .. }) => with(2),
            one => one,
        };
        plan.map(Arc::new)
    }

    /// About how many operations there will be, where that can be known.
    fn planned(&self, first: &Plan) -> Option<u64> {
        match self.limit {
            Limit::Rounds(rounds) => Some(u64::from(first.op_count) * u64::from(rounds)),
            Limit::Time(_) => None,
        }
    }

    /// The next round, if the search wants one.
    fn next(
        &self,
        search: &mut Search,
        elapsed: Duration,
        round: u32,
        folder: &Folder,
    ) -> Result<Option<Arc<Plan>>, Failed> {
        match search.after_round(elapsed) {
            Next::Stop => return Ok(None),
            Next::Round => {}
            Next::Look => {
                // What is not written yet is seen at the next look.
                if judge(&folder.history()).is_ok_and(|judged| search.learn(&judged.report.verdict)) {
                    return Ok(None);
                }
            }
        }
        match self.plan(round, search.wanted()) {
            // The last round's canaries were the last of their shape.
            Err(PlanError::CanariesExhausted { .. }) if matches!(self.limit, Limit::Time(_)) => Ok(None),
            planned => planned.map(Some).map_err(Failed::usage),
        }
    }

    fn plan(&self, round: u32, wanted: &[(String, String)]) -> Result<Arc<Plan>, PlanError> {
        let inputs = self.inputs.values(self.scenario);
        let overrides = Overrides { inputs, wanted: wanted.to_vec(), ..self.overrides.clone() };
        coalmine_plan::plan(self.scenario, self.seed, round, &overrides).map(Arc::new)
    }

    fn reproduce(&self, target: &str) -> String {
        format!("{} --target {target} --seed {}", self.command_line, self.seed)
    }
}

/// Whether what one tenant did went well enough to let others follow.
fn is_healthy(shown: &Progress, plan: &Plan) -> bool {
    let failed_max_percent = 100 - u64::from(plan.policy.ok_min_percent.min(100));
    shown.ops_failed() * 100 <= shown.ops_ended() * failed_max_percent
}

/// What a smoke test is worth, and what it left behind.
fn smoke(report: &Report, shown: &Progress, first: &Plan) -> Smoke {
    let coverage = &report.verdict.coverage;
    let trials = coverage.trials;
    let worth = coverage.leak_rate_max.map_or_else(
        || "it excludes no leak rate at all".to_owned(),
        |rate| format!("it excludes leak rates of {:.1} % and more in each trial, at 95 %", rate * 100.0),
    );
    Smoke {
        bound: format!(
            "this is less than a gate: {} tenants, {} operations, {trials} of them together with another tenant's; {worth}",
            coverage.tenants,
            coverage.sent.invoked()
        ),
        left_out: first.left_out.iter().map(|step| first.step(*step).name.clone()).collect(),
        budget: first.budget.to_string(),
        leftovers: shown.leftovers().into_iter().map(|left| left.command).collect(),
    }
}

/// Judges a history. The same history has the same verdict, whoever judges it and when.
pub(crate) fn judge(history: &Path) -> Result<Judged, Failed> {
    let unreadable = |error: HistoryError| Failed::usage(format!("{}: {error}", history.display()));
    let open = || File::open(history).map(Reader::new).map_err(HistoryError::Io);
    let (reproduce, plan) = head(open().map_err(unreadable)?).map_err(unreadable)?;
    let judgement = coalmine_judge::judge(open).map_err(unreadable)?;
    let exit = Exit::of(&judgement);
    let report = Report {
        format: REPORT_FORMAT,
        coalmine: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: plan.scenario,
        seed: plan.seed,
        target: plan.target.base_url,
        history: history.display().to_string(),
        reproduce,
        verdict: judgement.verdict,
        smoke: None,
        explanations: vec![],
        regressions: vec![],
    };
    Ok(Judged { report, exit, public: judgement.public })
}

/// The command line and the first plan of a history.
fn head(records: Reader<File>) -> Result<(String, Plan), HistoryError> {
    let mut reproduce = String::new();
    for record in records {
        match record? {
            Record::Header(header) => reproduce = header.reproduce,
            Record::Round(plan) => return Ok((reproduce, *plan)),
            _ => {}
        }
    }
    Err(HistoryError::Io(std::io::Error::other("it ends before its first round")))
}
