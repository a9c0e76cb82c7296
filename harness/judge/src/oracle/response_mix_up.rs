//! Did an answer belong to another request?

use std::collections::{BTreeMap, HashMap};

use coalmine_canary::{CanaryId, Found};
use coalmine_core::Scope;
use coalmine_core::history::{Answer, Channel, Digest, EchoFact, Event, Happening};
use coalmine_core::model::EchoPlace;
use coalmine_core::plan::{OpId, Purpose, ScopeId};
use coalmine_core::template::{CanaryRef, Level};
use coalmine_core::verdict::{OracleId, Shortfall, ShortfallKind};

use super::identity_echo::identity_evidence;
use super::{Oracle, Testimony};
use crate::book::Origin;
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round};

/// Values that are remembered in a round, each with one request that sent it; beyond it, what comes back is not traced.
const SENT_MAX: usize = 1 << 20;
/// Answers that may belong to another request, until their round is over.
const ASTRAY_MAX: usize = 65_536;

/// A value that was sent must come back. What comes back instead is a mix-up if another request is known to have sent it; a value
/// of nobody known says nothing. Without such values, the read of an object is mixed up if it shows what another pass of the same
/// session wrote into its own object, in the place of what it must show.
pub(crate) struct ResponseMixUp {
    leads: Leads,
    sent: HashMap<Digest, OpId>,
    astray: Vec<Astray>,
    /// Values that operations were given back, by name.
    returned: BTreeMap<String, Returned>,
}

/// An answer that may belong to another request.
struct Astray {
    event: Event,
    place: Place,
    sign: Sign,
}

/// What says so.
enum Sign {
    /// A value that was sent with another request.
    Echo(EchoFact),
    /// A secret of another pass of the same session.
    Canary { canary: CanaryId, of: ScopeId, object: u16 },
}

#[derive(Clone, Copy, Default)]
struct Returned {
    same: u64,
    missing: u64,
    strange: u64,
}

impl Default for ResponseMixUp {
    fn default() -> Self {
        let leads = Leads::of(OracleId::ResponseMixUp);
        Self { leads, sent: HashMap::new(), astray: vec![], returned: BTreeMap::new() }
    }
}

impl Oracle for ResponseMixUp {
    fn id(&self) -> OracleId {
        OracleId::ResponseMixUp
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let Some(place) = round.place(event.op) else { return };
        let (Happening::Ok(answer) | Happening::Fail { answer, .. } | Happening::Info { answer, .. }) = &event.what
        else {
            return;
        };
        for echo in answer.receipt.echoes() {
            if self.sent.len() < SENT_MAX {
                self.sent.entry(echo.sent).or_insert(event.op);
            }
        }
        if !matches!(event.what, Happening::Ok(_)) {
            return;
        }
        if matches!(place.purpose, Purpose::Flow | Purpose::Visit { .. }) {
            answer.receipt.echoes().iter().for_each(|echo| self.echo(round, event, place, *echo));
        }
        if let Some(sign) = place.purpose.is_flow().then(|| stray(round, place, answer)).flatten() {
            self.put_aside(event, place, sign);
        }
    }

    fn end(&mut self, round: &Round) {
        for astray in std::mem::take(&mut self.astray) {
            self.judge(round, &astray);
        }
        self.sent.clear();
    }

    fn answer(&mut self) -> Testimony {
        let returned = std::mem::take(&mut self.returned).into_iter();
        let vain = returned.filter(|(_, returned)| returned.missing + returned.strange > 0);
        let shortfalls = vain.map(|(operation, Returned { missing, strange, .. })| {
            let message = format!(
                "`{operation}` did not give back what was sent: {missing} times nothing, {strange} times a value of nobody known"
            );
            Shortfall { kind: ShortfallKind::Control, operation: Some(operation), message }
        });
        Testimony { shortfalls: shortfalls.collect(), leads: self.leads.take(), ..Testimony::default() }
    }
}

impl ResponseMixUp {
    fn echo(&mut self, round: &Round, event: &Event, place: Place, echo: EchoFact) {
        let returned = self.returned.entry(round.step(place).name.clone()).or_default();
        match echo.came {
            None => returned.missing += 1,
            Some(came) if came == echo.sent => returned.same += 1,
            Some(_) => self.put_aside(event, place, Sign::Echo(echo)),
        }
    }

    fn put_aside(&mut self, event: &Event, place: Place, sign: Sign) {
        if self.astray.len() < ASTRAY_MAX {
            self.astray.push(Astray { event: event.clone(), place, sign });
        }
    }

    fn judge(&mut self, round: &Round, astray: &Astray) {
        match astray.sign {
            Sign::Echo(echo) => {
                let sender = echo.came.and_then(|came| self.sent.get(&came).copied());
                match sender.and_then(|sender| round.place(sender)) {
                    Some(sender) => self.told(round, astray, sender.scope, &echo_name(round, astray.place, echo)),
                    None => self.returned.entry(round.step(astray.place).name.clone()).or_default().strange += 1,
                }
            }
            Sign::Canary { canary, of, object } => {
                let mine = round.object_id(astray.place.scope, object);
                let theirs = round.object_id(of, object);
                let apart = mine.is_some() && theirs.is_some() && mine != theirs;
                if apart && [mine, theirs].into_iter().flatten().all(|id| round.is_one_pass_only(object, id)) {
                    self.told(round, astray, of, &field_of(round, canary));
                }
            }
        }
    }

    fn told(&mut self, round: &Round, Astray { event, place, .. }: &Astray, of: ScopeId, field: &str) {
        let (receiver, owner) = (round.receiver(place.scope), round.receiver(of));
        let own = receiver.may_see(owner, Scope::Session);
        let whose = if own { "another request of its own".to_owned() } else { format!("a request of {owner}") };
        let hit = Hit {
            names: &[field, if own { "own" } else { "foreign" }],
            place: *place,
            channel: Some(Channel::Body),
            summary: format!("{receiver} was given the answer to {whose}: `{field}` tells"),
            receiver,
            owner: Some(owner),
            evidence: identity_evidence(round, event, receiver, Some(owner), field),
            plant: None,
        };
        self.leads.add(round, hit);
    }
}

/// A secret that another pass wrote into an object of its own, in the answer to the read of this pass's object.
fn stray(round: &Round, place: Place, answer: &Answer) -> Option<Sign> {
    let (_, object) = *round.read_by_owner(place).first()?;
    let wanted: Vec<CanaryRef> = round.step(place).sees.iter().copied().filter(|it| it.level == Level::Flow).collect();
    let found = || {
        answer.receipt.seen.iter().filter_map(|seen| match seen.sighting.found {
            Found::Canary { id, .. } => Some(id),
            _ => None,
        })
    };
    let is_shown = |canary: &CanaryRef| round.canary(place.scope, *canary).is_some_and(|id| found().any(|it| it == id));
    if wanted.iter().any(is_shown) {
        return None;
    }
    found().find_map(|canary| {
        let Origin::Known(planted) = round.book.origin(canary) else { return None };
        let plant = planted.plant.filter(|plant| plant.scope != place.scope)?;
        let same_place = wanted.iter().any(|it| round.canary(plant.scope, *it) == Some(canary));
        let same_session = planted.owner.id == round.receiver(place.scope).id;
        (same_place && same_session).then_some(Sign::Canary { canary, of: plant.scope, object })
    })
}

fn echo_name(round: &Round, place: Place, fact: EchoFact) -> String {
    let echo = round.step(place).echoes.get(usize::from(fact.echo));
    echo.map_or_else(String::new, |echo| match &echo.place {
        EchoPlace::Json(path) => path.clone(),
        EchoPlace::Header(name) => name.clone(),
    })
}

fn field_of(round: &Round, canary: CanaryId) -> String {
    match round.book.origin(canary) {
        Origin::Known(planted) => planted.field.unwrap_or_default().to_owned(),
        Origin::Forgotten | Origin::LongAgo(_) | Origin::Stranger => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::Answer;
    use coalmine_core::model::Echo;
    use coalmine_core::plan::ScopeOf;
    use coalmine_core::template::{Template, VariableRef};
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{CREATE, READ, SECRET, Story, seen};

    /// Everybody's read gives back what was sent with it.
    fn echoing() -> Story {
        let mut story = Story::honest(3);
        let echo = Echo { place: EchoPlace::Header("x-request-id".into()), value: Template::text("") };
        story.plan.steps[usize::from(READ.0)].echoes = vec![echo];
        for tenant in 0..3 {
            given_back(&mut story, tenant, Some(tenant));
        }
        story
    }

    /// A tenant's read is given what another's had sent.
    fn given_back(story: &mut Story, tenant: u32, by: Option<u32>) {
        let value = |tenant: u32| Digest(u64::from(tenant) + 900);
        let fact = EchoFact { echo: 0, sent: value(tenant), came: by.map(value) };
        story.answers(story.op(tenant, READ), |answer| {
            answer.receipt.compared.get_or_insert_default().echoes = vec![fact];
        });
    }

    #[test]
    fn what_was_sent_comes_back() {
        let verdict = echoing().judge().verdict;
        assert_eq!((verdict.outcome, verdict.shortfalls), (Outcome::Pass, vec![]));
    }

    #[test]
    fn what_another_had_sent_is_a_mix_up() {
        let mut story = echoing();
        given_back(&mut story, 0, Some(2));
        let findings = story.judge().verdict.findings;
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        let words = "tenant 0 was given the answer to a request of tenant 2: `x-request-id` tells";
        assert_eq!((finding.oracle, finding.summary.as_str()), (OracleId::ResponseMixUp, words));
    }

    #[test]
    fn a_value_of_nobody_known_and_none_at_all_are_shortfalls() {
        for by in [None, Some(77)] {
            let mut story = echoing();
            given_back(&mut story, 0, by);
            let verdict = story.judge().verdict;
            assert_eq!((verdict.outcome, verdict.findings.len()), (Outcome::Inconclusive, 0));
            assert!(verdict.shortfalls[0].message.contains("did not give back"), "{:?}", verdict.shortfalls);
        }
    }

    #[test]
    fn an_answer_that_broke_off_gives_nothing_back() {
        let mut story = echoing();
        given_back(&mut story, 0, None);
        let op = story.op(0, READ);
        let mut broken = Answer::default();
        story.answers(op, |answer| broken = answer.clone());
        story.ends(op, Happening::Info { answer: broken, why: "time-out".into() });
        assert!(story.judge().verdict.shortfalls.iter().all(|it| !it.message.contains("give back")));
    }

    /// The first tenant goes through its flow twice; the read of its first pass shows the secret of the second.
    fn two_passes(same_id: bool) -> Story {
        let mut story = Story::honest(3);
        let other = CanaryId { serial: coalmine_canary::Serial(9), ..story.canary(0, SECRET) };
        let scope = ScopeId(u32::try_from(story.plan.scopes.len()).unwrap());
        let canaries = vec![other, CanaryId { serial: coalmine_canary::Serial(10), ..other }];
        story.plan.scopes.push(ScopeOf { pass: 1, canaries, ..story.plan.scopes[3].clone() });
        let id = OpId(story.plan.op_count);
        story.plan.op_count += 1;
        let flows = story.plan.stages.iter_mut().find(|stage| stage.phase == coalmine_core::plan::Phase::Flows);
        let lane = &mut flows.unwrap().lanes[0];
        let first = lane.ops.iter().find(|op| op.step == CREATE).unwrap().clone();
        lane.ops.push(coalmine_core::plan::Op { id, scope, ..first });
        story.add(id, Happening::Invoke { connection: None });
        let number = if same_id { crate::fixture::value_of(crate::fixture::NOTE, 0) } else { Digest(555) };
        let receipt = coalmine_core::history::Receipt {
            captured: vec![(VariableRef { level: Level::Flow, slot: 0 }, number)],
            ..Default::default()
        };
        story.add(id, Happening::Ok(Answer { status: Some(200), receipt, ..Answer::default() }));
        let read = story.op(0, READ);
        story.answers(read, |answer| answer.receipt.seen = vec![seen(Channel::Body, other)]);
        story
    }

    #[test]
    fn the_object_of_another_pass_in_the_place_of_mine_is_a_mix_up() {
        let findings = two_passes(false).judge().verdict.findings;
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        let words = "tenant 0 was given the answer to another request of its own: `secret` tells";
        assert_eq!((finding.oracle, finding.summary.as_str()), (OracleId::ResponseMixUp, words));
    }

    #[test]
    fn one_object_of_two_passes_shows_either() {
        assert_eq!(two_passes(true).found(), []);
    }

    #[test]
    fn both_together_are_no_mix_up() {
        let mut story = two_passes(false);
        let mine = story.canary(0, SECRET);
        story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, mine)));
        assert_eq!(story.found(), []);
    }
}
