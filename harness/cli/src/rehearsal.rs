//! Trials of a script: each with new people and secrets, each judged by itself, until it is known how often a leak comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use coalmine_campaign::{Own, Trial};
use coalmine_canary::{CanaryId, Found};
use coalmine_core::bound::Rate;
use coalmine_core::case::Sought;
use coalmine_core::history::{Event, Happening, HistoryError, Reader, Receipt, Record, RoundEnd, Seen};
use coalmine_core::plan::{CanarySpec, OpId, Phase, ScopeId};
use coalmine_core::verdict::{Finding, ShortfallKind, Verdict};
use coalmine_core::{Budget, Plan, PrincipalId, Script, Seed};
use coalmine_judge::{Kept, Records};
use coalmine_plan::{Overrides, Scenario};
use coalmine_run::{Destinations, Progress, Recorder, Secrets, Stop, run_round};
use coalmine_target::{Config, FlawSet, start};
use tempfile::TempDir;

use crate::exit::{Exit, Failed};
use crate::inputs::{self, Inputs};

/// Where scripts are played.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// At a service that runs already, which remembers what was done before.
    Url(String),
    /// At the built-in service with these flaws, a new one each time.
    BuiltIn(FlawSet),
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::BuiltIn(flaws) => {
                let names: Vec<&str> = flaws.iter().map(coalmine_target::Flaw::id).collect();
                let with = if names.is_empty() { "no flaw".to_owned() } else { names.join(", ") };
                write!(f, "the built-in service with {with}")
            }
        }
    }
}

/// A script of more operations is too much to keep its history in memory.
const KEPT_OPERATIONS_MAX: usize = 4096;

/// What trials of one finding have in common.
pub(crate) struct Rehearsals<'a> {
    scenario: &'a Scenario,
    sought: &'a Sought,
    stage: Stage,
    inputs: &'a Inputs,
    secrets: Arc<Secrets>,
    folder: TempDir,
    stop: Stop,
    seed: Seed,
    progress: Option<Arc<Progress>>,
    played: u32,
}

/// What came of one trial.
#[derive(Debug)]
pub(crate) struct Rehearsed {
    pub(crate) trial: Trial,
    /// What was looked for, where it came.
    pub(crate) finding: Option<Finding>,
    /// Operations that did not end as the scenario expects, or were not sent.
    pub(crate) failed: u64,
    /// Whether the receiver's own secrets came where the others' did.
    pub(crate) own: Own,
    /// Operations of the plan, as they began.
    pub(crate) order: Vec<OpId>,
    /// The longest time that an operation took.
    pub(crate) slowest_us: u64,
    /// Of how many others one answer to the operation showed secrets, at most.
    pub(crate) owners_at_once: usize,
    /// How many were shown secrets of the same owner by the operation, at most.
    pub(crate) receivers_of_one: usize,
    /// Why nothing can be said.
    pub(crate) void: Option<String>,
    /// Whether the target could not be tested.
    pub(crate) untestable: bool,
    /// Whether any operation of a flow ended as the scenario expects.
    pub(crate) worked: bool,
}

/// How often it came, and why some trials say nothing.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rate: Rate,
    pub(crate) void: u32,
    pub(crate) why_void: Option<String>,
}

impl<'a> Rehearsals<'a> {
    pub(crate) fn new(
        (scenario, inputs): (&'a Scenario, &'a Inputs),
        sought: &'a Sought,
        stage: Stage,
        seed: Seed,
        stop: Stop,
    ) -> Result<Self, Failed> {
        let secrets = Arc::new(inputs.secrets(scenario)?);
        let folder = tempfile::tempdir().map_err(|e| Failed::fault("cannot make a temporary folder", e))?;
        Ok(Self { scenario, sought, stage, inputs, secrets, folder, stop, seed, progress: None, played: 0 })
    }

    /// The same, counted in a run that they are part of and held to what it may cost.
    pub(crate) fn counted_in(self, progress: Option<Arc<Progress>>) -> Self {
        Self { progress, ..self }
    }

    /// How many trials there were.
    pub(crate) fn played(&self) -> u32 {
        self.played
    }

    /// Plays the script with what `change` makes of its plan.
    pub(crate) async fn play(&mut self, script: &Script, change: impl Fn(&mut Plan)) -> Result<Rehearsed, Failed> {
        if self.stop.is_set() {
            return Err(Failed::interrupted());
        }
        self.played += 1;
        match self.stage.clone() {
            Stage::Url(url) => self.play_at(&url, script, &change).await,
            Stage::BuiltIn(flaws) => {
                let running = start(Config { flaws, ..Config::default() }).await;
                let running = running.map_err(|e| Failed::fault("cannot start the target", e))?;
                let rehearsed = self.play_at(&running.url(), script, &change).await;
                running.stop().await;
                rehearsed
            }
        }
    }

    /// Plays it so often, and counts.
    pub(crate) async fn count(&mut self, scripts: impl Iterator<Item = Script>) -> Result<Tally, Failed> {
        let mut tally = Tally::default();
        for script in scripts {
            let rehearsed = self.play(&script, |_| {}).await?;
            match rehearsed.trial {
                Trial::Void => {
                    tally.void += 1;
                    tally.why_void = tally.why_void.or(rehearsed.void);
                }
                trial => tally.rate.count(trial == Trial::Found),
            }
        }
        Ok(tally)
    }

    async fn play_at(&self, url: &str, script: &Script, change: &impl Fn(&mut Plan)) -> Result<Rehearsed, Failed> {
        let inputs = self.inputs.values(self.scenario);
        let overrides = Overrides { target_url: Some(url.to_owned()), inputs, ..Overrides::default() };
        let plan = coalmine_plan::perform(self.scenario, script, self.fresh_seed(), &overrides);
        let mut plan = plan.map_err(Failed::usage)?;
        change(&mut plan);
        let plan = Arc::new(plan);
        let (recorder, place) = self.recorder(script)?;
        let (end, records) = self.perform(&plan, recorder).await?;
        let played = Played { records, place };
        let unreadable = |error: HistoryError| Failed::fault("cannot read the history", error);
        let judgement = coalmine_judge::judge(|| played.open()).map_err(unreadable)?;
        let glance = Glance::of(played.open().map_err(unreadable)?, &plan, &self.sought.operation);
        let mut rehearsed = self.rehearsed(&judgement.verdict, &end, glance.map_err(unreadable)?);
        if let Some(finding) = &rehearsed.finding {
            let seen = finding.evidence.seen.op;
            let field = finding.evidence.field.as_deref();
            let own = played.open().and_then(|records| own_at(records, &plan, seen, field));
            rehearsed.own = own.map_err(unreadable)?;
        }
        played.remove()?;
        Ok(rehearsed)
    }

    /// In memory, or where the script is large on disk, and where there.
    fn recorder(&self, script: &Script) -> Result<(Recorder, Option<PathBuf>), Failed> {
        if script.ops() <= KEPT_OPERATIONS_MAX {
            return Ok((Recorder::in_memory(), None));
        }
        let place = self.folder.path().join(format!("{}.jsonl.zst", self.played));
        let recorder = Recorder::create(&place, "").map_err(|e| Failed::fault("cannot record", e))?;
        Ok((recorder, Some(place)))
    }

    async fn perform(&self, plan: &Arc<Plan>, recorder: Recorder) -> Result<(RoundEnd, Vec<Record>), Failed> {
        let certificates = inputs::certificates(&plan.target.tls)?;
        let destinations = Destinations::resolve(&plan.target, &certificates).await;
        let destinations = Arc::new(destinations.map_err(Failed::usage)?);
        let recorder = Arc::new(recorder);
        let own = || Arc::new(Progress::within(Budget::default().or(plan.budget)));
        let shown = self.progress.clone().unwrap_or_else(own);
        let end = run_round(plan, &destinations, &self.secrets, &recorder, &shown, &self.stop).await;
        let end = end.map_err(|e| Failed::fault("the round could not be run", e))?;
        let recorder = Arc::into_inner(recorder).expect("every lane has ended");
        let records = recorder.finish(self.stop.is_set()).map_err(|e| Failed::fault("cannot record", e))?;
        if self.stop.is_set() { Err(Failed::interrupted()) } else { Ok((end, records)) }
    }

    fn rehearsed(&self, verdict: &Verdict, end: &RoundEnd, glance: Glance) -> Rehearsed {
        let failed = verdict.coverage.operations.iter().map(|operation| {
            let sent = &operation.sent;
            sent.fail + sent.info + sent.skipped + sent.open
        });
        let failed = failed.sum();
        let finding = verdict.findings.iter().find(|finding| finding.fingerprint == self.sought.fingerprint).cloned();
        let void = match end {
            _ if finding.is_some() => None,
            RoundEnd::Untestable { why, .. } => Some(format!("the target could not be tested: {why}")),
            _ if verdict.shortfalls.iter().any(|one| one.kind == ShortfallKind::Budget) => {
                Some("the budget was used up".to_owned())
            }
            _ if glance.residue => Some("what came back were secrets of trials before this one".to_owned()),
            _ => None,
        };
        let trial = match (&finding, &void) {
            (Some(_), _) => Trial::Found,
            (None, Some(_)) => Trial::Void,
            (None, None) => Trial::Absent,
        };
        let receivers_of_one = glance.receivers_of_one();
        Rehearsed {
            trial,
            finding,
            failed,
            own: Own::Unknown,
            order: glance.order,
            slowest_us: glance.slowest_us,
            owners_at_once: glance.owners_at_once,
            receivers_of_one,
            void,
            untestable: matches!(end, RoundEnd::Untestable { .. }),
            worked: glance.worked,
        }
    }

    /// Another one in each trial: a service that keeps what it was given must not take new people for old ones.
    fn fresh_seed(&self) -> Seed {
        self.seed.child("coalmine rehearsals v1", self.played)
    }
}

impl Tally {
    /// What the exit code says: found again, gone, or nothing that could be said.
    pub(crate) fn exit(&self) -> Exit {
        match self.rate {
            Rate { hits: 1.., .. } => Exit::Violation,
            Rate { trials: 1.., .. } if self.void <= self.rate.trials => Exit::Pass,
            _ if self.why_void.as_ref().is_some_and(|why| why.starts_with("the target")) => Exit::Untestable,
            _ => Exit::Inconclusive,
        }
    }
}

/// The history of a trial.
struct Played {
    records: Vec<Record>,
    /// Where it is instead, if it is on disk.
    place: Option<PathBuf>,
}

impl Played {
    fn open(&self) -> Result<Box<dyn Records + '_>, HistoryError> {
        Ok(match &self.place {
            None => Box::new(Kept::new(&self.records)),
            Some(place) => Box::new(Reader::new(File::open(place).map_err(HistoryError::Io)?)),
        })
    }

    /// Nobody looks at it again, and there may be hundreds.
    fn remove(self) -> Result<(), Failed> {
        let Some(place) = self.place else { return Ok(()) };
        std::fs::remove_file(place).map_err(|e| Failed::fault("cannot remove a history", e))
    }
}

/// What a history tells besides the verdict.
#[derive(Default)]
struct Glance {
    /// An answer to the operation showed secrets of another run.
    residue: bool,
    order: Vec<OpId>,
    slowest_us: u64,
    owners_at_once: usize,
    /// For each whose secrets others were shown by the operation, those others.
    receivers: BTreeMap<PrincipalId, BTreeSet<PrincipalId>>,
    worked: bool,
}

impl Glance {
    fn of(records: impl Records, plan: &Plan, operation: &str) -> Result<Self, HistoryError> {
        let here: BTreeMap<OpId, PrincipalId> = plan
            .ops()
            .filter(|(.., op)| plan.step(op.step).name == operation)
            .map(|(_, principal, op)| (op.id, principal))
            .collect();
        let of_flows: BTreeSet<OpId> = plan
            .stages
            .iter()
            .filter(|stage| stage.phase == Phase::Flows)
            .flat_map(|stage| &stage.lanes)
            .flat_map(|lane| &lane.ops)
            .filter(|op| op.purpose.is_flow())
            .map(|op| op.id)
            .collect();
        let mut glance = Self::default();
        let mut began: BTreeMap<OpId, u64> = BTreeMap::new();
        for record in records {
            let Record::Event(Event { op, what, at_us, .. }) = record? else { continue };
            match &what {
                Happening::Invoke { .. } => {
                    glance.order.push(op);
                    began.insert(op, at_us);
                }
                Happening::Ok(_) => {
                    let took_us = began.get(&op).map_or(0, |began| at_us - began);
                    glance.slowest_us = glance.slowest_us.max(took_us);
                    glance.worked |= of_flows.contains(&op);
                }
                _ => {}
            }
            if let (Some(receiver), Some(receipt)) = (here.get(&op), receipt_of(&what)) {
                glance.residue |= has_residue(receipt);
                let others = others_in(receipt, *receiver);
                glance.owners_at_once = glance.owners_at_once.max(others.len());
                for owner in others {
                    glance.receivers.entry(owner).or_default().insert(*receiver);
                }
            }
        }
        Ok(glance)
    }

    fn receivers_of_one(&self) -> usize {
        self.receivers.values().map(BTreeSet::len).max().unwrap_or_default()
    }
}

/// Whether the receiver's own secret, if there is one of the same name, came in the operation that showed somebody else's.
fn own_at(records: impl Records, plan: &Plan, seen: OpId, field: Option<&str>) -> Result<Own, HistoryError> {
    let Some((.., op)) = plan.ops().find(|(.., op)| op.id == seen) else { return Ok(Own::Unknown) };
    let mut expected: Vec<(ScopeId, &CanarySpec, CanaryId)> = plan
        .step(op.step)
        .sees
        .iter()
        .filter_map(|canary| {
            let scope = plan.scope_at(op.scope, canary.level);
            let spec = plan.flow(plan.scope(scope).flow).canaries.get(usize::from(canary.slot))?;
            Some((scope, spec, plan.canary(op.scope, *canary)))
        })
        .collect();
    let is_same = |spec: &CanarySpec| field.is_some_and(|field| spec.name == field);
    // Where that one is not among those which it must show, any of them is a sign of what is its own.
    if expected.iter().any(|(_, spec, _)| is_same(spec)) {
        expected.retain(|(_, spec, _)| is_same(spec));
    }
    if expected.is_empty() {
        return Ok(Own::NotExpected);
    }
    let is_own = |seen: &Seen| match seen.sighting.found {
        Found::Canary { id, .. } => expected.iter().any(|(.., own)| *own == id),
        _ => false,
    };
    for record in records {
        let Record::Event(event) = record? else { continue };
        if event.op == seen && receipt_of(&event.what).is_some_and(|receipt| receipt.seen.iter().any(is_own)) {
            return Ok(Own::Present);
        }
    }
    let is_sent = |(scope, spec, _): &(ScopeId, &CanarySpec, CanaryId)| {
        plan.ops().any(|(.., other)| other.scope == *scope && other.step == spec.planted_by)
    };
    Ok(if expected.iter().any(is_sent) { Own::Absent } else { Own::Unknown })
}

/// The others whose secrets it shows.
fn others_in(receipt: &Receipt, receiver: PrincipalId) -> BTreeSet<PrincipalId> {
    let owners = receipt.seen.iter().filter_map(|seen| match seen.sighting.found {
        Found::Canary { id, .. } => Some(PrincipalId::from(id.owner)),
        _ => None,
    });
    owners.filter(|owner| *owner != receiver).collect()
}

fn has_residue(receipt: &Receipt) -> bool {
    receipt.seen.iter().any(|seen| matches!(seen.sighting.found, Found::Residue { .. }))
}

fn receipt_of(what: &Happening) -> Option<&Receipt> {
    match what {
        Happening::Ok(answer)
        | Happening::Fail { answer, .. }
        | Happening::Info { answer, .. }
        | Happening::Attempt { answer, .. } => Some(&answer.receipt),
        Happening::Frame(frame) => Some(&frame.receipt),
        _ => None,
    }
}
