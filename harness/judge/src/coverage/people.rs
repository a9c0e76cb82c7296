//! Who acted.

use std::collections::BTreeSet;

use crate::round::{Round, State};

/// Tenants and principals of all rounds. Rounds number tenants on or have the same ones again, so that only the highest number
/// must be remembered.
#[derive(Default)]
pub(super) struct People {
    /// Tenants that acted.
    pub(super) tenants: u32,
    /// Principals that acted, those of a tenant counted in the round in which it acted first.
    pub(super) principals: u32,
    tenant_next: u32,
}

impl People {
    /// The round is over.
    pub(super) fn end(&mut self, round: &Round) {
        let acted =
            round.ops().filter(|(_, _, state)| !matches!(state, State::Planned | State::Skipped | State::NotDue));
        let principals: BTreeSet<_> = acted.map(|(_, place, _)| round.plan.scope(place.scope).principal).collect();
        let people = principals.iter().filter_map(|id| round.principal(*id));
        let tenants = people.filter(|person| !person.is_anonymous()).map(|person| person.tenant.0);
        let new: Vec<u32> = tenants.filter(|tenant| *tenant >= self.tenant_next).collect();
        let apart: BTreeSet<u32> = new.iter().copied().collect();
        self.principals += u32::try_from(new.len()).unwrap_or(u32::MAX);
        self.tenants += u32::try_from(apart.len()).unwrap_or(u32::MAX);
        self.tenant_next = apart.last().map_or(self.tenant_next, |last| last.saturating_add(1));
    }
}
