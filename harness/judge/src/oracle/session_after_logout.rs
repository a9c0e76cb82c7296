//! Did a session go on when it had ended?

use std::collections::{BTreeMap, BTreeSet, HashMap};

use coalmine_canary::{CanaryId, Found, Strength};
use coalmine_core::history::{Answer, Event, Happening, Seen};
use coalmine_core::plan::{Part, Purpose, ScopeId};
use coalmine_core::step::StepId;
use coalmine_core::verdict::{OracleId, Shortfall, ShortfallKind};
use coalmine_core::{Principal, Scope};

use super::foreign_canary::sighting_evidence;
use super::{Oracle, Testimony};
use crate::book::{Origin, Planted};
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round, receipt_of};

/// A short session is made beside a user's own, reads, listens, is ended, and reads again; or it is made anew where that makes void what it
/// showed itself by before, and reads again with that. Two things show that it goes on: the last
/// of several reads shows what the same read showed before; or an event shows a secret that the user's other session sent only after
/// that last read. What the target sent before the end, or shortly after it, shows nothing, and neither does a status.
pub(crate) struct SessionAfterLogout {
    leads: Leads,
    sessions: BTreeMap<ScopeId, Session>,
    /// When each secret was sent first.
    sent: HashMap<CanaryId, u64>,
    /// Steps that end a session, and whether the end of any was put to the test.
    ends: BTreeMap<String, bool>,
}

/// What has come of one session.
#[derive(Default)]
struct Session {
    /// What ends it, and how many of its operations.
    end: Option<(Part, StepId)>,
    ends: usize,
    /// So many of them ended ok.
    ended: usize,
    /// Tries to read that have no end yet.
    tries_left: usize,
    /// The last try has been answered, or will not be.
    settled: Option<u64>,
    /// What each read showed of the user's own while the session lasted.
    shown: HashMap<(StepId, ScopeId), BTreeSet<CanaryId>>,
    /// The last answered try of each.
    last: HashMap<(StepId, ScopeId), (Event, Place)>,
}

impl Default for SessionAfterLogout {
    fn default() -> Self {
        Self {
            leads: Leads::of(OracleId::SessionAfterLogout),
            sessions: BTreeMap::new(),
            sent: HashMap::new(),
            ends: BTreeMap::new(),
        }
    }
}

impl Oracle for SessionAfterLogout {
    fn id(&self) -> OracleId {
        OracleId::SessionAfterLogout
    }

    fn event(&mut self, round: &Round, event: &Event) {
        if round.plan.logout.is_none() && round.plan.voiding.is_none() {
            return;
        }
        let Some(place) = round.place(event.op) else { return };
        if let Happening::Invoke { .. } = event.what {
            self.note_sent(round, event, place);
        }
        let Purpose::Short { session, part } = place.purpose else { return };
        let state = self.sessions.entry(session).or_insert_with(|| Session::of(round, session));
        match (part, &event.what) {
            (Part::Before, Happening::Ok(_)) => state.note_shown(round, event, place),
            (Part::Logout | Part::Renew, Happening::Ok(_)) => state.ended += 1,
            (Part::After, _) => state.note_try(event, place),
            (Part::Listen, Happening::Frame(_)) => self.frame(round, event, place, session),
            _ => {}
        }
    }

    fn end(&mut self, round: &Round) {
        for session in std::mem::take(&mut self.sessions).into_values() {
            let Some((_, step)) = session.end else { continue };
            let is_tested = session.has_ended() && session.last.keys().any(|read| session.shown.contains_key(read));
            *self.ends.entry(round.plan.step(step).name.clone()).or_default() |= is_tested;
            if session.has_ended() {
                self.reads(round, &session);
            }
        }
        self.sent.clear();
    }

    fn answer(&mut self) -> Testimony {
        let vain = std::mem::take(&mut self.ends).into_iter().filter(|(_, is_tested)| !is_tested);
        let shortfalls = vain.map(|(operation, _)| Shortfall {
            kind: ShortfallKind::Control,
            message: format!("no session that worked was ended by `{operation}` and tried again"),
            operation: Some(operation),
        });
        Testimony { shortfalls: shortfalls.collect(), leads: self.leads.take(), ..Testimony::default() }
    }
}

impl SessionAfterLogout {
    fn note_sent(&mut self, round: &Round, event: &Event, place: Place) {
        for canary in round.step(place).sends().into_iter().filter_map(|canary| round.canary(place.scope, canary)) {
            let first = self.sent.entry(canary).or_insert(event.seq);
            *first = event.seq.min(*first);
        }
    }

    /// An event came on what the session had opened.
    fn frame(&mut self, round: &Round, event: &Event, place: Place, session: ScopeId) {
        let settled = self.sessions.get(&session).filter(|session| session.has_ended()).and_then(|it| it.settled);
        let (Some(settled), Some(receipt)) = (settled, receipt_of(&event.what)) else { return };
        let is_late = |(_, canary): &(&Seen, CanaryId)| self.sent.get(canary).is_some_and(|sent| *sent > settled);
        let late = own(round, place, &receipt.seen).into_iter().find(is_late);
        if let Some((seen, canary)) = late {
            self.add(
                round,
                event,
                place,
                (seen, canary),
                "has ended, and events of the user's other session go on coming",
            );
        }
    }

    /// What the last tries show that was shown before.
    fn reads(&mut self, round: &Round, session: &Session) {
        for (read, (event, place)) in &session.last {
            let (Some(shown), Some(receipt)) = (session.shown.get(read), receipt_of(&event.what)) else { continue };
            let again = own(round, *place, &receipt.seen).into_iter().find(|(_, canary)| shown.contains(canary));
            let what = match session.end {
                Some((Part::Renew, _)) => "was made anew, and what it showed itself by before is taken for good",
                _ => "has ended, and it is answered as before",
            };
            if let Some(again) = again {
                self.add(round, event, *place, again, what);
            }
        }
    }

    fn add(&mut self, round: &Round, event: &Event, place: Place, again: (&Seen, CanaryId), what: &str) {
        let (seen, canary) = again;
        let Origin::Known(planted) = round.book.origin(canary) else { return };
        let receiver = round.receiver(place.scope);
        let hit = Hit {
            names: &[],
            place,
            channel: Some(seen.channel),
            summary: format!("a session of {receiver} {what}"),
            receiver,
            owner: Some(planted.owner),
            evidence: sighting_evidence(round, event, receiver, seen, Some(&planted)),
            plant: planted.plant,
        };
        self.leads.add(round, hit);
    }
}

impl Session {
    fn of(round: &Round, session: ScopeId) -> Self {
        let mut state = Self::default();
        for (_, place, _) in round.ops() {
            match place.purpose {
                Purpose::Short { session: other, part: Part::After } if other == session => state.tries_left += 1,
                Purpose::Short { session: other, part: part @ (Part::Logout | Part::Renew) } if other == session => {
                    state.end.get_or_insert((part, place.step));
                    state.ends += 1;
                }
                _ => {}
            }
        }
        state
    }

    fn has_ended(&self) -> bool {
        self.ends > 0 && self.ended == self.ends
    }

    fn note_shown(&mut self, round: &Round, event: &Event, place: Place) {
        let Some(receipt) = receipt_of(&event.what) else { return };
        let own = own(round, place, &receipt.seen).into_iter().map(|(_, canary)| canary);
        let own: BTreeSet<CanaryId> = own.collect();
        if !own.is_empty() {
            self.shown.entry((place.step, place.scope)).or_default().extend(own);
        }
    }

    fn note_try(&mut self, event: &Event, place: Place) {
        let answer = match &event.what {
            Happening::Ok(answer) | Happening::Fail { answer, .. } | Happening::Info { answer, .. } => Some(answer),
            Happening::Skipped { .. } | Happening::Withheld { .. } | Happening::NotDue { .. } => None,
            _ => return,
        };
        self.tries_left = self.tries_left.saturating_sub(1);
        if self.tries_left == 0 {
            self.settled = Some(event.seq);
        }
        if let Some(Answer { status: Some(_), .. }) = answer {
            let last = self.last.entry((place.step, place.scope)).or_insert_with(|| (event.clone(), place));
            if last.0.seq < event.seq {
                *last = (event.clone(), place);
            }
        }
    }
}

/// The receiver's own secrets among what was seen; what everybody may see is nobody's own.
pub(super) fn own<'a>(round: &Round, place: Place, seen: &'a [Seen]) -> Vec<(&'a Seen, CanaryId)> {
    let receiver = round.receiver(place.scope);
    let own = seen.iter().filter_map(|seen| match seen.sighting.found {
        Found::Canary { id, strength } if strength != Strength::Masked => Some((seen, id)),
        _ => None,
    });
    let is_own = |id: CanaryId| match round.book.origin(id) {
        Origin::Known(planted) => is_of(receiver, &planted) && !round.book.is_public(id),
        _ => false,
    };
    own.filter(|(_, id)| is_own(*id)).collect()
}

fn is_of(user: &Principal, planted: &Planted<'_>) -> bool {
    user.may_see(planted.owner, Scope::User) && planted.scope != Scope::Public
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::Channel;
    use coalmine_core::perturb::Manner;
    use coalmine_core::plan::{Lane, Logout, Op, OpId, Phase, ScopeOf, Voiding};
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{CREATE, LOGIN, OPEN, READ, SECRET, Story, fail, frame, seen};

    const LOGOUT: StepId = StepId(8);

    /// What a session of the first tenant does, in this order, and what comes of it.
    struct Short {
        story: Story,
        /// Sent by the tenant's other session after the end.
        late: CanaryId,
        ops: Vec<OpId>,
    }

    const PARTS: [(StepId, Part); 6] = [
        (LOGIN, Part::Login),
        (OPEN, Part::Listen),
        (READ, Part::Before),
        (LOGOUT, Part::Logout),
        (READ, Part::After),
        (READ, Part::After),
    ];

    /// It ends, and the target knows it from the first try on.
    fn honest() -> Short {
        let mut story = Story::honest(3);
        let logout = coalmine_core::step::Step { name: "logout".into(), ..story.plan.step(LOGIN).clone() };
        story.plan.steps.push(logout);
        story.plan.logout = Some(Logout { login: vec![LOGIN], steps: vec![LOGOUT] });
        let here = story.plan.scopes[3].clone();
        let canaries =
            here.canaries.iter().map(|id| CanaryId { serial: coalmine_canary::Serial(id.serial.0 + 7), ..*id });
        let more = ScopeOf { pass: 1, canaries: canaries.collect(), ..here.clone() };
        let late = more.canaries[usize::from(SECRET)];
        story.plan.scopes.push(more);
        let session = ScopeId(0);
        let todo = PARTS.map(|(step, part)| (step, ScopeId(3), Purpose::Short { session, part }));
        let more = (CREATE, ScopeId(u32::try_from(story.plan.scopes.len()).unwrap() - 1), Purpose::Flow);
        let ops: Vec<OpId> = todo.into_iter().chain([more]).map(|todo| plan(&mut story, todo)).collect();
        let mut short = Short { story, late, ops };
        for nth in 0..=PARTS.len() {
            let end = short.honest_end(nth);
            short.story.add(short.ops[nth], Happening::Invoke { connection: None });
            short.story.add(short.ops[nth], end);
        }
        short
    }

    fn plan(story: &mut Story, (step, scope, purpose): (StepId, ScopeId, Purpose)) -> OpId {
        let id = OpId(story.plan.op_count);
        story.plan.op_count += 1;
        let flows = story.plan.stages.iter_mut().find(|stage| stage.phase == Phase::Flows).unwrap();
        let principal = flows.lanes[0].principal;
        let op = Op { id, step, scope, purpose, manner: Manner::default() };
        flows.lanes.push(Lane { principal, ops: vec![op], beside: Some(OpId(0)) });
        id
    }

    /// The same session is not ended but made anew, and reads again with what it had before.
    fn renewed() -> Short {
        let mut short = honest();
        let plan = &mut short.story.plan;
        plan.logout = None;
        plan.voiding = Some(Voiding { login: vec![LOGIN], renew: vec![LOGOUT] });
        for op in plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes).flat_map(|lane| &mut lane.ops) {
            if let Purpose::Short { part: part @ Part::Logout, .. } = &mut op.purpose {
                *part = Part::Renew;
            }
        }
        short
    }

    impl Short {
        fn honest_end(&self, nth: usize) -> Happening {
            match PARTS.get(nth).map(|(_, part)| *part) {
                Some(Part::Before) => self.shows(),
                Some(Part::After) => fail(401, coalmine_core::history::Receipt::default()),
                _ => Happening::Ok(Answer { status: Some(200), ..Answer::default() }),
            }
        }

        fn shows(&self) -> Happening {
            let mut answer = Answer { status: Some(200), ..Answer::default() };
            answer.receipt.seen.push(seen(Channel::Body, self.story.canary(0, SECRET)));
            Happening::Ok(answer)
        }

        /// The part ends another way.
        fn ends(mut self, nth: usize, what: Happening) -> Self {
            self.story.ends(self.ops[nth], what);
            self
        }

        /// An event comes at the very end.
        fn hears(mut self, canary: CanaryId) -> Self {
            self.story.add(self.ops[1], frame("done", vec![seen(Channel::TextFrame, canary)], vec![]));
            self
        }

        fn findings(&self) -> Vec<String> {
            let findings = self.story.judge().verdict.findings;
            findings.into_iter().map(|it| format!("{} {}: {}", it.oracle, it.operation, it.summary)).collect()
        }
    }

    fn shortfalls(short: &Short) -> Vec<String> {
        let shortfalls = short.story.judge().verdict.shortfalls;
        shortfalls.into_iter().map(|shortfall| shortfall.message).collect()
    }

    #[test]
    fn a_session_that_ends_is_right() {
        let verdict = honest().story.judge().verdict;
        assert_eq!((verdict.outcome, verdict.shortfalls), (Outcome::Pass, vec![]));
    }

    #[test]
    fn a_last_read_that_shows_what_it_showed_before_is_a_violation() {
        let short = honest();
        let shows = short.shows();
        let words = "session-after-logout read: a session of tenant 0 has ended, and it is answered as before";
        assert_eq!(short.ends(5, shows).findings(), [words]);
    }

    #[test]
    fn what_a_renewal_made_void_is_refused_as_is_right() {
        let verdict = renewed().story.judge().verdict;
        assert_eq!((verdict.outcome, verdict.shortfalls), (Outcome::Pass, vec![]));
    }

    #[test]
    fn what_a_renewal_made_void_must_show_nothing() {
        let short = renewed();
        let shows = short.shows();
        let words = "session-after-logout read: a session of tenant 0 was made anew, and what it showed itself by before is \
                     taken for good";
        assert_eq!(short.ends(5, shows).findings(), [words]);
    }

    #[test]
    fn a_session_that_could_not_be_made_anew_proves_nothing() {
        let short = renewed();
        let (shows, refused) = (short.shows(), fail(403, coalmine_core::history::Receipt::default()));
        let short = short.ends(3, refused).ends(5, shows);
        assert_eq!(short.findings(), Vec::<String>::new());
        assert_eq!(short.story.judge().verdict.outcome, Outcome::Inconclusive);
    }

    #[test]
    fn who_was_given_the_same_once_more_is_not_tried_and_that_is_said() {
        let tried = Happening::NotDue { because: coalmine_core::history::NotDue::Value };
        let short = renewed().ends(4, tried.clone()).ends(5, tried);
        assert_eq!((short.findings().len(), short.story.judge().verdict.outcome), (0, Outcome::Inconclusive));
    }

    #[test]
    fn a_service_may_take_a_moment_to_forget_a_session() {
        let short = honest();
        let shows = short.shows();
        let short = short.ends(4, shows);
        assert_eq!((short.findings(), short.story.judge().verdict.outcome), (vec![], Outcome::Pass));
    }

    #[test]
    fn a_status_alone_proves_nothing() {
        let ok = Happening::Ok(Answer { status: Some(200), ..Answer::default() });
        assert_eq!(honest().ends(5, ok).findings(), Vec::<String>::new());
    }

    #[test]
    fn an_event_about_what_was_sent_after_the_end_is_a_violation() {
        let short = honest();
        let late = short.late;
        let words = "session-after-logout open: a session of tenant 0 has ended, and events of the user's other session go on coming";
        assert_eq!(short.hears(late).findings(), [words]);
    }

    #[test]
    fn an_event_about_what_was_sent_before_the_end_may_have_been_on_its_way() {
        let short = honest();
        let early = short.story.canary(0, SECRET);
        assert_eq!(short.hears(early).findings(), Vec::<String>::new());
    }

    #[test]
    fn a_session_that_could_not_be_ended_proves_nothing() {
        let short = honest();
        let (shows, late) = (short.shows(), short.late);
        let refused = fail(403, coalmine_core::history::Receipt::default());
        let short = short.ends(3, refused).ends(5, shows).hears(late);
        assert_eq!(short.findings(), Vec::<String>::new());
        assert!(
            shortfalls(&short)[0].contains("no session that worked was ended by `logout`"),
            "{:?}",
            shortfalls(&short)
        );
    }

    #[test]
    fn a_session_that_never_worked_proves_nothing() {
        let short = honest();
        let shows = short.shows();
        let refused = fail(401, coalmine_core::history::Receipt::default());
        let short = short.ends(2, refused).ends(5, shows);
        assert_eq!(short.findings(), Vec::<String>::new());
        assert_eq!(short.story.judge().verdict.outcome, Outcome::Inconclusive);
    }
}
