//! Which operations of different tenants were really in flight at the same time.

use std::collections::{BTreeMap, HashMap};

use coalmine_core::TenantId;
use coalmine_core::bound::rate_max;
use coalmine_core::history::{Answer, Event, Happening};
use coalmine_core::plan::{OpId, Policy};
use coalmine_core::verdict::{Pair, Phases, Shortfall, ShortfallKind};

use super::operation::{Operations, takes_part};
use super::phase::{Begun, PhaseCount};
use crate::round::Round;

/// Pairs that a message lists; the report has all of them.
const LISTED_MAX: usize = 3;

/// Counts overlaps with work that grows with the number of steps and not with the number of operations in flight.
#[derive(Default)]
pub(super) struct Overlap {
    /// Operations that were in flight together with another tenant's.
    pub(super) trials: u64,
    /// How often, by the places of two operations, the smaller one first.
    together: BTreeMap<(usize, usize), u64>,
    /// In flight now.
    open: HashMap<OpId, Begun>,
    /// In flight now, by operation.
    by_step: Vec<u32>,
    /// In flight now, by tenant and operation.
    by_tenant: HashMap<TenantId, Vec<u32>>,
    /// In flight now and not yet together with another tenant's; all of them are of one tenant.
    alone: Vec<OpId>,
    phases: PhaseCount,
}

impl Overlap {
    /// Something happened to an operation.
    pub(super) fn event(&mut self, round: &Round, event: &Event, operations: &mut Operations) {
        match &event.what {
            Happening::Invoke { .. } => {
                if let Some(place) =
                    round.place(event.op).filter(|place| takes_part(round, *place) && place.purpose.is_traffic())
                {
                    let tenant = round.receiver(place.scope).tenant;
                    self.invoke(event.op, Begun::new(operations.index(place), tenant, event), operations);
                }
            }
            Happening::Attempt { .. } | Happening::Renewed => {
                if let Some(begun) = self.open.get_mut(&event.op) {
                    begun.is_repeated = true;
                }
            }
            Happening::Ok(answer) | Happening::Fail { answer, .. } | Happening::Info { answer, .. } => {
                self.over(event, answer);
            }
            _ => {}
        }
    }

    fn invoke(&mut self, op: OpId, new: Begun, operations: &mut Operations) {
        if self.open.insert(op, new).is_some() {
            return;
        }
        self.phases.begin(new);
        self.by_step.resize(self.by_step.len().max(new.step + 1), 0);
        let mine = self.by_tenant.entry(new.tenant).or_default();
        let mut accompanied = false;
        for (step, &all) in self.by_step.iter().enumerate() {
            if all > mine.get(step).copied().unwrap_or(0) {
                *self.together.entry((step.min(new.step), step.max(new.step))).or_default() += 1;
                accompanied = true;
            }
        }
        mine.resize(mine.len().max(new.step + 1), 0);
        mine[new.step] += 1;
        self.by_step[new.step] += 1;
        self.alone.push(op);
        if accompanied {
            self.end_solitude(operations);
        }
    }

    fn end_solitude(&mut self, operations: &mut Operations) {
        for op in self.alone.drain(..) {
            if let Some(in_flight) = self.open.get(&op) {
                operations.at(in_flight.step).overlapped += 1;
                self.trials += 1;
            }
        }
    }

    fn over(&mut self, event: &Event, answer: &Answer) {
        let op = event.op;
        let Some(begun) = self.open.remove(&op) else { return };
        self.phases.end(begun, event, answer);
        let Begun { step, tenant, .. } = begun;
        self.by_step[step] -= 1;
        if let Some(mine) = self.by_tenant.get_mut(&tenant) {
            mine[step] -= 1;
        }
        self.alone.retain(|other| *other != op);
    }

    /// The round is over: nothing is in flight any more, and the next has other tenants.
    pub(super) fn end(&mut self) {
        self.open.clear();
        self.by_step.clear();
        self.by_tenant.clear();
        self.alone.clear();
        self.phases.end_round();
    }

    /// Every pair of operations that could have been in flight together.
    pub(super) fn pairs(&self, operations: &Operations) -> Vec<Pair> {
        let able: Vec<_> = operations.iter().enumerate().filter(|(_, it)| it.overlaps && !it.is_never_due()).collect();
        let mut pairs = Vec::new();
        for (at, (first, one)) in able.iter().enumerate() {
            for (second, other) in &able[at..] {
                let together = self.together.get(&(*first, *second)).copied().unwrap_or(0);
                let is_one = first == second;
                let during_second = if is_one { Phases::default() } else { self.phases.of(*second, *first) };
                let during_first = self.phases.of(*first, *second);
                let leak_rate_max = rate_max(0, together);
                let (first, second) = (one.name.clone(), other.name.clone());
                pairs.push(Pair { first, second, together, during_first, during_second, leak_rate_max });
            }
        }
        pairs
    }

    /// Operations and pairs that did not overlap as the policy demands.
    pub(super) fn shortfalls(operations: &Operations, pairs: &[Pair], policy: &Policy, tenants: u32) -> Vec<Shortfall> {
        if tenants < 2 {
            return vec![shortfall(
                None,
                format!("a leak among tenants needs two of them, and those that acted were {tenants}"),
            )];
        }
        let able = operations.iter().filter(|operation| operation.overlaps && operation.sent.invoked() > 0);
        let few = able.filter(|operation| operation.overlapped < u64::from(policy.overlap_min)).map(|operation| {
            let (name, times) = (&operation.name, operation.overlapped);
            let demand = policy.overlap_min;
            let message =
                format!("`{name}` was in flight together with another tenant's operation {times} times, not {demand}");
            shortfall(Some(name.clone()), message)
        });
        few.chain(share(pairs, policy)).collect()
    }
}

fn share(pairs: &[Pair], policy: &Policy) -> Option<Shortfall> {
    let never: Vec<_> = pairs.iter().filter(|pair| pair.together == 0).collect();
    let (overlapped, all) = (pairs.len() - never.len(), pairs.len());
    let demand = usize::from(policy.overlap_pairs_min_percent);
    (overlapped * 100 < all * demand).then(|| {
        let some = never.iter().take(LISTED_MAX).map(|pair| format!("{} with {}", pair.first, pair.second));
        let some = some.collect::<Vec<_>>().join(", ");
        let more = if never.len() > LISTED_MAX { ", ..." } else { "" };
        let share = overlapped * 100 / all;
        let message = format!(
            "{overlapped} of {all} pairs of operations overlapped ({share} %); the policy demands {demand} %; never: {some}{more}"
        );
        shortfall(None, message)
    })
}

fn shortfall(operation: Option<String>, message: String) -> Shortfall {
    Shortfall { kind: ShortfallKind::Overlap, operation, message }
}
