//! What tries at others' objects may have left behind.

use std::collections::{HashMap, HashSet};

use coalmine_canary::CanaryId;
use coalmine_core::TenantId;
use coalmine_core::plan::{OpId, Phase, Plan, Purpose, ScopeId};
use coalmine_core::step::StepId;
use coalmine_core::template::CanaryRef;

use crate::round::Place;

/// The canaries that attackers have sent towards others' objects. Where the owner of the object sees one of them
/// afterwards, it is the object that was changed, and not a leak of the attacker's data.
#[derive(Default)]
pub(crate) struct Probes {
    /// Steps that flows do for themselves.
    flow_steps: HashSet<StepId>,
    sent: HashMap<(CanaryId, TenantId), Vec<OpId>>,
    /// Tries to change something of a tenant that were not refused.
    changes: HashMap<TenantId, Vec<OpId>>,
}

impl Probes {
    /// Nothing was tried yet.
    pub(crate) fn new(plan: &Plan) -> Self {
        let of_flows = plan.ops().filter(|(phase, _, op)| *phase == Phase::Flows && op.purpose.is_flow());
        Self { flow_steps: of_flows.map(|(_, _, op)| op.step).collect(), ..Self::default() }
    }

    /// An attacker sent these towards an object of the victim's.
    pub(crate) fn sends(&mut self, probe: OpId, victim: TenantId, canaries: impl Iterator<Item = CanaryId>) {
        canaries.for_each(|canary| self.sent.entry((canary, victim)).or_default().push(probe));
    }

    /// A try to change something of the victim's was not refused.
    pub(crate) fn accepted(&mut self, probe: OpId, victim: TenantId) {
        self.changes.entry(victim).or_default().push(probe);
    }

    /// The tries that may have changed something of this tenant's.
    pub(crate) fn changes(&self, victim: TenantId) -> &[OpId] {
        self.changes.get(&victim).map_or(&[], Vec::as_slice)
    }

    /// The try was refused: what the attacker's own flow sends as well says nothing about the object any more.
    pub(crate) fn refused(&mut self, probe: OpId, victim: TenantId, shared: impl Iterator<Item = CanaryId>) {
        for canary in shared {
            if let Some(probes) = self.sent.get_mut(&(canary, victim)) {
                probes.retain(|other| *other != probe);
            }
        }
    }

    /// Whether any flow sends this canary by itself.
    pub(crate) fn also_in_flow(&self, plan: &Plan, probe: Place, canary: CanaryRef) -> bool {
        let flow = plan.step(probe.step).flow.as_str();
        let mut steps = self.flow_steps.iter().map(|step| plan.step(*step)).filter(|step| step.flow == flow);
        steps.any(|step| step.sends().contains(&canary))
    }

    /// The tries that may have put the canary where this tenant sees it.
    pub(crate) fn behind(&self, canary: CanaryId, victim: TenantId) -> &[OpId] {
        self.sent.get(&(canary, victim)).map_or(&[], Vec::as_slice)
    }
}

/// The scope that a try is aimed at.
pub(crate) fn victim_of(place: Place) -> Option<ScopeId> {
    match place.purpose {
        Purpose::Probe { victim, .. } => Some(victim),
        Purpose::Flow
        | Purpose::Visit { .. }
        | Purpose::Shake
        | Purpose::Anonymous { .. }
        | Purpose::Role { .. }
        | Purpose::Unknown { .. }
        | Purpose::Timed { .. }
        | Purpose::Twin { .. }
        | Purpose::Fresh
        | Purpose::Revalidate { .. }
        | Purpose::Short { .. }
        | Purpose::Confirm { .. } => None,
    }
}

/// The objects that an operation reads for their owner, as the scope they live in and the rule's index.
pub(crate) fn read_by_owner(plan: &Plan, place: Place, tried: Option<Place>) -> Vec<(ScopeId, u16)> {
    match (place.purpose, tried.map(|tried| tried.purpose)) {
        (Purpose::Flow, _) => {
            let flow = plan.scope(place.scope).flow;
            let objects = (0..=u16::MAX).zip(&plan.objects);
            let read = objects.filter(|(_, rule)| rule.read == place.step && rule.flow == flow);
            read.map(|(object, _)| (place.scope, object)).collect()
        }
        (Purpose::Confirm { .. }, Some(Purpose::Probe { victim, object, .. })) => vec![(victim, object)],
        _ => vec![],
    }
}
