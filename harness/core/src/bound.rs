//! What silence is worth: bounds on a rate that was seen k times in n trials.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One-sided confidence of all bounds.
pub const CONFIDENCE: f64 = 0.95;
/// A bound is searched until it is known to this share of itself.
const PRECISION: f64 = 1e-9;

/// The upper bound of a rate at 95 %, one-sided and exact, with `k` successes in `n` independent trials (Clopper and Pearson 1934).
/// None without a trial.
///
/// With no success it is `1 - 0.05^(1/n)`. That trials are independent is the caller's claim.
pub fn rate_max(k: u64, n: u64) -> Option<f64> {
    if n == 0 {
        return None;
    }
    if k >= n {
        return Some(1.0);
    }
    if k == 0 {
        // Exact also where the rate is tiny.
        return Some(-((1.0 - CONFIDENCE).ln() / real(n)).exp_m1());
    }
    let (mut low, mut high) = (real(k) / real(n), 1.0);
    while high - low > high * PRECISION {
        let middle = f64::midpoint(low, high);
        if at_most(k, n, middle) > 1.0 - CONFIDENCE { low = middle } else { high = middle }
    }
    Some(high)
}

/// How many trials without a success it takes until [`rate_max`] is not above `rate`, which lies between 0 and 1.
pub fn trials_for(rate: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number; beyond 2^64 it saturates"
    )]
    let trials = ((1.0 - CONFIDENCE).ln() / (-rate).ln_1p()).ceil() as u64;
    trials
}

/// How often something came in so many trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// In how many it came.
    pub hits: u32,
    /// Of how many.
    pub trials: u32,
}

/// Of a normal distribution, 95 % lie within so many standard deviations.
const Z: f64 = 1.959_963_985;

impl Rate {
    /// Counts one more trial.
    pub fn count(&mut self, hit: bool) {
        self.trials = self.trials.saturating_add(1);
        self.hits = self.hits.saturating_add(u32::from(hit));
    }

    /// The share of trials in which it came; 0 without any.
    pub fn share(self) -> f64 {
        f64::from(self.hits) / f64::from(self.trials.max(1))
    }

    /// Between which rates the true one lies at 95 % (E. B. Wilson 1927); anything is possible without a trial.
    pub fn interval(self) -> (f64, f64) {
        if self.trials == 0 {
            return (0.0, 1.0);
        }
        let (n, share) = (f64::from(self.trials), self.share());
        let scale = 1.0 + Z * Z / n;
        let middle = (share + Z * Z / (2.0 * n)) / scale;
        let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let low = if self.hits == 0 { 0.0 } else { (middle - half).max(0.0) };
        let high = if self.hits == self.trials { 1.0 } else { (middle + half).min(1.0) };
        (low, high)
    }
}

/// `7 of 10, 40 % to 89 %`.
impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.interval();
        write!(f, "{} of {}, {:.0} % to {:.0} %", self.hits, self.trials, low * 100.0, high * 100.0)
    }
}

/// The chance of at most `k` successes in `n` trials.
fn at_most(k: u64, n: u64, rate: f64) -> f64 {
    let (log_rate, log_rest) = (rate.ln(), (-rate).ln_1p());
    let mut log_ways = 0.0;
    let mut sum = 0.0;
    for i in 0..=k {
        if i > 0 {
            log_ways += real(n - i + 1).ln() - real(i).ln();
        }
        sum += (log_ways + real(i) * log_rate + real(n - i) * log_rest).exp();
    }
    sum
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 trials the bound is zero for all purposes")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found / expected - 1.0).abs() < 1e-3), "{found:?} is not {expected}");
    }

    #[test]
    fn silence_of_few_trials_is_worth_little() {
        assert_eq!(rate_max(0, 0), None);
        near(rate_max(0, 1), 0.95);
        near(rate_max(0, 59), 0.0495);
        assert!(rate_max(0, 1_000_000_000_000).is_some_and(|rate| rate > 0.0));
    }

    #[test]
    fn bounds_are_those_of_the_tables() {
        // One-sided 95 % bounds, as R's binom.test(k, n, alternative = "less") gives them.
        near(rate_max(1, 10), 0.394_16);
        near(rate_max(3, 20), 0.343_66);
        near(rate_max(10, 100), 0.163_71);
        assert_eq!(rate_max(5, 5), Some(1.0));
    }

    #[test]
    fn intervals_are_those_of_wilson() {
        let near = |found: (f64, f64), low: f64, high: f64| {
            assert!((found.0 - low).abs() < 1e-3 && (found.1 - high).abs() < 1e-3, "{found:?}");
        };
        near(Rate { hits: 7, trials: 10 }.interval(), 0.3968, 0.8922);
        near(Rate { hits: 0, trials: 10 }.interval(), 0.0, 0.2775);
        near(Rate { hits: 10, trials: 10 }.interval(), 0.7225, 1.0);
        near(Rate::default().interval(), 0.0, 1.0);
    }

    #[test]
    fn as_many_trials_as_are_asked_for_are_enough_and_one_less_is_not() {
        for rate in [0.5, 0.05, 0.001, 0.000_01] {
            let trials = trials_for(rate);
            assert!(rate_max(0, trials).is_some_and(|bound| bound <= rate * (1.0 + 1e-12)));
            assert!(rate_max(0, trials - 1).is_none_or(|bound| bound > rate));
        }
    }
}
