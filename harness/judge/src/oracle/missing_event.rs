//! Was an event left out, or out of order?

use std::collections::BTreeMap;

use coalmine_core::history::{Answer, Event, Happening};
use coalmine_core::plan::Purpose;
use coalmine_core::step::{Action, Receive, SocketSlot, StepId};
use coalmine_core::verdict::{OracleId, Shortfall, ShortfallKind};

use super::identity_echo::identity_evidence;
use super::{Oracle, Testimony};
use crate::lead::{Hit, Leads};
use crate::round::{Course, Place, Round};

/// A wait that ended without an event although a later one of its list arrived: events of one run come in order, so the
/// earlier one was lost. Where nothing later arrived it may only be late, which is a shortfall; unless the scenario names a
/// request that shows that it was sent, that request ended ok, a ping after it was answered, and the event did not come as
/// long as the WebSocket was open.
pub(crate) struct MissingEvent {
    leads: Leads,
    /// Waits in vain without proof, by operation and event.
    late: BTreeMap<(String, String), u64>,
    /// Waits in vain that may still be proved.
    unproved: Vec<Unproved>,
}

/// Waits that are remembered until their round is over; beyond it, they are not proved.
const UNPROVED_MAX: usize = 65_536;

/// A wait in vain that names what would prove the loss.
struct Unproved {
    event: Event,
    place: Place,
    socket: SocketSlot,
    kind: String,
    confirmed_by: StepId,
    proof: Proof,
}

/// How much of the proof there is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    None,
    /// The request ended ok: all events were sent.
    Confirmed,
    /// A ping was answered after it: what was sent has arrived.
    Drained,
    /// It came, only later.
    Refuted,
}

impl Default for MissingEvent {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::MissingEvent), late: BTreeMap::new(), unproved: vec![] }
    }
}

impl Oracle for MissingEvent {
    fn id(&self) -> OracleId {
        OracleId::MissingEvent
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let Some(place) = round.place(event.op).filter(|place| place.course == Course::Whole) else { return };
        self.weigh(round, event, place);
        let (Happening::Fail { answer, .. } | Happening::Info { answer, .. }) = &event.what else { return };
        match &round.step(place).action {
            Action::Receive(receive) if is_disordered(receive, answer) => self.disordered(round, event, place, receive),
            Action::Receive(receive) => match lost(receive, answer) {
                Some((lost, later)) => {
                    let proof = format!("though `{later}`, which comes after it, arrived");
                    self.missing(round, event, place, (lost, &proof));
                }
                None => {
                    let missing = first_missing(receive, answer).and_then(|index| receive.events.get(index));
                    self.vain(round, event, place, (receive, missing));
                }
            },
            Action::AwaitWebhook(_) => self.late(round, place, "webhook"),
            _ => {}
        }
    }

    fn end(&mut self, round: &Round) {
        for vain in std::mem::take(&mut self.unproved) {
            if vain.proof == Proof::Drained {
                let by = round.plan.step(vain.confirmed_by).name.as_str();
                let proof = format!("though `{by}` shows that it was sent, and a ping after that was answered");
                self.missing(round, &vain.event, vain.place, (&vain.kind, &proof));
            } else {
                self.late(round, vain.place, &vain.kind);
            }
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
        Testimony { shortfalls: shortfalls.collect(), leads: self.leads.take(), ..Testimony::default() }
    }
}

impl MissingEvent {
    fn missing(&mut self, round: &Round, event: &Event, place: Place, (lost, proof): (&str, &str)) {
        let receiver = round.receiver(place.scope);
        let hit = Hit {
            names: &[lost],
            place,
            channel: None,
            summary: format!("{receiver} never received `{lost}`, {proof}"),
            receiver,
            owner: Some(receiver),
            evidence: identity_evidence(round, event, receiver, Some(receiver), lost),
            plant: None,
        };
        self.leads.add(round, hit);
    }

    /// All events came, and not in their order.
    fn disordered(&mut self, round: &Round, event: &Event, place: Place, receive: &Receive) {
        let receiver = round.receiver(place.scope);
        let (first, last) = (receive.events.first(), receive.events.last());
        let [first, last] = [first, last].map(|kind| kind.map_or("", String::as_str));
        let hit = Hit {
            names: &["order", first, last],
            place,
            channel: None,
            summary: format!("{receiver} received the events from `{first}` to `{last}` in another order"),
            receiver,
            owner: Some(receiver),
            evidence: identity_evidence(round, event, receiver, Some(receiver), first),
            plant: None,
        };
        self.leads.add(round, hit);
    }

    /// A wait ended without its event, and nothing that comes after it arrived.
    fn vain(&mut self, round: &Round, event: &Event, place: Place, (receive, missing): (&Receive, Option<&String>)) {
        match (missing, receive.confirmed_by) {
            (Some(kind), Some(confirmed_by)) if self.unproved.len() < UNPROVED_MAX => {
                let (event, kind, socket) = (event.clone(), kind.clone(), receive.socket);
                self.unproved.push(Unproved { event, place, socket, kind, confirmed_by, proof: Proof::None });
            }
            _ => self.late(round, place, missing.map_or("its events in their order", String::as_str)),
        }
    }

    /// Looks whether the event says something about a wait in vain of the same pass.
    fn weigh(&mut self, round: &Round, event: &Event, place: Place) {
        let of_pass = self.unproved.iter_mut().filter(|vain| round.is_one_pass(vain.place.scope, place.scope));
        for vain in of_pass.filter(|vain| vain.proof != Proof::Refuted) {
            vain.proof = match (&event.what, &round.step(place).action) {
                (Happening::Ok(_), Action::Request(_))
                    if place.step == vain.confirmed_by
                        && place.scope == vain.place.scope
                        && place.purpose.is_flow() =>
                {
                    Proof::Confirmed
                }
                (Happening::Ok(_), Action::Ping { socket })
                    if *socket == vain.socket && vain.proof == Proof::Confirmed =>
                {
                    Proof::Drained
                }
                (Happening::Frame(frame), Action::Open(_) | Action::Subscribe(_))
                    if frame.event_type.as_ref() == Some(&vain.kind) =>
                {
                    Proof::Refuted
                }
                _ => vain.proof,
            };
        }
    }

    /// Who did not read may have been hung up on.
    fn late(&mut self, round: &Round, place: Place, kind: &str) {
        if place.purpose == Purpose::Shake {
            return;
        }
        *self.late.entry((round.step(place).name.clone(), kind.to_owned())).or_default() += 1;
    }
}

/// Whether all came in another order. Only where the scenario says what they are about: events of other runs that have the same
/// types may come in between.
fn is_disordered(receive: &Receive, answer: &Answer) -> bool {
    let ordered = receive.any_order || receive.about.is_none() || answer.arrived.is_sorted();
    !ordered && first_missing(receive, answer).is_none()
}

fn first_missing(receive: &Receive, answer: &Answer) -> Option<usize> {
    (0..receive.events.len()).find(|index| !arrived(answer, *index))
}

/// The first event that did not arrive and one after it that did.
fn lost<'a>(receive: &'a Receive, answer: &Answer) -> Option<(&'a str, &'a str)> {
    let first = first_missing(receive, answer).filter(|_| !receive.any_order)?;
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
    use crate::fixture::{CLOSE, OPEN, READ, RECEIVE, Story, frame};

    fn with_arrived(arrived: &[u16]) -> Story {
        let mut story = Story::honest(2);
        let answer = Answer { arrived: arrived.to_vec(), ..Answer::default() };
        story.ends(story.op(0, RECEIVE), Happening::Info { answer, why: "time-out".into() });
        story.plan.policy.ok_min_percent = 50;
        story
    }

    #[test]
    fn events_in_another_order_are_a_violation_where_it_is_known_what_they_are_about() {
        for (is_about, violations) in [(true, 1), (false, 0)] {
            let mut story = with_arrived(&[1, 0]);
            if let Action::Receive(receive) = &mut story.plan.steps[usize::from(RECEIVE.0)].action {
                let equals = coalmine_core::template::Template::text("run");
                let about = coalmine_core::step::About { path: "$.run".into(), equals };
                receive.about = is_about.then_some(about);
            }
            let verdict = story.judge().verdict;
            assert_eq!(verdict.findings.len(), violations, "{is_about}");
            assert_ne!(verdict.outcome, Outcome::Pass);
        }
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

    /// A wait in vain for `done` that `read` confirms; `close` is a ping here.
    fn confirmed() -> Story {
        let mut story = with_arrived(&[0]);
        let Action::Receive(receive) = &mut story.plan.steps[usize::from(RECEIVE.0)].action else { panic!() };
        receive.confirmed_by = Some(READ);
        let socket = receive.socket;
        story.plan.steps[usize::from(CLOSE.0)].action = Action::Ping { socket };
        story
    }

    fn ends_ok(story: &mut Story, step: StepId) {
        story.add(story.op(0, step), Happening::Ok(Answer::default()));
    }

    #[test]
    fn an_event_that_was_sent_and_did_not_come_before_a_pong_was_lost() {
        let mut story = confirmed();
        ends_ok(&mut story, READ);
        ends_ok(&mut story, CLOSE);
        let findings = story.judge().verdict.findings;
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        assert!(finding.summary.starts_with("tenant 0 never received `done`, though `read`"), "{}", finding.summary);
    }

    #[test]
    fn half_a_proof_is_none() {
        for steps in [&[][..], &[READ], &[CLOSE], &[CLOSE, READ]] {
            let mut story = confirmed();
            for step in steps {
                ends_ok(&mut story, *step);
            }
            let verdict = story.judge().verdict;
            assert_eq!(verdict.outcome, Outcome::Inconclusive);
            assert!(verdict.shortfalls.iter().any(|shortfall| shortfall.kind == ShortfallKind::Event));
        }
    }

    #[test]
    fn an_event_that_comes_at_all_was_only_late() {
        let mut story = confirmed();
        ends_ok(&mut story, READ);
        ends_ok(&mut story, CLOSE);
        story.add(story.op(0, OPEN), frame("done", vec![], vec![]));
        assert_eq!(story.found(), []);
    }

    #[test]
    fn events_in_any_order_prove_nothing_about_each_other() {
        let mut story = with_arrived(&[1]);
        let Action::Receive(receive) = &mut story.plan.steps[usize::from(RECEIVE.0)].action else { panic!() };
        receive.any_order = true;
        assert_eq!(story.found(), []);
    }

    #[test]
    fn a_wait_that_ended_ok_lost_nothing() {
        let mut story = Story::honest(2);
        story.answers(story.op(0, RECEIVE), |answer| answer.arrived = vec![1]);
        assert_eq!(story.found(), []);
    }
}
