//! What rounds have reached: pairs of operations with the point at which they met, and states of answers.

use std::collections::BTreeSet;

use coalmine_core::verdict::{Coverage, Pair, Phases};
use serde::{Deserialize, Serialize};

/// More states are not kept: then an answer differs each time, and says nothing new.
const STATES_MAX: usize = 20_000;
/// So many states of one operation make it one whose answers differ each time.
const STATES_OF_STEP_MAX: usize = 200;

/// What was reached, in words that mean the same in every round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    pairs: BTreeSet<String>,
    states: BTreeSet<String>,
}

impl Ground {
    /// The pairs of a round's coverage.
    pub fn of(coverage: &Coverage) -> Self {
        Self { pairs: coverage.pairs.iter().flat_map(points).collect(), states: BTreeSet::new() }
    }

    /// A state of the answers to one operation.
    pub fn note_state(&mut self, step: &str, state: &str) {
        let prefix = format!("{step}: ");
        let known = self.states.range(prefix.clone()..).take_while(|one| one.starts_with(&prefix)).count();
        if known < STATES_OF_STEP_MAX && self.states.len() < STATES_MAX {
            self.states.insert(prefix + state);
        }
    }

    /// Adds what another has reached, and tells what of it is new.
    pub fn learn(&mut self, other: Self) -> Vec<String> {
        let mut new: Vec<String> = other.pairs.difference(&self.pairs).cloned().collect();
        let before = self.states.clone();
        for (step, state) in other.states.iter().filter_map(|state| state.split_once(": ")) {
            self.note_state(step, state);
        }
        new.extend(self.states.difference(&before).cloned());
        self.pairs.extend(other.pairs);
        new
    }

    /// How many pairs and points.
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// How many states.
    pub fn states(&self) -> usize {
        self.states.len()
    }
}

fn points(pair: &Pair) -> Vec<String> {
    let Pair { first, second, together, during_first, during_second, .. } = pair;
    let mut points = vec![];
    points.extend((*together > 0).then(|| format!("{first} with {second}")));
    points.extend(phases(during_first).map(|phase| format!("{second} while {first} was {phase}")));
    points.extend(phases(during_second).map(|phase| format!("{first} while {second} was {phase}")));
    points
}

fn phases(of: &Phases) -> impl Iterator<Item = &'static str> {
    let named = [("sending", of.sending), ("processing", of.processing), ("answering", of.answering)];
    named.into_iter().filter(|(_, count)| *count > 0).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(together: u64, processing: u64) -> Coverage {
        let during_first = Phases { processing, ..Phases::default() };
        let pair = Pair {
            first: "read".into(),
            second: "write".into(),
            together,
            during_first,
            during_second: Phases::default(),
            leak_rate_max: None,
        };
        Coverage { pairs: vec![pair], ..Coverage::default() }
    }

    #[test]
    fn a_point_is_new_once() {
        let mut ground = Ground::default();
        assert_eq!(ground.learn(Ground::of(&pair(0, 0))), Vec::<String>::new());
        assert_eq!(ground.learn(Ground::of(&pair(1, 0))), ["read with write"]);
        assert_eq!(ground.learn(Ground::of(&pair(2, 1))), ["write while read was processing"]);
        assert_eq!(ground.learn(Ground::of(&pair(2, 1))), Vec::<String>::new());
    }

    #[test]
    fn answers_that_always_differ_fill_neither_the_ground_nor_the_corpus() {
        let mut ground = Ground::default();
        for number in 0..STATES_OF_STEP_MAX * 2 {
            let mut round = Ground::default();
            round.note_state("read", &number.to_string());
            let new = ground.learn(round);
            assert_eq!(new.len(), usize::from(number < STATES_OF_STEP_MAX));
        }
        assert_eq!(ground.states(), STATES_OF_STEP_MAX);
    }
}
