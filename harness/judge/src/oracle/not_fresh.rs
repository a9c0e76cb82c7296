//! Did somebody who has made nothing see something?

use std::collections::BTreeMap;

use coalmine_core::history::{Channel, Event, Happening, ReadValue};
use coalmine_core::model::Asks;
use coalmine_core::plan::Purpose;
use coalmine_core::verdict::{OracleId, Shortfall, ShortfallKind};

use super::wrong_list::evidence;
use super::{Oracle, Testimony};
use crate::lead::{Hit, Leads};
use crate::making::Read;
use crate::round::Round;

/// Tenants that make nothing look where the scenario says that there is nothing for them. A look says something only once others
/// have written. An answer with a foreign canary is told by that, and not once more here.
pub(crate) struct NotFresh {
    leads: Leads,
    /// Operations by name, and whether any look of theirs said something.
    looked: BTreeMap<String, bool>,
    /// When the first request of a flow had ended ok.
    written: Option<u64>,
}

impl Default for NotFresh {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::NotFresh), looked: BTreeMap::new(), written: None }
    }
}

impl Oracle for NotFresh {
    fn id(&self) -> OracleId {
        OracleId::NotFresh
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let Some(place) = round.place(event.op) else { return };
        let writes = place.purpose.is_flow() && !round.step(place).sends().is_empty();
        if writes && place.phase == coalmine_core::plan::Phase::Flows && matches!(event.what, Happening::Ok(_)) {
            let first = self.written.unwrap_or(event.seq);
            self.written = Some(first.min(event.seq));
        }
    }

    fn end(&mut self, round: &Round) {
        for step in round.plan.steps.iter().filter(|step| step.models.iter().any(|model| model.asks == Asks::Nothing)) {
            self.looked.entry(step.name.clone()).or_default();
        }
        for read in round.makings.answers(&round.plan) {
            if read.model.asks == Asks::Nothing && read.answer.place.purpose == Purpose::Fresh {
                self.look(round, read);
            }
        }
        self.written = None;
    }

    fn answer(&mut self) -> Testimony {
        let vain = std::mem::take(&mut self.looked).into_iter().filter(|(_, proved)| !proved);
        let shortfalls = vain.map(|(operation, _)| Shortfall {
            kind: ShortfallKind::Control,
            message: format!("no fresh tenant did `{operation}` after others had written, and was given JSON"),
            operation: Some(operation),
        });
        Testimony { shortfalls: shortfalls.collect(), leads: self.leads.take(), ..Testimony::default() }
    }
}

impl NotFresh {
    fn look(&mut self, round: &Round, read: Read<'_>) {
        let ReadValue::Filled(count) = read.value else { return };
        let place = read.answer.place;
        let late = self.written.is_some_and(|written| written < read.answer.window.begun);
        *self.looked.entry(round.step(place).name.clone()).or_default() |= late;
        if *count == 0 || read.answer.leads_elsewhere(round) {
            return;
        }
        let receiver = round.receiver(place.scope);
        let hit = Hit {
            names: &[],
            place,
            channel: Some(Channel::Body),
            summary: format!("{receiver} has made nothing and was shown something"),
            receiver,
            owner: None,
            evidence: evidence(round, read.answer, receiver, None),
            plant: None,
        };
        self.leads.add(round, hit);
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::Scope;
    use coalmine_core::model::Model;
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{READ, SECRET, Story, seen};

    /// The last tenant has made nothing and looks.
    fn looking(filled: u64) -> Story {
        let mut story = Story::honest(3);
        let model = Model {
            path: "$[*]".into(),
            asks: Asks::Nothing,
            made_by: vec![],
            removed_by: vec![],
            scope: Scope::Tenant,
        };
        story.reads(model, |_, _| ReadValue::Filled(1));
        story.read_is(2, 0, ReadValue::Filled(filled));
        let look = story.op(2, READ);
        let mut ops = story.plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes).flat_map(|lane| &mut lane.ops);
        ops.find(|op| op.id == look).unwrap().purpose = Purpose::Fresh;
        story
    }

    fn look(story: &Story) -> coalmine_core::plan::OpId {
        let mut ops = story.plan.ops().map(|(_, _, op)| op);
        ops.find(|op| op.purpose == Purpose::Fresh).unwrap().id
    }

    #[test]
    fn nothing_for_those_who_have_made_nothing_is_right() {
        let verdict = looking(0).judge().verdict;
        assert_eq!((verdict.outcome, verdict.shortfalls), (Outcome::Pass, vec![]));
    }

    #[test]
    fn something_for_them_is_a_leak() {
        let findings = looking(2).judge().verdict.findings;
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        let words = "tenant 2 has made nothing and was shown something";
        assert_eq!((finding.oracle, finding.summary.as_str()), (OracleId::NotFresh, words));
    }

    #[test]
    fn what_a_foreign_canary_tells_is_not_told_twice() {
        let mut story = looking(2);
        let theirs = story.canary(1, SECRET);
        story.answers(look(&story), |answer| answer.receipt.seen = vec![seen(Channel::Body, theirs)]);
        assert_eq!(story.found(), [(OracleId::ForeignCanary, "read".to_owned())]);
    }

    #[test]
    fn a_look_before_anybody_has_written_proves_nothing() {
        let mut story = looking(0);
        let look = look(&story);
        let asked = story.events.iter().position(|event| event.op == look).unwrap();
        let event = story.events.remove(asked);
        story.events.insert(0, event);
        story.number();
        let verdict = story.judge().verdict;
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
        assert!(verdict.shortfalls[0].message.contains("no fresh tenant"), "{:?}", verdict.shortfalls);
    }
}
