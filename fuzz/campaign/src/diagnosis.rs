//! From trials to the kind of a defect: a table that anyone can follow.
//!
//! | the leak | and | is |
//! | --- | --- | --- |
//! | goes without shared connections | | connection-bound state |
//! | goes when nothing is given up | | pool out of step after a cancel |
//! | is an event for somebody else | | misrouted fan-out |
//! | goes with a name for each tenant | | key collision |
//! | goes with a URL for each tenant | | cache key |
//! | is an object, a role, or a session that ended | comes without overlap | missing check |
//! | goes without overlap | goes without haste, in whatever order | shared state race |
//! | goes without overlap | comes without haste, instead of one's own | key collision |
//! | goes without overlap | comes without haste, beside one's own | stale worker state |
//! | comes without overlap | comes from two owners at once, for two receivers | missing check |
//! | comes without overlap | comes from two owners at once, for one receiver only, beside one's own or where nothing else is expected | stale worker state |
//! | comes without overlap, from the last owner | goes with a silent owner, instead of one's own | cache key |
//! | comes without overlap, from the last owner | goes with a silent owner, beside one's own | buffer reuse |
//! | comes without overlap, from the last owner | comes with a silent owner, beside one's own | stale worker state |
//! | comes without overlap, from the last owner | comes with a silent owner where nothing else is expected, for one receiver only | stale worker state |
//!
//! It comes instead of one's own as well where the receiver had nothing there, and where it goes once the receiver has sent something.
//!
//! The first line that fits counts. A leak goes when it never came, and that would be a chance of less than 5 % at the lower end of the
//! rate that it had before; it comes when it did so twice, and at half of that rate or more. In between, and where the case did no longer what it
//! should, nothing is known, and a line that needs it ends the search: undecided. So is a case that could not be made small.

use coalmine_core::bound::Rate;
use coalmine_core::diagnosis::{Ablation, Class, Diagnosis, Trials};
use coalmine_core::verdict::OracleId;

/// What is known of a case besides rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Whether the receiver's own secrets came where the others' did.
    pub own: Own,
    /// How many operations it has.
    pub operations: usize,
}

/// In a larger case a change changes more than what it is to change: who comes after whom, and what is left where.
const OPERATIONS_MAX: usize = 8;

/// Whether the receiver's own secrets came where the others' did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Own {
    /// They came as well.
    Present,
    /// They should have come, and did not.
    Absent,
    /// Nothing of its own is expected there.
    NotExpected,
    /// Once this, once that.
    Mixed,
    /// It had sent none that could have come.
    #[default]
    Unknown,
}

impl Own {
    /// What two trials show together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, known) | (known, Self::Unknown) => known,
            (one, other) if one == other => one,
            _ => Self::Mixed,
        }
    }
}

/// What becomes of the leak under a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Comes,
    Goes,
    Unknown,
    /// There was nothing to change.
    Untried,
}

/// Names the kind of defect, or says why that cannot be told.
pub fn diagnose(oracle: OracleId, shape: Shape, trials: Vec<Trials>) -> Diagnosis {
    let found = Table { oracle, shape, trials: &trials }.decide();
    let (class, because) = match found {
        Ok((class, because)) => (Some(class), because.to_owned()),
        Err(because) => (None, because),
    };
    Diagnosis { class, because, trials }
}

struct Table<'a> {
    oracle: OracleId,
    shape: Shape,
    trials: &'a [Trials],
}

type Decided = Result<(Class, &'static str), String>;

/// Whether changes to a script of this shape would tell its kind: of many operations, each change says too little.
pub fn can_be_told(shape: Shape) -> bool {
    shape.operations <= OPERATIONS_MAX
}

impl Table<'_> {
    fn decide(&self) -> Decided {
        if self.rate_of(Ablation::AsItIs).is_none_or(|trials| trials.rate.hits == 0) {
            return Err("it did not come back often enough to tell".to_owned());
        }
        let is_of_none = [
            OracleId::MissingEvent,
            OracleId::FaultPropagation,
            OracleId::NoisyNeighbour,
            OracleId::ExistenceByTime,
            OracleId::Interference,
            OracleId::UnguardedTable,
        ];
        if is_of_none.contains(&self.oracle) {
            return Err("what fails, waits, does not come or stands open is of none of these kinds".to_owned());
        }
        if !can_be_told(self.shape) {
            return Err(format!("it takes {} operations to show it, which is too many to tell", self.shape.operations));
        }
        self.by_one_change().unwrap_or_else(|| self.by_overlap())
    }

    /// What one change alone decides.
    fn by_one_change(&self) -> Option<Decided> {
        let changes = [
            (Ablation::SeparateConnections, Class::ConnectionBound, "it goes when tenants do not share a connection"),
            (Ablation::WithoutCancellation, Class::PoolOutOfStep, "it goes when nothing is given up"),
            (Ablation::UniqueIds, Class::KeyCollision, "it goes when no two tenants choose the same name"),
            (Ablation::UniqueUrls, Class::CacheKey, "it goes when no two tenants ask for the same URL"),
        ];
        let fan_out = [OracleId::MisroutedEvent].contains(&self.oracle);
        for (change, class, because) in changes {
            if fan_out && change == Ablation::UniqueIds {
                return Some(Ok((Class::MisroutedFanOut, "an event came to somebody whom it does not concern")));
            }
            match self.fate(change) {
                Fate::Goes => return Some(Ok((class, because))),
                Fate::Unknown => return Some(Err(self.unclear(change))),
                Fate::Comes | Fate::Untried => {}
            }
        }
        None
    }

    fn by_overlap(&self) -> Decided {
        match (self.fate(Ablation::WithoutOverlap), self.fate(Ablation::WithoutHaste)) {
            (Fate::Comes | Fate::Untried, _) => self.in_order(),
            (Fate::Goes, Fate::Goes) => {
                Ok((Class::SharedState, "it goes when tenants do not act together, and when they take turns slowly"))
            }
            (Fate::Goes, Fate::Comes) => self.in_turn(),
            (Fate::Goes, _) => Err(self.unclear(Ablation::WithoutHaste)),
            (Fate::Unknown, _) => Err(self.unclear(Ablation::WithoutOverlap)),
        }
    }

    /// It comes when tenants take turns, and not one after another: something is left there by one and found by the other.
    fn in_turn(&self) -> Decided {
        match self.shape.own {
            Own::Absent => Ok((
                Class::KeyCollision,
                "it comes instead of one's own when tenants take turns, without haste, and not one after another",
            )),
            Own::Present => {
                Ok((Class::StaleWorker, "it comes beside one's own when tenants take turns, without haste"))
            }
            _ => Err("it is not known whether it comes instead of one's own".to_owned()),
        }
    }

    /// It comes though nobody acts at the same time.
    fn in_order(&self) -> Decided {
        let is_barred = matches!(
            self.oracle,
            OracleId::Access
                | OracleId::Role
                | OracleId::Existence
                | OracleId::SessionAfterLogout
                | OracleId::ForgedCredential
                | OracleId::ForeignRow
                | OracleId::NotFresh
        );
        if is_barred {
            return Ok((Class::MissingCheck, "it comes without anybody else at work"));
        }
        match (self.fate(Ablation::SecondOwner), self.fate(Ablation::SilentOwner)) {
            (Fate::Comes, _) => self.of_every_owner(),
            (Fate::Goes, Fate::Goes) => self.once_asked(),
            (Fate::Goes, Fate::Comes | Fate::Untried) => self.unasked(),
            (Fate::Goes, Fate::Unknown) => Err(self.unclear(Ablation::SilentOwner)),
            (Fate::Unknown | Fate::Untried, _) => Err(self.unclear(Ablation::SecondOwner)),
        }
    }

    /// What is left behind may have gathered there; then whoever comes first takes it.
    fn of_every_owner(&self) -> Decided {
        match (self.fate(Ablation::SecondReceiver), self.shape.own) {
            (Fate::Comes | Fate::Untried, _) => {
                Ok((Class::MissingCheck, "the secrets of every owner come, without anybody else at work"))
            }
            (Fate::Goes, Own::Present | Own::NotExpected) => {
                Ok((Class::StaleWorker, "the secrets of all owners come together, and only to the next who asks"))
            }
            (Fate::Goes, _) => Err("it is not known whether it comes beside one's own".to_owned()),
            (Fate::Unknown, _) => Err(self.unclear(Ablation::SecondReceiver)),
        }
    }

    /// Whether it comes instead of the receiver's own: what comes only to who has nothing does so too.
    fn own(&self) -> Own {
        match (self.shape.own, self.fate(Ablation::OwnSecrets)) {
            (Own::Unknown | Own::Mixed, Fate::Goes) => Own::Absent,
            (own, _) => own,
        }
    }

    /// The last owner's secret comes, once that owner has done more than send it.
    fn once_asked(&self) -> Decided {
        match self.own() {
            Own::Absent => Ok((
                Class::CacheKey,
                "it comes instead of one's own once the owner has asked for it, and goes otherwise",
            )),
            Own::Present => {
                Ok((Class::BufferReuse, "it comes beside one's own once the owner was answered, and goes otherwise"))
            }
            _ => Err("it is not known whether it comes instead of one's own".to_owned()),
        }
    }

    /// The last owner's secret comes, whatever that owner does then.
    fn unasked(&self) -> Decided {
        let last = "only the last owner's secret comes, and that owner need not ask for it";
        match (self.shape.own, self.fate(Ablation::SecondReceiver)) {
            (Own::Present, _) | (Own::NotExpected, Fate::Goes) => Ok((Class::StaleWorker, last)),
            // The newest row of all tenants looks the same.
            (Own::NotExpected, _) => Err("what is kept of the last owner may be what anybody can read".to_owned()),
            _ => Err("it is not known whether it comes beside one's own".to_owned()),
        }
    }

    fn unclear(&self, change: Ablation) -> String {
        let words = change.words();
        match self.rate_of(change) {
            None => format!("it could not be tried: {words}"),
            Some(Trials { broken: true, .. }) => format!("the case did no longer what it should: {words}"),
            Some(Trials { rate, .. }) => format!("it came {} of {}: {words}", rate.hits, rate.trials),
        }
    }

    fn rate_of(&self, change: Ablation) -> Option<&Trials> {
        self.trials.iter().find(|trials| trials.change == change)
    }

    fn fate(&self, change: Ablation) -> Fate {
        let (Some(before), Some(after)) = (self.rate_of(Ablation::AsItIs), self.rate_of(change)) else {
            return Fate::Untried;
        };
        if after.rate.hits == 0 && after.broken { Fate::Unknown } else { fate(before.rate, after.rate) }
    }
}

fn fate(before: Rate, after: Rate) -> Fate {
    let (lowest, _) = before.interval();
    let by_chance = (1.0 - lowest).powf(f64::from(after.trials));
    match after.hits {
        0 if by_chance < 0.05 => Fate::Goes,
        2.. if after.share() >= before.share() / 2.0 => Fate::Comes,
        _ => Fate::Unknown,
    }
}

/// Whether more trials would only say what is known: `before` is the rate of the whole case, `after` that of a change.
pub fn is_settled(before: Rate, after: Rate) -> bool {
    after.trials >= TRIALS_MIN && fate(before, after) != Fate::Unknown || after.trials >= TRIALS_MAX
}

/// Trials of a change at least.
const TRIALS_MIN: u32 = 4;
/// Trials of a change at most.
const TRIALS_MAX: u32 = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use Ablation::{
        AsItIs, OwnSecrets, SecondOwner, SecondReceiver, SeparateConnections, SilentOwner, UniqueIds, UniqueUrls,
        WithoutCancellation, WithoutHaste, WithoutOverlap,
    };

    /// A change, hits and trials.
    type Row = (Ablation, u32, u32);

    fn told(oracle: OracleId, shape: Shape, rates: &[Row]) -> Diagnosis {
        let trials = rates.iter().map(|(change, hits, trials)| Trials {
            change: *change,
            rate: Rate { hits: *hits, trials: *trials },
            broken: false,
        });
        diagnose(oracle, shape, trials.collect())
    }

    fn class(rates: &[Row]) -> Option<Class> {
        told(OracleId::ForeignCanary, Shape::default(), rates).class
    }

    #[test]
    fn each_line_of_the_table_names_its_kind() {
        let base = (AsItIs, 12, 12);
        let table: [(&[Row], Class); 6] = [
            (&[base, (SeparateConnections, 0, 6)], Class::ConnectionBound),
            (&[base, (SeparateConnections, 6, 6), (WithoutCancellation, 0, 6)], Class::PoolOutOfStep),
            (&[base, (UniqueIds, 0, 6)], Class::KeyCollision),
            (&[base, (UniqueIds, 6, 6), (UniqueUrls, 0, 6)], Class::CacheKey),
            (&[base, (WithoutOverlap, 0, 6), (WithoutHaste, 0, 6)], Class::SharedState),
            (&[base, (WithoutOverlap, 6, 6), (SecondOwner, 6, 6), (SecondReceiver, 6, 6)], Class::MissingCheck),
        ];
        for (rates, expected) in table {
            assert_eq!(class(rates), Some(expected), "{rates:?}");
        }
        let turns = [base, (WithoutOverlap, 0, 6), (WithoutHaste, 5, 6)];
        let taking_turns = |own| told(OracleId::ForeignCanary, Shape { own, operations: 3 }, &turns).class;
        assert_eq!(taking_turns(Own::Absent), Some(Class::KeyCollision));
        assert_eq!(taking_turns(Own::Present), Some(Class::StaleWorker));
        assert_eq!(taking_turns(Own::Mixed), None);
        let last = |silent| [base, (WithoutOverlap, 6, 6), (SecondOwner, 0, 6), (SilentOwner, silent, 6)];
        let table = [
            (0, Own::Absent, Some(Class::CacheKey)),
            (0, Own::Present, Some(Class::BufferReuse)),
            (0, Own::Unknown, None),
            (6, Own::Present, Some(Class::StaleWorker)),
            (6, Own::NotExpected, None),
            (6, Own::Absent, None),
        ];
        for (silent, own, expected) in table {
            let told = told(OracleId::ForeignCanary, Shape { own, operations: 3 }, &last(silent));
            assert_eq!(told.class, expected, "{silent} {own:?}");
        }
        let to_the_poor = |with_own| {
            let rates = [last(0).as_slice(), &[(OwnSecrets, with_own, 6)]].concat();
            told(OracleId::ForeignCanary, Shape { own: Own::Mixed, operations: 3 }, &rates).class
        };
        assert_eq!((to_the_poor(0), to_the_poor(6)), (Some(Class::CacheKey), None));
        let overwritten =
            [base, (WithoutOverlap, 6, 6), (SecondOwner, 0, 6), (SilentOwner, 6, 6), (SecondReceiver, 0, 6)];
        let of_last = told(OracleId::ForeignCanary, Shape { own: Own::NotExpected, operations: 3 }, &overwritten);
        assert_eq!(of_last.class, Some(Class::StaleWorker));
        let gathered = [base, (WithoutOverlap, 6, 6), (SecondOwner, 6, 6), (SecondReceiver, 0, 6)];
        let taken = |own| told(OracleId::ForeignCanary, Shape { own, operations: 3 }, &gathered).class;
        assert_eq!((taken(Own::Present), taken(Own::Absent)), (Some(Class::StaleWorker), None));
        let shape = Shape::default();
        assert_eq!(told(OracleId::Access, shape, &[base]).class, Some(Class::MissingCheck));
        assert_eq!(told(OracleId::MisroutedEvent, shape, &[base]).class, Some(Class::MisroutedFanOut));
    }

    #[test]
    fn rates_that_do_not_separate_the_kinds_decide_nothing() {
        // It came seldom before: that it did not come six times says nothing.
        let seldom = class(&[(AsItIs, 2, 12), (WithoutOverlap, 0, 6), (WithoutHaste, 0, 6)]);
        assert_eq!(seldom, None);
        // It came less often, but it came.
        assert_eq!(class(&[(AsItIs, 12, 12), (WithoutOverlap, 2, 6)]), None);
        assert_eq!(class(&[(AsItIs, 0, 12)]), None);
        assert_eq!(told(OracleId::MissingEvent, Shape::default(), &[(AsItIs, 9, 9)]).class, None);
    }

    #[test]
    fn a_case_that_is_not_small_decides_nothing() {
        let rates = [(AsItIs, 12, 12), (WithoutOverlap, 0, 6), (WithoutHaste, 0, 12)];
        let of = |operations| told(OracleId::ForeignCanary, Shape { own: Own::Present, operations }, &rates).class;
        assert_eq!((of(OPERATIONS_MAX), of(OPERATIONS_MAX + 1)), (Some(Class::SharedState), None));
    }

    #[test]
    fn trials_go_on_until_they_say_something_and_no_longer() {
        let rate = |hits, trials| Rate { hits, trials };
        let always = rate(12, 12);
        let table = [
            (always, rate(3, 3), false),
            (always, rate(4, 4), true),
            (always, rate(0, 4), true),
            (always, rate(1, 6), false),
            (rate(4, 12), rate(0, 4), false),
            (rate(4, 12), rate(0, 22), true),
            (rate(4, 12), rate(1, TRIALS_MAX), true),
        ];
        for (before, after, settled) in table {
            assert_eq!(is_settled(before, after), settled, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_case_that_no_longer_does_what_it_should_decides_nothing() {
        let broken = Trials { change: UniqueIds, rate: Rate { hits: 0, trials: 6 }, broken: true };
        let base = Trials { change: AsItIs, rate: Rate { hits: 9, trials: 9 }, broken: false };
        let told = diagnose(OracleId::ForeignCanary, Shape::default(), vec![base, broken]);
        assert_eq!(told.class, None);
        assert!(told.because.contains("no longer what it should"), "{}", told.because);
    }
}
