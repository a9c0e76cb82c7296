//! Findings while they are being counted.

use std::collections::{BTreeMap, HashSet};

use coalmine_canary::Strength;
use coalmine_core::history::Channel;
use coalmine_core::verdict::{Evidence, Finding, Fingerprint, OracleId};
use coalmine_core::{Principal, TenantId};

use crate::book::Plant;
use crate::pattern::{Signs, patterns};
use crate::round::{Place, Round};

/// Different fingerprints that one oracle keeps. They are made of the scenario's names, so that a real scenario stays below.
const LEADS_MAX: usize = 4096;
/// Tenants that are told apart for one fingerprint; above it, the number stands still.
const TENANTS_MAX: usize = 65_536;

/// How the summary of what needs no credentials begins.
const ANYBODY: &str = "anybody can ";

/// A finding that may still grow.
pub(crate) struct Lead {
    pub(crate) finding: Finding,
    /// Where to look for the moment of planting.
    pub(crate) plant: Option<Plant>,
    receivers: HashSet<TenantId>,
    owners: HashSet<TenantId>,
}

/// One violation, as an oracle sees it.
pub(crate) struct Hit<'a> {
    /// What the fingerprint is made of besides the operation and the channel: names in the scenario.
    pub(crate) names: &'a [&'a str],
    /// The operation whose answer shows it.
    pub(crate) place: Place,
    pub(crate) channel: Option<Channel>,
    pub(crate) summary: String,
    pub(crate) receiver: &'a Principal,
    pub(crate) owner: Option<&'a Principal>,
    pub(crate) evidence: Evidence,
    pub(crate) plant: Option<Plant>,
}

/// The findings of one oracle, one for each fingerprint.
pub(crate) struct Leads {
    oracle: OracleId,
    by_fingerprint: BTreeMap<Fingerprint, Lead>,
}

impl Leads {
    /// None yet.
    pub(crate) fn of(oracle: OracleId) -> Self {
        Self { oracle, by_fingerprint: BTreeMap::new() }
    }

    /// Counts a violation; the earliest one is kept as the evidence.
    pub(crate) fn add(&mut self, round: &Round, hit: Hit<'_>) {
        self.add_with(round, hit, Signs::default());
    }

    /// The same, where it is a canary of which so much came.
    pub(crate) fn add_canary(&mut self, round: &Round, hit: Hit<'_>, strength: Strength) {
        let given_up = hit.plant.is_some_and(|plant| round.has_given_up(plant, hit.place.step));
        self.add_with(round, hit, Signs { given_up, strength: Some(strength) });
    }

    fn add_with(&mut self, round: &Round, hit: Hit<'_>, signs: Signs) {
        let step = round.step(hit.place);
        let channel = hit.channel.map_or_else(String::new, |channel| channel.to_string());
        let names: Vec<&str> = [step.name.as_str(), &channel].into_iter().chain(hit.names.iter().copied()).collect();
        let fingerprint = Fingerprint::of(self.oracle, &names);
        if self.by_fingerprint.len() >= LEADS_MAX && !self.by_fingerprint.contains_key(&fingerprint) {
            return;
        }
        let oracle = self.oracle;
        let lead = self.by_fingerprint.entry(fingerprint.clone()).or_insert_with(|| Lead {
            finding: Finding {
                oracle,
                fingerprint,
                operation: step.name.clone(),
                route: step.route(),
                channel: hit.channel,
                summary: hit.summary.clone(),
                count: 0,
                anonymous: 0,
                receivers: 0,
                owners: 0,
                patterns: vec![],
                evidence: hit.evidence.clone(),
            },
            plant: hit.plant,
            receivers: HashSet::new(),
            owners: HashSet::new(),
        });
        if lead.is_first(&hit) {
            lead.finding.patterns = patterns(oracle, step, signs);
        }
        lead.count(hit);
    }

    /// What was found.
    pub(crate) fn take(&mut self) -> Vec<Lead> {
        std::mem::take(&mut self.by_fingerprint).into_values().map(Lead::told).collect()
    }
}

impl Lead {
    /// One defect is told once: that it is open to everybody as well belongs to what tenants see of each other.
    fn told(mut self) -> Self {
        let finding = &mut self.finding;
        if finding.anonymous > 0 && finding.receivers > 0 && !finding.summary.starts_with(ANYBODY) {
            finding.summary.push_str("; so can anybody, as tries without credentials show");
        }
        self
    }

    /// Those whom it concerns: whose data it is, and who received it.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.owners.union(&self.receivers)
    }

    /// Whether it is better evidence than what there was: what one round shows alone can be played again.
    fn is_first(&self, hit: &Hit<'_>) -> bool {
        let rank = |evidence: &Evidence| (evidence.planted_in.is_some(), evidence.seen.seq);
        self.finding.count == 0 || rank(&hit.evidence) < rank(&self.finding.evidence)
    }

    fn count(&mut self, hit: Hit<'_>) {
        let is_first = self.is_first(&hit);
        let finding = &mut self.finding;
        finding.count += 1;
        finding.anonymous += u64::from(hit.receiver.is_anonymous());
        let of_tenant = Some(hit.receiver).filter(|receiver| !receiver.is_anonymous());
        finding.receivers = note(&mut self.receivers, of_tenant);
        finding.owners = note(&mut self.owners, hit.owner);
        if is_first {
            finding.summary = hit.summary;
            finding.evidence = hit.evidence;
            self.plant = hit.plant;
        }
    }
}

fn note(tenants: &mut HashSet<TenantId>, principal: Option<&Principal>) -> u32 {
    if tenants.len() < TENANTS_MAX {
        tenants.extend(principal.map(|principal| principal.tenant));
    }
    u32::try_from(tenants.len()).unwrap_or(u32::MAX)
}
