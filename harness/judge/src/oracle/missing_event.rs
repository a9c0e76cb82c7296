//! Was an event left out?

use std::collections::BTreeMap;

use coalmine_core::history::{Answer, Event, Happening};
use coalmine_core::step::{Action, Receive};
use coalmine_core::verdict::{Evidence, OracleId, Shortfall, ShortfallKind};

use super::{Oracle, Testimony};
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round};

/// A wait that ended without an event although a later one of its list arrived: events of one run come in order, so the
/// earlier one was lost. Where nothing later arrived it may only be late, which is a shortfall.
pub(crate) struct MissingEvent {
    leads: Leads,
    /// Waits in vain without proof, by operation and event.
    late: BTreeMap<(String, String), u64>,
}

impl Default for MissingEvent {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::MissingEvent), late: BTreeMap::new() }
    }
}

impl Oracle for MissingEvent {
    fn id(&self) -> OracleId {
        OracleId::MissingEvent
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let Some(place) = round.place(event.op) else { return };
        let (Happening::Fail { answer, .. } | Happening::Info { answer, .. }) = &event.what else { return };
        let Action::Receive(receive) = &round.step(place).action else { return };
        match lost(receive, answer) {
            Some((lost, later)) => self.missing(round, event, place, (lost, later)),
            None => self.late(round, place, receive, answer),
        }
    }

    fn answer(&mut self) -> Testimony {
        let late = std::mem::take(&mut self.late);
        let shortfalls = late.into_iter().map(|((operation, kind), count)| Shortfall {
            kind: ShortfallKind::Event,
            message: format!(
                "`{operation}` waited in vain for `{kind}`, and nothing proves that it was lost; how often: {count}"
            ),
            operation: Some(operation),
        });
        Testimony { shortfalls: shortfalls.collect(), leads: self.leads.take(), notes: vec![] }
    }
}

impl MissingEvent {
    fn missing(&mut self, round: &Round, event: &Event, place: Place, (lost, later): (&str, &str)) {
        let receiver = round.receiver(place.scope);
        let hit = Hit {
            names: &[lost],
            place,
            channel: None,
            summary: format!("{receiver} never received `{lost}`, though `{later}`, which comes after it, arrived"),
            receiver,
            owner: Some(receiver),
            evidence: Evidence {
                receiver: receiver.to_string(),
                owner: Some(receiver.to_string()),
                seen: round.moment(event),
                planted: None,
                field: Some(lost.to_owned()),
                encodings: vec![],
                offset: None,
                len: None,
                context: None,
            },
            plant: None,
        };
        self.leads.add(round, hit);
    }

    fn late(&mut self, round: &Round, place: Place, receive: &Receive, answer: &Answer) {
        let missing = first_missing(receive, answer).and_then(|index| receive.events.get(index));
        let kind = missing.map_or("its events in their order", String::as_str).to_owned();
        *self.late.entry((round.step(place).name.clone(), kind)).or_default() += 1;
    }
}

fn first_missing(receive: &Receive, answer: &Answer) -> Option<usize> {
    (0..receive.events.len()).find(|index| !arrived(answer, *index))
}

/// The first event that did not arrive and one after it that did.
fn lost<'a>(receive: &'a Receive, answer: &Answer) -> Option<(&'a str, &'a str)> {
    let first = first_missing(receive, answer)?;
    let later = (first + 1..receive.events.len()).find(|index| arrived(answer, *index))?;
    Some((&receive.events[first], &receive.events[later]))
}

fn arrived(answer: &Answer, index: usize) -> bool {
    answer.arrived.iter().any(|other| usize::from(*other) == index)
}

#[cfg(test)]
mod tests {
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{RECEIVE, Story};

    fn with_arrived(arrived: &[u16]) -> Story {
        let mut story = Story::honest(2);
        let answer = Answer { arrived: arrived.to_vec(), ..Answer::default() };
        story.ends(story.op(0, RECEIVE), Happening::Info { answer, why: "time-out".into() });
        story.plan.policy.ok_min_percent = 50;
        story
    }

    #[test]
    fn an_event_after_which_a_later_one_came_was_lost() {
        let findings = with_arrived(&[1]).judge().verdict.findings;
        assert_eq!(findings[0].oracle, OracleId::MissingEvent);
        assert!(findings[0].summary.starts_with("tenant 0 never received `started`"), "{}", findings[0].summary);
    }

    #[test]
    fn an_event_after_which_nothing_came_may_only_be_late() {
        for arrived in [&[0][..], &[]] {
            let verdict = with_arrived(arrived).judge().verdict;
            assert_eq!(verdict.outcome, Outcome::Inconclusive);
            assert_eq!(verdict.shortfalls[0].kind, ShortfallKind::Event);
        }
    }

    #[test]
    fn events_in_another_order_are_not_lost() {
        let verdict = with_arrived(&[1, 0]).judge().verdict;
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
    }

    #[test]
    fn a_wait_that_ended_ok_lost_nothing() {
        let mut story = Story::honest(2);
        story.answers(story.op(0, RECEIVE), |answer| answer.arrived = vec![1]);
        assert_eq!(story.found(), []);
    }
}
