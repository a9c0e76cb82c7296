//! Canaries that belong to one pass of a session, and that other passes of it should not receive.

use std::collections::HashMap;

use coalmine_canary::CanaryId;
use coalmine_core::plan::{FlowId, Plan, ScopeId};
use coalmine_core::principal::Scope;

/// Canaries whose scope is the operation, with the pass that sends them. Empty for most scenarios.
#[derive(Default)]
pub(crate) struct Passes {
    of: HashMap<CanaryId, ScopeId>,
}

impl Passes {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut of = HashMap::new();
        for (scope, pass) in (0..).map(ScopeId).zip(&plan.scopes).filter(|(_, pass)| pass.flow != FlowId::SESSION) {
            let canaries = plan.flow(pass.flow).canaries.iter().zip(&pass.canaries);
            let here = plan.pass_of(scope);
            of.extend(canaries.filter(|(spec, _)| spec.scope == Scope::Operation).map(|(_, id)| (*id, here)));
        }
        Self { of }
    }

    /// Whether the canary belongs to one pass, and that pass is another than this.
    pub(crate) fn is_of_another(&self, canary: CanaryId, here: ScopeId) -> bool {
        self.of.get(&canary).is_some_and(|scope| *scope != here)
    }
}
