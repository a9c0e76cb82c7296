//! `coalmine bench`: the truth table. Every flaw alone must be found for what it is; its twin must pass.

use std::time::Duration;

use coalmine_core::Seed;
use coalmine_target::Flaw;
use serde::Serialize;

use super::trial::{Bench, Score, Trial, kinds, passed, silent_and_inconclusive};
use super::{say, stop_on_ctrl_c};
use crate::args::{BenchArgs, TableFormat};
use crate::exit::{Exit, Failed};
use crate::pipeline::Judged;

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
    /// Seconds of all trials of this line.
    seconds: f64,
    /// What went wrong, a line a trial.
    wrong: Vec<String>,
}

/// Runs the table. Passes when every cell is right.
pub(crate) async fn run(args: &BenchArgs) -> Result<Exit, Failed> {
    let folder = tempfile::tempdir().map_err(|e| Failed::fault("cannot make a temporary folder", e))?;
    let bench = Bench::new(folder.path(), stop_on_ctrl_c()?)?;
    let flaws = if args.flaws.is_empty() { Flaw::shown_by_honest_load().collect() } else { args.flaws.clone() };
    let seeds: Vec<_> = (0..u64::from(args.seeds)).map(|n| Seed(args.seed.0.wrapping_add(n))).collect();
    let mut rows = Vec::new();
    for flaw in flaws {
        rows.push(flawed(&bench, flaw, &seeds).await?);
        show(&rows, args.format);
    }
    rows.push(repaired(&bench, &seeds).await?);
    show(&rows, args.format);
    if args.format == TableFormat::Json {
        let text = serde_json::to_string_pretty(&rows).map_err(|e| Failed::fault("cannot write JSON", e))?;
        println!("{text}");
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
        let judged = bench.run(Trial::alone(flaw, *seed)).await?;
        row.count(&judged);
        match Score::of(flaw, &judged) {
            Score::Found => row.right += 1,
            Score::Missed => row.wrong(&mut |row| &mut row.missed, *seed, &judged),
            Score::Overfound => row.wrong(&mut |row| &mut row.false_alarms, *seed, &judged),
        }
        if flaw.is_race() {
            let judged = bench.run(Trial::one_at_a_time(flaw, *seed)).await?;
            *row.silent_alone.get_or_insert(0) += u32::from(silent_and_inconclusive(&judged));
        }
    }
    Ok(row)
}

async fn repaired(bench: &Bench<'_>, seeds: &[Seed]) -> Result<Row, Failed> {
    let mut row = Row { name: "repaired".to_owned(), ..Row::default() };
    for seed in seeds.iter().take_while(|_| !bench.is_stopped()) {
        let judged = bench.run(Trial::repaired(*seed)).await?;
        row.count(&judged);
        if passed(&judged) {
            row.right += 1;
        } else {
            row.wrong(&mut |row| &mut row.false_alarms, *seed, &judged);
        }
    }
    Ok(row)
}

impl Row {
    fn count(&mut self, judged: &Judged) {
        self.seeds += 1;
        self.seconds += Duration::from_micros(judged.report.verdict.coverage.duration_us).as_secs_f64();
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

/// Prints the newest line of the table as it comes, and the head before the first.
fn show(rows: &[Row], format: TableFormat) {
    let (TableFormat::Text, Some(row)) = (format, rows.last()) else { return };
    if rows.len() == 1 {
        anstream::println!(
            "{:<26} {:>7} {:>7} {:>12} {:>14} {:>8}",
            "flaw",
            "right",
            "missed",
            "false alarms",
            "one at a time",
            "seconds"
        );
    }
    let of_seeds = |count: u32| format!("{count}/{}", row.seeds);
    let alone = row.silent_alone.map_or("-".to_owned(), |silent| format!("{} silent", of_seeds(silent)));
    let Row { name, missed, false_alarms, seconds, .. } = row;
    anstream::println!(
        "{name:<26} {:>7} {missed:>7} {false_alarms:>12} {alone:>14} {seconds:>8.1}",
        of_seeds(row.right)
    );
    for wrong in &row.wrong {
        say("wrong", wrong);
    }
}
