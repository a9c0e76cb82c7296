//! How many operations it takes until a flaw is found.

use std::fs::File;
use std::path::Path;

use coalmine_core::history::{Happening, HistoryError, Reader, Record};
use coalmine_target::Flaw;
use serde::Serialize;

use super::super::trial::Tried;
use crate::exit::Failed;

/// What it took, in several runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Effort {
    pub(super) runs: u32,
    /// In how many of them the flaw was found.
    pub(super) found: u32,
    /// Operations that were sent up to the finding: half of the runs took no more. None where fewer than half found it.
    pub(super) operations_median: Option<u64>,
    /// No run took more. None where one did not find it.
    pub(super) operations_worst: Option<u64>,
    /// Operations that were sent in all runs that did not find it.
    pub(super) operations_in_vain: u64,
    #[serde(skip)]
    needed: Vec<u64>,
}

impl Effort {
    /// Adds a run.
    pub(super) fn add(&mut self, flaw: Flaw, tried: &Tried) -> Result<(), Failed> {
        let unreadable = |error: HistoryError| Failed::fault("cannot read the history", error);
        self.runs += 1;
        match place(flaw, tried) {
            Some(seq) => {
                self.found += 1;
                let needed = sent_until(&tried.history, seq).map_err(unreadable)?;
                self.needed.insert(self.needed.partition_point(|other| *other <= needed), needed);
            }
            None => self.operations_in_vain += tried.judged.report.verdict.coverage.sent.invoked(),
        }
        self.operations_median = self.needed.get((self.runs as usize - 1) / 2).copied();
        self.operations_worst = self.needed.get(self.runs as usize - 1).copied();
        Ok(())
    }
}

/// The place in the history at which the last of the oracles that must find the flaw has found it.
fn place(flaw: Flaw, tried: &Tried) -> Option<u64> {
    let findings = &tried.judged.report.verdict.findings;
    let first = |oracle: &&str| {
        findings
            .iter()
            .filter(|finding| finding.oracle.name() == *oracle)
            .map(|finding| finding.evidence.seen.seq)
            .min()
    };
    let all: Option<Vec<u64>> = flaw.expected().oracles.iter().map(first).collect();
    all?.into_iter().max()
}

/// Operations that were about to be sent before this place.
fn sent_until(history: &Path, seq: u64) -> Result<u64, HistoryError> {
    let mut count = 0;
    for record in Reader::new(File::open(history).map_err(HistoryError::Io)?) {
        let Record::Event(event) = record? else { continue };
        if event.seq > seq {
            break;
        }
        count += u64::from(matches!(event.what, Happening::Invoke { .. }));
    }
    Ok(count)
}

/// As it stands in a table: the median, the worst, and where there is none, in how many runs it was found.
impl std::fmt::Display for Effort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { runs, found, operations_median, operations_worst, .. } = self;
        match (operations_median, operations_worst) {
            (Some(median), Some(worst)) => f.pad(&format!("{median} / {worst}")),
            (Some(median), None) => f.pad(&format!("{median} / not found {}/{runs}", runs - found)),
            (None, _) if *found > 0 => f.pad(&format!("found {found}/{runs}")),
            (None, _) if *runs == 0 => f.pad("-"),
            (None, _) => f.pad("not found"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effort(runs: u32, needed: &[u64]) -> Effort {
        let found = u32::try_from(needed.len()).unwrap();
        let at = |place: u32| needed.get(place as usize).copied();
        let (operations_median, operations_worst) = (at((runs - 1) / 2), at(runs - 1));
        Effort { runs, found, operations_median, operations_worst, needed: needed.to_vec(), ..Effort::default() }
    }

    #[test]
    fn what_was_not_found_is_shown_as_such() {
        assert_eq!(effort(3, &[5, 9, 20]).to_string(), "9 / 20");
        assert_eq!(effort(3, &[5, 9]).to_string(), "9 / not found 1/3");
        assert_eq!(effort(3, &[5]).to_string(), "found 1/3");
        assert_eq!(effort(3, &[]).to_string(), "not found");
    }
}
