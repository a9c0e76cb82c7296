//! What was exercised: the ground on which a pass stands.

mod budget;
mod control;
mod cut_off;
mod operation;
mod overlap;
mod passes;
mod people;
mod phase;
mod probe;
mod reasons;
mod rules;
mod self_test;
mod shaken;
#[cfg(test)]
mod tests;
mod unsent;
mod worth;

use coalmine_core::bound::trials_for;
use coalmine_core::history::{Channel, Event, Happening};
use coalmine_core::plan::{Policy, Purpose};
use coalmine_core::property::Property;
use coalmine_core::verdict::{Controls, Coverage, Sent, Shortfall, ShortfallKind};

use crate::floods::Floods;
use crate::lead::Lead;
use crate::round::{Round, State};
use budget::Withheld;
use control::Control;
use cut_off::Unseen;
use operation::Operations;
use overlap::Overlap;
use passes::Counted as Passes;
use people::People;
use probe::Tries;
use rules::Rules;
use self_test::SelfTests;
use shaken::Shaken;
use worth::Values;

/// Counts what was exercised, and says at the end what was not.
#[derive(Default)]
pub(crate) struct Tally {
    policy: Option<Policy>,
    rounds: u32,
    duration_us: u64,
    sent: Sent,
    unaccounted: u64,
    pauses: u64,
    attempts: u64,
    renewals: u64,
    operations: Operations,
    control: Control,
    overlap: Overlap,
    tries: Tries,
    people: People,
    self_tests: SelfTests,
    cut_off: Unseen,
    shaken: Shaken,
    rules: Rules,
    floods: Floods,
    withheld: Withheld,
    passes: Passes,
    values: Values,
    properties: Vec<Property>,
}

impl Tally {
    /// A round begins.
    pub(crate) fn begin(&mut self, round: &Round) {
        self.policy = Some(round.plan.policy.clone());
        self.operations.begin(round);
        self.withheld.begin(&round.plan);
        self.values.begin(&round.plan);
        self.properties.clone_from(&round.plan.properties);
        self.self_tests.begin(&round.plan);
        self.tries.begin(round);
        self.shaken.begin(round);
        self.rules.begin(&round.plan);
    }

    /// Something happened at this time.
    pub(crate) fn time(&mut self, at_us: u64) {
        self.duration_us = self.duration_us.max(at_us);
    }

    /// A leak was forged in the receive path.
    pub(crate) fn self_test(&mut self, channel: Channel, found: bool) {
        self.self_tests.count(channel, found);
    }

    /// Something happened to an operation.
    pub(crate) fn event(&mut self, round: &Round, event: &Event) {
        self.attempts += u64::from(matches!(event.what, Happening::Attempt { .. }));
        self.operations.event(round, event);
        self.control.event(round, event, &mut self.operations);
        self.overlap.event(round, event, &mut self.operations);
        self.tries.event(round, event);
        self.cut_off.event(round, event);
        self.renewals += u64::from(event.what == Happening::Renewed);
        self.shaken.event(round, event);
        self.rules.event(event);
        self.floods.event(round, event);
        self.withheld.event(round, event);
    }

    /// The round says that it was gone through.
    pub(crate) fn completed(&mut self, round: Option<&Round>) {
        self.rounds += 1;
        let ops = round.into_iter().flat_map(Round::ops);
        self.unaccounted += ops.filter(|(_, _, state)| matches!(state, State::Planned | State::Open)).count() as u64;
    }

    /// The round, or the history, is over.
    pub(crate) fn end(&mut self, round: &Round) {
        for (_, place, state) in round.ops() {
            if place.purpose == Purpose::Shake && state == State::Skipped {
                // There was nothing to clean up.
                continue;
            }
            if round.step(place).is_pause() {
                self.pauses += u64::from(state == State::Ok);
                continue;
            }
            count(&mut self.sent, state);
            if place.purpose.is_allowed() {
                count(&mut self.operations.of(place).sent, state);
            }
        }
        let unmet = self.control.end(round, &mut self.operations);
        let gone = passes::gone(round, &unmet);
        self.values.end(round, &gone);
        self.passes.add(&gone);
        self.overlap.end();
        self.floods.end(round);
        self.tries.end(round);
        self.people.end(round);
    }

    /// What the scenario states of the service.
    pub(crate) fn properties(&mut self) -> Vec<Property> {
        std::mem::take(&mut self.properties)
    }

    /// What was found, once it is known.
    pub(crate) fn found(&mut self, leads: &[Lead]) {
        self.values.found(leads);
    }

    /// The coverage, what is missing in it, and what should be known.
    pub(crate) fn finish(self) -> (Coverage, Vec<Shortfall>, Vec<String>) {
        let policy = self.policy.clone().unwrap_or_default();
        let controls = self.operations.controls();
        let pairs = self.overlap.pairs(&self.operations);
        let mut shortfalls = self.self_tests.shortfalls();
        shortfalls.extend(Control::shortfalls(&self.operations, controls));
        shortfalls.extend(self.operations.shortfalls(&policy));
        shortfalls.extend(Overlap::shortfalls(&self.operations, &pairs, &policy, self.people.tenants));
        shortfalls.extend(self.tries.shortfalls(&policy));
        shortfalls.extend(self.cut_off.shortfalls());
        shortfalls.extend(self.shaken.shortfalls());
        shortfalls.extend(self.rules.shortfalls());
        let trials_needed = trials_needed(&policy);
        shortfalls.extend(too_few(self.overlap.trials, trials_needed, &policy));
        shortfalls.extend(unaccounted(self.unaccounted));
        shortfalls.extend(self.withheld.shortfalls());
        shortfalls.extend(unsent::shortfall(self.sent.skipped, &policy));
        shortfalls.extend(self.passes.shortfall(&policy));
        shortfalls.extend(self.values.shortfall());
        let mut notes = self.operations.notes();
        notes.extend(self.tries.notes());
        notes.extend(self.cut_off.notes());
        notes.extend(skipped(self.sent.skipped));
        notes.extend(renewed(self.renewals));
        let (perturbations, spread) = self.shaken.into_coverage();
        notes.extend(self.withheld.notes());
        let coverage = Coverage {
            rounds: self.rounds,
            tenants: self.people.tenants,
            principals: self.people.principals,
            duration_us: self.duration_us,
            sent: self.sent,
            controls,
            pairs,
            probes: self.tries.coverage(),
            // The role matrix is its oracle's to tell.
            roles: vec![],
            self_test: self.self_tests.coverage(),
            renewals: self.renewals,
            trials: self.overlap.trials,
            leak_rate_max: None,
            trials_needed,
            perturbations,
            rules: self.rules.into_coverage(),
            spread,
            floods: self.floods.into_coverage(),
            pauses: self.pauses,
            attempts: self.attempts,
            passes: self.passes.coverage(&policy),
            worth: self.values.into_coverage(),
            operations: self.operations.into_coverage(),
        };
        (coverage, shortfalls, notes)
    }
}

fn count(sent: &mut Sent, state: State) {
    sent.planned += 1;
    match state {
        State::Planned => {}
        State::Open => sent.open += 1,
        State::Ok => sent.ok += 1,
        State::Fail => sent.fail += 1,
        State::Info => sent.info += 1,
        State::Skipped => sent.skipped += 1,
        State::NotDue => sent.not_due += 1,
    }
}

fn trials_needed(policy: &Policy) -> Option<u64> {
    (policy.leak_rate_max_ppm > 0).then(|| trials_for(f64::from(policy.leak_rate_max_ppm) / 1e6))
}

fn too_few(trials: u64, needed: Option<u64>, policy: &Policy) -> Option<Shortfall> {
    let needed = needed.filter(|needed| trials < *needed)?;
    let percent = f64::from(policy.leak_rate_max_ppm) / 1e4;
    let message =
        format!("a leak rate below {percent} % takes {needed} trials without a leak, and there were {trials}");
    Some(Shortfall { kind: ShortfallKind::Bound, operation: None, message })
}

fn unaccounted(count: u64) -> Option<Shortfall> {
    let message = format!("{count} operations of completed rounds have no end in the history");
    (count > 0).then_some(Shortfall { kind: ShortfallKind::Unfinished, operation: None, message })
}

fn skipped(count: u64) -> Option<String> {
    (count > 0).then(|| format!("{count} operations were planned and not sent"))
}

fn renewed(count: u64) -> Option<String> {
    (count > 0).then(|| format!("sessions were made anew {count} times, as the target no longer accepted them"))
}

fn sum(all: impl Iterator<Item = Controls>) -> Controls {
    all.fold(Controls::default(), |a, b| Controls { due: a.due + b.due, met: a.met + b.met })
}
