//! Did anyone receive a canary that they may not see?

use coalmine_canary::{CanaryId, Found, Strength};
use coalmine_core::Principal;
use coalmine_core::history::{Event, Happening, Seen};
use coalmine_core::plan::{OpId, Purpose};
use coalmine_core::verdict::{Evidence, OracleId, Shortfall, ShortfallKind};

use super::{Oracle, Testimony};
use crate::book::{Origin, Planted};
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round, Secret, receipt_of};

/// A secret names its owner by itself, so that one sighting by the wrong receiver is the whole proof.
///
/// Left to the oracles that know more of them: what an attacker sees of its victim, what an owner sees of an attacker after
/// a try (both: access), and what comes in an event that belongs to somebody else (misrouted event).
pub(crate) struct ForeignCanary {
    leads: Leads,
    masked: u64,
    residue: u64,
    dictionary: u64,
    strangers: u64,
    forgotten: u64,
}

impl Default for ForeignCanary {
    fn default() -> Self {
        Self {
            leads: Leads::of(OracleId::ForeignCanary),
            masked: 0,
            residue: 0,
            dictionary: 0,
            strangers: 0,
            forgotten: 0,
        }
    }
}

impl Oracle for ForeignCanary {
    fn id(&self) -> OracleId {
        OracleId::ForeignCanary
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let (Some(place), Some(receipt)) = (round.place_of(event), receipt_of(&event.what)) else { return };
        if let Happening::Frame(frame) = &event.what
            && round.asks(OracleId::MisroutedEvent)
            && round.misrouted(place, frame).is_some()
        {
            return;
        }
        for seen in &receipt.seen {
            match seen.sighting.found {
                Found::Canary { id, strength } => self.canary(round, event, place, (seen, id, strength)),
                Found::Residue { .. } => self.residue += 1,
                Found::Dictionary { entry } => match round.sought(entry) {
                    Some(secret) => self.secret(round, event, place, (seen, secret)),
                    None => self.dictionary += 1,
                },
            }
        }
    }

    fn answer(&mut self) -> Testimony {
        Testimony {
            leads: self.leads.take(),
            shortfalls: self.shortfalls(),
            notes: self.notes(),
            ..Testimony::default()
        }
    }
}

impl ForeignCanary {
    fn canary(&mut self, round: &Round, event: &Event, place: Place, sighting: (&Seen, CanaryId, Strength)) {
        let (seen, id, strength) = sighting;
        let planted = match round.book.origin(id) {
            Origin::Known(planted) if round.is_allowed(place, id, &planted) => return,
            Origin::Known(planted) => Some(planted),
            Origin::LongAgo(owner) if round.may_see_long_ago(place, owner) => return,
            Origin::Forgotten | Origin::LongAgo(_) if round.shares() || round.book.is_of_campaign() => {
                self.forgotten += 1;
                return;
            }
            Origin::Forgotten | Origin::LongAgo(_) => None,
            Origin::Stranger => {
                self.strangers += 1;
                return;
            }
        };
        if strength == Strength::Masked {
            self.masked += 1;
        } else if !is_left_to_access(round, (event.op, place), id, planted.as_ref()) {
            self.leak(round, event, place, (seen, strength), planted.as_ref());
        }
    }

    /// The password or token of an account that exists already. What is declared public somebody may show on purpose.
    fn secret(&mut self, round: &Round, event: &Event, place: Place, (seen, secret): (&Seen, Secret<'_>)) {
        let receiver = round.receiver(place.scope);
        if round.step(place).public.is_some() || round.may_hear_of(receiver, secret.owner) {
            return;
        }
        let (owner, name) = (secret.owner, secret.name);
        let hit = Hit {
            names: &[name],
            place,
            channel: Some(seen.channel),
            summary: if receiver.is_anonymous() {
                format!("anybody can see the `{name}` of {owner}: no credentials were sent")
            } else {
                format!("{receiver} received the `{name}` of {owner}")
            },
            receiver,
            owner: Some(owner),
            evidence: Evidence {
                owner: Some(owner.to_string()),
                field: Some(name.to_owned()),
                ..sighting_evidence(round, event, receiver, seen, None)
            },
            plant: None,
        };
        self.leads.add(round, hit);
    }

    fn leak(
        &mut self,
        round: &Round,
        event: &Event,
        place: Place,
        (seen, strength): (&Seen, Strength),
        planted: Option<&Planted<'_>>,
    ) {
        let receiver = round.receiver(place.scope);
        let owner = planted.map(|planted| planted.owner);
        let field = planted.and_then(|planted| planted.field);
        let by_step = planted.and_then(|planted| planted.by_step);
        let what = field.map_or_else(|| "a canary".to_owned(), |field| format!("the canary `{field}`"));
        let whose = owner.map_or_else(|| "a tenant of an earlier round".to_owned(), ToString::to_string);
        let earlier = planted.and_then(|planted| planted.earlier);
        let since = earlier.map_or_else(String::new, |round| format!(", who had sent it in round {round}"));
        let hit = Hit {
            names: &[by_step.unwrap_or_default(), field.unwrap_or_default()],
            place,
            channel: Some(seen.channel),
            summary: if receiver.is_anonymous() {
                format!("anybody can see {what} of {whose}{since}: no credentials were sent")
            } else {
                format!("{receiver} received {what} of {whose}{since}")
            },
            receiver,
            owner,
            evidence: sighting_evidence(round, event, receiver, seen, planted),
            plant: planted.and_then(|planted| planted.plant),
        };
        self.leads.add_canary(round, hit, strength);
    }

    fn shortfalls(&self) -> Vec<Shortfall> {
        let message = format!(
            "{} canaries came from principals that this run does not have: another run with the same seed?",
            self.strangers
        );
        let shortfall = Shortfall { kind: ShortfallKind::CutOff, operation: None, message };
        (self.strangers > 0).then_some(shortfall).into_iter().collect()
    }

    fn notes(&self) -> Vec<String> {
        let notes = [
            (self.masked, "canaries of others came back masked beyond use"),
            (self.residue, "canaries of earlier runs came back: the target keeps old data"),
            (self.forgotten, "canaries of rounds long ago came back, which may have been public or shared"),
            (self.dictionary, "known values of the dictionary came back; nothing says yet whose they are"),
        ];
        notes.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}

/// Whether the sighting belongs to a try at an object, as what the attacker saw or as what it left behind, or to a role that did
/// what it may not.
fn is_left_to_access(round: &Round, (op, place): (OpId, Place), id: CanaryId, planted: Option<&Planted<'_>>) -> bool {
    if round.asks(OracleId::Role) && matches!(place.purpose, Purpose::Role { allowed: false, .. }) {
        // A role that sees a colleague's secret by doing what it may not is told once.
        let tenant = round.receiver(place.scope).tenant;
        return planted.is_some_and(|planted| planted.owner.tenant == tenant) && round.ended_ok(op);
    }
    if !round.asks(OracleId::Access) {
        return false;
    }
    if let (Purpose::Probe { victim, .. }, Some(planted)) = (place.purpose, planted)
        && round.receiver(victim).tenant == planted.owner.tenant
    {
        return true;
    }
    !round.probes.behind(id, round.receiver(place.scope).tenant).is_empty()
}

/// What can be looked up of a sighting.
pub(super) fn sighting_evidence(
    round: &Round,
    event: &Event,
    receiver: &Principal,
    seen: &Seen,
    planted: Option<&Planted<'_>>,
) -> Evidence {
    Evidence {
        planted_in: planted.and_then(|planted| planted.earlier),
        field: planted.and_then(|planted| planted.field).map(str::to_owned),
        encodings: seen.sighting.encodings.clone(),
        offset: Some(seen.sighting.offset),
        len: Some(seen.sighting.len),
        context: Some(seen.sighting.context.clone()),
        ..Evidence::of(receiver, planted.map(|planted| planted.owner), round.moment(event))
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::{Answer, Channel, Opcode, Receipt};
    use coalmine_core::sharing::Public;
    use coalmine_core::sought::Sought;
    use coalmine_core::verdict::Outcome;
    use coalmine_core::{Scope, TenantId};

    use super::*;
    use crate::fixture::{
        CHANGE, CLOSE, CREATE, LOGIN, OPEN, READ, SECRET, Story, USER, fact, frame, judge_records, records, seen,
    };
    use crate::fixture::{seen_as, value_of};
    use coalmine_core::history::Tail;
    use coalmine_core::plan::Access;

    #[test]
    fn an_honest_story_passes() {
        let judgement = Story::honest(3).judge();
        assert_eq!(judgement.verdict.shortfalls, []);
        assert_eq!(judgement.verdict.outcome, Outcome::Pass);
    }

    #[test]
    fn what_somebody_without_credentials_sees_is_open_to_anybody_unless_it_is_public() {
        for (scope, summaries) in [
            (Scope::Tenant, vec!["anybody can see the canary `secret` of tenant 1: no credentials were sent"]),
            (Scope::Public, vec![]),
        ] {
            let mut story = Story::honest(3);
            story.plan.principals[2].tenant = coalmine_core::TenantId::NOBODY;
            story.plan.flows[1].canaries[usize::from(SECRET)].scope = scope;
            let theirs = story.canary(1, SECRET);
            story.answers(story.op(2, OPEN), |answer| answer.receipt.seen.push(seen(Channel::Header, theirs)));
            let findings = story.judge().verdict.findings;
            let told: Vec<_> = findings.iter().map(|finding| finding.summary.as_str()).collect();
            assert_eq!(told, summaries);
            assert!(findings.iter().all(|finding| (finding.anonymous, finding.receivers) == (1, 0)));
        }
    }

    #[test]
    fn an_answer_that_was_not_the_last_is_looked_at_as_well() {
        for (tenant, leaks) in [(1, vec![(OracleId::ForeignCanary, "read".to_owned())]), (0, vec![])] {
            let mut story = Story::honest(3);
            let receipt =
                Receipt { seen: vec![seen(Channel::Body, story.canary(tenant, SECRET))], ..Receipt::default() };
            let answer = Answer { status: Some(202), receipt, ..Answer::default() };
            story.before_end(story.op(0, READ), Happening::Attempt { answer, why: "not yet".into(), step: None });
            assert_eq!(story.found(), leaks);
        }
    }

    #[test]
    fn what_comes_back_while_a_session_is_made_anew_is_no_answer_to_the_try_that_needed_it() {
        let mut story = Story::honest(3);
        let receipt = Receipt { seen: vec![seen(Channel::Body, story.canary(1, SECRET))], ..Receipt::default() };
        let answer = Answer { status: Some(200), receipt, ..Answer::default() };
        let login = Happening::Attempt { answer, why: "the session is made anew".into(), step: Some(LOGIN) };
        story.before_end(story.probe(0, Access::Read), login);
        assert_eq!(story.found(), [(OracleId::ForeignCanary, "login".to_owned())]);
    }

    #[test]
    fn anothers_canary_in_an_answer_is_a_leak_with_its_whole_story() {
        let mut story = Story::honest(3);
        let theirs = story.canary(1, SECRET);
        story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        let findings = story.judge().verdict.findings;
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        assert_eq!(finding.summary, "tenant 0 received the canary `secret` of tenant 1");
        assert_eq!((finding.count, finding.receivers, finding.owners), (1, 1, 1));
        let planted = finding.evidence.planted.clone().unwrap();
        assert_eq!((planted.op, planted.operation.as_str()), (story.op(1, CREATE), "create"));
        assert!(planted.seq < finding.evidence.seen.seq);
    }

    #[test]
    fn the_same_defect_is_one_finding_whoever_it_befalls() {
        let mut story = Story::honest(3);
        for (receiver, owner) in [(0, 1), (1, 2), (2, 1)] {
            let theirs = story.canary(owner, SECRET);
            story.answers(story.op(receiver, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        }
        let findings = story.judge().verdict.findings;
        assert_eq!(findings.iter().map(|f| (f.count, f.receivers, f.owners)).collect::<Vec<_>>(), [(3, 3, 2)]);
    }

    #[test]
    fn another_channel_is_another_finding() {
        let mut story = Story::honest(2);
        let theirs = story.canary(1, SECRET);
        story.answers(story.op(0, READ), |answer| {
            answer.receipt.seen.extend([seen(Channel::Body, theirs), seen(Channel::Header, theirs)]);
        });
        assert_eq!(story.found().len(), 2);
    }

    #[test]
    fn a_colleague_sees_what_belongs_to_the_tenant_and_not_what_belongs_to_the_user() {
        for (scope, leaks) in [(Scope::Tenant, 0), (Scope::User, 1)] {
            let mut story = Story::honest(3);
            story.plan.principals[1].tenant = story.plan.principals[0].tenant;
            story.plan.principals[1].user = 1;
            story.plan.flows[1].canaries[0].scope = scope;
            let theirs = story.canary(1, SECRET);
            story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
            assert_eq!(story.found().len(), leaks, "{scope:?}");
        }
    }

    #[test]
    fn a_search_through_a_store_shows_a_tenant_what_belongs_to_any_of_its_users_and_nothing_of_another_tenant() {
        for (owner, leaks) in [(1, 0), (2, 1)] {
            let mut story = Story::searching(3);
            story.plan.principals[1].tenant = story.plan.principals[0].tenant;
            story.plan.principals[1].user = 1;
            story.plan.flows[1].canaries[0].scope = Scope::User;
            let theirs = story.canary(owner, SECRET);
            story.answers(story.op(0, CLOSE), |answer| answer.receipt.seen.push(seen(Channel::Store, theirs)));
            let findings = story.judge().verdict.findings;
            let told: Vec<_> = findings.iter().map(|it| (it.operation.as_str(), it.channel)).collect();
            assert_eq!(told, vec![("search", Some(Channel::Store)); leaks], "{owner}");
        }
    }

    #[test]
    fn the_secret_of_an_account_is_a_leak_outside_its_tenant_and_those_who_share_with_it() {
        let sought = |tenant| Sought { tenant: TenantId(tenant), user: 0, attribute: 0 };
        let told = |bend: &dyn Fn(&mut Story)| {
            let mut story = Story::honest(3);
            story.plan.sought = vec![sought(0), sought(1)];
            bend(&mut story);
            let mut secret = seen(Channel::Body, story.canary(0, SECRET));
            secret.sighting.found = Found::Dictionary { entry: 1 };
            story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(secret));
            story.judge().verdict.findings.into_iter().map(|finding| finding.summary).collect::<Vec<_>>()
        };
        let name = Story::honest(3).plan.attributes[0].clone();
        assert_eq!(told(&|_| ()), [format!("tenant 0 received the `{name}` of tenant 1")]);
        assert_eq!(told(&|story| story.plan.sought[1] = sought(0)), [""; 0]);
        assert_eq!(told(&|story| story.plan.steps[usize::from(READ.0)].public = Some(Public::Everything)), [""; 0]);
        assert_eq!(told(&|story| story.plan.sought.truncate(1)), [""; 0], "an entry that the plan does not have");
    }

    #[test]
    fn a_masked_canary_is_a_note() {
        let mut story = Story::honest(2);
        let masked = seen_as(Channel::Body, story.canary(1, SECRET), Strength::Masked);
        story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(masked));
        let verdict = story.judge().verdict;
        assert_eq!(verdict.outcome, Outcome::Pass);
        assert!(verdict.notes[0].contains("masked"), "{:?}", verdict.notes);
    }

    #[test]
    fn residue_is_a_note() {
        let mut story = Story::honest(2);
        let mut old = seen(Channel::Body, story.canary(0, SECRET));
        old.sighting.found = Found::Residue { shape: coalmine_canary::Shape::Token };
        story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(old));
        let verdict = story.judge().verdict;
        assert_eq!(verdict.outcome, Outcome::Pass);
        assert!(verdict.notes[0].contains("earlier runs"), "{:?}", verdict.notes);
    }

    #[test]
    fn a_canary_of_nobody_in_this_run_is_neither_a_leak_nor_a_pass() {
        let mut story = Story::honest(2);
        let mut stranger = story.canary(1, SECRET);
        stranger.owner.0 = 99;
        story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, stranger)));
        assert_eq!(story.judge().verdict.outcome, Outcome::Inconclusive);
    }

    #[test]
    fn a_canary_of_an_earlier_round_is_a_leak_that_still_knows_its_planting() {
        let earlier = Story::honest_round(2, 0);
        let mut later = Story::honest_round(2, 2);
        let theirs = earlier.canary(1, SECRET);
        later.answers(later.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        let findings = judge_records(&records(&[&earlier, &later]), Tail::Whole).verdict.findings;
        assert_eq!(findings[0].summary, "tenant 2 received the canary `secret` of tenant 1");
        assert_eq!(findings[0].evidence.planted.as_ref().unwrap().round, 0);
    }

    #[test]
    fn a_frame_that_says_nothing_about_its_owner_is_judged_by_its_canaries() {
        for (facts, oracle) in [
            (vec![], OracleId::ForeignCanary),
            (vec![fact(USER, value_of(USER, 0))], OracleId::ForeignCanary),
            (vec![fact(USER, value_of(USER, 77))], OracleId::ForeignCanary),
            (vec![fact(USER, value_of(USER, 1))], OracleId::MisroutedEvent),
        ] {
            let mut story = Story::honest(2);
            let theirs = seen(Channel::TextFrame, story.canary(1, SECRET));
            story.add(story.op(0, OPEN), frame("done", vec![theirs], facts));
            assert_eq!(story.found(), [(oracle, "open".to_owned())]);
        }
    }

    #[test]
    fn an_event_that_was_cut_off_is_misrouted_where_whole_ones_are() {
        for (whole, oracle) in [(1, OracleId::MisroutedEvent), (0, OracleId::ForeignCanary)] {
            let mut story = Story::honest(2);
            let theirs = seen(Channel::SseEvent, story.canary(1, SECRET));
            let Happening::Frame(mut cut) = frame("", vec![theirs], vec![]) else { panic!("a frame") };
            cut.opcode = Opcode::EventCut;
            story.add(story.op(0, OPEN), Happening::Frame(cut));
            let Happening::Frame(mut event) = frame("done", vec![], vec![fact(USER, value_of(USER, whole))]) else {
                panic!("a frame")
            };
            event.opcode = Opcode::Event;
            story.add(story.op(0, OPEN), Happening::Frame(event));
            assert_eq!(story.found(), [(oracle, "open".to_owned())]);
        }
    }

    #[test]
    fn without_the_other_oracles_everything_is_a_foreign_canary() {
        let mut story = Story::honest(2);
        story.plan.policy.oracles_off = vec![OracleId::MisroutedEvent, OracleId::Access];
        let theirs = story.canary(1, SECRET);
        let facts = vec![fact(USER, value_of(USER, 1))];
        story.add(story.op(0, OPEN), frame("done", vec![seen(Channel::TextFrame, theirs)], facts));
        let probe = story.probe(0, coalmine_core::plan::Access::Read);
        story.answers(probe, |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        assert!(story.found().iter().all(|(oracle, _)| *oracle == OracleId::ForeignCanary));
        assert_eq!(story.found().len(), 2);
    }

    #[test]
    fn the_earliest_sighting_is_the_evidence_although_it_had_to_wait() {
        let mut story = Story::honest(3);
        let theirs = story.canary(2, SECRET);
        for (receiver, identity) in [(0, 77), (1, 1)] {
            story.answers(story.op(receiver, READ), |answer| {
                answer.receipt.seen.push(seen(Channel::Body, theirs));
                answer.receipt.identities = vec![fact(USER, value_of(USER, identity))];
            });
        }
        let findings = story.judge().verdict.findings;
        assert_eq!((findings[0].count, findings[0].evidence.receiver.as_str()), (2, "tenant 0"));
    }

    #[test]
    fn an_oracle_that_is_off_says_nothing() {
        let mut story = Story::honest(2);
        story.plan.policy.oracles_off = vec![OracleId::ForeignCanary];
        let theirs = story.canary(1, CHANGE);
        story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        let verdict = story.judge().verdict;
        assert_eq!(verdict.outcome, Outcome::Pass);
        assert!(!verdict.oracles.contains(&OracleId::ForeignCanary));
    }
}
