//! Did something lie in a store under a key that does not name its owner?

use coalmine_core::history::{Astray, Channel, Event};
use coalmine_core::step::Action;
use coalmine_core::verdict::{Evidence, OracleId};

use super::{Oracle, Testimony};
use crate::book::Origin;
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round, receipt_of};

/// Whoever asks for the key next is given it, whoever that is. What lies under a key that names somebody else is a foreign canary, and told
/// by that, when that one searches. What everybody may see, and what a flow shares with members, needs no name of its owner.
pub(crate) struct UnnamedKey {
    leads: Leads,
}

impl Default for UnnamedKey {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::UnnamedKey) }
    }
}

impl Oracle for UnnamedKey {
    fn id(&self) -> OracleId {
        OracleId::UnnamedKey
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let (Some(place), Some(receipt)) = (round.place(event.op), receipt_of(&event.what)) else { return };
        let is_of_logs = matches!(round.plan.step(place.step).action, Action::SearchLogs(_));
        if !is_of_logs && !receipt.astray.is_empty() && !round.is_shared_with_members(place) {
            receipt.astray.iter().for_each(|astray| self.look(round, event, place, astray));
        }
    }

    fn answer(&mut self) -> Testimony {
        Testimony { leads: self.leads.take(), ..Testimony::default() }
    }
}

impl UnnamedKey {
    fn look(&mut self, round: &Round, event: &Event, place: Place, astray: &Astray) {
        let Origin::Known(planted) = round.book.origin(astray.canary) else { return };
        if round.book.is_public(astray.canary) {
            return;
        }
        let (owner, field) = (planted.owner, planted.field);
        let receiver = round.receiver(place.scope);
        let what = field.map_or_else(|| "a canary".to_owned(), |field| format!("the canary `{field}`"));
        let hit = Hit {
            names: &[planted.by_step.unwrap_or_default(), field.unwrap_or_default()],
            place,
            channel: Some(Channel::Store),
            summary: format!("{what} of {owner} lies under a key that does not name it: {}", astray.place),
            receiver,
            owner: Some(owner),
            evidence: Evidence {
                planted_in: planted.earlier,
                field: field.map(str::to_owned),
                context: Some(astray.place.clone()),
                ..Evidence::of(receiver, Some(owner), round.moment(event))
            },
            plant: planted.plant,
        };
        self.leads.add(round, hit);
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::sharing::Public;
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{CLOSE, READ, SECRET, Story};

    /// Two of three find what is theirs under a key that does not name them.
    fn astray() -> Story {
        let mut story = Story::searching(3);
        for tenant in 0..2 {
            let canary = story.canary(tenant, SECRET);
            let astray = Astray { canary, place: "`summary:*`, hash".to_owned() };
            story.answers(story.op(tenant, CLOSE), |answer| answer.receipt.astray.push(astray));
        }
        story
    }

    #[test]
    fn what_lies_under_a_key_without_a_name_is_a_violation_told_with_the_key() {
        let verdict = astray().judge().verdict;
        let [finding] = &verdict.findings[..] else { panic!("{:#?}", verdict.findings) };
        let words = "the canary `secret` of tenant 0 lies under a key that does not name it: `summary:*`, hash";
        assert_eq!((finding.oracle, finding.summary.as_str()), (OracleId::UnnamedKey, words));
        assert_eq!((verdict.outcome, finding.count, finding.owners), (Outcome::Leak, 2, 2));
    }

    #[test]
    fn under_keys_that_name_them_nothing_is_said() {
        assert_eq!(Story::searching(3).found(), []);
    }

    #[test]
    fn what_everybody_may_see_needs_no_name() {
        let mut story = astray();
        story.plan.steps[usize::from(READ.0)].public = Some(Public::Everything);
        assert_eq!(story.found(), []);
    }

    #[test]
    fn switched_off_it_says_nothing() {
        let mut story = astray();
        story.plan.policy.oracles_off = vec![OracleId::UnnamedKey];
        assert_eq!(story.judge().verdict.outcome, Outcome::Pass);
    }
}
