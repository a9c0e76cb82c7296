//! The Report: a verdict with what a reader needs to place it and to bring it back.

use serde::{Deserialize, Serialize};

use crate::bound::Rate;
use crate::case::{Explanation, Sought};
use crate::seed::Seed;
use crate::verdict::{Outcome, Verdict};

/// Version of the report as JSON.
pub const REPORT_FORMAT: u32 = 1;

/// What every renderer takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_FORMAT`].
    pub format: u32,
    /// Version of Coalmine that judged.
    pub coalmine: String,
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: Seed,
    /// The target's address, without credentials.
    pub target: String,
    /// Where the history lies, as it was given.
    pub history: String,
    /// The one line that brings the run back.
    pub reproduce: String,
    /// What the history shows.
    pub verdict: Verdict,
    /// Set where the run was a smoke test: what it left out of a gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<Smoke>,
    /// How findings are brought back, and what came of trying that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explanations: Vec<Explanation>,
    /// Cases of leaks that were found before, and whether they came back. Each counts in the verdict's outcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regressions: Vec<Regression>,
}

impl Report {
    /// Adds what is known of a finding. A diagnosis knows better than the evidence alone which patterns can do it.
    pub fn explain(&mut self, explanation: Explanation) {
        let diagnosis = explanation.retried.as_ref().and_then(|retried| retried.diagnosis.as_ref());
        if let Some(class) = diagnosis.and_then(|diagnosis| diagnosis.class) {
            let mut findings = self.verdict.findings.iter_mut();
            if let Some(finding) = findings.find(|finding| finding.fingerprint.0 == explanation.fingerprint) {
                finding.patterns = class.patterns().to_vec();
            }
        }
        self.explanations.push(explanation);
    }

    /// Adds what came of cases of leaks that were found before: the gravest of them and of the verdict is its outcome.
    pub fn regress(&mut self, regressions: Vec<Regression>) {
        let outcomes = regressions.iter().map(|one| one.outcome);
        self.verdict.outcome = outcomes.fold(self.verdict.outcome, Outcome::max);
        self.regressions.extend(regressions);
    }
}

/// A case of a leak that was found before, and what came of playing it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    /// Its file, as it was given.
    pub case: String,
    /// What it showed when it was written.
    pub found: Sought,
    /// A leak where it came back, a pass where it did not.
    pub outcome: Outcome,
    /// How often it came back.
    pub rate: Rate,
    /// Trials besides, which say nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub void: u32,
    /// Why they do not, or why none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_void: Option<String>,
    /// The line that tries it again.
    pub replay: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// How much weaker a smoke test is than a gate of the same scenario, and what it left behind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Smoke {
    /// What its verdict is worth, in words.
    pub bound: String,
    /// Steps that were left out because they write.
    pub left_out: Vec<String>,
    /// What it was held to, in words.
    pub budget: String,
    /// Commands that remove what it made and could not remove, credentials left out.
    pub leftovers: Vec<String>,
}
