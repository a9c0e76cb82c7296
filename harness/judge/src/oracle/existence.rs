//! Could anyone tell whether another's object exists?

use std::collections::BTreeMap;
use std::collections::HashSet;

use coalmine_core::history::{Answer, Channel, Event, Happening, Outline};
use coalmine_core::plan::{Access, Purpose, ScopeId};
use coalmine_core::verdict::{Evidence, OracleId, Shortfall, ShortfallKind};

use super::{Oracle, Testimony};
use crate::identities::Whose;
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round};

/// Answers of each kind that are needed before a difference means something.
const ANSWERS_MIN: usize = 3;
/// Answers of each kind that are kept of an object in one round.
const ANSWERS_MAX: usize = 4096;
/// Lengths that differ by less may differ by chance: a time of day, a number in words.
const BYTES_APART_MIN: u64 = 9;

/// A foreign id must be answered like an unknown one. Only refusals are compared, of objects that their owner reached, and only
/// a difference that all answers show alike is one: what differs now and then is noise.
pub(crate) struct Existence {
    leads: Leads,
    tried: BTreeMap<(u16, Access), Answers>,
    reached: HashSet<(ScopeId, u16)>,
    /// Objects by name, and what was missing to compare.
    missing: BTreeMap<String, String>,
    compared: HashSet<String>,
}

#[derive(Default)]
struct Answers {
    foreign: Vec<Sample>,
    unknown: Vec<Sample>,
}

struct Sample {
    status: u16,
    outline: Option<Outline>,
    place: Place,
    event: Event,
}

/// What tells the two apart, in words.
struct Difference {
    name: &'static str,
    channel: Channel,
    words: String,
}

impl Default for Existence {
    fn default() -> Self {
        Self {
            leads: Leads::of(OracleId::Existence),
            tried: BTreeMap::new(),
            reached: HashSet::new(),
            missing: BTreeMap::new(),
            compared: HashSet::new(),
        }
    }
}

impl Oracle for Existence {
    fn id(&self) -> OracleId {
        OracleId::Existence
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let Some(place) = round.place(event.op) else { return };
        if matches!(event.what, Happening::Ok(_)) {
            self.reached.extend(round.read_by_owner(place));
        }
        let (Happening::Ok(answer) | Happening::Fail { answer, .. }) = &event.what else { return };
        // Who sends no credentials is refused for that, whatever the id.
        if round.receiver(place.scope).is_anonymous() {
            return;
        }
        match place.purpose {
            Purpose::Probe { object, access, .. } if shows_nothing(round, place, answer) => {
                self.sample(round, event, place, (object, access), answer);
            }
            Purpose::Unknown { object, access, .. } => self.sample(round, event, place, (object, access), answer),
            _ => {}
        }
    }

    fn end(&mut self, round: &Round) {
        for (tried, answers) in std::mem::take(&mut self.tried) {
            self.compare(round, tried, answers);
        }
        for rule in round.plan.objects.iter().filter(|rule| rule.indistinguishable) {
            let none = || "none of them was tried".to_owned();
            self.missing.entry(rule.name.clone()).or_insert_with(none);
        }
        self.reached.clear();
    }

    fn answer(&mut self) -> Testimony {
        let missing = self.missing.iter().filter(|(object, _)| !self.compared.contains(*object));
        let shortfalls = missing.map(|(object, why)| Shortfall {
            kind: ShortfallKind::Probe,
            operation: None,
            message: format!("whether the `{object}` of another can be told from an unknown one is not known: {why}"),
        });
        Testimony { shortfalls: shortfalls.collect(), leads: self.leads.take(), ..Testimony::default() }
    }
}

impl Existence {
    fn sample(&mut self, round: &Round, event: &Event, place: Place, tried: (u16, Access), answer: &Answer) {
        let wanted = round.plan.objects.get(usize::from(tried.0)).is_some_and(|rule| rule.indistinguishable);
        let Some(status) = answer.status.filter(|status| wanted && is_about_the_object(*status)) else { return };
        let answers = self.tried.entry(tried).or_default();
        let samples = match place.purpose {
            Purpose::Unknown { .. } => &mut answers.unknown,
            _ => &mut answers.foreign,
        };
        if samples.len() < ANSWERS_MAX {
            samples.push(Sample { status, outline: answer.outline, place, event: event.clone() });
        }
    }

    fn compare(&mut self, round: &Round, (object, access): (u16, Access), answers: Answers) {
        let Answers { mut foreign, unknown } = answers;
        foreign.retain(|sample| matches!(sample.place.purpose, Purpose::Probe { victim, .. } if self.reached.contains(&(victim, object))));
        let Some(rule) = round.plan.objects.get(usize::from(object)) else { return };
        if let Some(why) = incomparable(access, &foreign, &unknown) {
            // That an object is read is what its rule asks for first; the rest is compared where that can be.
            if access == Access::Read {
                self.missing.insert(rule.name.clone(), why);
            }
            return;
        }
        if access == Access::Read {
            self.compared.insert(rule.name.clone());
        }
        if let Some(difference) = difference(&foreign, &unknown) {
            for sample in &foreign {
                self.told(round, &rule.name, sample, &difference);
            }
        }
    }

    fn told(&mut self, round: &Round, object: &str, sample: &Sample, difference: &Difference) {
        let Purpose::Probe { victim, .. } = sample.place.purpose else { return };
        let (receiver, owner) = (round.receiver(sample.place.scope), round.receiver(victim));
        let words = &difference.words;
        let hit = Hit {
            names: &[object, difference.name],
            place: sample.place,
            channel: Some(difference.channel),
            summary: format!("{receiver} can tell the `{object}` of {owner} from an unknown one by {words}"),
            receiver,
            owner: Some(owner),
            evidence: Evidence::of(receiver, Some(owner), round.moment(&sample.event)),
            plant: None,
        };
        self.leads.add(round, hit);
    }
}

/// Why answers to foreign and unknown ids say nothing about each other.
fn incomparable(access: Access, foreign: &[Sample], unknown: &[Sample]) -> Option<String> {
    let is_refused_for_form = |sample: &Sample| matches!(sample.status, 400 | 414 | 422);
    if foreign.len() < ANSWERS_MIN || unknown.len() < ANSWERS_MIN {
        let (foreign, unknown) = (foreign.len(), unknown.len());
        return Some(format!("{foreign} and {unknown} refusals, and {ANSWERS_MIN} of each are needed"));
    }
    // A PUT may make what was not there (RFC 9110, section 9.3.4): who is free to choose ids learns which are taken.
    let made = access == Access::Update && unknown.iter().any(|sample| sample.status < 300);
    if made {
        return Some("the unknown ids were accepted".to_owned());
    }
    unknown.iter().any(is_refused_for_form).then(|| "the unknown ids were refused for their form".to_owned())
}

/// Content is the access oracle's to tell.
fn shows_nothing(round: &Round, place: Place, answer: &Answer) -> bool {
    let receiver = round.receiver(place.scope);
    answer.receipt.seen.iter().all(|seen| round.may_see(place, seen))
        && answer.receipt.identities.iter().all(|fact| !matches!(round.whose(receiver, *fact), Whose::Others(_)))
}

/// Neither for want of a session, nor for too many requests, nor for a fault of the server.
fn is_about_the_object(status: u16) -> bool {
    status < 500 && !matches!(status, 401 | 407 | 408 | 429)
}

fn difference(foreign: &[Sample], unknown: &[Sample]) -> Option<Difference> {
    let status = |sample: &Sample| Some(sample.status);
    if let (Some(theirs), Some(nobodys)) = (common(foreign, status), common(unknown, status))
        && theirs != nobodys
    {
        let words = format!("its status, {theirs} against {nobodys}");
        return Some(Difference { name: "status", channel: Channel::StatusLine, words });
    }
    let fields = |sample: &Sample| sample.outline.map(|outline| outline.fields);
    if let (Some(theirs), Some(nobodys)) = (common(foreign, fields), common(unknown, fields))
        && theirs != nobodys
    {
        let words = "the header fields of the answer".to_owned();
        return Some(Difference { name: "fields", channel: Channel::Header, words });
    }
    let (theirs, nobodys) = (Lengths::of(foreign)?, Lengths::of(unknown)?);
    theirs.is_apart(&nobodys).then(|| {
        let words = format!("the length of the answer, {theirs} against {nobodys} bytes");
        Difference { name: "length", channel: Channel::Body, words }
    })
}

/// What all samples have, if all have the same.
fn common<T: PartialEq>(samples: &[Sample], of: impl Fn(&Sample) -> Option<T>) -> Option<T> {
    let first = of(samples.first()?)?;
    samples.iter().all(|sample| of(sample).as_ref() == Some(&first)).then_some(first)
}

/// The shortest and the longest, of bodies without ids and of ids.
struct Lengths {
    bytes: (u64, u64),
    id: (u64, u64),
}

impl Lengths {
    fn of(samples: &[Sample]) -> Option<Self> {
        let outlines: Vec<Outline> = samples.iter().map(|sample| sample.outline).collect::<Option<_>>()?;
        let range = |of: fn(&Outline) -> u64| Some((outlines.iter().map(of).min()?, outlines.iter().map(of).max()?));
        Some(Self { bytes: range(|outline| outline.bytes)?, id: range(|outline| outline.id_bytes.into())? })
    }

    /// An id that is quoted in another writing is not recognised, so that ids of another length need a wider gap.
    fn is_apart(&self, other: &Self) -> bool {
        let longest = self.id.1.max(other.id.1);
        let shortest = self.id.0.min(other.id.0);
        let needed = BYTES_APART_MIN.saturating_add((longest - shortest).saturating_mul(2));
        let gap = |low: u64, high: u64| high.checked_sub(low).is_some_and(|gap| gap >= needed);
        gap(self.bytes.1, other.bytes.0) || gap(other.bytes.1, self.bytes.0)
    }
}

impl std::fmt::Display for Lengths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.bytes {
            (shortest, longest) if shortest == longest => write!(f, "{shortest}"),
            (shortest, longest) => write!(f, "{shortest} to {longest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::{Digest, Receipt};
    use coalmine_core::plan::{Op, OpId};
    use coalmine_core::step::StepId;
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{DELETE, READ, SECRET, Story, UPDATE, fail, seen};

    /// Everyone also asks for a note that nobody has.
    fn asking(tenants: u32) -> (Story, Vec<OpId>) {
        let mut story = Story::honest(tenants);
        story.plan.objects[0].indistinguishable = true;
        let asked = trying(&mut story, tenants, (READ, Access::Read));
        (story, asked)
    }

    /// Everyone tries a note that nobody has.
    fn trying(story: &mut Story, tenants: u32, (step, access): (StepId, Access)) -> Vec<OpId> {
        let mut asked = vec![];
        for tenant in 0..tenants {
            let id = OpId(story.plan.op_count);
            story.plan.op_count += 1;
            let purpose = Purpose::Unknown { like: ScopeId(tenants + (tenant + 1) % tenants), object: 0, access };
            let op = Op {
                id,
                step,
                scope: ScopeId(tenants + tenant),
                purpose,
                manner: coalmine_core::perturb::Manner::default(),
            };
            let stage = story.plan.stages.iter_mut().find(|stage| stage.phase == coalmine_core::plan::Phase::Probe);
            stage.unwrap().lanes[tenant as usize].ops.push(op);
            story.add(id, Happening::Invoke { connection: None });
            story.add(id, fail(404, Receipt::default()));
            asked.push(id);
        }
        asked
    }

    fn probes(story: &Story, tenants: u32) -> Vec<OpId> {
        (0..tenants).map(|tenant| story.probe(tenant, Access::Read)).collect()
    }

    fn outline(fields: u64, bytes: u64, id_bytes: u32) -> Outline {
        Outline { fields: Digest(fields), bytes, id_bytes }
    }

    #[test]
    fn answers_that_look_alike_tell_nothing() {
        let (story, _) = asking(3);
        let verdict = story.judge().verdict;
        assert_eq!((verdict.outcome, verdict.shortfalls), (Outcome::Pass, vec![]));
    }

    #[test]
    fn another_status_for_all_of_them_is_an_oracle() {
        let (mut story, _) = asking(3);
        for probe in probes(&story, 3) {
            story.ends(probe, fail(403, Receipt::default()));
        }
        let findings = story.judge().verdict.findings;
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        assert_eq!(
            finding.summary,
            "tenant 0 can tell the `note` of tenant 1 from an unknown one by its status, 403 against 404"
        );
        assert_eq!((finding.oracle, finding.count), (OracleId::Existence, 3));
    }

    #[test]
    fn a_removal_that_is_refused_otherwise_than_of_what_nobody_has_is_an_oracle() {
        for (step, access) in [(DELETE, Access::Delete), (UPDATE, Access::Update)] {
            let (mut story, _) = asking(3);
            trying(&mut story, 3, (step, access));
            assert_eq!(story.found(), []);
            for tenant in 0..3 {
                story.ends(story.probe(tenant, access), fail(403, Receipt::default()));
            }
            assert_eq!(story.found().len(), 1, "{access:?}");
        }
    }

    #[test]
    fn a_change_that_makes_what_was_not_there_says_nothing_about_what_is() {
        let (mut story, _) = asking(3);
        for made in trying(&mut story, 3, (UPDATE, Access::Update)) {
            story.ends(made, Happening::Ok(Answer { status: Some(201), ..Answer::default() }));
        }
        assert_eq!(story.found(), []);
    }

    #[test]
    fn a_difference_that_not_all_show_is_noise() {
        let (mut story, asked) = asking(4);
        let probes = probes(&story, 4);
        for probe in &probes[1..] {
            story.ends(*probe, fail(403, Receipt::default()));
        }
        assert_eq!(story.found(), []);
        for probe in &probes {
            story.ends(*probe, fail(403, Receipt::default()));
        }
        assert_eq!(story.found().len(), 1);
        story.ends(asked[0], fail(403, Receipt::default()));
        assert_eq!(story.found(), []);
    }

    #[test]
    fn two_answers_are_too_few_and_say_so() {
        let (mut story, asked) = asking(3);
        for probe in &probes(&story, 3) {
            story.ends(*probe, fail(403, Receipt::default()));
        }
        story.ends(asked[0], fail(429, Receipt::default()));
        let verdict = story.judge().verdict;
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
        assert!(verdict.shortfalls[0].message.contains("3 and 2 refusals"), "{:?}", verdict.shortfalls);
    }

    #[test]
    fn an_id_refused_for_its_form_proves_nothing() {
        let (mut story, asked) = asking(3);
        for op in &asked {
            story.ends(*op, fail(400, Receipt::default()));
        }
        let verdict = story.judge().verdict;
        assert_eq!((verdict.outcome, verdict.findings.len()), (Outcome::Inconclusive, 0));
    }

    #[test]
    fn header_fields_and_length_tell_as_well() {
        let table = [
            (Some(outline(1, 40, 8)), Some(outline(1, 40, 8)), 0),
            (Some(outline(2, 40, 8)), Some(outline(1, 40, 8)), 1),
            (Some(outline(1, 48, 8)), Some(outline(1, 40, 8)), 0),
            (Some(outline(1, 60, 8)), Some(outline(1, 40, 8)), 1),
            (Some(outline(1, 60, 2)), Some(outline(1, 40, 10)), 0),
            (None, Some(outline(1, 40, 8)), 0),
        ];
        for (foreign, unknown, found) in table {
            let (mut story, asked) = asking(3);
            for op in &probes(&story, 3) {
                story.answers(*op, |answer| answer.outline = foreign);
            }
            for op in &asked {
                story.answers(*op, |answer| answer.outline = unknown);
            }
            assert_eq!(story.found().len(), found, "{foreign:?} {unknown:?}");
        }
    }

    #[test]
    fn content_is_left_to_the_access_oracle() {
        let (mut story, _) = asking(3);
        for (tenant, probe) in (0..).zip(probes(&story, 3)) {
            let theirs = story.canary((tenant + 1) % 3, SECRET);
            story.ends(probe, Happening::Ok(Answer { status: Some(200), ..Answer::default() }));
            story.answers(probe, |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        }
        assert!(story.found().iter().all(|(oracle, _)| *oracle == OracleId::Access));
    }
}
