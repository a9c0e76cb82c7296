//! What a gate leaves beside its report about each finding: a case that brings it back and, if that was asked for, what kind of defect
//! it is.

use std::sync::Arc;

use coalmine_campaign::Allowance;
use coalmine_core::case::Explanation;
use coalmine_core::verdict::Finding;
use coalmine_core::{Budget, Report, Seed};
use coalmine_plan::Scenario;
use coalmine_run::{Progress, Stop};

use crate::exit::Failed;
use crate::folder::Folder;
use crate::inputs::Inputs;
use crate::inquiry::{Inquiry, case_text, inquire};
use crate::output::tell;
use crate::recording::{Played, Recording, Rounds, case_path};

/// Findings that are explained; the worst come first.
const FINDINGS_MAX: usize = 20;
/// Larger rounds are replayed from their history.
const OPS_MAX: usize = 20_000;
/// Trials that making one finding smaller may take.
const TRIALS_MAX: u32 = 400;

/// How much is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// It is written down as it was found.
    Noted,
    /// It is tried again, made smaller, and tried without this and that.
    Explained,
}

/// How trials are paced: all of them together as the run was.
struct Pace {
    depth: Depth,
    progress: Arc<Progress>,
}

impl Pace {
    /// A total that is bounded is for the run alone, and used up by it: then nothing is tried again.
    fn within(budget: Budget, depth: Depth) -> Self {
        let depth = if budget.is_bounded_in_all() && depth == Depth::Explained {
            tell("no finding is tried again: the budget bounds what the run may send in all");
            Depth::Noted
        } else {
            depth
        };
        Self { depth, progress: Arc::new(Progress::within(budget)) }
    }
}

/// A run that has ended, and what it was given.
pub(crate) struct Ended<'a> {
    pub(crate) scenario: &'a Scenario,
    /// The scenario as one text.
    pub(crate) text: &'a str,
    pub(crate) inputs: &'a Inputs,
    pub(crate) folder: &'a Folder,
    pub(crate) seed: Seed,
    pub(crate) stop: Stop,
}

/// Explains the findings of a report, and writes it again.
pub(crate) async fn explain(ended: &Ended<'_>, report: &mut Report, depth: Depth) -> Result<(), Failed> {
    let findings: Vec<Finding> = report.verdict.findings.iter().take(FINDINGS_MAX).cloned().collect();
    let history = ended.folder.history();
    let mut rounds = Rounds::of(&history);
    let mut pace = None;
    for finding in &findings {
        if ended.stop.is_set() {
            break;
        }
        let played = rounds.played(finding)?;
        let pace = pace.get_or_insert_with(|| Pace::within(played.budget(), depth));
        report.explain(ended.explain(played, finding, pace).await?);
    }
    if !findings.is_empty() {
        let written = ended.folder.write_reports(report);
        written.map_err(|e| Failed::fault("cannot write the reports", e))?;
    }
    Ok(())
}

impl Ended<'_> {
    async fn explain(&self, played: &Played, finding: &Finding, pace: &Pace) -> Result<Explanation, Failed> {
        let given = (self.scenario.clone(), self.text.to_owned());
        let recording = Recording::of_round(played, given, finding);
        let inquiry = Inquiry {
            recording: &recording,
            inputs: self.inputs,
            seed: self.seed,
            allowance: Allowance::of_trials(TRIALS_MAX),
            progress: Some(pace.progress.clone()),
            stop: self.stop.clone(),
        };
        let known = match pace.depth {
            Depth::Noted => None,
            Depth::Explained => inquire(&inquiry).await?,
        };
        let (text, retried) = match known {
            Some(known) => (Some(known.text), Some(known.retried)),
            None => ((recording.script.ops() <= OPS_MAX).then(|| case_text(&recording, &recording.script, None)), None),
        };
        let path = case_path(self.folder.path(), &finding.fingerprint.0);
        let replay = match text {
            Some(text) => {
                let folder = path.parent().unwrap_or(self.folder.path());
                let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
                written.map_err(|e| Failed::fault("cannot write a case", e))?;
                format!("coalmine replay {}", path.display())
            }
            None => {
                format!("coalmine replay {} --finding {}", self.folder.path().display(), finding.fingerprint.0)
            }
        };
        Ok(Explanation { fingerprint: finding.fingerprint.0.clone(), replay, retried })
    }
}
