//! Did an answer say that it belongs to somebody else?

use coalmine_core::history::{Event, Happening, IdentityFact};
use coalmine_core::verdict::{Evidence, OracleId};
use coalmine_core::{Principal, PrincipalId};

use super::{Oracle, Testimony};
use crate::identities::Whose;
use crate::lead::{Hit, Leads};
use crate::probes::victim_of;
use crate::round::{Place, Round, channel_of, receipt_of};

/// Values at the scenario's identity paths, in the answers to requests. A value that nobody is known to have proves nothing
/// and is only counted. Tries at others' objects, and what they leave behind for the owner, are the access oracle's.
pub(crate) struct IdentityEcho {
    leads: Leads,
    unknown: u64,
}

impl Default for IdentityEcho {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::IdentityEcho), unknown: 0 }
    }
}

impl Oracle for IdentityEcho {
    fn id(&self) -> OracleId {
        OracleId::IdentityEcho
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let (Some(place), Some(receipt)) = (round.place_of(event), receipt_of(&event.what)) else { return };
        if round.step(place).public.is_some() {
            return;
        }
        let receiver = round.receiver(place.scope);
        let elsewhere = victim_of(place).is_some() || matches!(event.what, Happening::Frame(_));
        let access = |fact| round.asks(OracleId::Access) && round.change_behind(place, fact).is_some();
        for fact in &receipt.identities {
            match round.whose(receiver, *fact) {
                Whose::Unknown => self.unknown += 1,
                Whose::Others(owner) if !elsewhere && !access(*fact) => {
                    self.echo(round, event, place, (*fact, owner));
                }
                Whose::Others(_) | Whose::Mine => {}
            }
        }
    }

    fn answer(&mut self) -> Testimony {
        let note = format!("{} identity values belonged to nobody known and were not judged", self.unknown);
        let notes = (self.unknown > 0).then_some(note).into_iter().collect();
        Testimony { leads: self.leads.take(), notes, ..Testimony::default() }
    }
}

impl IdentityEcho {
    fn echo(&mut self, round: &Round, event: &Event, place: Place, whose: (IdentityFact, PrincipalId)) {
        let receiver = round.receiver(place.scope);
        let owner = round.principal(whose.1);
        let field = round.identities.name(whose.0.rule);
        let hit = Hit {
            names: &[field],
            place,
            channel: Some(channel_of(&event.what)),
            summary: if receiver.is_anonymous() {
                format!("anybody can see the `{field}` of {}: no credentials were sent", named(owner))
            } else {
                format!("{receiver} was answered with the `{field}` of {}", named(owner))
            },
            receiver,
            owner,
            evidence: identity_evidence(round, event, receiver, owner, field),
            plant: None,
        };
        self.leads.add(round, hit);
    }
}

/// What can be looked up of an identity.
pub(super) fn identity_evidence(
    round: &Round,
    event: &Event,
    receiver: &Principal,
    owner: Option<&Principal>,
    field: &str,
) -> Evidence {
    Evidence { field: Some(field.to_owned()), ..Evidence::of(receiver, owner, round.moment(event)) }
}

/// A principal in a sentence.
pub(super) fn named(principal: Option<&Principal>) -> String {
    principal.map_or_else(|| "somebody else".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{CREATE, NOTE, READ, Story, USER, fact, value_of};

    fn echoed(rule: u16, tenant: u32) -> Story {
        let mut story = Story::honest(3);
        story.answers(story.op(0, READ), |answer| answer.receipt.identities = vec![fact(rule, value_of(rule, tenant))]);
        story
    }

    #[test]
    fn anothers_attribute_is_an_echo() {
        let findings = echoed(USER, 1).judge().verdict.findings;
        assert_eq!(findings[0].summary, "tenant 0 was answered with the `user` of tenant 1");
        assert_eq!(findings[0].oracle, OracleId::IdentityEcho);
    }

    #[test]
    fn anothers_captured_value_is_an_echo() {
        assert_eq!(echoed(NOTE, 2).found(), [(OracleId::IdentityEcho, "read".to_owned())]);
    }

    #[test]
    fn my_own_values_are_none() {
        assert_eq!(echoed(USER, 0).found(), []);
        assert_eq!(echoed(NOTE, 0).found(), []);
    }

    #[test]
    fn a_value_of_nobody_known_is_a_note() {
        let verdict = echoed(USER, 77).judge().verdict;
        assert_eq!(verdict.outcome, Outcome::Pass);
        assert!(verdict.notes[0].contains("nobody known"), "{:?}", verdict.notes);
    }

    #[test]
    fn a_value_that_several_have_is_an_echo_only_for_those_who_have_it_not() {
        for (mine, leaks) in [(true, 0), (false, 1)] {
            let mut story = echoed(USER, 1);
            let shares = PrincipalId(if mine { 0 } else { 2 });
            let values = vec![fact(USER, value_of(USER, 1))];
            story.add(story.op(0, READ), Happening::Identity { principal: shares, values });
            assert_eq!(story.found().len(), leaks);
        }
    }

    #[test]
    fn the_order_of_concurrent_answers_does_not_matter() {
        // The answer that shows the id comes before the one from which its owner learns it.
        let mut story = echoed(NOTE, 1);
        let (from, to) = (story.op(0, READ), story.op(1, CREATE));
        let echo = story.events.iter().rposition(|event| event.op == from).unwrap();
        let learnt = story.events.iter().rposition(|event| event.op == to).unwrap();
        story.events.swap(echo, learnt);
        story.number();
        assert_eq!(story.found(), [(OracleId::IdentityEcho, "read".to_owned())]);
    }

    #[test]
    fn equal_ids_of_two_tenants_are_no_echo_whoever_learns_first() {
        // Ids that count from 1 in each tenant: both have the same.
        let mut story = Story::honest(2);
        let same = value_of(NOTE, 0);
        story.answers(story.op(1, CREATE), |answer| {
            answer.receipt.captured[0].1 = same;
            answer.receipt.identities = vec![fact(NOTE, same)];
        });
        let early = story.op(1, READ);
        story.answers(early, |answer| answer.receipt.identities = vec![fact(NOTE, same)]);
        assert_eq!(story.found(), []);
    }
}
