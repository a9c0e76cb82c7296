//! What a team wants to know of its service, by a name of its own: which findings speak against it, and what it rests on.

use serde::{Deserialize, Serialize};

use crate::perturb::Perturbation;
use crate::verdict::{Coverage, Finding, Fingerprint, Operation, OracleId, Shortfall, ShortfallKind, Verdict};

/// A statement about the service, as the scenario names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// The steps that it is about, by their names; none: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    /// The oracles that decide it; none: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oracles: Vec<OracleId>,
}

/// A property, and what the run says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Which.
    #[serde(flatten)]
    pub property: Property,
    /// Whether it holds.
    pub standing: Standing,
    /// Why it does not, or why that is not decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The findings that speak against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Fingerprint>,
}

/// Whether a property holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Nothing speaks against it, and what it rests on was there.
    Pass,
    /// Nothing speaks against it, but what it rests on was missing.
    Undecided,
    /// A finding speaks against it.
    Fail,
}

impl Property {
    /// What a verdict says of it.
    pub fn judged(self, verdict: &Verdict) -> Held {
        let against: Vec<&Finding> = verdict.findings.iter().filter(|finding| self.is_against(finding)).collect();
        let findings = against.iter().map(|finding| finding.fingerprint.clone()).collect();
        let (standing, why) = match (against.first(), self.missing(verdict)) {
            (Some(finding), _) => (Standing::Fail, Some(format!("{}: {}", finding.route, finding.summary))),
            (None, Some(missing)) => (Standing::Undecided, Some(missing)),
            (None, None) => (Standing::Pass, None),
        };
        Held { property: self, standing, why, findings }
    }

    fn is_against(&self, finding: &Finding) -> bool {
        self.asks(finding.oracle) && self.is_about(&finding.operation)
    }

    fn asks(&self, oracle: OracleId) -> bool {
        self.oracles.is_empty() || self.oracles.contains(&oracle)
    }

    fn is_about(&self, step: &str) -> bool {
        self.steps.is_empty() || self.steps.iter().any(|known| known == step)
    }

    /// The first thing for want of which silence would prove nothing.
    fn missing(&self, verdict: &Verdict) -> Option<String> {
        let usual: Vec<OracleId> = OracleId::ALL.into_iter().filter(|oracle| !oracle.is_opt_in()).collect();
        let asked = if self.oracles.is_empty() { &usual } else { &self.oracles };
        let unasked = asked.iter().find(|oracle| !verdict.oracles.contains(oracle));
        let unasked = unasked.map(|oracle| format!("the oracle {oracle} was not asked"));
        let shortfall = || verdict.shortfalls.iter().find(|it| self.rests_on(it)).map(|it| it.message.clone());
        let idle = || {
            let idle = self.oracles.iter().find(|oracle| !self.has_ground(**oracle, &verdict.coverage));
            idle.map(|oracle| format!("there was nothing that the oracle {oracle} could have found"))
        };
        unasked.or_else(shortfall).or_else(idle).or_else(|| self.unreached(&verdict.coverage))
    }

    /// Whether what was missing takes its ground away.
    fn rests_on(&self, missing: &Shortfall) -> bool {
        match missing.kind {
            // What was demanded besides, and not what silence rests on.
            ShortfallKind::Worth | ShortfallKind::Property | ShortfallKind::Bound => false,
            ShortfallKind::Unfinished => true,
            _ => missing.operation.as_deref().is_none_or(|step| self.is_about(step)),
        }
    }

    /// A step that never ended ok, whatever the verdict as a whole makes of that.
    fn unreached(&self, coverage: &Coverage) -> Option<String> {
        let ended_ok = |step: &String| coverage.operations.iter().any(|it| it.name == *step && it.sent.ok > 0);
        let step = self.steps.iter().find(|step| !ended_ok(step))?;
        Some(format!("`{step}` never ended ok"))
    }

    /// Whether the run had anything in which the oracle could have found something.
    fn has_ground(&self, oracle: OracleId, coverage: &Coverage) -> bool {
        let hit = |kind| coverage.perturbations.iter().any(|it| it.kind == kind && it.reached > 0);
        let ended = |is_right: fn(&Operation) -> bool| {
            let mut operations = coverage.operations.iter().filter(|it| self.is_about(&it.name));
            operations.any(|it| it.sent.ok > 0 && is_right(it))
        };
        match oracle {
            OracleId::Access | OracleId::Existence | OracleId::ExistenceByTime => {
                coverage.probes.iter().any(|it| it.counted > 0)
            }
            OracleId::Role => coverage.roles.iter().any(|cell| cell.counted > 0 && self.is_about(&cell.step)),
            OracleId::FaultPropagation => hit(Perturbation::Poison),
            OracleId::NoisyNeighbour => !coverage.floods.is_empty(),
            OracleId::ForgedCredential => hit(Perturbation::Forge),
            OracleId::MisroutedEvent => ended(Operation::brings_events),
            OracleId::MissingEvent => ended(|it| it.brings_events() && it.route.ends_with(" receive")),
            OracleId::ForeignCanary
            | OracleId::IdentityEcho
            | OracleId::WrongCredential
            | OracleId::ForeignRow
            | OracleId::NotFresh
            | OracleId::ResponseMixUp
            | OracleId::WrongAggregate
            | OracleId::WrongList
            | OracleId::Caching
            | OracleId::UnguardedTable
            | OracleId::UnnamedKey
            | OracleId::SecretInLog
            | OracleId::Interference
            | OracleId::SessionAfterLogout => ended(|_| true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Outcome, Perturbed, Sent};

    fn operation(name: &str, route: &str, ok: u64) -> Operation {
        let sent = Sent { planned: 4, ok, ..Sent::default() };
        Operation { name: name.to_owned(), route: route.to_owned(), sent, ..Operation::default() }
    }

    fn verdict() -> Verdict {
        let operations = vec![
            operation("list", "GET /notes", 4),
            operation("order", "POST /jobs", 4),
            operation("idle", "GET /idle", 0),
        ];
        Verdict {
            outcome: Outcome::Pass,
            findings: vec![],
            shortfalls: vec![],
            oracles: OracleId::ALL.into_iter().filter(|oracle| !oracle.is_opt_in()).collect(),
            coverage: Coverage { operations, ..Coverage::default() },
            notes: vec![],
            properties: vec![],
        }
    }

    fn standing(steps: &[&str], oracles: &[OracleId], verdict: &Verdict) -> (Standing, Option<String>) {
        let steps = steps.iter().map(|step| (*step).to_owned()).collect();
        let property = Property { name: "it holds".to_owned(), steps, oracles: oracles.to_vec() };
        let held = property.judged(verdict);
        (held.standing, held.why)
    }

    fn finding(oracle: OracleId, operation: &str) -> Finding {
        let json = serde_json::json!({
            "oracle": oracle.name(), "fingerprint": format!("{oracle}/{operation}"), "operation": operation,
            "route": "GET /x", "channel": null, "summary": "it leaks", "count": 1, "receivers": 1, "owners": 1,
            "evidence": {
                "receiver": "tenant 1", "owner": null, "planted": null, "field": null, "offset": null, "len": null,
                "context": null, "seen": {"round": 0, "op": 0, "operation": operation, "seq": 0, "at_us": 0},
            },
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn it_passes_where_nothing_speaks_against_it_and_its_steps_ended_ok() {
        assert_eq!(standing(&["list"], &[OracleId::ForeignCanary], &verdict()), (Standing::Pass, None));
        assert_eq!(standing(&[], &[OracleId::ForeignCanary], &verdict()).0, Standing::Pass);
        assert_eq!(standing(&["list", "order"], &[], &verdict()).0, Standing::Pass);
    }

    #[test]
    fn a_verdict_with_one_that_is_undecided_is_no_pass() {
        let property = |oracle| Property { name: "it".to_owned(), steps: vec![], oracles: vec![oracle] };
        let passed = verdict().with_properties([property(OracleId::ForeignCanary)]);
        assert_eq!((passed.outcome, passed.shortfalls.len()), (Outcome::Pass, 0));
        let undecided = passed.with_properties([property(OracleId::FaultPropagation)]);
        assert_eq!((undecided.outcome, undecided.shortfalls[0].kind), (Outcome::Inconclusive, ShortfallKind::Property));
        assert_eq!(undecided.with_properties([property(OracleId::ForeignCanary)]).outcome, Outcome::Pass);
        let mut lacking = verdict();
        let message = "it is odd".to_owned();
        lacking.shortfalls.push(Shortfall { kind: ShortfallKind::Overlap, operation: None, message });
        assert_eq!(lacking.with_properties([property(OracleId::ForeignCanary)]).shortfalls.len(), 1);
    }

    #[test]
    fn it_fails_by_a_finding_of_its_oracles_in_its_steps_and_by_no_other() {
        let mut leaking = verdict();
        leaking.findings.push(finding(OracleId::ForeignCanary, "list"));
        let (fail, why) = standing(&["list"], &[OracleId::ForeignCanary], &leaking);
        assert_eq!((fail, why.as_deref()), (Standing::Fail, Some("GET /x: it leaks")));
        assert_eq!(standing(&[], &[OracleId::ForeignCanary], &leaking).0, Standing::Fail);
        assert_eq!(standing(&["list"], &[], &leaking).0, Standing::Fail);
        assert_eq!(standing(&["order"], &[OracleId::ForeignCanary], &leaking).0, Standing::Pass);
        assert_eq!(standing(&["list"], &[OracleId::IdentityEcho], &leaking).0, Standing::Pass);
    }

    #[test]
    fn it_is_undecided_by_what_is_missing_for_all_or_for_its_steps() {
        let mut lacking = verdict();
        let message = "`order` is odd".to_owned();
        let shortfall = Shortfall { kind: ShortfallKind::Control, operation: Some("order".to_owned()), message };
        lacking.shortfalls.push(shortfall);
        assert_eq!(standing(&["list"], &[OracleId::ForeignCanary], &lacking).0, Standing::Pass);
        assert_eq!(standing(&["order"], &[OracleId::ForeignCanary], &lacking).0, Standing::Undecided);
        lacking.shortfalls[0].kind = ShortfallKind::Unfinished;
        assert_eq!(standing(&["list"], &[OracleId::ForeignCanary], &lacking).0, Standing::Undecided);
        lacking.shortfalls[0].kind = ShortfallKind::Control;
        lacking.shortfalls[0].operation = None;
        assert_eq!(standing(&["list"], &[OracleId::ForeignCanary], &lacking).0, Standing::Undecided);
        lacking.shortfalls[0].kind = ShortfallKind::Worth;
        assert_eq!(standing(&["list"], &[OracleId::ForeignCanary], &lacking).0, Standing::Pass);
    }

    #[test]
    fn it_is_undecided_where_an_oracle_was_not_asked_or_had_nothing_to_find() {
        let mut silent = verdict();
        silent.oracles.retain(|oracle| *oracle != OracleId::Caching);
        assert_eq!(standing(&["list"], &[OracleId::Caching], &silent).0, Standing::Undecided);
        let nothing =
            [OracleId::Access, OracleId::FaultPropagation, OracleId::NoisyNeighbour, OracleId::MisroutedEvent];
        for oracle in nothing {
            assert_eq!(standing(&[], &[oracle], &verdict()).0, Standing::Undecided, "{oracle}");
        }
        assert_eq!(standing(&["idle"], &[OracleId::ForeignCanary], &verdict()).0, Standing::Undecided);
        let mut poisoned = verdict();
        let kind = Perturbation::Poison;
        poisoned.coverage.perturbations.push(Perturbed { kind, planned: 3, reached: 2, leak_rate_max: None });
        assert_eq!(standing(&[], &[OracleId::FaultPropagation], &poisoned).0, Standing::Pass);
    }
}
