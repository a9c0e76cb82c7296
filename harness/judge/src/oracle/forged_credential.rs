//! Was somebody answered who showed a credential that nobody was given?

use std::collections::HashSet;

use coalmine_core::history::{Event, Happening, Receipt};
use coalmine_core::perturb::Perturbation;
use coalmine_core::plan::OpId;
use coalmine_core::verdict::OracleId;

use super::foreign_canary::sighting_evidence;
use super::session_after_logout::own;
use super::{Oracle, Testimony};
use crate::book::Origin;
use crate::lead::{Hit, Leads};
use crate::round::{Round, receipt_of};

/// A user reads what is its own with a credential that was changed. The answer shows a secret of that user, so the service took the
/// credential for good. The request itself holds no secret and no id of what it asks for; and a status shows nothing.
pub(crate) struct ForgedCredential {
    leads: Leads,
    /// Operations of the round that went with a changed credential.
    forged: HashSet<OpId>,
}

impl Default for ForgedCredential {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::ForgedCredential), forged: HashSet::new() }
    }
}

impl Oracle for ForgedCredential {
    fn id(&self) -> OracleId {
        OracleId::ForgedCredential
    }

    fn event(&mut self, round: &Round, event: &Event) {
        match &event.what {
            Happening::Perturbed(shaken) if shaken.what == Perturbation::Forge && shaken.reached => {
                self.forged.insert(event.op);
            }
            what if self.forged.contains(&event.op) => {
                if let Some(receipt) = receipt_of(what) {
                    self.answered(round, event, receipt);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, _: &Round) {
        self.forged.clear();
    }

    fn answer(&mut self) -> Testimony {
        Testimony { leads: self.leads.take(), ..Testimony::default() }
    }
}

impl ForgedCredential {
    fn answered(&mut self, round: &Round, event: &Event, receipt: &Receipt) {
        let Some(place) = round.place(event.op) else { return };
        let Some((seen, canary)) = own(round, place, &receipt.seen).into_iter().next() else { return };
        let Origin::Known(planted) = round.book.origin(canary) else { return };
        let receiver = round.receiver(place.scope);
        let hit = Hit {
            names: &[],
            place,
            channel: Some(seen.channel),
            summary: format!(
                "a credential of {receiver} was changed into one that nobody was given, and is taken for good"
            ),
            receiver,
            owner: Some(planted.owner),
            evidence: sighting_evidence(round, event, receiver, seen, Some(&planted)),
            plant: planted.plant,
        };
        self.leads.add(round, hit);
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::{Answer, Channel, Shaken};
    use coalmine_core::perturb::{Forgery, Manner};
    use coalmine_core::plan::{Op, Phase, Purpose, ScopeId};
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{READ, SECRET, Story, fail, seen};

    /// The first tenant reads once more with a changed credential, if it could be changed.
    fn reading(reached: bool, end: Happening) -> Story {
        let mut story = Story::honest(3);
        let id = OpId(story.plan.op_count);
        story.plan.op_count += 1;
        let manner = Manner { forge: Some(Forgery::Letter), ..Manner::default() };
        let stage = story.plan.stages.iter_mut().find(|stage| stage.phase == Phase::Flows).unwrap();
        stage.lanes[0].ops.push(Op { id, step: READ, scope: ScopeId(3), purpose: Purpose::Shake, manner });
        story.add(id, Happening::Invoke { connection: None });
        story.add(id, Happening::Perturbed(Shaken { what: Perturbation::Forge, reached, after_us: None }));
        story.add(id, end);
        story
    }

    fn showing(story: &Story, tenant: u32) -> Happening {
        let mut answer = Answer { status: Some(200), ..Answer::default() };
        answer.receipt.seen.push(seen(Channel::Body, story.canary(tenant, SECRET)));
        Happening::Ok(answer)
    }

    fn findings(story: &Story) -> Vec<OracleId> {
        story.judge().verdict.findings.into_iter().map(|finding| finding.oracle).collect()
    }

    #[test]
    fn a_refusal_is_right_and_no_failure() {
        let verdict = reading(true, fail(401, Receipt::default())).judge().verdict;
        assert_eq!((verdict.outcome, verdict.shortfalls), (Outcome::Pass, vec![]));
    }

    #[test]
    fn an_answer_with_the_users_own_secret_is_a_violation() {
        let shows = showing(&Story::honest(3), 0);
        assert_eq!(findings(&reading(true, shows)), [OracleId::ForgedCredential]);
    }

    #[test]
    fn a_credential_that_could_not_be_changed_shows_nothing() {
        let shows = showing(&Story::honest(3), 0);
        assert_eq!(findings(&reading(false, shows)), []);
    }

    #[test]
    fn a_status_alone_shows_nothing() {
        let ok = Happening::Ok(Answer { status: Some(200), ..Answer::default() });
        assert_eq!(findings(&reading(true, ok)), []);
    }

    #[test]
    fn a_secret_of_another_is_a_leak_whoever_asked() {
        let shows = showing(&Story::honest(3), 1);
        assert_eq!(findings(&reading(true, shows)), [OracleId::ForeignCanary]);
    }
}
