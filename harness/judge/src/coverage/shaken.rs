//! How the target was shaken, and whether the points that were aimed at were reached.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use coalmine_core::bound::rate_max;
use coalmine_core::history::{Event, Happening};
use coalmine_core::perturb::{GateId, Perturbation};
use coalmine_core::plan::OpId;
use coalmine_core::verdict::{Perturbed, Shortfall, ShortfallKind, Spread};

use crate::round::Round;

/// Spreads of so many gates are kept; the rest of a long run changes the percentiles little.
const SPREADS_MAX: usize = 100_000;

/// Counts perturbations by their kind.
#[derive(Default)]
pub(super) struct Shaken {
    counts: BTreeMap<Perturbation, (u64, u64)>,
    demanded: BTreeSet<Perturbation>,
    /// The gate of each operation of the round that has one.
    gates: HashMap<OpId, GateId>,
    /// For each gate of the round, when its first and its last operation went.
    released: HashMap<GateId, (u32, u32)>,
    spreads_us: Vec<u32>,
}

impl Shaken {
    /// A round begins.
    pub(super) fn begin(&mut self, round: &Round) {
        self.end_gates();
        self.demanded.extend(&round.plan.demanded);
        for (.., op) in round.plan.ops() {
            self.gates.extend(op.manner.gate.map(|gate| (op.id, gate)));
            for what in op.manner.perturbations() {
                self.counts.entry(what).or_default().0 += 1;
            }
        }
    }

    /// Something happened to an operation.
    pub(super) fn event(&mut self, _: &Round, event: &Event) {
        match &event.what {
            Happening::Perturbed(shaken) if shaken.reached => {
                self.counts.entry(shaken.what).or_default().1 += 1;
                if let (Perturbation::Race, Some(after_us)) = (shaken.what, shaken.after_us) {
                    self.release(event.op, after_us);
                }
            }
            _ => {}
        }
    }

    fn release(&mut self, op: OpId, after_us: u32) {
        let Some(gate) = self.gates.get(&op) else { return };
        let (first, last) = self.released.entry(*gate).or_insert((after_us, after_us));
        (*first, *last) = (after_us.min(*first), after_us.max(*last));
    }

    fn end_gates(&mut self) {
        self.gates.clear();
        let room = SPREADS_MAX.saturating_sub(self.spreads_us.len());
        self.spreads_us.extend(self.released.drain().map(|(_, (first, last))| last - first).take(room));
    }

    /// Perturbations that the scenario asks for and that never hit their point.
    pub(super) fn shortfalls(&self) -> Vec<Shortfall> {
        let missed = self.demanded.iter().filter(|what| self.counts.get(what).is_none_or(|(_, reached)| *reached == 0));
        let words = missed.map(|what| {
            let planned = self.counts.get(what).map_or(0, |(planned, _)| *planned);
            let message =
                format!("the scenario asks for `{what}`, which was planned {planned} times and never hit its point");
            Shortfall { kind: ShortfallKind::Perturbation, operation: None, message }
        });
        words.collect()
    }

    /// As the verdict has them. The bounds hold only where nothing was found.
    pub(super) fn into_coverage(mut self) -> (Vec<Perturbed>, Option<Spread>) {
        self.end_gates();
        let all = self.counts.into_iter().map(|(kind, (planned, reached))| Perturbed {
            kind,
            planned,
            reached,
            leak_rate_max: rate_max(0, reached),
        });
        (all.collect(), spread(self.spreads_us))
    }
}

fn spread(mut spreads_us: Vec<u32>) -> Option<Spread> {
    spreads_us.sort_unstable();
    let at = |percent: usize| {
        spreads_us.get((spreads_us.len() * percent / 100).min(spreads_us.len().checked_sub(1)?)).copied()
    };
    Some(Spread { gates: spreads_us.len() as u64, p50_us: at(50)?, p95_us: at(95)?, max_us: at(100)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_spreads_are_values_that_were_measured() {
        assert_eq!(spread(vec![]), None);
        assert_eq!(spread(vec![7]), Some(Spread { gates: 1, p50_us: 7, p95_us: 7, max_us: 7 }));
        let hundred = spread((0..100).rev().collect());
        assert_eq!(hundred, Some(Spread { gates: 100, p50_us: 50, p95_us: 95, max_us: 99 }));
    }
}
