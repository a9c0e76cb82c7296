//! What a campaign comes to.

use coalmine_core::report::REPORT_FORMAT;
use coalmine_core::verdict::{Outcome, Shortfall, ShortfallKind};
use coalmine_core::{Plan, Report};

use super::{Hunt, Over};
use crate::exit::{Exit, Failed};
use crate::pipeline::Judged;

impl Hunt<'_> {
    /// The report on all rounds.
    pub(super) fn finish(mut self, over: Over, first: &Plan) -> Result<Judged, Failed> {
        self.save()?;
        let verdict = self.log.gathered.verdict(missing(&over));
        let exit = match (&over, verdict.outcome) {
            (Over::Stopped, _) => Exit::Interrupted,
            (_, Outcome::Leak) => Exit::Violation,
            (Over::Untestable(_), _) => Exit::Untestable,
            (_, Outcome::Inconclusive) => Exit::Inconclusive,
            (_, Outcome::Pass) => Exit::Pass,
        };
        let target = &first.target.base_url;
        let mut report = Report {
            format: REPORT_FORMAT,
            coalmine: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: first.scenario.clone(),
            seed: self.log.seed,
            target: target.clone(),
            history: self.campaign.folder.join("rounds").display().to_string(),
            reproduce: format!("{} --target {target} --seed {}", self.campaign.command_line, self.log.seed),
            verdict,
            smoke: None,
            explanations: vec![],
            regressions: vec![],
        };
        for finding in self.log.gathered.findings() {
            if let Some(explanation) = self.log.explanations.get(&finding.fingerprint.0) {
                report.explain(explanation.clone());
            }
        }
        Ok(Judged { report, exit, public: vec![] })
    }
}

fn missing(over: &Over) -> Vec<Shortfall> {
    let unfinished = |message: &str| {
        vec![Shortfall { kind: ShortfallKind::Unfinished, operation: None, message: message.to_owned() }]
    };
    match over {
        Over::Spent | Over::BudgetUsedUp => vec![],
        Over::Stopped => unfinished("the campaign was interrupted; with `--resume` it goes on"),
        Over::Untestable(why) => vec![why.clone()],
    }
}
