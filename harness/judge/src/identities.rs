//! Whose a value at an identity's path is.

use std::collections::{BTreeMap, HashMap};

use coalmine_core::history::{Digest, IdentityFact};
use coalmine_core::plan::{FlowId, IdentityRule, Mine, Plan};
use coalmine_core::template::{Level, VariableRef};
use coalmine_core::{Principal, PrincipalId, Scope};

/// Everything that is known about the identities of one round.
#[derive(Default)]
pub(crate) struct Identities {
    rules: Vec<IdentityRule>,
    /// Rules that a captured variable answers, by flow and slot.
    by_variable: HashMap<(FlowId, u16), Vec<u16>>,
    /// One principal for each part of a path that the value belongs to.
    owners: HashMap<(u16, Digest), BTreeMap<Path, Principal>>,
}

/// Tenant, user, session, as far as the rule's scope goes.
type Path = (u32, u32, u32);

/// Whose a value is, seen from one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The receiver may see it.
    Mine,
    /// Only principals have it that the receiver may not see; this is the first of them.
    Others(PrincipalId),
    /// Nobody is known to have it.
    Unknown,
}

impl Identities {
    /// Knows the rules and nobody's values.
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut by_variable: HashMap<_, Vec<u16>> = HashMap::new();
        for (index, rule) in (0..=u16::MAX).zip(&plan.identities) {
            if let Mine::Variable { flow, slot } = rule.mine {
                by_variable.entry((flow, slot)).or_default().push(index);
            }
        }
        Self { rules: plan.identities.clone(), by_variable, owners: HashMap::new() }
    }

    /// The rule's name.
    pub(crate) fn name(&self, rule: u16) -> &str {
        self.rules.get(usize::from(rule)).map_or("?", |rule| rule.name.as_str())
    }

    /// A principal turned out to be this.
    pub(crate) fn learn(&mut self, principal: &Principal, fact: IdentityFact) {
        if let Some(rule) = self.rules.get(usize::from(fact.rule)) {
            let owners = self.owners.entry((fact.rule, fact.value)).or_default();
            let light = || Principal { role: None, attributes: vec![], ..*principal };
            owners.entry(path(principal, rule.scope)).or_insert_with(light);
        }
    }

    /// A principal captured a value in one of its scopes of a flow.
    pub(crate) fn captured(&mut self, principal: &Principal, flow: FlowId, variable: VariableRef, value: Digest) {
        let flow = match variable.level {
            Level::Session => FlowId::SESSION,
            Level::Flow | Level::Outer(_) => flow,
        };
        let rules = self.by_variable.get(&(flow, variable.slot)).cloned().unwrap_or_default();
        for rule in rules {
            self.learn(principal, IdentityFact { rule, value });
        }
    }

    /// Whose the value is. Only an answer of [`Whose::Mine`] is final while the round goes on.
    pub(crate) fn whose(&self, receiver: &Principal, fact: IdentityFact) -> Whose {
        let Some((rule, owners)) = self.owners_of(fact) else { return Whose::Unknown };
        let mine = owners.contains_key(&path(receiver, rule.scope))
            || owners.values().any(|owner| receiver.may_see(owner, rule.scope));
        match owners.values().next() {
            Some(first) if !mine => Whose::Others(first.id),
            Some(_) => Whose::Mine,
            None => Whose::Unknown,
        }
    }

    /// Whether any of its owners is one of these, as far as the rule's scope goes.
    pub(crate) fn is_of_any<'p>(&self, mut people: impl Iterator<Item = &'p Principal>, fact: IdentityFact) -> bool {
        let Some((rule, owners)) = self.owners_of(fact) else { return false };
        people.any(|person| owners.values().any(|owner| person.may_see(owner, rule.scope)))
    }

    /// Whether a value of which `sees` holds for an owner is among those that the rules know.
    pub(crate) fn has_owner(&self, fact: IdentityFact, sees: impl Fn(&Principal) -> bool) -> bool {
        self.owners_of(fact).is_some_and(|(_, owners)| owners.values().any(sees))
    }

    /// Whether the value is one of this principal's, as far as the rule's scope goes.
    pub(crate) fn belongs_to(&self, principal: &Principal, fact: IdentityFact) -> bool {
        self.owners_of(fact).is_some_and(|(rule, owners)| owners.contains_key(&path(principal, rule.scope)))
    }

    fn owners_of(&self, fact: IdentityFact) -> Option<(&IdentityRule, &BTreeMap<Path, Principal>)> {
        let rule = self.rules.get(usize::from(fact.rule))?;
        Some((rule, self.owners.get(&(fact.rule, fact.value))?))
    }
}

fn path(principal: &Principal, scope: Scope) -> Path {
    let Principal { tenant, user, session, .. } = principal;
    match scope {
        Scope::Tenant => (tenant.0, 0, 0),
        Scope::User => (tenant.0, *user, 0),
        Scope::Session | Scope::Operation => (tenant.0, *user, *session),
        Scope::Public => (0, 0, 0),
    }
}
