//! Who planted which canary, in this round and in earlier ones.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use coalmine_canary::CanaryId;
use coalmine_core::plan::{Plan, ScopeId};
use coalmine_core::{Principal, PrincipalId, Scope};

/// Canaries and principals that are remembered of all rounds together; beyond it, the oldest rounds are forgotten.
const ENTRIES_MAX: usize = 500_000;

/// The canaries of the current round and of as many earlier ones as fit into a fixed memory.
#[derive(Default)]
pub(crate) struct Book {
    eras: VecDeque<Era>,
    /// Those that appeared in an answer that the scenario declares public.
    public: HashSet<CanaryId>,
    entries: usize,
}

/// What is remembered of one round.
struct Era {
    ordinal: u32,
    people: Vec<Principal>,
    /// Sorted by canary.
    canaries: Vec<Entry>,
    names: Rc<Names>,
}

struct Entry {
    canary: CanaryId,
    scope: ScopeId,
    flow: u16,
    slot: u16,
}

/// What the scenario calls its canaries; shared among rounds of the same scenario.
#[derive(PartialEq)]
struct Names {
    flows: Vec<Vec<Secret>>,
}

#[derive(PartialEq)]
struct Secret {
    field: String,
    scope: Scope,
    planted_by: String,
}

/// Whose a canary is.
pub(crate) enum Origin<'a> {
    /// Of a principal of this run.
    Known(Planted<'a>),
    /// Of a principal of a round that was forgotten; its tenant is another than any of the current round.
    Forgotten,
    /// Of a principal that the run has not had so far: another run with the same seed.
    Stranger,
}

/// A canary with its owner.
pub(crate) struct Planted<'a> {
    pub(crate) owner: &'a Principal,
    /// Who may see it.
    pub(crate) scope: Scope,
    /// The scenario's name of it.
    pub(crate) field: Option<&'a str>,
    /// The step that sends it first.
    pub(crate) by_step: Option<&'a str>,
    pub(crate) plant: Option<Plant>,
}

/// Where to look for the moment of planting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plant {
    /// The round's place in the history, from 0.
    pub(crate) ordinal: u32,
    pub(crate) scope: ScopeId,
    pub(crate) slot: u16,
}

impl Book {
    /// Enters a round's canaries and forgets the oldest rounds beyond the limit.
    pub(crate) fn open(&mut self, ordinal: u32, plan: &Plan) {
        let names = Names::of(plan);
        let names = match self.eras.back() {
            Some(last) if *last.names == names => Rc::clone(&last.names),
            _ => Rc::new(names),
        };
        let era = Era { ordinal, people: people_of(plan), canaries: canaries_of(plan), names };
        self.entries += era.size();
        self.eras.push_back(era);
        while self.entries > ENTRIES_MAX && self.eras.len() > 1 {
            self.entries -= self.eras.pop_front().map_or(0, |era| era.size());
            let first = self.eras.front().and_then(|era| era.people.first()).map_or(0, |person| person.id.0);
            self.public.retain(|canary| canary.owner.0 >= first);
        }
    }

    /// Everybody may see it from now on.
    pub(crate) fn publish(&mut self, canary: CanaryId) {
        if self.public.len() < ENTRIES_MAX {
            self.public.insert(canary);
        }
    }

    /// Whether everybody may see it.
    pub(crate) fn is_public(&self, canary: CanaryId) -> bool {
        self.public.contains(&canary)
    }

    /// Whose the canary is.
    pub(crate) fn origin(&self, canary: CanaryId) -> Origin<'_> {
        let owner = PrincipalId::from(canary.owner);
        for era in self.eras.iter().rev() {
            if let Some(person) = era.person(owner) {
                return Origin::Known(era.planted(canary, person));
            }
        }
        let oldest = self.eras.front().and_then(|era| era.people.first());
        if oldest.is_some_and(|first| owner < first.id) { Origin::Forgotten } else { Origin::Stranger }
    }
}

impl Era {
    fn size(&self) -> usize {
        self.people.len() + self.canaries.len()
    }

    fn person(&self, id: PrincipalId) -> Option<&Principal> {
        let first = self.people.first()?.id.0;
        self.people.get(id.0.checked_sub(first)? as usize)
    }

    fn planted<'a>(&'a self, canary: CanaryId, owner: &'a Principal) -> Planted<'a> {
        let found = self.canaries.binary_search_by_key(&canary, |entry| entry.canary);
        let entry = found.ok().map(|at| &self.canaries[at]);
        let secret = entry.and_then(|entry| self.names.secret(entry));
        Planted {
            owner,
            scope: secret.map_or(Scope::Tenant, |secret| secret.scope),
            field: secret.map(|secret| secret.field.as_str()),
            by_step: secret.map(|secret| secret.planted_by.as_str()),
            plant: entry.map(|entry| Plant { ordinal: self.ordinal, scope: entry.scope, slot: entry.slot }),
        }
    }
}

impl Names {
    fn of(plan: &Plan) -> Self {
        let secret = |spec: &coalmine_core::plan::CanarySpec| Secret {
            field: spec.name.clone(),
            scope: spec.scope,
            planted_by: plan.steps.get(usize::from(spec.planted_by.0)).map_or(String::new(), |step| step.name.clone()),
        };
        let flows = plan.flows.iter().map(|flow| flow.canaries.iter().map(secret).collect());
        Self { flows: flows.collect() }
    }

    fn secret(&self, entry: &Entry) -> Option<&Secret> {
        self.flows.get(usize::from(entry.flow))?.get(usize::from(entry.slot))
    }
}

fn people_of(plan: &Plan) -> Vec<Principal> {
    let light = |person: &Principal| Principal { role: None, attributes: vec![], ..*person };
    plan.principals.iter().map(light).collect()
}

fn canaries_of(plan: &Plan) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (scope, of) in (0..).map(ScopeId).zip(&plan.scopes) {
        for (slot, &canary) in (0..=u16::MAX).zip(&of.canaries) {
            entries.push(Entry { canary, scope, flow: of.flow.0, slot });
        }
    }
    entries.sort_unstable_by_key(|entry| entry.canary);
    entries
}

#[cfg(test)]
mod tests {
    use coalmine_canary::{Owner, Serial, Shape};
    use coalmine_core::plan::ScopeOf;

    use super::*;
    use crate::fixture::{SECRET, Story};

    /// Canaries of one pass; a slot is 16 bits wide.
    const PASS: usize = 50_000;

    #[test]
    fn old_rounds_are_forgotten_for_new_ones_and_their_tenants_stay_others() {
        let (old, mut new) = (Story::honest_round(2, 0), Story::honest_round(2, 2));
        let id = |serial: usize| CanaryId {
            owner: Owner(2),
            serial: Serial(u32::try_from(serial).unwrap()),
            shape: Shape::Token,
        };
        let passes = (0..ENTRIES_MAX).step_by(PASS).map(|first| {
            let canaries = (first..first + PASS).map(id).collect();
            ScopeOf { canaries, ..new.plan.scopes[2].clone() }
        });
        new.plan.scopes = passes.collect();
        let mut book = Book::default();
        book.open(0, &old.plan);
        assert!(matches!(book.origin(old.canary(1, SECRET)), Origin::Known(_)));
        book.open(1, &new.plan);
        assert!(matches!(book.origin(old.canary(1, SECRET)), Origin::Forgotten));
        assert!(matches!(book.origin(id(ENTRIES_MAX - 1)), Origin::Known(_)));
        assert!(matches!(book.origin(CanaryId { owner: Owner(4), ..id(0) }), Origin::Stranger));
    }
}
