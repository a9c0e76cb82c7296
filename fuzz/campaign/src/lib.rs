//! The search: how many rounds there are, and what the next one should bring together; and what becomes of a leak after it was found.
//!
//! It knows no sockets and no clock: whoever runs the rounds says how long it has taken and shows it a verdict now and then.
//! What it decides goes into the plan of the next round, and so into the history.

mod diagnosis;
mod gathered;
mod ground;
mod mutation;
mod sequential;
mod shrink;

use std::time::Duration;

pub use diagnosis::{Own, Shape, can_be_told, diagnose, is_settled};
pub use gathered::{Gathered, Reach};
pub use ground::Ground;
pub use mutation::{GENOME_BYTES, mutate};
pub use sequential::{Decision, Sequential};
pub use shrink::{Allowance, PAUSE_US, Shrunk, Trial, shrink};

use coalmine_core::verdict::{Coverage, Outcome, Verdict};

/// Pairs that a round is asked to bring together; with more, none would get much of the round.
const WANTED_MAX: usize = 48;

/// How much there is to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many rounds.
    Rounds(u32),
    /// Rounds are begun until so much time has passed.
    Time(Duration),
}

/// When to end before everything is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// As soon as a violation is seen.
    #[default]
    Leak,
    /// As soon as a violation is seen or the verdict would be a pass.
    Floor,
    /// As soon as each of these oracles has found something.
    Found(&'static [&'static str]),
    /// Not before.
    Spent,
}

/// What is to be done after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another round.
    Round,
    /// A look at the verdict so far ([`Search::learn`]), before the question is asked again.
    Look,
    /// Nothing more.
    Stop,
}

/// Decides what the next round is.
#[derive(Debug)]
pub struct Search {
    limit: Limit,
    until: Until,
    rounds: u32,
    /// A look costs as much as everything that was done so far, so there is one after 1, 2, 4, 8, ... rounds.
    look_after: u32,
    is_over: bool,
    wanted: Vec<(String, String)>,
}

impl Search {
    /// Nothing was done yet.
    pub fn new(limit: Limit, until: Until) -> Self {
        Self { limit, until, rounds: 0, look_after: 1, is_over: false, wanted: vec![] }
    }

    /// A round is over, and so much time has passed since the first began.
    pub fn after_round(&mut self, elapsed: Duration) -> Next {
        self.rounds += 1;
        if self.is_spent(elapsed) {
            return Next::Stop;
        }
        if self.rounds < self.look_after {
            return Next::Round;
        }
        self.look_after = self.look_after.saturating_mul(2);
        Next::Look
    }

    /// Learns from the verdict on the rounds so far; true when it is time to end.
    pub fn learn(&mut self, verdict: &Verdict) -> bool {
        self.wanted = wanted(&verdict.coverage);
        self.is_over = match (self.until, verdict.outcome) {
            (Until::Found(oracles), _) => oracles.iter().all(|oracle| has_found(verdict, oracle)),
            (Until::Spent, _) | (_, Outcome::Inconclusive) | (Until::Leak, Outcome::Pass) => false,
            (_, Outcome::Leak) | (Until::Floor, Outcome::Pass) => true,
        };
        self.is_over
    }

    /// Pairs of operations, by name, that the next round should bring together.
    pub fn wanted(&self) -> &[(String, String)] {
        &self.wanted
    }

    fn is_spent(&self, elapsed: Duration) -> bool {
        match self.limit {
            Limit::Rounds(rounds) => self.rounds >= rounds,
            // A round that would end after the limit by more than half of itself is not begun.
            Limit::Time(time) => elapsed + elapsed / self.rounds.saturating_mul(2).max(1) >= time,
        }
    }
}

fn has_found(verdict: &Verdict, oracle: &str) -> bool {
    verdict.findings.iter().any(|finding| finding.oracle.name() == oracle)
}

/// The pairs that met least, by the names of their operations.
pub fn wanted(coverage: &Coverage) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = coverage.pairs.iter().collect();
    pairs.sort_by_key(|pair| pair.together);
    let least = pairs.into_iter().take(WANTED_MAX);
    least.map(|pair| (pair.first.clone(), pair.second.clone())).collect()
}

#[cfg(test)]
mod tests {
    use coalmine_core::verdict::{Pair, Phases};

    use super::Next::{Look, Round, Stop};
    use super::*;

    fn verdict(outcome: Outcome, pairs: &[(&str, &str, u64)]) -> Verdict {
        let pair = |(first, second, together): &(&str, &str, u64)| Pair {
            first: (*first).to_owned(),
            second: (*second).to_owned(),
            together: *together,
            during_first: Phases::default(),
            during_second: Phases::default(),
            leak_rate_max: None,
        };
        let coverage = Coverage { pairs: pairs.iter().map(pair).collect(), ..Coverage::default() };
        Verdict {
            outcome,
            findings: vec![],
            shortfalls: vec![],
            oracles: vec![],
            coverage,
            notes: vec![],
            properties: vec![],
        }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn looks_come_after_1_2_4_8_rounds() {
        let mut search = Search::new(Limit::Rounds(9), Until::Leak);
        let next: Vec<Next> = (0..9).map(|_| search.after_round(seconds(0))).collect();
        assert_eq!(next, [Look, Look, Round, Look, Round, Round, Round, Look, Stop]);
    }

    #[test]
    fn no_round_is_begun_that_would_end_long_after_the_time() {
        let mut search = Search::new(Limit::Time(seconds(10)), Until::Spent);
        assert_ne!(search.after_round(seconds(4)), Next::Stop);
        assert_eq!(search.after_round(seconds(8)), Next::Stop);
    }

    #[test]
    fn it_ends_for_a_leak_or_a_pass_as_it_was_told() {
        let table = [
            (Until::Leak, Outcome::Leak, true),
            (Until::Leak, Outcome::Pass, false),
            (Until::Floor, Outcome::Leak, true),
            (Until::Floor, Outcome::Pass, true),
            (Until::Floor, Outcome::Inconclusive, false),
            (Until::Spent, Outcome::Leak, false),
            (Until::Found(&["foreign-canary"]), Outcome::Leak, false),
        ];
        for (until, outcome, ends) in table {
            let mut search = Search::new(Limit::Rounds(9), until);
            assert_eq!(search.learn(&verdict(outcome, &[])), ends, "{until:?} {outcome:?}");
        }
    }

    #[test]
    fn pairs_that_never_met_are_wanted_first() {
        let mut search = Search::new(Limit::Rounds(9), Until::Leak);
        search.learn(&verdict(Outcome::Pass, &[("a", "b", 7), ("a", "a", 0), ("b", "b", 2)]));
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(search.wanted(), [pair("a", "a"), pair("b", "b"), pair("a", "b")]);
    }
}
