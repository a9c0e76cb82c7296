//! `coalmine bench`: the truth table. Every flaw alone must be found for what it is; its twin must pass.

mod confusion;
mod effort;
mod table;

use std::time::Duration;

use coalmine_campaign::Until;
use coalmine_core::Seed;
use coalmine_target::Flaw;
use serde::Serialize;

use super::renaming::names_of;
use super::side_by_side::side_by_side;
use super::stop_on_ctrl_c;
use super::trial::{Bench, Score, Trial, kinds, passed, silent_and_inconclusive, trials_at_a_time};
use crate::args::{BenchArgs, BenchFormat};
use crate::exit::{Exit, Failed};
use crate::output::print_line;
use crate::pipeline::Judged;
use crate::services::Services;
use effort::Effort;
use table::show;

/// One line of the table.
#[derive(Debug, Default, Serialize)]
struct Row {
    /// The flaw; `repaired` for the twin of all.
    name: String,
    seeds: u32,
    /// Found for what it is, and as nothing else; for the twin, passed.
    right: u32,
    missed: u32,
    /// With a finding of a kind that it must not have; for the twin, any finding, or no pass.
    false_alarms: u32,
    /// Races only: with one tenant at a time, nothing was found and the verdict was inconclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    silent_alone: Option<u32>,
    /// With `--search`: what it took to find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<Searched>,
    /// Seconds of all trials of this line.
    seconds: f64,
    /// What went wrong, a line a trial.
    wrong: Vec<String>,
}

/// What it took to find a flaw: as the gate does it, and by the two baselines.
#[derive(Debug, Default, Serialize)]
struct Searched {
    engine: Effort,
    unshaken: Effort,
    one_at_a_time: Effort,
}

/// What is asked of each flaw.
#[derive(Clone, Copy)]
enum Depth {
    /// Whether it is found.
    Found,
    /// What it takes to find it, within this time.
    Effort(Duration),
}

/// Runs the table. Passes when every cell is right.
pub(crate) async fn run(args: &BenchArgs) -> Result<Exit, Failed> {
    let folder = tempfile::tempdir().map_err(|e| Failed::fault("cannot make a temporary folder", e))?;
    let (names, services) = (names_of(args.rename), Services::open(&args.storage).await?);
    let bench = Bench::new(folder.path(), names, services, stop_on_ctrl_c()?)?;
    let depth = if args.search { Depth::Effort(Duration::from_millis(args.time_ms)) } else { Depth::Found };
    let flaws = if args.flaws.is_empty() { Flaw::ALL.to_vec() } else { args.flaws.clone() };
    let seeds: Vec<_> = (0..u64::from(args.seeds)).map(|n| Seed(args.seed.0.wrapping_add(n))).collect();
    // What a search takes is measured, so that nothing else goes on meanwhile unless it is wished.
    let at_a_time = args.at_a_time.map_or(if args.search { 1 } else { trials_at_a_time() }, usize::from);
    if args.diagnose {
        return confusion::run(&bench, &flaws, &seeds, at_a_time, args.format);
    }
    let mut rows = Vec::new();
    let trial = async |flaw: &Flaw| match depth {
        Depth::Found => flawed(&bench, *flaw, &seeds).await,
        Depth::Effort(time) => searched(&bench, *flaw, &seeds, time).await,
    };
    side_by_side(&flaws, (at_a_time, &bench.stop()), trial, |row| {
        rows.push(row);
        show(&rows, args.format);
    })?;
    rows.sort_by_key(|row: &Row| flaws.iter().position(|flaw| flaw.id() == row.name));
    rows.push(repaired(&bench, &seeds, depth, at_a_time)?);
    show(&rows, args.format);
    if args.format == BenchFormat::Json {
        let text = serde_json::to_string_pretty(&rows).map_err(|e| Failed::fault("cannot write JSON", e))?;
        print_line(text);
    }
    Ok(match (bench.is_stopped(), rows.iter().all(Row::is_right)) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Pass,
        (false, false) => Exit::Violation,
    })
}

async fn flawed(bench: &Bench<'_>, flaw: Flaw, seeds: &[Seed]) -> Result<Row, Failed> {
    let mut row = Row { name: flaw.id().to_owned(), ..Row::default() };
    for seed in seeds.iter().take_while(|_| !bench.is_stopped()) {
        let judged = bench.run(Trial::alone(flaw, *seed)).await?.judged;
        row.score(flaw, *seed, &judged);
        if flaw.is_race() {
            let judged = bench.run(Trial::alone(flaw, *seed).one_round().one_at_a_time()).await?.judged;
            *row.silent_alone.get_or_insert(0) += u32::from(silent_and_inconclusive(&judged));
        }
    }
    Ok(row)
}

/// Looks for a flaw until it is found or the time is over, three times for each seed.
async fn searched(bench: &Bench<'_>, flaw: Flaw, seeds: &[Seed], time: Duration) -> Result<Row, Failed> {
    let mut row = Row { name: flaw.id().to_owned(), ..Row::default() };
    let mut search = Searched::default();
    for seed in seeds.iter().take_while(|_| !bench.is_stopped()) {
        let trial = || Trial::alone(flaw, *seed).lasting(time, Until::Found(flaw.expected().oracles));
        let tried = bench.run(trial()).await?;
        row.score(flaw, *seed, &tried.judged);
        search.engine.add(flaw, &tried)?;
        search.unshaken.add(flaw, &bench.run(trial().unshaken()).await?)?;
        let tried = bench.run(trial().one_at_a_time()).await?;
        search.one_at_a_time.add(flaw, &tried)?;
        if flaw.is_race() {
            *row.silent_alone.get_or_insert(0) += u32::from(silent_and_inconclusive(&tried.judged));
        }
    }
    row.search = Some(search);
    Ok(row)
}

fn repaired(bench: &Bench<'_>, seeds: &[Seed], depth: Depth, at_a_time: usize) -> Result<Row, Failed> {
    let mut row = Row { name: "repaired".to_owned(), ..Row::default() };
    let trial = |seed| match depth {
        Depth::Found => Trial::repaired(seed),
        Depth::Effort(time) => Trial::repaired(seed).lasting(time, Until::Spent),
    };
    let tried = async |seed: &Seed| Ok((*seed, bench.run(trial(*seed)).await?.judged));
    side_by_side(seeds, (at_a_time, &bench.stop()), tried, |(seed, judged)| {
        row.count(&judged);
        if passed(&judged) {
            row.right += 1;
        } else {
            row.wrong(&mut |row| &mut row.false_alarms, seed, &judged);
        }
    })?;
    // Nothing is to be found there.
    row.search = matches!(depth, Depth::Effort(_)).then(Searched::default);
    Ok(row)
}

impl Row {
    fn count(&mut self, judged: &Judged) {
        self.seeds += 1;
        self.seconds += Duration::from_micros(judged.report.verdict.coverage.duration_us).as_secs_f64();
    }

    fn score(&mut self, flaw: Flaw, seed: Seed, judged: &Judged) {
        self.count(judged);
        match Score::of(flaw, judged) {
            Score::Found => self.right += 1,
            Score::Missed => self.wrong(&mut |row| &mut row.missed, seed, judged),
            Score::Overfound => self.wrong(&mut |row| &mut row.false_alarms, seed, judged),
        }
    }

    fn of_seeds(&self, count: u32) -> String {
        format!("{count}/{}", self.seeds)
    }

    fn wrong(&mut self, cell: &mut dyn FnMut(&mut Self) -> &mut u32, seed: Seed, judged: &Judged) {
        *cell(self) += 1;
        let kinds: Vec<_> = kinds(judged).iter().map(ToString::to_string).collect();
        let shortfalls = judged.report.verdict.shortfalls.iter().map(|shortfall| shortfall.message.clone());
        let shortfalls: Vec<_> = shortfalls.take(3).collect();
        self.wrong.push(format!("seed {seed}: findings [{}]; {}", kinds.join(", "), shortfalls.join("; ")));
    }

    fn is_right(&self) -> bool {
        self.right == self.seeds && self.silent_alone.is_none_or(|silent| silent == self.seeds)
    }
}
