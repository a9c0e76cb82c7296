//! Memory is bounded by a round, however long the history is.
#![cfg(target_os = "linux")]

mod synthetic;

use coalmine_core::history::{HistoryError, Record, Tail};
use coalmine_core::verdict::{OracleId, Outcome};
use coalmine_judge::{Judgement, Records, judge};

/// More than this, and something grows with the history.
const GROWTH_KIB_MAX: u64 = 12 << 10;

struct Made<I>(I);

impl<I: Iterator<Item = Record>> Iterator for Made<I> {
    type Item = Result<Record, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(Ok)
    }
}

impl<I: Iterator<Item = Record>> Records for Made<I> {
    fn tail(&self) -> Tail {
        Tail::Whole
    }
}

fn judged(rounds: u32) -> Judgement {
    judge(|| Ok(Made(synthetic::records(rounds)))).expect("the history is made and not read")
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux counts it");
    peak.trim().trim_end_matches(" kB").parse().expect("it is a number")
}

#[test]
fn a_history_twenty_times_as_long_takes_hardly_more_memory() {
    judged(2);
    let short = peak_kib();
    let Judgement { verdict, .. } = judged(40);
    let growth = peak_kib() - short;
    assert!(growth < GROWTH_KIB_MAX, "{growth} KiB more");
    assert_eq!((verdict.outcome, &verdict.shortfalls[..]), (Outcome::Leak, &[][..]));
    assert_eq!(verdict.coverage.sent.ok, 40 * u64::from(synthetic::ROUND_OPS));
    assert_eq!((verdict.coverage.tenants, verdict.coverage.rounds), (40 * 64, 40));
    let found: Vec<_> = verdict.findings.iter().map(|finding| (finding.oracle, finding.count)).collect();
    assert_eq!(found, [(OracleId::ForeignCanary, 39)]);
    assert_eq!(verdict.findings[0].evidence.planted.as_ref().unwrap().round, 0);
}
