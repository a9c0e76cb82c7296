//! A case: a leak in a small file, that a person reads and edits, and that brings the leak back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bound::Rate;
use crate::diagnosis::Diagnosis;
use crate::script::Script;
use crate::seed::Seed;
use crate::verdict::{Finding, Fingerprint, OracleId};

/// Version of the file.
pub const CASE_FORMAT: u32 = 1;

/// What stands in a case file beside its scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// [`CASE_FORMAT`].
    #[serde(rename = "coalmine-case")]
    pub format: u32,
    /// What it shows.
    pub found: Sought,
    /// Where it was seen.
    pub target: Stage,
    /// From which run it comes.
    pub from: Origin,
    /// How often it came back when it was written down; nothing where that was not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// What kind of defect it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
    /// Who does what.
    pub script: Script,
}

/// The finding that is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sought {
    /// Which oracle finds it.
    pub oracle: OracleId,
    /// Its name in every run.
    pub fingerprint: Fingerprint,
    /// The operation whose answer shows it.
    pub operation: String,
    /// What it was the first time, in words.
    pub summary: String,
}

/// The service that a case is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Flaws of the built-in service, of which a new one is started each time; only where there is no address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaws: Vec<String>,
}

/// A round of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The run's seed.
    pub seed: Seed,
    /// The round.
    pub round: u32,
}

/// What came of looking for a finding again, for the report of the run that found it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// Which finding.
    pub fingerprint: String,
    /// The line that brings it back.
    pub replay: String,
    /// What was tried, unless nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<Retried>,
}

/// What became of a finding when it was tried again and made smaller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Retried {
    /// How often the smallest case shows it.
    pub rate: Rate,
    /// Tenants in the smallest case.
    pub tenants: u32,
    /// Operations in the smallest case, without those that make sessions or only clean up.
    pub operations: u32,
    /// What kind of defect it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
}

impl From<&Finding> for Sought {
    fn from(finding: &Finding) -> Self {
        Self {
            oracle: finding.oracle,
            fingerprint: finding.fingerprint.clone(),
            operation: finding.operation.clone(),
            summary: finding.summary.clone(),
        }
    }
}
