//! Canaries that no operation sent, since none that would have was due.

use std::collections::HashSet;

use coalmine_canary::CanaryId;
use coalmine_core::history::Happening;
use coalmine_core::plan::Plan;

use crate::round::{Place, canary_of};

/// Nobody has to see them. Empty for plans in which everything is due.
pub(crate) struct Waived {
    has_cases: bool,
    not_due: HashSet<CanaryId>,
    sent: HashSet<CanaryId>,
}

impl Waived {
    /// Nothing has happened yet.
    pub(crate) fn new(plan: &Plan) -> Self {
        let has_items = plan.flows.iter().any(|flow| flow.block.is_some_and(|block| block.items.is_some()));
        let has_cases = has_items || !plan.conditions.is_empty();
        Self { has_cases, not_due: HashSet::new(), sent: HashSet::new() }
    }

    /// Takes notice of what is sent, and of what is not.
    pub(crate) fn note(&mut self, plan: &Plan, place: Place, what: &Happening) {
        let into = match what {
            Happening::Invoke { .. } if self.has_cases => &mut self.sent,
            Happening::NotDue { .. } => &mut self.not_due,
            _ => return,
        };
        let sends = plan.step(place.step).sends();
        into.extend(sends.into_iter().filter_map(|canary| canary_of(plan, place.scope, canary)));
    }

    /// Whether all that would have sent it was not due.
    pub(crate) fn contains(&self, canary: CanaryId) -> bool {
        self.not_due.contains(&canary) && !self.sent.contains(&canary)
    }
}
