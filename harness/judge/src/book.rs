//! Who planted which canary, in this round and in earlier ones.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use coalmine_canary::CanaryId;
use coalmine_core::earlier::EarlierRound;
use coalmine_core::plan::{FlowId, Plan, ScopeId};
use coalmine_core::{Principal, PrincipalId, Scope};

/// Canaries and principals that are remembered of all rounds together; beyond it, the oldest rounds are forgotten.
const ENTRIES_MAX: usize = 500_000;

/// The canaries of the current round and of as many earlier ones as fit into a fixed memory.
#[derive(Default)]
pub(crate) struct Book {
    eras: VecDeque<Era>,
    /// Those that appeared in an answer that the scenario declares public.
    public: HashSet<CanaryId>,
    entries: usize,
    /// Whether its rounds have a history each, so that of some of them nothing may be known.
    is_of_campaign: bool,
}

/// What is remembered of one round.
struct Era {
    ordinal: u32,
    /// The number of a round of which nothing else stands in this history.
    earlier: Option<u32>,
    /// The first of the rounds since which the same people have acted in the same places, with the same flows: accounts that
    /// exist act in every round, under new numbers.
    cast_since: u32,
    people: Vec<Principal>,
    /// Sorted by canary.
    canaries: Vec<Entry>,
    names: Rc<Names>,
}

struct Entry {
    canary: CanaryId,
    scope: ScopeId,
    flow: u16,
    slot: u16,
}

/// What the scenario calls its canaries; shared among rounds of the same scenario.
#[derive(PartialEq)]
struct Names {
    flows: Vec<Vec<Secret>>,
}

#[derive(PartialEq)]
struct Secret {
    field: String,
    scope: Scope,
    planted_by: String,
}

/// Whose a canary is.
pub(crate) enum Origin<'a> {
    /// Of a principal of this run.
    Known(Planted<'a>),
    /// Of a principal of a round that was forgotten; its tenant is another than any of the current round.
    Forgotten,
    /// Of somebody who acts in the current round as well, and planted it in a round that was forgotten.
    LongAgo(&'a Principal),
    /// Of a principal that the run has not had so far: another run with the same seed.
    Stranger,
}

/// A canary with its owner.
pub(crate) struct Planted<'a> {
    pub(crate) owner: &'a Principal,
    /// Who may see it.
    pub(crate) scope: Scope,
    /// The scenario's name of it.
    pub(crate) field: Option<&'a str>,
    /// The step that sends it first.
    pub(crate) by_step: Option<&'a str>,
    pub(crate) plant: Option<Plant>,
    /// The earlier round of a campaign in which it was planted, of which nothing else stands in this history.
    pub(crate) earlier: Option<u32>,
}

/// Where to look for the moment of planting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plant {
    /// The round's place in the history, from 0.
    pub(crate) ordinal: u32,
    pub(crate) scope: ScopeId,
    pub(crate) slot: u16,
    /// The flow that the scope is a pass of.
    pub(crate) flow: FlowId,
}

impl Book {
    /// Enters a round's canaries, and those of rounds before it that its plan brings.
    pub(crate) fn open(&mut self, ordinal: u32, plan: &Plan) {
        let names = Names::of(plan);
        let names = match self.eras.back() {
            Some(last) if *last.names == names => Rc::clone(&last.names),
            _ => Rc::new(names),
        };
        self.recall(plan, &names);
        let people = people_of(plan);
        let same = |last: &&Era| Rc::ptr_eq(&last.names, &names) && is_same_cast(&last.people, &people);
        let cast_since = self.eras.back().filter(same).map_or(ordinal, |last| last.cast_since);
        self.add(Era { ordinal, earlier: None, cast_since, people, canaries: canaries_of(plan), names });
    }

    /// Takes what the rounds of a campaign have planted before this one.
    fn recall(&mut self, plan: &Plan, names: &Rc<Names>) {
        let Some(earlier) = plan.earlier.as_ref().filter(|_| self.eras.is_empty()) else { return };
        self.is_of_campaign = true;
        for (ordinal, round) in (0..).zip(earlier) {
            self.add(Era::before(ordinal, round, plan, Rc::clone(names)));
            round.public().iter().for_each(|canary| self.publish(*canary));
        }
    }

    /// Forgets the oldest rounds beyond the limit.
    fn add(&mut self, era: Era) {
        self.entries += era.size();
        self.eras.push_back(era);
        while self.entries > ENTRIES_MAX && self.eras.len() > 1 {
            self.entries -= self.eras.pop_front().map_or(0, |era| era.size());
            let first = self.eras.front().and_then(|era| era.people.first()).map_or(0, |person| person.id.0);
            self.public.retain(|canary| canary.owner.0 >= first);
        }
    }

    /// Everybody may see it from now on.
    pub(crate) fn publish(&mut self, canary: CanaryId) {
        if self.public.len() < ENTRIES_MAX {
            self.public.insert(canary);
        }
    }

    /// The canaries that everybody may see.
    pub(crate) fn public(&self) -> impl Iterator<Item = CanaryId> + '_ {
        self.public.iter().copied()
    }

    /// Whether its rounds have a history each, so that of some of them nothing may be known.
    pub(crate) fn is_of_campaign(&self) -> bool {
        self.is_of_campaign
    }

    /// Whether everybody may see it.
    pub(crate) fn is_public(&self, canary: CanaryId) -> bool {
        self.public.contains(&canary)
    }

    /// Whose the canary is.
    pub(crate) fn origin(&self, canary: CanaryId) -> Origin<'_> {
        let owner = PrincipalId::from(canary.owner);
        for era in self.eras.iter().rev() {
            if let Some(person) = era.person(owner) {
                return Origin::Known(era.planted(canary, person));
            }
        }
        // A campaign that was killed has numbers whose round nobody has judged.
        let oldest = if self.is_of_campaign { self.eras.back() } else { self.eras.front() };
        let oldest = oldest.and_then(|era| era.people.first());
        if oldest.is_none_or(|first| owner >= first.id) {
            return Origin::Stranger;
        }
        let long_ago = if self.is_of_campaign { None } else { self.long_ago(owner) };
        long_ago.map_or(Origin::Forgotten, Origin::LongAgo)
    }

    /// Whether the people of that round act in the current one, in the same places.
    pub(crate) fn is_of_cast(&self, ordinal: u32) -> bool {
        self.eras.back().is_some_and(|now| now.cast_since <= ordinal)
    }

    /// The one who has the place of an owner that was forgotten, where the people have been the same from the first round on.
    fn long_ago(&self, owner: PrincipalId) -> Option<&Principal> {
        let now = self.eras.back().filter(|now| now.cast_since == 0)?;
        let count = u32::try_from(now.people.len()).ok()?;
        let back = now.people.first()?.id.0.checked_sub(owner.0)?;
        // Rounds number their principals on, so that a place comes again after as many as there are.
        let place = (count - back % count) % count;
        now.people.get(place as usize)
    }
}

impl Era {
    /// An earlier round of a campaign, in which others acted.
    fn before(ordinal: u32, round: &EarlierRound, plan: &Plan, names: Rc<Names>) -> Self {
        let entry =
            |(canary, scope, flow, slot): (CanaryId, ScopeId, FlowId, u16)| Entry { canary, scope, flow: flow.0, slot };
        let mut canaries: Vec<Entry> = round.canaries(&plan.flows).map(entry).collect();
        canaries.sort_unstable_by_key(|entry| entry.canary);
        let (earlier, people) = (Some(round.round), round.people().collect());
        Self { ordinal, earlier, cast_since: ordinal, people, canaries, names }
    }

    fn size(&self) -> usize {
        self.people.len() + self.canaries.len()
    }

    fn person(&self, id: PrincipalId) -> Option<&Principal> {
        let first = self.people.first()?.id.0;
        self.people.get(id.0.checked_sub(first)? as usize)
    }

    fn planted<'a>(&'a self, canary: CanaryId, owner: &'a Principal) -> Planted<'a> {
        let found = self.canaries.binary_search_by_key(&canary, |entry| entry.canary);
        let entry = found.ok().map(|at| &self.canaries[at]);
        let secret = entry.and_then(|entry| self.names.secret(entry));
        Planted {
            owner,
            scope: secret.map_or(Scope::Tenant, |secret| secret.scope),
            field: secret.map(|secret| secret.field.as_str()),
            by_step: secret.map(|secret| secret.planted_by.as_str()),
            earlier: self.earlier,
            plant: entry.map(|entry| Plant {
                ordinal: self.ordinal,
                scope: entry.scope,
                slot: entry.slot,
                flow: FlowId(entry.flow),
            }),
        }
    }
}

impl Names {
    fn of(plan: &Plan) -> Self {
        let secret = |spec: &coalmine_core::plan::CanarySpec| Secret {
            field: spec.name.clone(),
            scope: spec.scope,
            planted_by: plan.steps.get(usize::from(spec.planted_by.0)).map_or(String::new(), |step| step.name.clone()),
        };
        let flows = plan.flows.iter().map(|flow| flow.canaries.iter().map(secret).collect());
        Self { flows: flows.collect() }
    }

    fn secret(&self, entry: &Entry) -> Option<&Secret> {
        self.flows.get(usize::from(entry.flow))?.get(usize::from(entry.slot))
    }
}

/// Whether these are the same users in the same places, whatever their numbers.
fn is_same_cast(before: &[Principal], now: &[Principal]) -> bool {
    let path = |person: &Principal| (person.tenant, person.user, person.session);
    before.iter().map(path).eq(now.iter().map(path))
}

fn people_of(plan: &Plan) -> Vec<Principal> {
    let light = |person: &Principal| Principal { role: None, attributes: vec![], ..*person };
    plan.principals.iter().map(light).collect()
}

fn canaries_of(plan: &Plan) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (scope, of) in (0..).map(ScopeId).zip(&plan.scopes) {
        for (slot, &canary) in (0..=u16::MAX).zip(&of.canaries) {
            entries.push(Entry { canary, scope, flow: of.flow.0, slot });
        }
    }
    entries.sort_unstable_by_key(|entry| entry.canary);
    entries
}

#[cfg(test)]
mod tests {
    use coalmine_canary::{Owner, Serial, Shape};
    use coalmine_core::plan::ScopeOf;

    use std::ops::Range;

    use coalmine_core::TenantId;
    use coalmine_core::history::{Channel, Tail};
    use coalmine_core::sharing::Member;
    use coalmine_core::verdict::{OracleId, Outcome, Verdict};

    use super::*;
    use crate::fixture::{READ, SECRET, Story, judge_records, records, seen};

    /// Canaries of one pass; a slot is 16 bits wide.
    const PASS: usize = 50_000;

    /// The same two tenants in every round, under new numbers.
    fn same_people(rounds: u32) -> Vec<Story> {
        let again = |round: u32| {
            let mut story = Story::honest_round(2, 2 * round);
            (0..).zip(&mut story.plan.principals).for_each(|(tenant, person)| person.tenant = TenantId(tenant));
            story
        };
        (0..rounds).map(again).collect()
    }

    /// Tenant 0 reads a secret of the first round in the last one.
    fn read_again(mut stories: Vec<Story>, owner: u32) -> Vec<(OracleId, String)> {
        let old = stories[0].canary(owner, SECRET);
        let last = stories.last_mut().unwrap();
        last.answers(last.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, old)));
        judged(&stories)
    }

    fn judged(stories: &[Story]) -> Vec<(OracleId, String)> {
        let findings = judge_records(&records(&stories.iter().collect::<Vec<_>>()), Tail::Whole).verdict.findings;
        findings.into_iter().map(|finding| (finding.oracle, finding.summary)).collect()
    }

    #[test]
    fn a_secret_that_an_account_wrote_in_an_earlier_round_is_its_own() {
        assert_eq!(read_again(same_people(3), 0), []);
        let leak = (OracleId::ForeignCanary, "tenant 0 received the canary `secret` of tenant 1".to_owned());
        assert_eq!(read_again(same_people(3), 1), [leak]);
        let fresh = || (0..3).map(|round| Story::honest_round(2, 2 * round)).collect();
        let leak =
            |of: u32| vec![(OracleId::ForeignCanary, format!("tenant 4 received the canary `secret` of tenant {of}"))];
        assert_eq!(read_again(fresh(), 0), leak(0), "others act in each round");
        assert_eq!(read_again(fresh(), 1), leak(1));
    }

    #[test]
    fn what_was_shared_in_an_earlier_round_stays_shared_with_the_same_account() {
        let share = |stories: &mut Vec<Story>, rounds: Range<usize>| {
            for story in &mut stories[rounds] {
                let guest = story.plan.principals[0].id;
                story.plan.scopes[3].members = vec![guest];
                let member = Member { name: "guest".into(), scope: Scope::User, sees: None };
                story.plan.flows[1].members = vec![member];
                story.plan.scopes[2].members = vec![guest];
            }
        };
        let mut shared = same_people(2);
        share(&mut shared, 0..2);
        assert_eq!(read_again(shared, 1), []);
        let mut never = same_people(2);
        share(&mut never, 0..2);
        for story in &mut never {
            story.plan.scopes[3].members = vec![story.plan.principals[1].id];
        }
        assert_eq!(read_again(never, 1).len(), 1);
    }

    /// Tenant 2 reads a secret of `owner` in a round of a campaign that brings what the first round has planted.
    fn read_in_campaign(owner: u32, public: &[CanaryId]) -> Verdict {
        let (before, mut now) = (Story::honest_round(2, 0), Story::honest_round(2, 7));
        let old = CanaryId { owner: Owner(owner), ..before.canary(0, SECRET) };
        now.answers(now.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, old)));
        now.plan.earlier = Some(vec![EarlierRound::of(&before.plan, public)]);
        now.judge().verdict
    }

    #[test]
    fn a_secret_of_an_earlier_round_of_a_campaign_is_a_leak_that_names_both_rounds() {
        let findings = read_in_campaign(1, &[]).findings;
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        let told = "tenant 7 received the canary `secret` of tenant 1, who had sent it in round 0";
        assert_eq!((finding.oracle, finding.summary.as_str()), (OracleId::ForeignCanary, told));
        assert_eq!((finding.evidence.planted_in, finding.evidence.seen.round), (Some(0), 7));
        let (mut alone, theirs) = (Story::honest_round(2, 0), Story::honest_round(2, 0).canary(1, SECRET));
        alone.answers(alone.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        assert_eq!(alone.judge().verdict.findings[0].fingerprint, finding.fingerprint, "one defect is told once");
    }

    #[test]
    fn what_was_public_in_an_earlier_round_of_a_campaign_stays_public() {
        let theirs = Story::honest_round(2, 0).canary(1, SECRET);
        assert_eq!(read_in_campaign(1, &[theirs]).outcome, Outcome::Pass);
    }

    #[test]
    fn of_rounds_of_a_campaign_that_are_not_known_nothing_is_claimed() {
        let killed = read_in_campaign(4, &[]);
        assert_eq!((killed.outcome, killed.findings.len()), (Outcome::Pass, 0));
        assert!(killed.notes.iter().any(|note| note.contains("rounds long ago")), "{:?}", killed.notes);
        assert_eq!(read_in_campaign(9, &[]).outcome, Outcome::Inconclusive, "a number that nobody has yet");
    }

    #[test]
    fn what_one_round_shows_alone_is_better_evidence() {
        let (before, mut now) = (Story::honest_round(2, 0), Story::honest_round(2, 7));
        let (old, theirs) = (before.canary(1, SECRET), now.canary(1, SECRET));
        now.answers(now.op(0, READ), |answer| {
            answer.receipt.seen.extend([old, theirs].map(|canary| seen(Channel::Body, canary)));
        });
        now.plan.earlier = Some(vec![EarlierRound::of(&before.plan, &[])]);
        let findings = now.judge().verdict.findings;
        assert_eq!((findings[0].count, findings[0].evidence.planted_in), (2, None));
        assert_eq!(findings[0].evidence.planted.as_ref().unwrap().round, 7);
    }

    #[test]
    fn a_pass_of_an_earlier_round_is_another_pass() {
        let mut stories = same_people(2);
        for story in &mut stories {
            story.plan.flows[1].canaries[usize::from(SECRET)].scope = Scope::Operation;
        }
        assert_eq!(judged(&stories), []);
        assert_eq!(read_again(stories, 0).len(), 1);
    }

    #[test]
    fn what_is_forgotten_of_an_account_is_still_its_own() {
        let mut book = Book::default();
        let stories = same_people(3);
        for (ordinal, story) in (0..).zip(&stories) {
            book.open(ordinal, &story.plan);
        }
        book.eras.pop_front();
        for tenant in [0, 1] {
            let Origin::LongAgo(owner) = book.origin(stories[0].canary(tenant, SECRET)) else { panic!("it is known") };
            assert_eq!(owner.tenant, TenantId(tenant));
        }
    }

    #[test]
    fn old_rounds_are_forgotten_for_new_ones_and_their_tenants_stay_others() {
        let (old, mut new) = (Story::honest_round(2, 0), Story::honest_round(2, 2));
        let id = |serial: usize| CanaryId {
            owner: Owner(2),
            serial: Serial(u32::try_from(serial).unwrap()),
            shape: Shape::Token,
        };
        let passes = (0..ENTRIES_MAX).step_by(PASS).map(|first| {
            let canaries = (first..first + PASS).map(id).collect();
            ScopeOf { canaries, ..new.plan.scopes[2].clone() }
        });
        new.plan.scopes = passes.collect();
        let mut book = Book::default();
        book.open(0, &old.plan);
        assert!(matches!(book.origin(old.canary(1, SECRET)), Origin::Known(_)));
        book.open(1, &new.plan);
        assert!(matches!(book.origin(old.canary(1, SECRET)), Origin::Forgotten));
        assert!(matches!(book.origin(id(ENTRIES_MAX - 1)), Origin::Known(_)));
        assert!(matches!(book.origin(CanaryId { owner: Owner(4), ..id(0) }), Origin::Stranger));
    }
}
