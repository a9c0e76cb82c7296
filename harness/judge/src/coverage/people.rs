//! Who acted.

use std::collections::BTreeSet;

use crate::round::{Round, State};

/// Tenants and principals of all rounds. Rounds number them on, so that only the highest number must be remembered.
#[derive(Default)]
pub(super) struct People {
    /// Tenants that acted.
    pub(super) tenants: u32,
    /// Principals that acted.
    pub(super) principals: u32,
    tenant_next: u32,
    principal_next: u32,
}

impl People {
    /// The round is over.
    pub(super) fn end(&mut self, round: &Round) {
        let acted = round.ops().filter(|(_, _, state)| !matches!(state, State::Planned | State::Skipped));
        let principals: BTreeSet<_> = acted.map(|(_, place, _)| round.plan.scope(place.scope).principal).collect();
        let tenants: BTreeSet<u32> = principals.iter().filter_map(|id| Some(round.principal(*id)?.tenant.0)).collect();
        let principals = principals.into_iter().map(|id| id.0).collect();
        self.tenants += new(&tenants, &mut self.tenant_next);
        self.principals += new(&principals, &mut self.principal_next);
    }
}

/// How many of the numbers were not there before.
fn new(numbers: &BTreeSet<u32>, next: &mut u32) -> u32 {
    let count = numbers.range(*next..).count();
    *next = numbers.last().map_or(*next, |last| last.saturating_add(1).max(*next));
    u32::try_from(count).unwrap_or(u32::MAX)
}
