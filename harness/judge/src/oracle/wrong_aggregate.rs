//! Was a count or a sum another than that of what was written?

use std::collections::BTreeMap;

use coalmine_canary::Minter;
use coalmine_core::Principal;
use coalmine_core::history::{Channel, Event, ReadValue};
use coalmine_core::model::{Asks, Model};
use coalmine_core::plan::Purpose;
use coalmine_core::verdict::{OracleId, Shortfall, ShortfallKind};

use super::wrong_list::evidence;
use super::{Oracle, Testimony};
use crate::lead::{Hit, Leads};
use crate::listing::Inventory;
use crate::making::{Answered, Making, Part, Presence, Read};
use crate::round::Round;

/// Sums of large numbers are kept as floating-point numbers by many services, each addition of which may lose this share.
const LOSS_OF_ADDITION: f64 = f64::EPSILON * 4.0;
/// Cents that get lost where there are hundredths.
const SLACK: f64 = 0.006;
/// Violations of which the origin is searched for.
const TRACED_MAX: u32 = 1_000;

/// What was written is an interval: what was certainly there while the figure was asked for, and what may have been there
/// besides. A figure outside of it is wrong, unless accounts that existed before may have written more; by how much tells of a sum of canaries whose part is in it.
pub(crate) struct WrongAggregate {
    leads: Leads,
    unread: BTreeMap<String, u64>,
    /// Operations with a figure, and whether any of theirs was more than nothing.
    proved: BTreeMap<String, bool>,
    traced: u32,
}

/// What the figure may be.
#[derive(Clone, Copy, Default)]
struct Interval {
    low: f64,
    high: f64,
    terms: u32,
}

/// How a figure is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    TooMuch,
    TooLittle,
}

/// Whose part explains the difference.
struct Origin<'r> {
    words: String,
    owner: Option<&'r Principal>,
}

impl Default for WrongAggregate {
    fn default() -> Self {
        let leads = Leads::of(OracleId::WrongAggregate);
        Self { leads, unread: BTreeMap::new(), proved: BTreeMap::new(), traced: 0 }
    }
}

impl Oracle for WrongAggregate {
    fn id(&self) -> OracleId {
        OracleId::WrongAggregate
    }

    fn event(&mut self, _round: &Round, _event: &Event) {}

    fn end(&mut self, round: &Round) {
        let minter = Minter::new(&round.plan.seed.run_key());
        let mut inventories: Vec<(&Model, Inventory<'_>)> = vec![];
        for read in round.makings.answers(&round.plan) {
            let is_figure = matches!(read.model.asks, Asks::Count | Asks::Sum { .. });
            if !is_figure || !matches!(read.answer.place.purpose, Purpose::Flow | Purpose::Fresh) {
                continue;
            }
            if !inventories.iter().any(|(model, _)| *model == read.model) {
                inventories.push((read.model, Inventory::of(round, read.model, None)));
            }
            let Some((_, inventory)) = inventories.iter().find(|(model, _)| *model == read.model) else { continue };
            self.figure(round, &minter, read, inventory);
        }
    }

    fn answer(&mut self) -> Testimony {
        let unread = std::mem::take(&mut self.unread).into_iter();
        let unread = unread.map(|(operation, count)| {
            (
                operation.clone(),
                format!("`{operation}` showed no number where its figure should stand; how often: {count}"),
            )
        });
        let vain = std::mem::take(&mut self.proved).into_iter().filter(|(_, proved)| !proved);
        let vain = vain.map(|(operation, _)| {
            (operation.clone(), format!("the figure of `{operation}` never had to be more than nothing"))
        });
        let shortfalls = unread.chain(vain).map(|(operation, message)| Shortfall {
            kind: ShortfallKind::Control,
            operation: Some(operation),
            message,
        });
        Testimony { shortfalls: shortfalls.collect(), leads: self.leads.take(), ..Testimony::default() }
    }
}

impl WrongAggregate {
    fn figure(&mut self, round: &Round, minter: &Minter, read: Read<'_>, inventory: &Inventory<'_>) {
        let name = round.step(read.answer.place).name.clone();
        let ReadValue::Figure(veiled) = read.value else {
            *self.unread.entry(name).or_default() += 1;
            return;
        };
        let figure = veiled.number(round.plan.seed);
        let interval = interval(round, minter, read, inventory);
        if read.answer.place.purpose.is_flow() {
            *self.proved.entry(name).or_default() |= interval.low > 0.0;
        }
        let wrong = match interval.difference(figure) {
            Some(surplus) if surplus > 0.0 => Wrong::TooMuch,
            Some(_) => Wrong::TooLittle,
            None => return,
        };
        self.traced += 1;
        let origin = (self.traced <= TRACED_MAX).then(|| origin(round, minter, read, inventory, (interval, figure)));
        let origin = origin.flatten();
        if wrong == Wrong::TooMuch && origin.is_none() && !round.plan.cast.is_new() {
            return;
        }
        self.told(round, read, wrong, origin, (interval, figure));
    }

    fn told(
        &mut self,
        round: &Round,
        read: Read<'_>,
        wrong: Wrong,
        origin: Option<Origin<'_>>,
        (interval, figure): (Interval, f64),
    ) {
        let Answered { place, .. } = read.answer;
        let receiver = round.receiver(place.scope);
        let owner = origin.as_ref().and_then(|origin| origin.owner);
        let (name, words) = match wrong {
            Wrong::TooMuch => ("too-much", "too large"),
            Wrong::TooLittle => ("too-little", "too small"),
        };
        let why = match (&read.model.asks, &origin) {
            (_, Some(origin)) => origin.words.clone(),
            (Asks::Count, None) => format!("{figure} instead of {interval}"),
            _ => "by a part that nobody known has written".to_owned(),
        };
        let noun = if read.model.asks == Asks::Count { "count" } else { "sum" };
        let foreign = if owner.is_some_and(|owner| owner.id != receiver.id) { "foreign" } else { "" };
        let hit = Hit {
            names: &[name, noun, foreign],
            place: *place,
            channel: Some(Channel::Body),
            summary: format!("{receiver} was told a {noun} that is {words}: {why}"),
            receiver,
            owner,
            evidence: evidence(round, read.answer, receiver, owner),
            plant: None,
        };
        self.leads.add(round, hit);
    }
}

/// What the figure may be, by what was made.
fn interval(round: &Round, minter: &Minter, read: Read<'_>, inventory: &Inventory<'_>) -> Interval {
    let place = read.answer.place;
    let receiver = round.receiver(place.scope);
    let mut interval = Interval::default();
    for making in inventory.near(round, receiver, read.model) {
        let part = round.part((receiver, place), making, read.model);
        let presence = round.presence(read.model, making, read.answer.window);
        let Some(amount) = amount(round, minter, read.model, making) else { continue };
        match (part, presence) {
            (Part::Foreign, _) | (_, Presence::Never | Presence::Removed) => continue,
            (Part::Own, Presence::Certain) => interval.low += amount,
            (Part::Own | Part::Shared, _) => {}
        }
        interval.high += amount;
        interval.terms += 1;
    }
    interval
}

/// What a making adds to the figure.
fn amount(round: &Round, minter: &Minter, model: &Model, making: &Making) -> Option<f64> {
    let Asks::Sum { slot } = model.asks else { return Some(1.0) };
    let canary = *round.plan.scope(making.maker()).canaries.get(usize::from(slot))?;
    let minted = minter.mint(canary.owner, canary.serial, canary.shape).ok()?;
    minted.expose().parse().ok()
}

/// Whose part is in the figure, or missing from it, exactly: numbers of canaries do not meet by chance.
fn origin<'r>(
    round: &'r Round,
    minter: &Minter,
    read: Read<'_>,
    inventory: &Inventory<'_>,
    (interval, figure): (Interval, f64),
) -> Option<Origin<'r>> {
    if read.model.asks == Asks::Count {
        return None;
    }
    let place = read.answer.place;
    let receiver = round.receiver(place.scope);
    let slack = interval.slack(figure);
    let differences = [figure - interval.high, figure - interval.low];
    let explains = |amount: f64| differences.iter().any(|difference| (difference.abs() - amount).abs() <= slack);
    let mut totals: BTreeMap<coalmine_core::PrincipalId, f64> = BTreeMap::new();
    for making in inventory.all() {
        let Some(amount) = amount(round, minter, read.model, making) else { continue };
        let is_own = round.part((receiver, place), making, read.model) == Part::Own;
        let owner = round.principal(making.owner);
        if explains(amount) {
            return Some(Origin { words: words(round, making, owner, is_own, figure > interval.high), owner });
        }
        if !is_own {
            *totals.entry(making.owner).or_default() += amount;
        }
    }
    let (whose, _) = totals.into_iter().find(|(_, total)| figure > interval.high && explains(*total))?;
    let owner = round.principal(whose)?;
    Some(Origin { words: format!("by exactly all that {owner} has written"), owner: Some(owner) })
}

fn words(round: &Round, making: &Making, owner: Option<&Principal>, is_own: bool, is_too_much: bool) -> String {
    let step = &round.plan.step(making.step).name;
    let whose = owner.map_or_else(|| "somebody".to_owned(), ToString::to_string);
    match (is_own, is_too_much) {
        (true, true) => format!("by exactly what `{step}` of {whose} sent, counted twice"),
        (_, true) => format!("by exactly what `{step}` of {whose} sent"),
        (_, false) => format!("what `{step}` of {whose} sent is not in it"),
    }
}

impl Interval {
    /// How far a figure lies outside: above it if it is positive.
    fn difference(self, figure: f64) -> Option<f64> {
        let slack = self.slack(figure);
        if figure > self.high + slack {
            Some(figure - self.high)
        } else if figure < self.low - slack {
            Some(figure - self.low)
        } else {
            None
        }
    }

    fn slack(self, figure: f64) -> f64 {
        let largest = figure.abs().max(self.high.abs());
        SLACK + largest * LOSS_OF_ADDITION * f64::from(self.terms + 1)
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if (self.high - self.low).abs() < SLACK {
            write!(f, "{}", self.low)
        } else {
            write!(f, "{} to {}", self.low, self.high)
        }
    }
}

#[cfg(test)]
mod tests {
    use coalmine_canary::Shape;
    use coalmine_core::Scope;
    use coalmine_core::history::{Answer, Happening, Veiled};
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{CREATE, SECRET, Story};

    fn figure(story: &Story, number: f64) -> ReadValue {
        ReadValue::Figure(Veiled::new(story.plan.seed, number))
    }

    fn model(asks: Asks) -> Model {
        Model { path: "$.total".into(), asks, made_by: vec![CREATE], removed_by: vec![], scope: Scope::Tenant }
    }

    /// Everybody is told that they made one.
    fn counted() -> Story {
        let mut story = Story::honest(3);
        story.reads(model(Asks::Count), |story, _| figure(story, 1.0));
        story
    }

    /// What a tenant's creation sent.
    fn amount_of(story: &Story, tenant: u32) -> f64 {
        let canary = story.canary(tenant, SECRET);
        let minted = Minter::new(&story.plan.seed.run_key()).mint(canary.owner, canary.serial, canary.shape).unwrap();
        minted.expose().parse().unwrap()
    }

    /// Everybody is told the sum of what they sent.
    fn summed() -> Story {
        let mut story = Story::honest(3);
        for scope in &mut story.plan.scopes {
            scope.canaries.iter_mut().for_each(|canary| canary.shape = Shape::Integer);
        }
        for event in &mut story.events {
            if let Some(receipt) = crate::round::receipt_of_mut(&mut event.what) {
                for seen in &mut receipt.seen {
                    if let coalmine_canary::Found::Canary { id, .. } = &mut seen.sighting.found {
                        id.shape = Shape::Integer;
                    }
                }
            }
        }
        story.reads(model(Asks::Sum { slot: SECRET }), |story, tenant| figure(story, amount_of(story, tenant)));
        story
    }

    fn told(story: &Story, number: f64) -> String {
        let mut story = Story { plan: story.plan.clone(), events: story.events.clone(), ..Story::honest(1) };
        let value = figure(&story, number);
        story.read_is(0, 0, value);
        let findings = story.judge().verdict.findings;
        let [finding] = &findings[..] else { return format!("{} findings", findings.len()) };
        assert_eq!(finding.oracle, OracleId::WrongAggregate);
        finding.summary.clone()
    }

    #[test]
    fn figures_of_what_was_written_are_right() {
        for story in [counted(), summed()] {
            let verdict = story.judge().verdict;
            assert_eq!((verdict.outcome, verdict.shortfalls), (Outcome::Pass, vec![]));
        }
    }

    #[test]
    fn a_count_is_too_large_or_too_small() {
        let story = counted();
        assert_eq!(told(&story, 3.0), "tenant 0 was told a count that is too large: 3 instead of 1");
        assert_eq!(told(&story, 0.0), "tenant 0 was told a count that is too small: 0 instead of 1");
    }

    #[test]
    fn what_was_perhaps_made_may_be_counted_or_not() {
        let mut story = counted();
        let create = story.op(0, CREATE);
        story.ends(create, Happening::Info { answer: Answer::default(), why: "time-out".into() });
        story.plan.policy.ok_min_percent = 50;
        assert_eq!(told(&story, 0.0), "0 findings");
        assert_eq!(told(&story, 1.0), "0 findings");
        assert_eq!(told(&story, 2.0), "tenant 0 was told a count that is too large: 2 instead of 0 to 1");
    }

    #[test]
    fn a_sum_tells_whose_part_is_in_it() {
        let story = summed();
        let [mine, theirs, others] = [0, 1, 2].map(|tenant| amount_of(&story, tenant));
        let of = |number| told(&story, number).replace("tenant 0 was told a sum that is ", "");
        assert_eq!(of(mine + theirs), "too large: by exactly what `create` of tenant 1 sent");
        assert_eq!(of(mine + mine), "too large: by exactly what `create` of tenant 0 sent, counted twice");
        assert_eq!(of(mine + theirs + others), "too large: by a part that nobody known has written");
        assert_eq!(of(0.0), "too small: what `create` of tenant 0 sent is not in it");
    }

    #[test]
    fn what_floating_point_numbers_lose_is_not_missing() {
        let story = summed();
        let mine = amount_of(&story, 0);
        assert_eq!(told(&story, mine + 1.0), "0 findings");
        assert_ne!(told(&story, mine + 100.0), "0 findings");
    }

    #[test]
    fn a_figure_that_cannot_be_read_is_a_shortfall() {
        let mut story = counted();
        story.read_is(1, 0, ReadValue::Unreadable);
        let verdict = story.judge().verdict;
        assert_eq!((verdict.outcome, verdict.findings.len()), (Outcome::Inconclusive, 0));
        assert_eq!(verdict.shortfalls[0].operation.as_deref(), Some("read"));
    }
}
