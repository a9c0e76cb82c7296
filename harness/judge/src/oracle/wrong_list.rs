//! Did a list leave a row out, or show one twice, or one that is no more?

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use coalmine_core::Principal;
use coalmine_core::history::{Channel, Digest, Event, ReadValue};
use coalmine_core::model::{Asks, Holds, Key, Unknown};
use coalmine_core::plan::Purpose;
use coalmine_core::verdict::{Evidence, OracleId, Shortfall, ShortfallKind};

use super::{Oracle, Testimony};
use crate::lead::{Hit, Leads};
use crate::listing::{Inventory, Listing};
use crate::making::{Answered, Making, Part, Presence, Window, digest_key};
use crate::round::{Place, Round};

/// A list holds what the one who asks has a part in. What was made for certain before the list was asked for, and was not being
/// removed, must be there; what was being made may be. Accounts that existed before may have rows of before. Pages of a list that changed meanwhile may miss a row honestly.
pub(crate) struct WrongList {
    leads: Leads,
    /// Lists by operation: how many could not be read.
    unread: BTreeMap<String, u64>,
    /// Operations whose lists had to show everything, and those of them that had something to show.
    complete: BTreeSet<String>,
    proved: BTreeSet<String>,
    unkept: u64,
}

impl Default for WrongList {
    fn default() -> Self {
        Self {
            leads: Leads::of(OracleId::WrongList),
            unread: BTreeMap::new(),
            complete: BTreeSet::new(),
            proved: BTreeSet::new(),
            unkept: 0,
        }
    }
}

/// What is wrong with a list.
#[derive(Clone, Copy)]
enum Wrong {
    Missing,
    Twice,
    Removed,
    Unknown,
}

impl Oracle for WrongList {
    fn id(&self) -> OracleId {
        OracleId::WrongList
    }

    fn event(&mut self, _round: &Round, _event: &Event) {}

    fn end(&mut self, round: &Round) {
        self.note_vain(round);
        let mut inventories: HashMap<Key, Inventory<'_>> = HashMap::new();
        for listing in Listing::all(round, |purpose| matches!(purpose, Purpose::Flow | Purpose::Fresh)) {
            let inventory = inventories
                .entry(listing.key)
                .or_insert_with(|| Inventory::of(round, listing.model, Some(listing.key)));
            self.rows(round, &listing, inventory);
            self.unknown(round, &listing, inventory);
            self.missing(round, &listing, inventory);
        }
        self.unkept += round.makings.unkept();
    }

    fn answer(&mut self) -> Testimony {
        let unread = std::mem::take(&mut self.unread);
        let mut shortfalls: Vec<_> = unread
            .into_iter()
            .map(|(operation, count)| {
                shortfall(operation, |it| format!("the list of `{it}` could not be read; how often: {count}"))
            })
            .collect();
        let vain = self.complete.difference(&self.proved).cloned();
        shortfalls.extend(vain.map(|operation| {
            shortfall(operation, |it| {
                format!("the list of `{it}` never had to show anything: nothing was made before it")
            })
        }));
        if self.unkept > 0 {
            let message = format!("{} lists were not compared: too many rows", self.unkept);
            shortfalls.push(Shortfall { kind: ShortfallKind::CutOff, operation: None, message });
        }
        Testimony { leads: self.leads.take(), shortfalls, ..Testimony::default() }
    }
}

impl WrongList {
    fn note_vain(&mut self, round: &Round) {
        for read in round.makings.answers(&round.plan) {
            let Asks::Rows { holds, .. } = &read.model.asks else { continue };
            let name = &round.step(read.answer.place).name;
            if *holds == Holds::All && read.answer.place.purpose.is_flow() {
                self.complete.insert(name.clone());
            }
            if *read.value == ReadValue::Unreadable {
                *self.unread.entry(name.clone()).or_default() += 1;
            }
        }
    }

    /// What is there and should not be, or not so often.
    fn rows(&mut self, round: &Round, listing: &Listing<'_>, inventory: &Inventory<'_>) {
        let Some(asker) = listing.asker(round) else { return };
        for page in &listing.pages {
            let mut seen = HashSet::new();
            for row in page.rows {
                let [making] = inventory.behind(*row) else { continue };
                if round.part(asker, making, listing.model) != Part::Own {
                    continue;
                }
                if !seen.insert(*row) {
                    self.told(round, page.answer, making, Wrong::Twice);
                }
                if round.presence(listing.model, making, page.answer.window) == Presence::Removed {
                    self.told(round, page.answer, making, Wrong::Removed);
                }
            }
        }
    }

    /// Rows of nobody known, beyond those of which only the ids are not known.
    fn unknown(&mut self, round: &Round, listing: &Listing<'_>, inventory: &Inventory<'_>) {
        let Asks::Rows { unknown: Unknown::Refused, .. } = listing.model.asks else { return };
        if !round.plan.cast.is_new() {
            return;
        }
        let (Some((receiver, place)), window) = (listing.asker(round), listing.window()) else { return };
        let strange = |row: &&Digest| inventory.behind(**row).is_empty();
        let strange: BTreeSet<Digest> =
            listing.pages.iter().flat_map(|page| page.rows.iter().filter(strange)).copied().collect();
        let digest_key = digest_key(&round.plan);
        let nameless = inventory.near(round, receiver, listing.model).iter().filter(|making| {
            making.key(&round.plan, &digest_key, listing.key).is_none()
                && round.part((receiver, place), making, listing.model) != Part::Foreign
                && round.presence(listing.model, making, window) != Presence::Never
        });
        if strange.len() > nameless.count()
            && let Some(page) = listing.pages.first()
        {
            self.tell(round, page.answer, None, Wrong::Unknown);
        }
    }

    fn missing(&mut self, round: &Round, listing: &Listing<'_>, inventory: &Inventory<'_>) {
        let Asks::Rows { holds: Holds::All, .. } = listing.model.asks else { return };
        let Some((receiver, place)) = listing.asker(round).filter(|_| listing.dropped == 0 && listing.is_whole(round))
        else {
            return;
        };
        let window = listing.window();
        let own = || {
            let near = inventory.near(round, receiver, listing.model).iter();
            near.filter(move |making| round.part((receiver, place), making, listing.model) == Part::Own)
        };
        let moving = |window: Window| own().any(|making| round.makings.is_moving(listing.model, making, window));
        if listing.pages.len() > 1 && moving(window) {
            return;
        }
        let (digest_key, Some(page)) = (digest_key(&round.plan), listing.pages.last()) else { return };
        for making in own().filter(|making| round.presence(listing.model, making, window) == Presence::Certain) {
            let Some(row) = making.key(&round.plan, &digest_key, listing.key) else { continue };
            self.proved.extend(listing.pages.iter().map(|page| round.step(page.answer.place).name.clone()));
            if !listing.shows(row) {
                self.told(round, page.answer, making, Wrong::Missing);
            }
        }
    }

    fn told(&mut self, round: &Round, answer: &Answered, making: &Making, wrong: Wrong) {
        self.tell(round, answer, Some(making), wrong);
    }

    fn tell(&mut self, round: &Round, answer: &Answered, making: Option<&Making>, wrong: Wrong) {
        let receiver = round.receiver(answer.place.scope);
        let owner = making.and_then(|making| round.principal(making.owner));
        let hit = Hit {
            names: &[wrong.name()],
            place: answer.place,
            channel: Some(Channel::Body),
            summary: wrong.words(round, (receiver, answer.place), making),
            receiver,
            owner,
            evidence: evidence(round, answer, receiver, owner),
            plant: None,
        };
        self.leads.add(round, hit);
    }
}

impl Wrong {
    fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Twice => "twice",
            Self::Removed => "removed",
            Self::Unknown => "unknown",
        }
    }

    fn words(self, round: &Round, (receiver, _): (&Principal, Place), making: Option<&Making>) -> String {
        let Some(making) = making else {
            return format!("{receiver} was shown more rows than it can have made, and nobody known made them");
        };
        let made_by = &round.plan.step(making.step).name;
        let owner = round.principal(making.owner).filter(|owner| owner.id != receiver.id);
        let whose = owner.map_or_else(|| "its own".to_owned(), |owner| format!("of {owner}"));
        let row = format!("a row that `{made_by}` ({whose}) had made");
        match self {
            Self::Missing => format!("{receiver} was not shown {row} before, and that nobody had removed"),
            Self::Twice => format!("{receiver} was shown twice {row} once"),
            Self::Removed | Self::Unknown => format!("{receiver} was still shown {row} and that had been removed"),
        }
    }
}

fn shortfall(operation: String, words: impl Fn(&str) -> String) -> Shortfall {
    let message = words(&operation);
    Shortfall { kind: ShortfallKind::Control, operation: Some(operation), message }
}

/// What can be looked up of something that was read.
pub(super) fn evidence(round: &Round, answer: &Answered, receiver: &Principal, owner: Option<&Principal>) -> Evidence {
    Evidence::of(receiver, owner, round.moment_of(answer.op, answer.window.ended, answer.at_us))
}

#[cfg(test)]
mod tests {
    use coalmine_core::Scope;
    use coalmine_core::history::{Answer, Happening};
    use coalmine_core::model::Model;
    use coalmine_core::plan::FlowId;
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{CREATE, DELETE, NOTE, READ, Story, fail, value_of};

    fn model(unknown: Unknown) -> Model {
        let key = Key::Variable { flow: FlowId(1), slot: 0 };
        let asks = Asks::Rows { key, holds: Holds::All, unknown, list: None };
        let (path, scope) = ("$.notes[*].id".into(), Scope::Tenant);
        Model { path, asks, made_by: vec![CREATE], removed_by: vec![DELETE], scope }
    }

    fn rows(rows: &[Digest]) -> ReadValue {
        ReadValue::Rows { rows: rows.to_vec(), dropped: 0 }
    }

    /// Everybody sees the one note that they have made.
    fn listing(unknown: Unknown) -> Story {
        let mut story = Story::honest(3);
        story.reads(model(unknown), |_, tenant| rows(&[value_of(NOTE, tenant)]));
        story
    }

    /// Swaps the events of two operations' begins or ends, so that they were in flight together.
    fn make_concurrent(story: &mut Story, tenant: u32) {
        let (create, read) = (story.op(tenant, CREATE), story.op(tenant, READ));
        let ended = story.events.iter().position(|event| event.op == create && matches!(event.what, Happening::Ok(_)));
        let asked = story.events.iter().position(|event| event.op == read).unwrap();
        let event = story.events.remove(ended.unwrap());
        story.events.insert(asked, event);
        story.number();
    }

    #[test]
    fn a_list_of_what_was_made_is_right() {
        let verdict = listing(Unknown::Refused).judge().verdict;
        assert_eq!((verdict.outcome, verdict.shortfalls), (Outcome::Pass, vec![]));
    }

    #[test]
    fn a_row_that_must_be_there_is_missed() {
        let mut story = listing(Unknown::Allowed);
        story.read_is(0, 0, rows(&[]));
        let findings = story.judge().verdict.findings;
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        let words = "tenant 0 was not shown a row that `create` (its own) had made before, and that nobody had removed";
        assert_eq!((finding.oracle, finding.summary.as_str()), (OracleId::WrongList, words));
    }

    #[test]
    fn what_is_being_made_may_be_there_or_not() {
        let mut story = listing(Unknown::Refused);
        make_concurrent(&mut story, 0);
        assert_eq!(story.found(), []);
        story.read_is(0, 0, rows(&[]));
        assert_eq!(story.found(), []);
    }

    #[test]
    fn what_was_perhaps_made_may_be_there_under_an_id_of_its_own() {
        for (strange, wrong) in [(1, 0), (2, 1)] {
            let mut story = listing(Unknown::Refused);
            let create = story.op(0, CREATE);
            story.ends(create, Happening::Info { answer: Answer::default(), why: "time-out".into() });
            let ids: Vec<Digest> = (0..strange).map(Digest).collect();
            story.read_is(0, 0, rows(&ids));
            let found = story.found().into_iter().filter(|(oracle, _)| *oracle == OracleId::WrongList).count();
            assert_eq!(found, wrong, "{strange}");
        }
    }

    #[test]
    fn what_was_refused_need_not_be_there() {
        let mut story = listing(Unknown::Allowed);
        story.ends(story.op(0, CREATE), fail(409, coalmine_core::history::Receipt::default()));
        story.read_is(0, 0, rows(&[]));
        assert!(story.found().iter().all(|(oracle, _)| *oracle != OracleId::WrongList));
    }

    #[test]
    fn rows_of_nobody_known_are_wrong_where_the_scenario_says_so() {
        for (unknown, wrong) in [(Unknown::Allowed, 0), (Unknown::Refused, 1)] {
            let mut story = listing(unknown);
            story.read_is(0, 0, rows(&[value_of(NOTE, 0), Digest(5)]));
            assert_eq!(story.found().len(), wrong, "{unknown:?}");
        }
    }

    #[test]
    fn one_row_twice_is_wrong() {
        let mut story = listing(Unknown::Allowed);
        story.read_is(0, 0, rows(&[value_of(NOTE, 0), value_of(NOTE, 0)]));
        let findings = story.judge().verdict.findings;
        assert_eq!(findings[0].summary, "tenant 0 was shown twice a row that `create` (its own) had made once");
    }

    #[test]
    fn a_list_that_was_cut_off_misses_nothing() {
        let mut story = listing(Unknown::Allowed);
        story.read_is(0, 0, ReadValue::Rows { rows: vec![], dropped: 9 });
        assert_eq!(story.found(), []);
    }

    #[test]
    fn a_list_of_which_a_page_is_not_known_misses_nothing() {
        for (pages, wrong) in [(1, 1), (2, 0)] {
            let mut story = listing(Unknown::Allowed);
            for step in [READ, DELETE].into_iter().take(pages) {
                let Model { asks, made_by, .. } = model(Unknown::Allowed);
                let Asks::Rows { key, holds, unknown, .. } = asks else { panic!("it is a list") };
                let asks = Asks::Rows { key, holds, unknown, list: Some("pages".into()) };
                let page = Model { asks, made_by, ..model(Unknown::Allowed) };
                story.plan.steps[usize::from(step.0)].models = vec![page];
            }
            story.read_is(0, 0, rows(&[]));
            assert_eq!(story.found().len(), wrong, "{pages}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_is_a_shortfall() {
        let mut story = listing(Unknown::Allowed);
        story.read_is(0, 0, ReadValue::Unreadable);
        let verdict = story.judge().verdict;
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
        assert!(verdict.shortfalls[0].message.contains("could not be read"), "{:?}", verdict.shortfalls);
    }

    #[test]
    fn a_list_that_never_had_to_show_anything_is_a_shortfall() {
        let mut story = Story::honest(3);
        let nothing = Model { made_by: vec![DELETE], ..model(Unknown::Allowed) };
        story.reads(nothing, |_, _| rows(&[]));
        let verdict = story.judge().verdict;
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
        assert!(verdict.shortfalls[0].message.contains("never had to show"), "{:?}", verdict.shortfalls);
    }
}
