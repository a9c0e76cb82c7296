//! Which turns of blocks belong to which pass.

use std::collections::HashMap;

use coalmine_canary::CanaryId;

use crate::plan::{Plan, ScopeId};
use crate::step::{Step, TurnCanary};

/// The turns that stand in each scope, in their order. Empty for plans without blocks.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    inner: HashMap<ScopeId, Vec<ScopeId>>,
}

impl Turns {
    /// Reads the plan.
    pub fn new(plan: &Plan) -> Self {
        let mut inner: HashMap<ScopeId, Vec<ScopeId>> = HashMap::new();
        for (scope, of) in (0..).map(ScopeId).zip(&plan.scopes) {
            if let Some(turn) = of.turn.filter(|turn| turn.within < scope) {
                inner.entry(turn.within).or_default().push(scope);
            }
        }
        Self { inner }
    }

    /// The canaries that a step in that scope must show of the turns before it.
    pub fn canaries(&self, plan: &Plan, scope: ScopeId, step: &Step) -> Vec<CanaryId> {
        let mut found = vec![];
        for wanted in step.sees_of_turns.iter().copied() {
            self.collect(plan, plan.scope_at(scope, wanted.of), wanted, &mut found);
        }
        found
    }

    fn collect(&self, plan: &Plan, scope: ScopeId, wanted: TurnCanary, found: &mut Vec<CanaryId>) {
        for turn in self.inner.get(&scope).into_iter().flatten() {
            let of = plan.scope(*turn);
            if of.flow == wanted.block {
                found.extend(of.canaries.get(usize::from(wanted.slot)));
            }
            self.collect(plan, *turn, wanted, found);
        }
    }
}
