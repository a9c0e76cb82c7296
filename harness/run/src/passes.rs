//! To whom canaries belong, where that is not their owner alone: one pass of a session, or a whole tenant.

use std::collections::{HashMap, HashSet};

use coalmine_canary::CanaryId;
use coalmine_core::plan::{FlowId, Plan, ScopeId};
use coalmine_core::principal::Scope;

/// Canaries whose scope is the operation, with the pass that sends them, and those of tenants with several principals. Empty for
/// most scenarios.
#[derive(Default)]
pub(crate) struct Passes {
    of: HashMap<CanaryId, ScopeId>,
    /// Canaries that belong to whole tenants of several principals.
    of_tenant: HashSet<CanaryId>,
}

impl Passes {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut of = HashMap::new();
        for (scope, pass) in (0..).map(ScopeId).zip(&plan.scopes).filter(|(_, pass)| pass.flow != FlowId::SESSION) {
            let canaries = plan.flow(pass.flow).canaries.iter().zip(&pass.canaries);
            let here = plan.pass_of(scope);
            of.extend(canaries.filter(|(spec, _)| spec.scope == Scope::Operation).map(|(_, id)| (*id, here)));
        }
        Self { of, of_tenant: of_tenant(plan) }
    }

    /// Whether the canary belongs to a whole tenant of several principals.
    pub(crate) fn is_of_tenant(&self, canary: CanaryId) -> bool {
        self.of_tenant.contains(&canary)
    }

    /// Whether the canary belongs to one pass, and that pass is another than this.
    pub(crate) fn is_of_another(&self, canary: CanaryId, here: ScopeId) -> bool {
        self.of.get(&canary).is_some_and(|scope| *scope != here)
    }
}

fn of_tenant(plan: &Plan) -> HashSet<CanaryId> {
    let several = plan.principals.windows(2).any(|pair| pair[0].tenant == pair[1].tenant);
    let passes = plan.scopes.iter().filter(|_| several);
    let canaries = passes.flat_map(|pass| plan.flow(pass.flow).canaries.iter().zip(&pass.canaries));
    canaries.filter(|(spec, _)| spec.scope == Scope::Tenant).map(|(_, id)| *id).collect()
}
