//! What earlier rounds of a campaign have planted.
//!
//! A gate keeps all of its rounds in one history. A campaign has a history for each round, and would take a secret of an earlier round for one
//! that nobody knows. So each plan of it brings what the rounds before have planted, and its history can be judged alone.

use coalmine_canary::{CanaryId, Serial};
use serde::{Deserialize, Serialize};

use crate::plan::{Flow, FlowId, Plan, ScopeId};
use crate::principal::{Principal, PrincipalId, TenantId};

/// A round that was gone through before, in the same scenario and under the same run key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierRound {
    /// Its number.
    pub round: u32,
    /// Number of the first who acted in it.
    pub first: PrincipalId,
    /// Tenant, user and session of each of them.
    people: Vec<(TenantId, u32, u32)>,
    /// Its scopes, in their order: by whom, by place; through which flow; the serials of the canaries.
    passes: Vec<(u32, FlowId, Vec<Serial>)>,
    /// Canaries of it that it showed to everybody, as the scenario allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    public: Vec<CanaryId>,
}

impl EarlierRound {
    /// What is to be remembered of a round, of which these canaries were shown to everybody.
    pub fn of(plan: &Plan, public: &[CanaryId]) -> Self {
        let first = plan.principals.first().map_or(PrincipalId(0), |principal| principal.id);
        let passes = plan.scopes.iter().map(|of| {
            let serials = of.canaries.iter().map(|canary| canary.serial).collect();
            (of.principal.0.saturating_sub(first.0), of.flow, serials)
        });
        Self {
            round: plan.round,
            first,
            people: plan.principals.iter().map(|one| (one.tenant, one.user, one.session)).collect(),
            passes: passes.collect(),
            public: public.iter().copied().filter(|canary| canary.owner >= first.owner()).collect(),
        }
    }

    /// How many passes it had.
    pub fn passes(&self) -> usize {
        self.passes.len()
    }

    /// Those who acted in it, without their roles and attributes.
    pub fn people(&self) -> impl Iterator<Item = Principal> + '_ {
        (self.first.0..).zip(&self.people).map(|(id, (tenant, user, session))| Principal {
            id: PrincipalId(id),
            tenant: *tenant,
            user: *user,
            session: *session,
            role: None,
            attributes: vec![],
        })
    }

    /// Its canaries, each with its scope, the scope's flow and its slot there.
    pub fn canaries<'a>(&'a self, flows: &'a [Flow]) -> impl Iterator<Item = (CanaryId, ScopeId, FlowId, u16)> + 'a {
        (0..).map(ScopeId).zip(&self.passes).flat_map(move |(scope, (by, flow, serials))| {
            let specs = flows.get(usize::from(flow.0)).map_or(&[][..], |flow| &flow.canaries);
            let owner = PrincipalId(self.first.0.saturating_add(*by)).owner();
            (0..).zip(specs).zip(serials).map(move |((slot, spec), serial)| {
                (CanaryId { owner, serial: *serial, shape: spec.shape }, scope, *flow, slot)
            })
        })
    }

    /// Canaries that it showed to everybody.
    pub fn public(&self) -> &[CanaryId] {
        &self.public
    }
}
