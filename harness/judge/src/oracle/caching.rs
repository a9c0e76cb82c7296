//! Could a cache give a private answer to somebody else?

use std::collections::{BTreeMap, HashMap};

use coalmine_canary::Found;
use coalmine_core::Principal;
use coalmine_core::Scope;
use coalmine_core::history::{Answer, Caching as Told, Channel, Digest, Directive, Event, Happening};
use coalmine_core::plan::{CachingRule, Cookies, Purpose, ScopeId};
use coalmine_core::step::{Action, Request, StepId};
use coalmine_core::template::{Level, Segment, Template};
use coalmine_core::verdict::{OracleId, Shortfall, ShortfallKind};

use super::identity_echo::identity_evidence;
use super::{Oracle, Testimony};
use crate::book::Origin;
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round};

/// Private ETags that are remembered in a round.
const ETAGS_MAX: usize = 1 << 20;

/// Answers that show own secrets are private. A shared cache may keep what is `public` or has an `s-maxage` (RFC 9111, section
/// 3.5), and gives it to everybody unless `Vary` names what the credential stands in. Two users must not be given the same strong
/// ETag for the same URL (RFC 9110, section 8.8.3), and the ETag of one says nothing about the answer to the other.
pub(crate) struct Caching {
    leads: Leads,
    /// Strong ETags of private answers, by step, with those who were given them.
    etags: HashMap<(StepId, Digest), ScopeId>,
    given: HashMap<(StepId, ScopeId), Digest>,
    /// Tries with another's ETag, until the round is over.
    unmodified: Vec<(Event, Place, ScopeId)>,
    /// Steps that others ask for with somebody else's ETag: whether anybody did.
    asked: BTreeMap<String, bool>,
    notes: BTreeMap<String, u64>,
}

/// What is wrong with what caches are told.
enum Wrong {
    Kept(&'static str),
    NotForbidden,
    SharedETag(ScopeId),
    Unmodified(ScopeId),
}

impl Default for Caching {
    fn default() -> Self {
        Self {
            leads: Leads::of(OracleId::Caching),
            etags: HashMap::new(),
            given: HashMap::new(),
            unmodified: vec![],
            asked: BTreeMap::new(),
            notes: BTreeMap::new(),
        }
    }
}

impl Oracle for Caching {
    fn id(&self) -> OracleId {
        OracleId::Caching
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let (Some(place), Happening::Ok(answer)) = (round.place(event.op), &event.what) else { return };
        let step = round.step(place);
        let Action::Request(request) = &step.action else { return };
        if let Purpose::Revalidate { other } = place.purpose {
            self.asked.insert(step.name.clone(), true);
            if answer.status == Some(304) {
                self.unmodified.push((event.clone(), place, other));
            }
            return;
        }
        if !matches!(place.purpose, Purpose::Flow | Purpose::Visit { .. } | Purpose::Confirm { .. }) {
            return;
        }
        if is_read(request) && step.public.is_none() && shows_own(round, place, answer) {
            self.private(round, event, (place, request), answer.caching.as_deref());
        }
    }

    fn end(&mut self, round: &Round) {
        for (event, place, other) in std::mem::take(&mut self.unmodified) {
            self.unmodified(round, &event, place, other);
        }
        for step in round.plan.steps.iter().filter(|step| step.revalidated) {
            self.asked.entry(step.name.clone()).or_default();
        }
        self.etags.clear();
        self.given.clear();
    }

    fn answer(&mut self) -> Testimony {
        let vain = std::mem::take(&mut self.asked).into_iter().filter(|(_, asked)| !asked);
        let shortfalls = vain.map(|(operation, _)| Shortfall {
            kind: ShortfallKind::Probe,
            message: format!(
                "nobody could ask for `{operation}` with another's ETag: none was given, or no answer came"
            ),
            operation: Some(operation),
        });
        let notes = std::mem::take(&mut self.notes);
        let notes = notes.into_iter().map(|(operation, count)| {
            format!("`{operation}` gave users the same ETag for different answers; how often: {count}")
        });
        Testimony {
            shortfalls: shortfalls.collect(),
            leads: self.leads.take(),
            notes: notes.collect(),
            ..Testimony::default()
        }
    }
}

impl Caching {
    fn private(&mut self, round: &Round, event: &Event, (place, request): (Place, &Request), told: Option<&Told>) {
        let is_strict = round.plan.policy.caching == CachingRule::Strict;
        let varies = told.is_some_and(|told| varies_by_credential(round, request, told));
        if !varies && is_shared_url(request) {
            if let Some(directive) = told.and_then(kept_by_all) {
                self.told(round, event, place, &Wrong::Kept(directive));
            } else if is_strict && !told.is_some_and(forbids) {
                self.told(round, event, place, &Wrong::NotForbidden);
            }
        }
        let etag = told.and_then(|told| told.etag).filter(|etag| !etag.weak && has_no_holes(&request.path));
        if let Some(etag) = etag {
            self.etag(round, event, place, etag.value);
        }
    }

    fn etag(&mut self, round: &Round, event: &Event, place: Place, value: Digest) {
        if self.etags.len() >= ETAGS_MAX {
            return;
        }
        self.given.insert((place.step, place.scope), value);
        let first = *self.etags.entry((place.step, value)).or_insert(place.scope);
        let (receiver, other) = (round.receiver(place.scope), round.receiver(first));
        if receiver.may_see(other, Scope::Tenant) || round.shares_anything() {
            return;
        }
        if round.plan.policy.caching == CachingRule::Strict || round.step(place).revalidated {
            self.told(round, event, place, &Wrong::SharedETag(first));
        } else {
            *self.notes.entry(round.step(place).name.clone()).or_default() += 1;
        }
    }

    /// The ETag was given for an answer with secrets that this user may not see, so that this user's answer is another one.
    fn unmodified(&mut self, round: &Round, event: &Event, place: Place, other: ScopeId) {
        let was_private = self.given.contains_key(&(place.step, other));
        if was_private && !round.receiver(place.scope).may_see(round.receiver(other), Scope::Tenant) {
            self.told(round, event, place, &Wrong::Unmodified(other));
        }
    }

    fn told(&mut self, round: &Round, event: &Event, place: Place, wrong: &Wrong) {
        let receiver = round.receiver(place.scope);
        let owner = match wrong {
            Wrong::SharedETag(other) | Wrong::Unmodified(other) => round.receiver(*other),
            Wrong::Kept(_) | Wrong::NotForbidden => receiver,
        };
        let hit = Hit {
            names: &[wrong.name()],
            place,
            channel: Some(if matches!(wrong, Wrong::Unmodified(_)) { Channel::StatusLine } else { Channel::Header }),
            summary: wrong.words(receiver, owner),
            receiver,
            owner: (owner.id != receiver.id).then_some(owner),
            evidence: identity_evidence(round, event, receiver, Some(owner), wrong.name()),
            plant: None,
        };
        self.leads.add(round, hit);
    }
}

impl Wrong {
    fn name(&self) -> &'static str {
        match self {
            Self::Kept(directive) => directive,
            Self::NotForbidden => "cache-control",
            Self::SharedETag(_) => "etag",
            Self::Unmodified(_) => "if-none-match",
        }
    }

    fn words(&self, receiver: &Principal, owner: &Principal) -> String {
        match self {
            Self::Kept(directive) => {
                format!("a shared cache may give the private answer to {receiver} to others: it says `{directive}`")
            }
            Self::NotForbidden => {
                format!("the private answer to {receiver} does not say that shared caches must not keep it")
            }
            Self::SharedETag(_) => {
                format!("{receiver} was given the same ETag as {owner}, for an answer with other secrets")
            }
            Self::Unmodified(_) => {
                format!("{receiver} asked with the ETag of {owner} and was told that its answer is the same")
            }
        }
    }
}

fn is_read(request: &Request) -> bool {
    matches!(request.method.as_str(), "GET" | "HEAD")
}

/// Whether the answer shows a secret of its receiver's own that not everybody may see.
fn shows_own(round: &Round, place: Place, answer: &Answer) -> bool {
    let receiver = round.receiver(place.scope);
    answer.receipt.seen.iter().any(|seen| {
        let Found::Canary { id, .. } = seen.sighting.found else { return false };
        match round.book.origin(id) {
            Origin::Known(planted) => {
                planted.owner.id == receiver.id && planted.scope != Scope::Public && !round.book.is_public(id)
            }
            Origin::Forgotten | Origin::LongAgo(_) | Origin::Stranger => false,
        }
    })
}

/// The directive by which a shared cache may give the answer to whoever asks, without asking the service.
fn kept_by_all(told: &Told) -> Option<&'static str> {
    let has = |directive| told.directives.contains(&directive);
    if has(Directive::NoStore) || has(Directive::Private) || has(Directive::NoCache) {
        return None;
    }
    let shared = told.directives.iter().find_map(|directive| match directive {
        Directive::SMaxAge(seconds) => Some(*seconds),
        _ => None,
    });
    let is_stale_at_once = has(Directive::MaxAge(0));
    match shared {
        Some(0) => None,
        Some(_) => Some("s-maxage"),
        None if has(Directive::Public) && !is_stale_at_once => Some("public"),
        None => None,
    }
}

/// Whether shared caches are told to keep out.
fn forbids(told: &Told) -> bool {
    told.directives.iter().any(|it| matches!(it, Directive::NoStore | Directive::Private | Directive::NoCache))
}

/// Whether a cache tells the answers to different credentials apart.
fn varies_by_credential(round: &Round, request: &Request, told: &Told) -> bool {
    let is_credential = |template: &Template| !has_no_holes(template);
    let headers = request.headers.iter().filter(|(_, value)| is_credential(value)).map(|(name, _)| name.as_str());
    let cookies = !request.cookies.is_empty() || round.plan.cookies == Cookies::Jar;
    let credentials: Vec<&str> = headers.chain(cookies.then_some("cookie")).collect();
    told.vary
        .iter()
        .any(|name| name == "*" || credentials.iter().any(|credential| credential.eq_ignore_ascii_case(name)))
}

/// Whether the URL holds no credential: one that only its owner knows is nobody else's key to a cache.
fn is_shared_url(request: &Request) -> bool {
    let mut shared = true;
    request.path.each_hole(&mut |hole| match hole {
        Segment::Variable(variable) => shared &= variable.level == Level::Flow,
        Segment::Input(_) | Segment::Call { .. } => shared = false,
        _ => {}
    });
    shared
}

fn has_no_holes(template: &Template) -> bool {
    let mut none = true;
    template.each_hole(&mut |_| none = false);
    none
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::ETag;
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{READ, Story};

    /// Everybody's read of the one path that all have in common; `told` says what caches are told.
    fn reading(told: impl Fn(u32) -> Told) -> Story {
        let mut story = Story::honest(3);
        if let Action::Request(request) = &mut story.plan.steps[usize::from(READ.0)].action {
            request.path = Template::text("/me");
            let token = Segment::Variable(coalmine_core::template::VariableRef { level: Level::Session, slot: 0 });
            request.headers = vec![("authorization".into(), Template { segments: vec![token] })];
        }
        for (tenant, op) in reads(&story) {
            story.answers(op, |answer| answer.caching = Some(Box::new(told(tenant))));
        }
        story
    }

    /// All reads of everybody's own.
    fn reads(story: &Story) -> Vec<(u32, coalmine_core::plan::OpId)> {
        let own = |op: &coalmine_core::plan::Op| matches!(op.purpose, Purpose::Flow | Purpose::Confirm { .. });
        let ops = story.plan.ops().filter(|(_, _, op)| op.step == READ && own(op));
        ops.map(|(_, principal, op)| (principal.0, op.id)).collect()
    }

    fn directives(directives: &[Directive]) -> Told {
        Told { directives: directives.to_vec(), ..Told::default() }
    }

    fn tagged(value: u64, weak: bool) -> Told {
        Told { etag: Some(ETag { value: Digest(value), weak }), ..Told::default() }
    }

    fn strict(story: &mut Story) {
        story.plan.policy.caching = CachingRule::Strict;
    }

    #[test]
    fn a_private_answer_that_shared_caches_may_keep_is_a_violation() {
        use Directive::{MaxAge, NoCache, NoStore, Private, Public, SMaxAge};
        let table: &[(&[Directive], usize)] = &[
            (&[Public], 1),
            (&[Public, MaxAge(60)], 1),
            (&[SMaxAge(60)], 1),
            (&[MaxAge(60)], 0),
            (&[Private, MaxAge(60)], 0),
            (&[Public, NoStore], 0),
            (&[Public, NoCache], 0),
            (&[Public, MaxAge(0)], 0),
            (&[Public, SMaxAge(0)], 0),
            (&[], 0),
        ];
        for (told, found) in table {
            assert_eq!(reading(|_| directives(told)).found().len(), *found, "{told:?}");
        }
    }

    #[test]
    fn a_cache_that_tells_credentials_apart_gives_nothing_away() {
        for (vary, found) in [("authorization", 0), ("*", 0), ("accept-encoding", 1)] {
            let told = Told { vary: vec![vary.into()], ..directives(&[Directive::Public]) };
            assert_eq!(reading(|_| told.clone()).found().len(), found, "{vary}");
        }
    }

    #[test]
    fn an_answer_without_secrets_is_not_private() {
        let mut story = reading(|_| directives(&[Directive::Public]));
        for (_, op) in reads(&story) {
            story.answers(op, |answer| answer.receipt.seen.clear());
        }
        assert_eq!(story.found(), []);
    }

    #[test]
    fn the_strict_rule_demands_a_word() {
        for (told, found) in [(vec![], 1), (vec![Directive::Private], 0), (vec![Directive::NoStore], 0)] {
            let mut story = reading(|_| directives(&told));
            strict(&mut story);
            assert_eq!(
                story.found().iter().filter(|(oracle, _)| *oracle == OracleId::Caching).count(),
                found,
                "{told:?}"
            );
        }
    }

    #[test]
    fn one_strong_etag_for_two_users_is_a_note_and_under_the_strict_rule_a_violation() {
        let private = |value, weak| Told { directives: vec![Directive::Private], ..tagged(value, weak) };
        for (of, found) in [((|_| 7) as fn(u32) -> u64, 1), (u64::from, 0)] {
            let mut story = reading(|tenant| private(of(tenant), false));
            let verdict = story.judge().verdict;
            assert_eq!((verdict.outcome, verdict.notes.len()), (Outcome::Pass, found));
            strict(&mut story);
            let findings = story.judge().verdict.findings;
            assert_eq!(findings.iter().filter(|finding| finding.summary.contains("same ETag")).count(), found);
        }
        let mut weak = reading(|_| private(7, true));
        strict(&mut weak);
        assert!(weak.judge().verdict.findings.iter().all(|finding| !finding.summary.contains("same ETag")));
    }

    /// The last tenant asks with the ETag of the first.
    fn asking(status: u16) -> Story {
        let mut story = reading(|tenant| tagged(u64::from(tenant), false));
        let scope = story.plan.scopes.len() / 2;
        let mut ops = story.plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes).flat_map(|lane| &mut lane.ops);
        let ask = ops.rfind(|op| op.step == READ && matches!(op.purpose, Purpose::Confirm { .. })).unwrap();
        ask.purpose = Purpose::Revalidate { other: ScopeId(u32::try_from(scope).unwrap()) };
        let id = ask.id;
        story.plan.steps[usize::from(READ.0)].revalidated = true;
        story.ends(id, Happening::Ok(Answer { status: Some(status), ..Answer::default() }));
        story
    }

    #[test]
    fn a_304_to_anothers_etag_is_a_violation() {
        assert_eq!(asking(200).found(), []);
        let findings = asking(304).judge().verdict.findings;
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        let words = "tenant 2 asked with the ETag of tenant 0 and was told that its answer is the same";
        assert_eq!((finding.oracle, finding.summary.as_str()), (OracleId::Caching, words));
    }

    #[test]
    fn a_304_to_the_etag_of_an_answer_without_secrets_says_nothing() {
        let mut story = asking(304);
        for (_, op) in reads(&story) {
            story.answers(op, |answer| answer.receipt.seen.clear());
        }
        assert_eq!(story.found(), []);
    }

    #[test]
    fn a_step_that_nobody_asked_for_with_anothers_etag_is_a_shortfall() {
        let mut story = reading(|tenant| tagged(u64::from(tenant), false));
        story.plan.steps[usize::from(READ.0)].revalidated = true;
        let verdict = story.judge().verdict;
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
        assert!(verdict.shortfalls[0].message.contains("with another's ETag"), "{:?}", verdict.shortfalls);
    }
}
