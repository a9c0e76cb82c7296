//! Which operations are due: by conditions, and by the items of lists.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use coalmine_core::history::NotDue;
use coalmine_core::plan::{Op, Purpose, ScopeId};
use coalmine_core::principal::{Principal, PrincipalId};
use coalmine_core::template::{Level, Unfilled, VariableRef};
use serde_json::Value;

use crate::lane::Round;

/// What was decided of the cases that a plan provides for.
#[derive(Default)]
pub(crate) struct Cases {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Conditions, by who met them in which scope: one that was looked at holds to the end.
    conditions: HashMap<(PrincipalId, ScopeId, u16), Result<bool, Unfilled>>,
    /// Variables that were not captured as it was not due.
    idle: HashSet<(ScopeId, u16)>,
}

/// An operation that was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// Something that it needs did not happen; in words.
    Skipped(String),
    /// The case for which it was planned did not come.
    NotDue(NotDue),
}

impl From<String> for Unsent {
    fn from(why: String) -> Self {
        Self::Skipped(why)
    }
}

impl From<&str> for Unsent {
    fn from(why: &str) -> Self {
        Self::Skipped(why.to_owned())
    }
}

impl Cases {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_idle(&self, scope: ScopeId, slot: u16) -> bool {
        self.known().idle.contains(&(scope, slot))
    }
}

impl Round {
    /// Whether the operation is due. Tries at others' objects are, wherever there is an object.
    pub(crate) fn check_due(&self, principal: &Principal, op: &Op) -> Result<(), Unsent> {
        if !matches!(op.purpose, Purpose::Flow | Purpose::Visit { .. } | Purpose::Confirm { .. }) {
            return Ok(());
        }
        let scope = self.values(principal, op).scope_of(Level::Flow);
        let mut around: Vec<ScopeId> = self.plan.around(scope).collect();
        around.reverse();
        around.into_iter().try_for_each(|turn| self.begin_turn(turn))?;
        for due in &self.plan.step(op.step).due {
            let at = self.plan.scope_at(scope, due.at);
            if !self.holds(principal, op, at, due.condition)? {
                return Err(Unsent::NotDue(NotDue::Condition));
            }
        }
        Ok(())
    }

    /// What the operation would have captured is missing for no fault of anybody.
    pub(crate) fn note_idle(&self, op: &Op) {
        if !op.purpose.is_flow() {
            return;
        }
        let captures = self.plan.step(op.step).captures.iter().map(|capture| capture.variable);
        let variables = captures.map(|variable| (self.plan.scope_at(op.scope, variable.level), variable.slot));
        self.cases.known().idle.extend(variables);
    }

    /// Gives a turn its item.
    fn begin_turn(&self, scope: ScopeId) -> Result<(), Unsent> {
        let of = self.plan.scope(scope);
        let (Some(turn), Some(block)) = (of.turn, self.plan.flow(of.flow).block) else { return Ok(()) };
        let Some(items) = block.items else { return Ok(()) };
        if self.board.get(scope, items.item).is_some() {
            return Ok(());
        }
        let around = self.plan.scope_at(turn.within, items.list.level);
        let list = self.board.get(around, items.list.slot).ok_or_else(|| self.no_value(around, items.list))?;
        let item = match list {
            Value::Array(mut items) if (turn.index as usize) < items.len() => items.swap_remove(turn.index as usize),
            // One value that is no list is a list of one.
            Value::Array(_) | Value::Null => Value::Null,
            one if turn.index == 0 => one,
            _ => Value::Null,
        };
        if item.is_null() {
            return Err(Unsent::NotDue(NotDue::Item));
        }
        self.board.set(scope, items.item, item);
        Ok(())
    }

    fn holds(&self, principal: &Principal, op: &Op, scope: ScopeId, condition: u16) -> Result<bool, Unsent> {
        let key = (principal.id, scope, condition);
        let known = self.cases.known().conditions.get(&key).cloned();
        let decided = known.unwrap_or_else(|| {
            let here = Op { scope, purpose: Purpose::Flow, ..op.clone() };
            let values = self.values(principal, &here);
            let missing = |unfilled: &Unfilled| match unfilled {
                Unfilled::Variable(variable) => {
                    self.cases.is_idle(self.plan.scope_at(scope, variable.level), variable.slot)
                }
                _ => false,
            };
            let decided = self.plan.conditions[usize::from(condition)].holds(principal, &values, missing);
            self.cases.known().conditions.insert(key, decided.clone());
            decided
        });
        decided.map_err(|unfilled| self.unfilled(principal, op, unfilled))
    }

    /// A hole has no value: because nothing was due, or because something failed.
    pub(crate) fn unfilled(&self, principal: &Principal, op: &Op, unfilled: Unfilled) -> Unsent {
        match unfilled {
            // A credential that cannot be changed, or that is good still.
            Unfilled::Variable(_) if op.manner.forge.is_some() || self.board.shows_what_was(op) => {
                Unsent::NotDue(NotDue::Value)
            }
            Unfilled::Variable(variable) => {
                self.no_value(self.values(principal, op).scope_of(variable.level), variable)
            }
            other => Unsent::Skipped(other.to_string()),
        }
    }

    fn no_value(&self, scope: ScopeId, variable: VariableRef) -> Unsent {
        if self.cases.is_idle(scope, variable.slot) {
            return Unsent::NotDue(NotDue::Value);
        }
        let flow = self.plan.flow(self.plan.scope(scope).flow);
        let name = flow.variables.get(usize::from(variable.slot)).map_or("?", String::as_str);
        Unsent::Skipped(format!("`{name}` has no value: the step that captures it did not end ok"))
    }
}
