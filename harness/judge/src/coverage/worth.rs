//! What the tenants are worth, and which of them came through unharmed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use coalmine_core::plan::ScopeId;
use coalmine_core::verdict::Shortfall;
use coalmine_core::worth::{Valued, Worth, WorthRule};
use coalmine_core::{Plan, Principal, TenantId};

use super::passes::Gone;
use crate::lead::Lead;
use crate::round::Round;

/// Tenants that are told apart; findings of later ones are nobody's.
const TENANTS_MAX: usize = 65_536;
/// What every tenant has without a word in the scenario.
const OF_ALL: [&str; 2] = ["tenant.name", "tenant.index"];

/// What is known of them; nothing where the policy demands nothing.
#[derive(Default)]
pub(super) struct Values {
    worth: Option<Worth>,
    /// The attributes that tell tenants apart, and the one that says what they are worth.
    slots: Vec<usize>,
    value_at: usize,
    /// Which of [`Worth::tenants`] a tenant is.
    of: HashMap<TenantId, usize>,
}

impl Values {
    /// A round begins.
    pub(super) fn begin(&mut self, plan: &Plan) {
        let Some(WorthRule { attribute, min }) = &plan.policy.protected else { return };
        let is_own = |name: &str| name.starts_with("tenant.") && !OF_ALL.contains(&name);
        let names = plan.attributes.iter().enumerate();
        self.slots = names.filter(|(_, name)| is_own(name)).map(|(slot, _)| slot).collect();
        self.value_at = plan.attributes.iter().position(|name| name == attribute).unwrap_or(usize::MAX);
        self.worth.get_or_insert_with(|| Worth { attribute: attribute.clone(), min: *min, tenants: vec![] });
    }

    /// The round is over, and its passes were gone through like this.
    pub(super) fn end(&mut self, round: &Round, passes: &BTreeMap<ScopeId, Gone>) {
        for (pass, gone) in passes {
            if let Some(tenant) = self.tenant(round.receiver(*pass)) {
                tenant.due += 1;
                tenant.whole += u64::from(*gone == Gone::Whole);
            }
        }
    }

    fn tenant(&mut self, principal: &Principal) -> Option<&mut Valued> {
        let worth = self.worth.as_mut()?;
        let attributes: Vec<String> =
            self.slots.iter().filter_map(|slot| principal.attributes.get(*slot)).cloned().collect();
        let known = worth.tenants.iter().position(|known| known.attributes == attributes);
        let at = known.unwrap_or(worth.tenants.len());
        if self.of.len() < TENANTS_MAX {
            self.of.insert(principal.tenant, at);
        }
        if known.is_none() {
            let value = principal.attributes.get(self.value_at).and_then(|value| value.parse().ok()).unwrap_or(0);
            worth.tenants.push(Valued { attributes, value, ..Valued::default() });
        }
        worth.tenants.get_mut(at)
    }

    /// What was found, of whomever.
    pub(super) fn found(&mut self, leads: &[Lead]) {
        let Some(worth) = &mut self.worth else { return };
        for lead in leads {
            let harmed: BTreeSet<usize> = lead.tenants().filter_map(|tenant| self.of.get(tenant)).copied().collect();
            for at in harmed {
                worth.tenants[at].findings += 1;
            }
        }
    }

    /// Less came through than the policy demands.
    pub(super) fn shortfall(&self) -> Option<Shortfall> {
        self.worth.as_ref()?.shortfall()
    }

    /// As the verdict has it.
    pub(super) fn into_coverage(self) -> Option<Worth> {
        self.worth
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::{Channel, Receipt};
    use coalmine_core::verdict::{Outcome, ShortfallKind};
    use coalmine_core::worth::WorthRule;

    use crate::fixture::{READ, SECRET, Story, fail, judge_records, records, seen};

    /// Three tenants, worth 1, 20 and 300.
    fn story(min: u64, first: u32) -> Story {
        let mut story = Story::honest_round(3, first);
        let attribute = "tenant.value".to_owned();
        story.plan.attributes.push(attribute.clone());
        for (principal, value) in story.plan.principals.iter_mut().zip(["1", "20", "300"]) {
            principal.attributes.resize(story.plan.attributes.len() - 1, String::new());
            principal.attributes.push(value.to_owned());
        }
        story.plan.policy.protected = Some(WorthRule { attribute, min });
        story.plan.policy.ok_min_percent = 0;
        story
    }

    #[test]
    fn who_went_through_everything_is_protected() {
        let verdict = story(321, 0).judge().verdict;
        let worth = verdict.coverage.worth.unwrap();
        assert_eq!((worth.protected(), worth.total(), verdict.outcome), (321, 321, Outcome::Pass));
    }

    #[test]
    fn who_did_not_is_not_and_too_little_is_no_pass() {
        let mut story = story(302, 0);
        story.ends(story.op(1, READ), fail(500, Receipt::default()));
        let verdict = story.judge().verdict;
        assert_eq!(verdict.coverage.worth.unwrap().protected(), 301);
        assert!(verdict.shortfalls.iter().any(|shortfall| shortfall.kind == ShortfallKind::Worth));
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
    }

    #[test]
    fn both_sides_of_a_leak_are_harmed_and_nobody_else() {
        let mut story = story(0, 0);
        let theirs = story.canary(1, SECRET);
        story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        let worth = story.judge().verdict.coverage.worth.unwrap();
        assert_eq!((worth.protected(), worth.total()), (300, 321));
    }

    #[test]
    fn a_tenant_of_another_round_with_the_same_attributes_is_the_same() {
        let mut broken = story(0, 3);
        broken.plan.round = 1;
        broken.ends(broken.op(2, READ), fail(500, Receipt::default()));
        let lines = records(&[&story(0, 0), &broken]);
        let judgement = judge_records(&lines, coalmine_core::history::Tail::Whole);
        let worth = judgement.verdict.coverage.worth.unwrap();
        assert_eq!((worth.tenants.len(), worth.protected(), worth.total()), (3, 21, 321));
        assert_eq!((worth.tenants[2].whole, worth.tenants[2].due), (1, 2));
    }
}
