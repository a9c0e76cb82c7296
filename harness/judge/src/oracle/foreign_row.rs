//! Did a list show a row of somebody else?

use std::collections::HashMap;

use coalmine_core::history::{Channel, Digest, Event};
use coalmine_core::model::Key;
use coalmine_core::plan::Purpose;
use coalmine_core::verdict::OracleId;

use super::identity_echo::named;
use super::wrong_list::evidence;
use super::{Oracle, Testimony};
use crate::lead::{Hit, Leads};
use crate::listing::{Inventory, Listing, Page};
use crate::making::{Making, Part, Window};
use crate::round::Round;

/// Ids in lists that were given to somebody else who shares nothing with the one who sees them. Where two owners were given the
/// same id, ids say nothing, and nothing is judged. An answer with a foreign canary is told by that, and not once more here.
pub(crate) struct ForeignRow {
    leads: Leads,
    ambiguous: u64,
}

impl Default for ForeignRow {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::ForeignRow), ambiguous: 0 }
    }
}

impl Oracle for ForeignRow {
    fn id(&self) -> OracleId {
        OracleId::ForeignRow
    }

    fn event(&mut self, _round: &Round, _event: &Event) {}

    fn end(&mut self, round: &Round) {
        let is_ours = |purpose| matches!(purpose, Purpose::Flow | Purpose::Fresh | Purpose::Visit { .. });
        let mut inventories: HashMap<Key, Inventory<'_>> = HashMap::new();
        for listing in Listing::all(round, is_ours) {
            if !matches!(listing.key, Key::Variable { .. }) {
                continue;
            }
            let inventory = inventories
                .entry(listing.key)
                .or_insert_with(|| Inventory::of(round, listing.model, Some(listing.key)));
            if inventory.is_ambiguous() {
                self.ambiguous += 1;
                continue;
            }
            for page in &listing.pages {
                self.page(round, &listing, page, inventory);
            }
        }
    }

    fn answer(&mut self) -> Testimony {
        let note =
            format!("{} lists show ids that several owners have; whose their rows are was not judged", self.ambiguous);
        let notes = (self.ambiguous > 0).then_some(note).into_iter().collect();
        Testimony { leads: self.leads.take(), notes, ..Testimony::default() }
    }
}

impl ForeignRow {
    fn page(&mut self, round: &Round, listing: &Listing<'_>, page: &Page<'_>, inventory: &Inventory<'_>) {
        if page.answer.leads_elsewhere(round) {
            return;
        }
        let window = page.answer.window;
        for row in page.rows {
            if let Some(making) = foreign(round, listing, (*row, window), inventory) {
                self.told(round, page, making);
            }
        }
    }

    fn told(&mut self, round: &Round, page: &Page<'_>, making: &Making) {
        let place = page.answer.place;
        let (receiver, owner) = (round.receiver(place.scope), round.principal(making.owner));
        let made_by = round.plan.step(making.step).name.as_str();
        let whose = named(owner);
        let hit = Hit {
            names: &[made_by],
            place,
            channel: Some(Channel::Body),
            summary: format!("{receiver} was shown a row that `{made_by}` of {whose} had made"),
            receiver,
            owner,
            evidence: evidence(round, page.answer, receiver, owner),
            plant: None,
        };
        self.leads.add(round, hit);
    }
}

/// The making behind the row, if it can only be somebody else's.
fn foreign<'r>(
    round: &Round,
    listing: &Listing<'_>,
    (row, window): (Digest, Window),
    inventory: &Inventory<'r>,
) -> Option<&'r Making> {
    let asker = listing.asker(round)?;
    let makings = inventory.behind(row);
    let all_foreign = makings.iter().all(|making| round.part(asker, making, listing.model) == Part::Foreign);
    let first = makings.first().copied().filter(|_| all_foreign)?;
    first.was_begun_before(window).then_some(first)
}

#[cfg(test)]
mod tests {
    use coalmine_core::Scope;
    use coalmine_core::history::ReadValue;
    use coalmine_core::model::{Asks, Holds, Model, Unknown};
    use coalmine_core::plan::FlowId;
    use coalmine_core::sharing::{Reach, RoleReach};

    use super::*;
    use crate::fixture::{CREATE, NOTE, READ, SECRET, Story, seen, value_of};

    fn listing(shown: &[u32]) -> Story {
        let key = Key::Variable { flow: FlowId(1), slot: 0 };
        let asks = Asks::Rows { key, holds: Holds::Some, unknown: Unknown::Allowed, list: None };
        let (path, scope) = ("$.notes[*].id".into(), Scope::Tenant);
        let mut story = Story::honest(3);
        story
            .reads(Model { path, asks, made_by: vec![CREATE], removed_by: vec![], scope }, |_, tenant| rows(&[tenant]));
        story.read_is(0, 0, rows(shown));
        story
    }

    fn rows(owners: &[u32]) -> ReadValue {
        ReadValue::Rows { rows: owners.iter().map(|owner| value_of(NOTE, *owner)).collect(), dropped: 0 }
    }

    #[test]
    fn a_row_of_another_tenant_is_a_leak() {
        let findings = listing(&[0, 2]).judge().verdict.findings;
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        let words = "tenant 0 was shown a row that `create` of tenant 2 had made";
        assert_eq!((finding.oracle, finding.summary.as_str()), (OracleId::ForeignRow, words));
        assert_eq!((finding.receivers, finding.owners), (1, 1));
    }

    #[test]
    fn my_own_rows_and_rows_of_nobody_known_are_none() {
        assert_eq!(listing(&[0]).found(), []);
        assert_eq!(listing(&[77]).found(), []);
    }

    #[test]
    fn an_id_that_two_owners_have_says_nothing() {
        let mut story = listing(&[0, 2]);
        let same = value_of(NOTE, 0);
        story.answers(story.op(1, CREATE), |answer| answer.receipt.captured[0].1 = same);
        let verdict = story.judge().verdict;
        assert!(verdict.findings.iter().all(|finding| finding.oracle != OracleId::ForeignRow));
        assert!(verdict.notes.iter().any(|note| note.contains("several owners")), "{:?}", verdict.notes);
    }

    #[test]
    fn a_role_that_sees_everything_is_shown_it() {
        let mut story = listing(&[0, 2]);
        story.plan.principals[0].role = Some("ROOT".into());
        story.plan.sharing.roles = vec![RoleReach { role: "ROOT".into(), reach: Reach::Everything }];
        assert_eq!(story.found(), []);
    }

    #[test]
    fn what_a_foreign_canary_tells_is_not_told_twice() {
        let mut story = listing(&[0, 2]);
        let theirs = story.canary(2, SECRET);
        story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        assert_eq!(story.found(), [(OracleId::ForeignCanary, "read".to_owned())]);
    }
}
