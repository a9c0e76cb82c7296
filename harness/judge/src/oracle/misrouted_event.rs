//! Did an event reach a socket of somebody else?

use coalmine_core::history::{Event, EventFrame, Happening};
use coalmine_core::step::Action;
use coalmine_core::verdict::{Evidence, OracleId};
use coalmine_core::{Plan, Principal, PrincipalId};

use super::foreign_canary::sighting_evidence;
use super::identity_echo::{identity_evidence, named};
use super::{Oracle, Testimony};
use crate::book::{Origin, Planted};
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round, channel_of};

/// A message on a WebSocket that says it belongs to somebody else. Canaries in it are its evidence and no finding of their
/// own; canaries in messages that do not say whose they are are foreign canaries.
pub(crate) struct MisroutedEvent {
    leads: Leads,
}

impl Default for MisroutedEvent {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::MisroutedEvent) }
    }
}

impl Oracle for MisroutedEvent {
    fn id(&self) -> OracleId {
        OracleId::MisroutedEvent
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let (Some(place), Happening::Frame(frame)) = (round.place(event.op), &event.what) else { return };
        if let Some(whose) = round.misrouted(place, frame) {
            self.misrouted(round, event, place, frame, whose);
        }
    }

    fn answer(&mut self) -> Testimony {
        Testimony { leads: self.leads.take(), ..Testimony::default() }
    }
}

impl MisroutedEvent {
    fn misrouted(
        &mut self,
        round: &Round,
        event: &Event,
        place: Place,
        frame: &EventFrame,
        (rule, owner): (u16, PrincipalId),
    ) {
        let receiver = round.receiver(place.scope);
        let owner = round.principal(owner);
        let kind = known_type(&round.plan, frame.event_type.as_deref());
        let (proof, secret) = evidence(round, event, place, frame, (rule, owner));
        let hit = Hit {
            // Not of the event's type: a router that misroutes one misroutes them all.
            names: &[round.identities.name(rule)],
            place,
            channel: Some(channel_of(&event.what)),
            summary: summary(&receiver.to_string(), kind, &named(owner)),
            receiver,
            owner,
            evidence: proof,
            plant: secret.and_then(|secret| secret.plant),
        };
        self.leads.add(round, hit);
    }
}

fn summary(receiver: &str, kind: Option<&str>, owner: &str) -> String {
    let event = kind.map_or_else(|| "an event".to_owned(), |kind| format!("the event `{kind}`"));
    format!("{receiver} received {event} of {owner}")
}

/// The owner's canary in the event where there is one, as it says when its owner sent it; else the identity.
fn evidence<'a>(
    round: &'a Round,
    event: &Event,
    place: Place,
    frame: &EventFrame,
    (rule, owner): (u16, Option<&Principal>),
) -> (Evidence, Option<Planted<'a>>) {
    let receiver = round.receiver(place.scope);
    for seen in &frame.receipt.seen {
        let coalmine_canary::Found::Canary { id, .. } = seen.sighting.found else { continue };
        if let Origin::Known(planted) = round.book.origin(id)
            && owner.is_some_and(|owner| owner.tenant == planted.owner.tenant)
            && !round.is_allowed(place, id, &planted)
        {
            return (sighting_evidence(round, event, receiver, seen, Some(&planted)), Some(planted));
        }
    }
    (identity_evidence(round, event, receiver, owner, round.identities.name(rule)), None)
}

/// The event's type if the scenario names it: what else the target writes there must not make fingerprints.
fn known_type<'a>(plan: &Plan, kind: Option<&'a str>) -> Option<&'a str> {
    let waited_for = |kind: &str| {
        plan.steps.iter().any(|step| match &step.action {
            Action::Receive(receive) => receive.events.iter().any(|event| event == kind),
            _ => false,
        })
    };
    kind.filter(|kind| waited_for(kind))
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::Channel;

    use super::*;
    use crate::fixture::{NOTE, OPEN, SECRET, Story, USER, fact, frame, seen, value_of};

    #[test]
    fn an_event_of_another_is_misrouted_and_its_canary_is_the_evidence() {
        let mut story = Story::honest(2);
        let theirs = seen(Channel::TextFrame, story.canary(1, SECRET));
        story.add(story.op(0, OPEN), frame("done", vec![theirs], vec![fact(NOTE, value_of(NOTE, 1))]));
        let findings = story.judge().verdict.findings;
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        assert_eq!(finding.summary, "tenant 0 received the event `done` of tenant 1");
        assert_eq!(finding.oracle, OracleId::MisroutedEvent);
        assert_eq!(finding.evidence.field.as_deref(), Some("secret"));
        assert!(finding.evidence.planted.is_some());
    }

    #[test]
    fn my_own_and_unknown_events_are_not() {
        let mut story = Story::honest(2);
        for value in [value_of(USER, 0), value_of(USER, 77)] {
            story.add(story.op(0, OPEN), frame("done", vec![], vec![fact(USER, value)]));
        }
        story.add(story.op(0, OPEN), frame("done", vec![], vec![]));
        assert_eq!(story.found(), []);
    }

    #[test]
    fn types_that_the_target_makes_up_do_not_multiply_findings() {
        let mut story = Story::honest(2);
        for kind in ["x1", "x2", "x3"] {
            story.add(story.op(0, OPEN), frame(kind, vec![], vec![fact(USER, value_of(USER, 1))]));
        }
        let findings = story.judge().verdict.findings;
        assert_eq!((findings.len(), findings[0].count), (1, 3));
    }
}
