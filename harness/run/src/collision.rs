//! Which operations have met another tenant's that chose the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use coalmine_core::Plan;
use coalmine_core::plan::{Op, OpId, ScopeId};
use coalmine_core::step::StepId;

/// What is chosen: by the step in a pass of the one who chose it first.
type Choice = (ScopeId, StepId);

/// Operations that choose what another tenant chooses. One hits its point once both have been sent, whoever is first.
pub(crate) struct Collisions {
    /// Operations of those whose choice it is, and of those who take it.
    choices: BTreeMap<OpId, (Choice, Side)>,
    met: Mutex<BTreeMap<Choice, Met>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Host,
    Guest,
}

#[derive(Default)]
struct Met {
    is_taken: bool,
    /// Guests that came first.
    waiting: Vec<OpId>,
}

impl Collisions {
    pub(crate) fn new(plan: &Plan) -> Self {
        let hosts: BTreeSet<ScopeId> = plan.ops().filter_map(|(.., op)| op.manner.collide).collect();
        let side = |op: &Op| match op.manner.collide {
            Some(host) => Some(((host, op.step), Side::Guest)),
            None => hosts.contains(&op.scope).then_some(((op.scope, op.step), Side::Host)),
        };
        let choices = plan.ops().filter_map(|(.., op)| Some((op.id, side(op)?)));
        Self { choices: choices.collect(), met: Mutex::default() }
    }

    /// An operation is sent. Returns those that hit their point by it.
    pub(crate) fn sent(&self, op: OpId) -> Vec<OpId> {
        let Some((choice, side)) = self.choices.get(&op) else { return vec![] };
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let met = met.entry(*choice).or_default();
        match side {
            Side::Host => {
                met.is_taken = true;
                std::mem::take(&mut met.waiting)
            }
            Side::Guest if met.is_taken => vec![op],
            Side::Guest => {
                met.waiting.push(op);
                vec![]
            }
        }
    }
}
