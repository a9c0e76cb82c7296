//! How often something must be tried until it is clear whether it comes back.

/// The chance of each of the two mistakes.
const ERROR: f64 = 0.05;
/// After so many trials the likelier of the two is taken.
const TRIALS_MAX: u32 = 60;

/// Tells a rate from a clearly lower one in as few trials as that takes (A. Wald 1945). Where the rate is one of the two, either mistake is
/// made in 5 % of all cases at most.
#[derive(Clone, Copy, Debug)]
pub struct Sequential {
    high: f64,
    low: f64,
    log_odds: f64,
    trials: u32,
}

/// What the trials show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The higher rate.
    Stays,
    /// The lower rate, or none.
    Goes,
}

impl Sequential {
    /// Between these two rates.
    pub fn between(high: f64, low: f64) -> Self {
        let within = |rate: f64| rate.clamp(0.001, 0.95);
        Self { high: within(high), low: within(low), log_odds: 0.0, trials: 0 }
    }

    /// Whether a change to something that is seen at this rate leaves it there: against two fifths of it.
    pub fn of_rate(rate: f64) -> Self {
        Self::between(rate * 0.9, rate * 0.4)
    }

    /// Counts one more trial; a decision as soon as there is one.
    pub fn count(&mut self, hit: bool) -> Option<Decision> {
        let odds = if hit { self.high / self.low } else { (1.0 - self.high) / (1.0 - self.low) };
        self.log_odds += odds.ln();
        self.trials += 1;
        let bound = ((1.0 - ERROR) / ERROR).ln();
        match self.log_odds {
            odds if odds >= bound => Some(Decision::Stays),
            odds if odds <= -bound => Some(Decision::Goes),
            odds if self.trials >= TRIALS_MAX => Some(if odds > 0.0 { Decision::Stays } else { Decision::Goes }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(mut test: Sequential, trials: impl Iterator<Item = bool>) -> (Decision, u32) {
        let decision = trials.into_iter().find_map(|hit| test.count(hit));
        (decision.unwrap(), test.trials)
    }

    #[test]
    fn what_always_came_is_decided_in_a_few_trials() {
        let (decision, trials) = decide(Sequential::of_rate(1.0), std::iter::repeat(true));
        assert_eq!((decision, trials), (Decision::Stays, 4));
        let (decision, trials) = decide(Sequential::of_rate(1.0), std::iter::repeat(false));
        assert_eq!((decision, trials), (Decision::Goes, 2));
    }

    #[test]
    fn what_came_seldom_is_not_given_up_at_the_first_miss() {
        let (decision, trials) = decide(Sequential::of_rate(0.2), std::iter::repeat(false));
        assert_eq!(decision, Decision::Goes);
        assert!(trials > 15, "{trials}");
        let one_in_five = (0..).map(|nth| nth % 5 == 0);
        assert_eq!(decide(Sequential::of_rate(0.2), one_in_five).0, Decision::Stays);
    }

    #[test]
    fn there_is_always_a_decision() {
        let between = (0..).map(|nth| nth % 9 == 0);
        assert!(decide(Sequential::of_rate(0.2), between).1 <= TRIALS_MAX);
    }
}
