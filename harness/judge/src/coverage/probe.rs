//! Tries to reach others' objects, and which of them prove something.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use coalmine_core::history::{Answer, Event, Happening};
use coalmine_core::plan::{Access, OpId, Policy, Purpose, ScopeId};
use coalmine_core::verdict::{OracleId, Prober, Probes, Shortfall, ShortfallKind};

use crate::round::{Place, Round, State};

/// A refusal proves something only if the attacker's session was good and the owner reached the same object.
#[derive(Default)]
pub(super) struct Tries {
    totals: BTreeMap<(String, Access, Prober), Total>,
    /// Objects of all plans.
    objects: BTreeSet<String>,
    /// Tries of this round that were answered, and not for want of a session.
    answered: HashSet<OpId>,
    /// Objects of this round that their owner reached.
    reached: HashSet<(ScopeId, u16)>,
}

#[derive(Default)]
struct Total {
    tried: u64,
    counted: u64,
    /// Tries that ended ok although the scenario says with which statuses they are refused.
    accepted: u64,
    /// Refusals with another status than the scenario says.
    otherwise: u64,
}

impl Tries {
    /// A round begins.
    pub(super) fn begin(&mut self, round: &Round) {
        self.objects.extend(round.plan.objects.iter().map(|rule| rule.name.clone()));
    }

    /// Something happened to an operation.
    pub(super) fn event(&mut self, round: &Round, event: &Event) {
        let Some(place) = round.place(event.op) else { return };
        match (&event.what, place.purpose) {
            (Happening::Ok(answer) | Happening::Fail { answer, .. }, Purpose::Probe { .. })
                if is_an_answer(round, place, answer) =>
            {
                self.answered.insert(event.op);
                self.note_status(round, event, place, answer);
            }
            (Happening::Ok(_), _) => self.reached.extend(round.read_by_owner(place)),
            _ => {}
        }
    }

    fn note_status(&mut self, round: &Round, event: &Event, place: Place, answer: &Answer) {
        let Purpose::Probe { object, access, .. } = place.purpose else { return };
        let Some(rule) = round.plan.objects.get(usize::from(object)) else { return };
        let by = prober(round, place);
        let expected = |status: u16| rule.refused.is_empty() || rule.refused.contains(&status);
        // How those are refused who are not known at all, no scenario says.
        if answer.status.is_none_or(expected) || by == Prober::Anonymous {
            return;
        }
        let total = self.totals.entry((rule.name.clone(), access, by)).or_default();
        match event.what {
            Happening::Ok(_) => total.accepted += 1,
            _ => total.otherwise += 1,
        }
    }

    /// The round is over.
    pub(super) fn end(&mut self, round: &Round) {
        for (op, place, state) in round.ops() {
            let Purpose::Probe { victim, object, access } = place.purpose else { continue };
            let name = round.plan.objects[usize::from(object)].name.clone();
            let total = self.totals.entry((name, access, prober(round, place))).or_default();
            total.tried += u64::from(!matches!(state, State::Planned | State::Skipped | State::NotDue));
            let counted = self.answered.contains(&op) && self.reached.contains(&(victim, object));
            total.counted += u64::from(counted);
        }
        self.answered.clear();
        self.reached.clear();
    }

    /// As the verdict has them.
    pub(super) fn coverage(&self) -> Vec<Probes> {
        let probes = self.totals.iter().map(|((object, access, by), total)| Probes {
            object: object.clone(),
            access: *access,
            by: *by,
            tried: total.tried,
            counted: total.counted,
        });
        probes.collect()
    }

    /// Kinds of access that were planned, and none of whose tries proves anything.
    pub(super) fn shortfalls(&self, policy: &Policy) -> Vec<Shortfall> {
        if policy.oracles_off.contains(&OracleId::Access) {
            return vec![];
        }
        let untried = self.objects.iter().filter(|object| !self.totals.keys().any(|(name, ..)| name == *object));
        let untried = untried.map(|object| format!("nobody tried to reach the `{object}` of another"));
        let idle = self.totals.iter().filter(|(_, total)| total.counted == 0).map(|((object, access, _), total)| {
            let verb = verb(*access);
            format!(
                "{} tries to {verb} the `{object}` of another, and for none of them did its owner reach it in the same run",
                total.tried
            )
        });
        let accepted =
            self.totals.iter().filter(|(_, total)| total.accepted > 0).map(|((object, access, _), total)| {
                let verb = verb(*access);
                format!(
                    "{} tries to {verb} the `{object}` of another were not refused, whatever they showed",
                    total.accepted
                )
            });
        untried
            .chain(idle)
            .chain(accepted)
            .map(|message| Shortfall { kind: ShortfallKind::Probe, operation: None, message })
            .collect()
    }
}

impl Tries {
    /// Refusals that were others than the scenario says.
    pub(super) fn notes(&self) -> Vec<String> {
        let otherwise =
            self.totals.iter().filter(|(_, total)| total.otherwise > 0).map(|((object, access, _), total)| {
                let verb = verb(*access);
                format!(
                    "{} tries to {verb} the `{object}` of another were refused with another status than said",
                    total.otherwise
                )
            });
        otherwise.collect()
    }
}

/// Whether it says something about the object. To somebody without credentials it does, too, when it asks for them.
fn is_an_answer(round: &Round, place: Place, answer: &Answer) -> bool {
    let asks_for_session = |status: u16| status == 401 && prober(round, place) == Prober::Tenant;
    answer.status.is_some_and(|status| status != 429 && !asks_for_session(status))
}

fn prober(round: &Round, place: Place) -> Prober {
    if round.receiver(place.scope).is_anonymous() { Prober::Anonymous } else { Prober::Tenant }
}

fn verb(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Update => "change",
        Access::Delete => "remove",
        Access::List => "list",
        Access::Export => "export",
    }
}
