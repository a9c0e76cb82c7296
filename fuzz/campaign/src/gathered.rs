//! Verdicts on rounds that were judged one by one become one verdict.

use std::collections::BTreeSet;

use coalmine_core::bound::rate_max;
use coalmine_core::verdict::{
    Controls, Coverage, Evidence, Finding, Operation, Outcome, Pair, Passes, Perturbed, Phases, Sent, Shortfall,
    ShortfallKind, Verdict,
};
use coalmine_core::worth::Worth;
use serde::{Deserialize, Serialize};

/// Of these, what one round lacks another may have: they are missing where every round lacks them.
const MADE_UP_FOR: [ShortfallKind; 4] =
    [ShortfallKind::Operation, ShortfallKind::Overlap, ShortfallKind::Probe, ShortfallKind::Perturbation];
/// More shortfalls and notes are not kept.
const KEPT_MAX: usize = 100;

/// What rounds show together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gathered {
    /// None before the first round that was gone through.
    verdict: Option<Verdict>,
    findings: Vec<Finding>,
}

/// How much of a scenario a round goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of it: what it lacks, it should have had.
    Whole,
    /// What a change has left of it: what it lacks means nothing, nor what it does not lack.
    Part,
}

impl Gathered {
    /// Takes the findings of a round, and tells the fingerprints that were not known, or that took two rounds so far.
    pub fn find(&mut self, round: u32, findings: Vec<Finding>) -> Vec<String> {
        let mut new = vec![];
        for mut finding in findings {
            match self.findings.iter_mut().find(|known| known.fingerprint == finding.fingerprint) {
                Some(known) => {
                    known.count += finding.count;
                    known.anonymous += finding.anonymous;
                    known.receivers = known.receivers.max(finding.receivers);
                    known.owners = known.owners.max(finding.owners);
                    if known.evidence.planted_in.is_some() && finding.evidence.planted_in.is_none() {
                        new.push(finding.fingerprint.0.clone());
                        known.summary = std::mem::take(&mut finding.summary);
                        known.evidence = in_round(round, finding.evidence);
                    }
                }
                None => {
                    new.push(finding.fingerprint.0.clone());
                    let evidence = in_round(round, finding.evidence);
                    self.findings.push(Finding { evidence, ..finding });
                }
            }
        }
        new
    }

    /// Takes what else a round shows that was gone through.
    pub fn cover(&mut self, round: Verdict, reach: Reach) {
        self.verdict = match (self.verdict.take(), reach) {
            (None, Reach::Whole) => Some(round),
            (Some(before), Reach::Whole) => Some(merge(before, round)),
            (before, Reach::Part) => {
                before.map(|before| Verdict { coverage: coverage(before.coverage, round.coverage), ..before })
            }
        };
    }

    /// What was found.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What was exercised, if anything was.
    pub fn coverage(&self) -> Option<&Coverage> {
        self.verdict.as_ref().map(|verdict| &verdict.coverage)
    }

    /// All of it, with what else is missing.
    pub fn verdict(&self, missing: Vec<Shortfall>) -> Verdict {
        let mut verdict = self.verdict.clone().unwrap_or_else(nothing);
        verdict.findings.clone_from(&self.findings);
        let coverage = &mut verdict.coverage;
        let is_enough = coverage.trials_needed.is_none_or(|needed| coverage.trials >= needed);
        verdict.shortfalls.retain(|shortfall| shortfall.kind != ShortfallKind::Bound || !is_enough);
        verdict.shortfalls.retain(|shortfall| shortfall.kind != ShortfallKind::Worth);
        verdict.shortfalls.extend(coverage.worth.as_ref().and_then(Worth::shortfall));
        verdict.shortfalls.extend(missing);
        verdict.shortfalls.sort_by_key(|shortfall| shortfall.kind);
        coverage.leak_rate_max = if self.findings.is_empty() { rate_max(0, coverage.trials) } else { None };
        for pair in &mut coverage.pairs {
            pair.leak_rate_max = self.findings.is_empty().then(|| rate_max(0, pair.together)).flatten();
        }
        for kind in &mut coverage.perturbations {
            kind.leak_rate_max = self.findings.is_empty().then(|| rate_max(0, kind.reached)).flatten();
        }
        for rule in &mut coverage.rules {
            rule.leak_rate_max = self.findings.is_empty().then(|| rate_max(0, rule.kept)).flatten();
        }
        let properties: Vec<_> = verdict.properties.drain(..).map(|held| held.property).collect();
        verdict.with_properties(properties)
    }
}

/// The evidence, with the number that the round has in the campaign.
fn in_round(round: u32, mut evidence: Evidence) -> Evidence {
    evidence.seen.round = round;
    if let Some(planted) = &mut evidence.planted {
        planted.round = round;
    }
    evidence
}

fn nothing() -> Verdict {
    let message = "no round was gone through".to_owned();
    let shortfall = Shortfall { kind: ShortfallKind::Unfinished, operation: None, message };
    Verdict {
        outcome: Outcome::Inconclusive,
        findings: vec![],
        shortfalls: vec![shortfall],
        oracles: vec![],
        coverage: Coverage::default(),
        notes: vec![],
        properties: vec![],
    }
}

fn merge(before: Verdict, round: Verdict) -> Verdict {
    let oracles = before.oracles.into_iter().filter(|oracle| round.oracles.contains(oracle)).collect();
    let mut notes: Vec<String> = before.notes;
    notes.extend(round.notes);
    let mut known = BTreeSet::new();
    notes.retain(|note| known.insert(without_numbers(note)));
    notes.truncate(KEPT_MAX);
    Verdict {
        outcome: round.outcome,
        findings: vec![],
        shortfalls: shortfalls(before.shortfalls, round.shortfalls),
        oracles,
        coverage: coverage(before.coverage, round.coverage),
        notes,
        properties: before.properties,
    }
}

/// The same but for numbers and names of people in it.
fn without_numbers(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_digit() { '#' } else { letter }).collect()
}

fn key(shortfall: &Shortfall) -> (ShortfallKind, Option<&str>, String) {
    (shortfall.kind, shortfall.operation.as_deref(), without_numbers(&shortfall.message))
}

fn shortfalls(before: Vec<Shortfall>, round: Vec<Shortfall>) -> Vec<Shortfall> {
    let is_made_up_for = |one: &Shortfall, by: &[Shortfall]| {
        (MADE_UP_FOR.contains(&one.kind) || one.kind == ShortfallKind::Bound)
            && !by.iter().any(|other| key(other) == key(one))
    };
    let mut kept: Vec<Shortfall> = before.iter().filter(|one| !is_made_up_for(one, &round)).cloned().collect();
    for one in round {
        if !is_made_up_for(&one, &before) && !kept.iter().any(|known| key(known) == key(&one)) {
            kept.push(one);
        }
    }
    kept.truncate(KEPT_MAX);
    kept
}

fn coverage(before: Coverage, round: Coverage) -> Coverage {
    Coverage {
        rounds: before.rounds + round.rounds,
        tenants: before.tenants.saturating_add(round.tenants),
        principals: before.principals.saturating_add(round.principals),
        duration_us: before.duration_us + round.duration_us,
        sent: sent(before.sent, round.sent),
        pauses: before.pauses + round.pauses,
        attempts: before.attempts + round.attempts,
        operations: joined(before.operations, round.operations, |one| one.name.clone(), operation),
        controls: controls(before.controls, round.controls),
        pairs: joined(before.pairs, round.pairs, |one| (one.first.clone(), one.second.clone()), pair),
        probes: joined(
            before.probes,
            round.probes,
            |one| (one.object.clone(), one.access, one.by),
            |one, other| {
                one.tried += other.tried;
                one.counted += other.counted;
            },
        ),
        roles: joined(
            before.roles,
            round.roles,
            |one| (one.step.clone(), one.role.clone()),
            |one, other| {
                one.tried += other.tried;
                one.counted += other.counted;
            },
        ),
        self_test: joined(
            before.self_test,
            round.self_test,
            |one| one.channel,
            |one, other| {
                one.forged += other.forged;
                one.found += other.found;
            },
        ),
        renewals: before.renewals + round.renewals,
        trials: before.trials + round.trials,
        leak_rate_max: None,
        trials_needed: before.trials_needed.or(round.trials_needed),
        perturbations: joined(
            before.perturbations,
            round.perturbations,
            |one| one.kind,
            |one: &mut Perturbed, other| {
                one.planned += other.planned;
                one.reached += other.reached;
            },
        ),
        rules: joined(
            before.rules,
            round.rules,
            |one| one.rule.clone(),
            |one, other| {
                one.planned += other.planned;
                one.kept += other.kept;
                one.leak_rate_max = None;
            },
        ),
        // Medians do not add up: those of the last round that had any.
        spread: round.spread.or(before.spread),
        floods: if round.floods.is_empty() { before.floods } else { round.floods },
        passes: passes(before.passes, round.passes),
        worth: worth(before.worth, round.worth),
    }
}

fn passes(before: Option<Passes>, round: Option<Passes>) -> Option<Passes> {
    let (Some(one), Some(other)) = (before, round) else { return before.or(round) };
    Some(Passes { due: one.due + other.due, whole: one.whole + other.whole, ..one })
}

fn worth(before: Option<Worth>, round: Option<Worth>) -> Option<Worth> {
    let (Some(mut one), Some(other)) = (before.clone(), round.clone()) else { return before.or(round) };
    one.add(other);
    Some(one)
}

/// Both lists, with those added to each other that have the same key.
fn joined<T, K: PartialEq>(
    mut before: Vec<T>,
    round: Vec<T>,
    key: impl Fn(&T) -> K,
    add: impl Fn(&mut T, T),
) -> Vec<T> {
    for one in round {
        let own = key(&one);
        match before.iter_mut().find(|known| key(known) == own) {
            Some(known) => add(known, one),
            None => before.push(one),
        }
    }
    before
}

fn sent(one: Sent, other: Sent) -> Sent {
    Sent {
        planned: one.planned + other.planned,
        ok: one.ok + other.ok,
        fail: one.fail + other.fail,
        info: one.info + other.info,
        skipped: one.skipped + other.skipped,
        not_due: one.not_due + other.not_due,
        open: one.open + other.open,
    }
}

fn controls(one: Controls, other: Controls) -> Controls {
    Controls { due: one.due + other.due, met: one.met + other.met }
}

fn operation(one: &mut Operation, other: Operation) {
    one.sent = sent(one.sent, other.sent);
    one.controls = controls(one.controls, other.controls);
    one.overlapped += other.overlapped;
}

fn pair(one: &mut Pair, other: Pair) {
    let sum = |one: Phases, other: Phases| Phases {
        sending: one.sending + other.sending,
        processing: one.processing + other.processing,
        answering: one.answering + other.answering,
    };
    one.together += other.together;
    one.during_first = sum(one.during_first, other.during_first);
    one.during_second = sum(one.during_second, other.during_second);
}

#[cfg(test)]
mod tests {
    use coalmine_core::property::{Property, Standing};
    use coalmine_core::verdict::OracleId;
    use coalmine_core::worth::Valued;

    use super::*;

    fn shortfall(kind: ShortfallKind, message: &str) -> Shortfall {
        Shortfall { kind, operation: None, message: message.into() }
    }

    fn verdict(trials: u64, shortfalls: Vec<Shortfall>) -> Verdict {
        let coverage = Coverage { rounds: 1, trials, trials_needed: Some(15), ..Coverage::default() };
        Verdict { shortfalls, coverage, ..nothing() }
    }

    fn gathered(rounds: Vec<Verdict>) -> Verdict {
        let mut gathered = Gathered::default();
        for round in rounds {
            gathered.cover(round, Reach::Whole);
        }
        gathered.verdict(vec![])
    }

    #[test]
    fn nothing_at_all_is_inconclusive() {
        assert_eq!(gathered(vec![]).outcome, Outcome::Inconclusive);
    }

    #[test]
    fn rounds_make_up_for_what_others_lack() {
        let lacks = |pair: &str| verdict(1, vec![shortfall(ShortfallKind::Overlap, pair)]);
        assert_eq!(gathered(vec![lacks("a, b"), lacks("c, d")]).outcome, Outcome::Pass);
        assert_eq!(gathered(vec![lacks("a, b"), lacks("a, b"), lacks("a, b")]).outcome, Outcome::Inconclusive);
    }

    #[test]
    fn no_round_makes_up_for_a_secret_that_its_owner_did_not_see() {
        let blind = verdict(1, vec![shortfall(ShortfallKind::Control, "tenant 3 did not see its own")]);
        let sees = || verdict(1, vec![]);
        assert_eq!(gathered(vec![blind.clone(), sees()]).outcome, Outcome::Inconclusive);
        assert_eq!(gathered(vec![sees(), blind]).outcome, Outcome::Inconclusive);
    }

    #[test]
    fn part_of_a_round_makes_up_for_nothing_and_counts_all_the_same() {
        let mut gathered = Gathered::default();
        gathered.cover(verdict(8, vec![shortfall(ShortfallKind::Overlap, "a, b")]), Reach::Whole);
        gathered.cover(verdict(8, vec![]), Reach::Part);
        let verdict = gathered.verdict(vec![]);
        assert_eq!((verdict.outcome, verdict.coverage.trials), (Outcome::Inconclusive, 16));
    }

    #[test]
    fn who_is_harmed_in_one_round_stays_harmed_and_who_acts_in_all_is_counted_once() {
        let round = |findings| {
            let tenant = |name: &str, findings| Valued {
                attributes: vec![name.to_owned()],
                value: 100,
                due: 2,
                whole: 2,
                findings,
            };
            let tenants = vec![tenant("one", 0), tenant("other", findings)];
            let worth = Worth { attribute: "tenant.arr".to_owned(), min: 200, tenants };
            let shortfalls = worth.shortfall().into_iter().collect();
            let mut verdict = verdict(8, shortfalls);
            verdict.coverage.trials_needed = None;
            verdict.coverage.worth = Some(worth);
            verdict
        };
        let unharmed = gathered(vec![round(0), round(0)]);
        assert_eq!((unharmed.outcome, unharmed.coverage.worth.unwrap().protected()), (Outcome::Pass, 200));
        let harmed = gathered(vec![round(0), round(1), round(0)]);
        assert_eq!((harmed.outcome, harmed.shortfalls.len()), (Outcome::Inconclusive, 1));
        assert_eq!(harmed.coverage.worth.unwrap().protected(), 100);
    }

    #[test]
    fn a_property_is_decided_by_all_rounds_together() {
        let steps = vec!["read".to_owned()];
        let property = Property { name: "isolation".to_owned(), steps, oracles: vec![OracleId::ForeignCanary] };
        let round = |ok| {
            let sent = Sent { planned: 1, ok, ..Sent::default() };
            let read = Operation { name: "read".to_owned(), sent, ..Operation::default() };
            let mut verdict = verdict(20, vec![]);
            verdict.coverage.operations.push(read);
            verdict.oracles.push(OracleId::ForeignCanary);
            verdict.with_properties([property.clone()])
        };
        assert_eq!(gathered(vec![round(0), round(0)]).properties[0].standing, Standing::Undecided);
        let decided = gathered(vec![round(0), round(1)]);
        assert_eq!((decided.properties[0].standing, decided.outcome), (Standing::Pass, Outcome::Pass));
    }

    #[test]
    fn trials_add_up_to_the_bound() {
        let few = || verdict(8, vec![shortfall(ShortfallKind::Bound, "8 trials of 15")]);
        assert_eq!(gathered(vec![few()]).outcome, Outcome::Inconclusive);
        let enough = gathered(vec![few(), few()]);
        assert_eq!((enough.outcome, enough.coverage.rounds), (Outcome::Pass, 2));
    }
}
