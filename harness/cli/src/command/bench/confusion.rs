//! `coalmine bench --diagnose`: every flaw is found, made small and diagnosed; which kind was named for which flaw?

use std::collections::BTreeMap;
use std::time::Duration;

use coalmine_campaign::Allowance;
use coalmine_core::Seed;
use coalmine_core::bound::Rate;
use coalmine_core::diagnosis::Class;
use coalmine_plan::CaseFile;
use coalmine_target::{Flaw, FlawSet};
use serde::Serialize;

use super::super::say;
use super::super::side_by_side::side_by_side;
use super::super::trial::{Bench, Trial, Tried};
use crate::args::BenchFormat;
use crate::exit::{Exit, Failed};
use crate::inputs::Inputs;
use crate::inquiry::{Inquiry, Known, inquire};
use crate::output::print_line;
use crate::recording::{Recording, Rounds};
use crate::rehearsal::{Rehearsals, Stage};
use crate::source::text_of;

/// Trials by which a small case is replayed.
const REPLAYS: u32 = 10;
/// Trials that making one leak smaller may take.
const TRIALS_MAX: u32 = 1200;
/// And no more time than that: a flood takes seconds each time.
const TIME_MAX: Duration = Duration::from_secs(600);
/// Findings of a run that are compared.
const FINDINGS_MAX: usize = 12;
/// What a small case may have.
const TENANTS_MAX: u32 = 3;
const OPERATIONS_MAX: u32 = 8;

/// One line of the matrix.
#[derive(Debug, Default, Serialize)]
struct Row {
    flaw: String,
    /// The kind that it is; none where it is of none, and undecided is right.
    is: Option<Class>,
    /// Runs, each with a seed of its own.
    seeds: u32,
    /// In how many it was found, and came back.
    shown: u32,
    /// How often each kind was named.
    named: BTreeMap<Class, u32>,
    undecided: u32,
    /// Most tenants and operations of a small case.
    tenants_max: u32,
    operations_max: u32,
    /// Small cases of which the rate, replayed from their files, agreed with the one that they state.
    agreed: u32,
    /// Operations of each small case, and why it was undecided.
    remarks: Vec<String>,
}

/// The kind of defect that a flaw is, as its author sees it; none for what fails, waits or does not come.
fn kind(flaw: Flaw) -> Option<Class> {
    Some(match flaw {
        Flaw::OpsListUnfiltered
        | Flaw::OpsGetById
        | Flaw::OpsUpdateById
        | Flaw::OpsDeleteById
        | Flaw::OpsForbiddenNotMissing
        | Flaw::OpsAggregateUnfiltered
        | Flaw::OpsDateRangeBypass
        | Flaw::OpsExportAll
        | Flaw::OpsRoleEscalation
        | Flaw::OpsNullableOwner
        | Flaw::OpsSearchIndex
        | Flaw::OpsCursor
        | Flaw::LeadsRlsMissing
        | Flaw::FinanceNullOwner
        | Flaw::FinanceFlagOff
        | Flaw::FinanceSuggest
        | Flaw::HttpLogout
        | Flaw::HttpEncodedExport
        | Flaw::HttpLogEndpoint => Class::MissingCheck,
        Flaw::FinanceCacheKey
        | Flaw::FinanceCacheControl
        | Flaw::FinanceEtag
        | Flaw::FinanceEmptyState
        | Flaw::LeadsConfigCache
        | Flaw::AgentsInstanceByName => Class::CacheKey,
        Flaw::HttpAuthByConnection => Class::ConnectionBound,
        Flaw::AgentsPoolDesync => Class::PoolOutOfStep,
        Flaw::AgentsWsBroadcast | Flaw::AgentsWsStaleRoute | Flaw::AgentsWsReplay => Class::MisroutedFanOut,
        Flaw::HttpBufferReuse => Class::BufferReuse,
        Flaw::AgentsTimeoutBleed | Flaw::LeadsQueueContext | Flaw::HttpErrorEcho => Class::StaleWorker,
        Flaw::HttpIdempotencyKey | Flaw::HttpTokenPrefix | Flaw::HttpIdReuse | Flaw::AgentsApprovalMix => {
            Class::KeyCollision
        }
        Flaw::AgentsSharedState
        | Flaw::AgentsContextSlot
        | Flaw::AgentsMerge
        | Flaw::AgentsChildSharesParent
        | Flaw::AgentsThreadEcho
        | Flaw::LeadsSessionSetting
        | Flaw::LeadsApiKeyShared
        | Flaw::FinanceIngestOwner
        | Flaw::FinanceSingleFlight => Class::SharedState,
        _ => return None,
    })
}

/// Makes the matrix. Passes when no flaw was taken for another kind, nine of ten were named, and every case is small.
pub(super) fn run(
    bench: &Bench<'_>,
    flaws: &[Flaw],
    seeds: &[Seed],
    at_a_time: usize,
    format: BenchFormat,
) -> Result<Exit, Failed> {
    let cells: Vec<(Flaw, Seed)> = flaws.iter().flat_map(|flaw| seeds.iter().map(|seed| (*flaw, *seed))).collect();
    let asked = async |cell: &(Flaw, Seed)| Ok((*cell, ask(bench, *cell).await?));
    let row = |flaw: &Flaw| Row { flaw: flaw.id().to_owned(), is: kind(*flaw), ..Row::default() };
    let mut rows: Vec<Row> = flaws.iter().map(row).collect();
    head(format);
    side_by_side(&cells, (at_a_time, &bench.stop()), asked, |((flaw, seed), answer)| {
        let Some(row) = rows.iter_mut().find(|row| row.flaw == flaw.id()) else { return };
        row.add(seed, answer);
        if row.seeds as usize == seeds.len() {
            show(row, format);
        }
    })?;
    if format == BenchFormat::Json {
        print_line(serde_json::to_string_pretty(&rows).map_err(|e| Failed::fault("cannot write JSON", e))?);
    }
    Ok(match bench.is_stopped() {
        true => Exit::Interrupted,
        false if is_right(&rows) => Exit::Pass,
        false => Exit::Violation,
    })
}

fn is_right(rows: &[Row]) -> bool {
    let sum = |count: fn(&Row) -> u32| rows.iter().map(count).sum::<u32>();
    let (shown, right, wrong) = (sum(|row| row.shown), sum(Row::right), sum(Row::wrong));
    let is_small = |row: &Row| row.tenants_max <= TENANTS_MAX && row.operations_max <= OPERATIONS_MAX;
    wrong == 0 && right * 10 >= shown * 9 && rows.iter().all(is_small)
}

impl Row {
    fn right(&self) -> u32 {
        match self.is {
            Some(class) => self.named.get(&class).copied().unwrap_or_default(),
            None => self.undecided,
        }
    }

    fn wrong(&self) -> u32 {
        let named = |(class, count): (&Class, &u32)| if self.is == Some(*class) { 0 } else { *count };
        self.named.iter().map(named).sum()
    }

    fn add(&mut self, seed: Seed, answer: Answer) {
        self.seeds += 1;
        match answer {
            Answer::NotFound => self.remarks.push(format!("seed {seed}: not found")),
            Answer::DidNotComeBack => self.remarks.push(format!("seed {seed}: it did not come back")),
            Answer::Known(known, again) => {
                self.note(seed, &known);
                self.agreed += u32::from(agree(known.retried.rate, again));
            }
        }
    }

    fn note(&mut self, seed: Seed, known: &Known) {
        let retried = &known.retried;
        self.shown += 1;
        self.tenants_max = self.tenants_max.max(retried.tenants);
        self.operations_max = self.operations_max.max(retried.operations);
        let diagnosis = retried.diagnosis.as_ref();
        match diagnosis.and_then(|diagnosis| diagnosis.class) {
            Some(class) => *self.named.entry(class).or_default() += 1,
            None => self.undecided += 1,
        }
        let told = diagnosis.map_or_else(|| "no diagnosis".to_owned(), coalmine_core::diagnosis::Diagnosis::sentence);
        let Rate { hits, trials } = retried.rate;
        let size = format!("{} tenants, {} operations, {hits}/{trials}", retried.tenants, retried.operations);
        self.remarks.push(format!("seed {seed}: {size}, {} trials: {told}", known.trials));
    }
}

/// What is known of one leak.
enum Answer {
    NotFound,
    DidNotComeBack,
    /// And how often it came from its file.
    Known(Box<Known>, Rate),
}

/// Looks for a flaw, and asks about what was found.
async fn ask(bench: &Bench<'_>, (flaw, seed): (Flaw, Seed)) -> Result<Answer, Failed> {
    let wanted = flaw.expected().oracles;
    let tried = bench.run(Trial::alone(flaw, seed)).await?;
    let Some(mut recording) = smallest(bench, &tried, wanted)? else { return Ok(Answer::NotFound) };
    recording.stage = Stage::BuiltIn(FlawSet::from_iter([flaw]));
    let inputs = Inputs::default();
    let stop = bench.stop();
    let allowance = Allowance::of_trials(TRIALS_MAX).within(TIME_MAX);
    let inquiry = Inquiry { recording: &recording, inputs: &inputs, seed, allowance, progress: None, stop };
    let Some(known) = inquire(&inquiry).await? else { return Ok(Answer::DidNotComeBack) };
    let again = replayed(bench, &known, seed).await?;
    Ok(Answer::Known(Box::new(known), again))
}

/// Of what was found, that which shows in the fewest operations.
fn smallest(bench: &Bench<'_>, tried: &Tried, oracles: &[&str]) -> Result<Option<Recording>, Failed> {
    let mut smallest: Option<Recording> = None;
    let mut rounds = Rounds::of(&tried.history);
    let findings = tried.judged.report.verdict.findings.iter();
    for finding in findings.filter(|finding| oracles.contains(&finding.oracle.name())).take(FINDINGS_MAX) {
        let recording = Recording::of_round(rounds.played(finding)?, bench.scenario(), finding);
        if smallest.as_ref().is_none_or(|other| recording.size() < other.size()) {
            smallest = Some(recording);
        }
    }
    Ok(smallest)
}

/// The case from its file, against new services.
async fn replayed(bench: &Bench<'_>, known: &Known, seed: Seed) -> Result<Rate, Failed> {
    let read = CaseFile::parse(&known.text, "case.yaml", &mut text_of);
    let CaseFile { case, scenario, .. } = read.map_err(|errors| Failed::fault("the case cannot be read", errors))?;
    let flaws: Result<FlawSet, _> = case.target.flaws.iter().map(|flaw| flaw.parse::<Flaw>()).collect();
    let stage = Stage::BuiltIn(flaws.map_err(Failed::usage)?);
    let inputs = Inputs::default();
    let mut rehearsals = Rehearsals::new((&scenario, &inputs), &case.found, stage, Seed(!seed.0), bench.stop())?;
    let tally = rehearsals.count((0..REPLAYS).map(|_| case.script.clone())).await?;
    Ok(tally.rate)
}

/// Whether the intervals of two rates overlap.
fn agree(one: Rate, other: Rate) -> bool {
    let ((low, high), (other_low, other_high)) = (one.interval(), other.interval());
    low <= other_high && other_low <= high
}

fn head(format: BenchFormat) {
    match format {
        BenchFormat::Json => {}
        BenchFormat::Text => print_line(format_args!(
            "{:<24} {:>6} {:>6} {:>10} {:>7} {:>8} {:>7}  named",
            "flaw", "right", "wrong", "undecided", "tenants", "ops", "agreed"
        )),
        BenchFormat::Markdown => print_line(
            "| flaw | is | named | undecided | tenants, operations at most | rate agreed |\n| --- | --- | --- | --: | --: | --: |",
        ),
    }
}

/// A row that is whole.
fn show(row: &Row, format: BenchFormat) {
    let Row { flaw, seeds, shown, undecided, tenants_max, operations_max, agreed, .. } = row;
    let named = named(row);
    match format {
        BenchFormat::Json => {}
        BenchFormat::Text => {
            let (right, wrong) = (format!("{}/{seeds}", row.right()), row.wrong());
            print_line(format_args!(
                "{flaw:<24} {right:>6} {wrong:>6} {undecided:>10} {tenants_max:>7} {operations_max:>8} {agreed:>7}  {named}"
            ));
            row.remarks.iter().for_each(|remark| say("", remark));
        }
        BenchFormat::Markdown => {
            let is = row.is.map_or("-", Class::name);
            print_line(format_args!(
                "| {flaw} | {is} | {named} | {undecided} | {tenants_max}, {operations_max} | {agreed}/{shown} |"
            ));
        }
    }
}

fn named(row: &Row) -> String {
    let named: Vec<String> = row.named.iter().map(|(class, count)| format!("{class} {count}")).collect();
    if named.is_empty() { "-".to_owned() } else { named.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What fails, waits or does not come. To name a kind for one of them is wrong.
    const OF_NONE: [Flaw; 3] = [Flaw::AgentsWsLostEvent, Flaw::LeadsCrashSpreads, Flaw::LeadsNoisyNeighbour];

    #[test]
    fn the_kind_of_every_flaw_is_known_or_none_on_purpose() {
        let unknown: Vec<Flaw> = Flaw::ALL.into_iter().filter(|flaw| kind(*flaw).is_none()).collect();
        assert_eq!(unknown, OF_NONE);
    }

    #[test]
    fn a_kind_named_for_a_flaw_of_none_is_wrong_and_undecided_is_right() {
        let row = Row { undecided: 2, named: BTreeMap::from([(Class::CacheKey, 1)]), ..Row::default() };
        assert_eq!((row.right(), row.wrong()), (2, 1));
        let row = Row { is: Some(Class::CacheKey), ..row };
        assert_eq!((row.right(), row.wrong()), (1, 0));
    }
}
