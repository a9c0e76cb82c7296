//! What the budget kept from being sent.

use std::collections::BTreeMap;

use coalmine_core::budget::{Budget, Limit};
use coalmine_core::history::{Event, Happening};
use coalmine_core::plan::{Phase, Plan};
use coalmine_core::verdict::{Shortfall, ShortfallKind};

use crate::round::Round;

/// Operations that were planned and not sent because of the budget.
#[derive(Default)]
pub(super) struct Withheld {
    budget: Budget,
    /// What would have been exercised.
    acts: BTreeMap<Limit, u64>,
    /// What would have been removed.
    removals: u64,
}

impl Withheld {
    /// A round begins.
    pub(super) fn begin(&mut self, plan: &Plan) {
        self.budget = plan.budget;
    }

    /// Something happened to an operation.
    pub(super) fn event(&mut self, round: &Round, event: &Event) {
        let (Happening::Withheld { limit }, Some(place)) = (&event.what, round.place(event.op)) else { return };
        if place.phase == Phase::Cleanup {
            self.removals += 1;
        } else {
            *self.acts.entry(*limit).or_default() += 1;
        }
    }

    /// A run that was cut short has not exercised what it was to exercise.
    pub(super) fn shortfalls(&self) -> Vec<Shortfall> {
        let shortfall = |(limit, count): (&Limit, &u64)| Shortfall {
            kind: ShortfallKind::Budget,
            operation: None,
            message: format!(
                "{count} operations were planned and not sent: the budget of {} was used up",
                self.of(*limit)
            ),
        };
        self.acts.iter().map(shortfall).collect()
    }

    /// What was left behind, and how fast the rest was sent.
    pub(super) fn notes(&self) -> Vec<String> {
        let left = format!("{} operations that clean up were not sent: the budget was used up", self.removals);
        let bounds = format!("the run was held to a budget of {}", self.budget);
        let left = (self.removals > 0).then_some(left);
        left.into_iter().chain((!self.budget.is_unbounded()).then_some(bounds)).collect()
    }

    fn of(&self, limit: Limit) -> String {
        match limit {
            Limit::Requests => format!("{} requests", self.budget.requests_max.unwrap_or_default()),
            Limit::Bytes => format!("{} bytes", self.budget.bytes_max.unwrap_or_default()),
            Limit::Time => format!("{} s", self.budget.time_max_ms.unwrap_or_default().div_ceil(1000)),
        }
    }
}
