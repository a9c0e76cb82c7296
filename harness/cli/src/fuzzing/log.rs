//! How far a campaign has come, as a file that is written anew after each round.

use std::collections::BTreeMap;
use std::path::Path;

use coalmine_campaign::{Gathered, Ground};
use coalmine_core::Seed;
use coalmine_core::case::Explanation;
use serde::{Deserialize, Serialize};

use super::corpus::placed;
use super::durable;
use super::era::Era;
use crate::exit::Failed;

/// Its name in the folder of the campaign.
const NAME: &str = "campaign.json";
/// Version of the file.
const FORMAT: u32 = 1;

/// See the module.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    #[serde(rename = "coalmine-campaign")]
    format: u32,
    pub(super) seed: Seed,
    /// Rounds that were played to their end.
    pub(super) rounds: u32,
    pub(super) operations: u64,
    /// Over all parts of the campaign, with what was spent on explaining.
    pub(super) elapsed_ms: u64,
    pub(super) explaining_ms: u64,
    pub(super) ground: Ground,
    pub(super) gathered: Gathered,
    /// The round that first showed a finding, by fingerprint; its history is kept.
    pub(super) first: BTreeMap<String, u32>,
    /// Findings that were not made small yet.
    pub(super) pending: Vec<String>,
    pub(super) explanations: BTreeMap<String, Explanation>,
    #[serde(default)]
    pub(super) era: Era,
}

impl Log {
    /// Nothing was done yet.
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            format: FORMAT,
            seed,
            rounds: 0,
            operations: 0,
            elapsed_ms: 0,
            explaining_ms: 0,
            ground: Ground::default(),
            gathered: Gathered::default(),
            first: BTreeMap::new(),
            pending: vec![],
            explanations: BTreeMap::new(),
            era: Era::default(),
        }
    }

    /// That of a campaign which goes on.
    pub(super) fn read(campaign: &Path) -> Result<Self, Failed> {
        let path = campaign.join(NAME);
        let bytes = std::fs::read(&path)
            .map_err(|e| Failed::usage(format!("{} is no campaign: cannot read {NAME}: {e}", campaign.display())))?;
        let log: Self = serde_json::from_slice(&bytes).map_err(|error| Failed::usage(placed(&path, &error)))?;
        match log.format {
            FORMAT => Ok(log),
            other => Err(Failed::usage(format!(
                "{}: it has the format {other}, and this version of Coalmine reads {FORMAT}",
                path.display()
            ))),
        }
    }

    /// Writes it; from here on what it says is lost to no kill.
    pub(super) fn save(&self, campaign: &Path) -> Result<(), Failed> {
        let text = serde_json::to_vec(self).map_err(|e| Failed::fault("cannot write the campaign", e))?;
        durable::write(&campaign.join(NAME), &text).map_err(|e| Failed::fault("cannot write the campaign", e))
    }
}
