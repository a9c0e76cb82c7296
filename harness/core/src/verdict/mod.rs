//! The Verdict: what a history shows.

mod coverage;
mod finding;
mod pattern;

pub use coverage::{
    Controls, Coverage, Flooded, Kept, Operation, Pair, Passes, Perturbed, Phases, Prober, Probes, RoleCell, Rule,
    SelfTest, Sent, Spread,
};
pub use finding::{Evidence, Finding, Fingerprint, Moment, OracleId, Site};
pub use pattern::Pattern;

use serde::{Deserialize, Serialize};

use crate::property::{Held, Property, Standing};

/// What a run shows, with everything that the statement rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// In one word.
    pub outcome: Outcome,
    /// Violations, worst first; one for each fingerprint.
    pub findings: Vec<Finding>,
    /// Why the absence of findings would mean nothing. Not empty exactly when something is missing, also beside a leak.
    pub shortfalls: Vec<Shortfall>,
    /// Oracles that were asked in every round and answered; the policy switches others off, and one that failed is none.
    pub oracles: Vec<OracleId>,
    /// What was exercised.
    pub coverage: Coverage,
    /// Facts that a reader should know and that decide nothing.
    pub notes: Vec<String>,
    /// What the scenario states of the service, and whether it holds, in the scenario's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Held>,
}

/// The verdict in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// No violation, and everything that makes this worth something was there.
    Pass,
    /// No violation, but something was missing.
    Inconclusive,
    /// At least one violation.
    Leak,
}

/// Something that a pass would have needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortfall {
    /// Of what kind.
    pub kind: ShortfallKind,
    /// The operation concerned, where there is one.
    pub operation: Option<String>,
    /// In words.
    pub message: String,
}

/// What was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShortfallKind {
    /// The run was interrupted or killed, or the target could not be tested.
    Unfinished,
    /// The forged leak was not found.
    SelfTest,
    /// An oracle failed.
    OracleFault,
    /// A tenant did not see its own canary.
    Control,
    /// An operation never ended ok, or too few did.
    Operation,
    /// Operations of different tenants were not in flight together.
    Overlap,
    /// Access to others' objects was not tried, or the owner could not reach them either.
    Probe,
    /// Something that was received could not be looked at.
    CutOff,
    /// A wait for an event ended without it, and without proof that it was lost.
    Event,
    /// A perturbation that the scenario asks for never hit its point.
    Perturbation,
    /// There were too few trials for the bound that the policy asks for.
    Bound,
    /// The budget was used up before everything that was planned was sent.
    Budget,
    /// Tenants that are worth less than the policy demands came through unharmed.
    Worth,
    /// What the scenario states of the service is undecided.
    Property,
}

impl ShortfallKind {
    /// All of them, in the order of a report.
    pub const ALL: [ShortfallKind; 14] = [
        Self::Unfinished,
        Self::SelfTest,
        Self::OracleFault,
        Self::Control,
        Self::Operation,
        Self::Overlap,
        Self::Probe,
        Self::CutOff,
        Self::Event,
        Self::Perturbation,
        Self::Bound,
        Self::Budget,
        Self::Worth,
        Self::Property,
    ];
}

/// The verdict of nothing at all is not a pass.
impl Verdict {
    /// The outcome that follows from findings and shortfalls.
    pub fn outcome_of(findings: &[Finding], shortfalls: &[Shortfall]) -> Outcome {
        match (findings, shortfalls) {
            ([_, ..], _) => Outcome::Leak,
            ([], [_, ..]) => Outcome::Inconclusive,
            ([], []) => Outcome::Pass,
        }
    }

    /// Says of each property whether it holds, by what else stands in the verdict. With one that is undecided it is no pass.
    #[must_use]
    pub fn with_properties(mut self, properties: impl IntoIterator<Item = Property>) -> Self {
        self.shortfalls.retain(|shortfall| shortfall.kind != ShortfallKind::Property);
        self.properties = properties.into_iter().map(|property| property.judged(&self)).collect();
        let undecided: Vec<Shortfall> = self.properties.iter().filter_map(|held| self.undecided(held)).collect();
        self.shortfalls.extend(undecided);
        self.outcome = Self::outcome_of(&self.findings, &self.shortfalls);
        self
    }

    /// That a property is undecided, where nothing else says so.
    fn undecided(&self, held: &Held) -> Option<Shortfall> {
        let why = held.why.as_ref().filter(|_| held.standing == Standing::Undecided)?;
        let is_said = self.shortfalls.iter().any(|shortfall| shortfall.message == *why);
        let message = format!("`{}` is undecided: {why}", held.property.name);
        (!is_said).then_some(Shortfall { kind: ShortfallKind::Property, operation: None, message })
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Leak => "LEAK",
        })
    }
}
