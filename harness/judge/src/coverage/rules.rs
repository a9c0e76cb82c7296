//! How often the scenario's rules about operations of different tenants were kept.

use std::collections::{BTreeMap, HashMap};

use coalmine_core::Plan;
use coalmine_core::bound::rate_max;
use coalmine_core::history::{Event, Happening};
use coalmine_core::perturb::Perturbation;
use coalmine_core::plan::OpId;
use coalmine_core::verdict::{Kept, Shortfall, ShortfallKind};

/// Counts them, by their names.
#[derive(Default)]
pub(super) struct Rules {
    counts: BTreeMap<String, (u64, u64)>,
    /// The operations of the round that show whether a rule is kept, and by what.
    shown_by: HashMap<OpId, (String, Perturbation)>,
}

impl Rules {
    /// A round begins.
    pub(super) fn begin(&mut self, plan: &Plan) {
        self.shown_by.clear();
        for name in &plan.rules {
            self.counts.entry(name.clone()).or_default();
        }
        for (.., op) in plan.ops() {
            let shown = op.manner.rule_shown_by();
            let named = shown.and_then(|(rule, what)| Some((plan.rules.get(usize::from(rule.0))?, what)));
            if let Some((name, what)) = named {
                self.counts.entry(name.clone()).or_default().0 += 1;
                self.shown_by.insert(op.id, (name.clone(), what));
            }
        }
    }

    /// Something happened to an operation.
    pub(super) fn event(&mut self, event: &Event) {
        let Happening::Perturbed(shaken) = &event.what else { return };
        let Some((name, what)) = self.shown_by.get(&event.op) else { return };
        if shaken.reached && shaken.what == *what {
            self.counts.entry(name.clone()).or_default().1 += 1;
        }
    }

    /// Rules that were never kept.
    pub(super) fn shortfalls(&self) -> Vec<Shortfall> {
        let broken = self.counts.iter().filter(|(_, (_, kept))| *kept == 0);
        let words = broken.map(|(name, (planned, _))| {
            let message = format!("the rule `{name}` of the scenario was planned {planned} times and never kept");
            Shortfall { kind: ShortfallKind::Perturbation, operation: None, message }
        });
        words.collect()
    }

    /// As the verdict has them. The bounds hold only where nothing was found.
    pub(super) fn into_coverage(self) -> Vec<Kept> {
        let kept = |(rule, (planned, kept))| Kept { rule, planned, kept, leak_rate_max: rate_max(0, kept) };
        self.counts.into_iter().map(kept).collect()
    }
}
