//! Looks that are compared with each other lie as far apart where nobody has worked between them as where somebody has: so what time
//! alone changes does not look like somebody's work.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use coalmine_core::plan::{Neighbour, Op, Purpose, ScopeId};
use coalmine_core::step::StepId;

/// A look waits so long at most.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Default)]
pub(crate) struct Stillness(Mutex<BTreeMap<(ScopeId, StepId), Looks>>);

/// Looks of one user by one step.
#[derive(Clone, Copy, Default)]
struct Looks {
    ended: Option<Instant>,
    /// The longest time between two looks in which somebody has worked.
    work: Duration,
}

impl Stillness {
    /// Waits before a look where nobody has worked.
    pub(crate) async fn begin(&self, op: &Op) {
        let Purpose::Twin { neighbour, .. } = op.purpose else { return };
        let wait = self.wait((op.scope, op.step), neighbour);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    fn wait(&self, look: (ScopeId, StepId), neighbour: Neighbour) -> Duration {
        let mut looks = self.looks();
        let looks = looks.entry(look).or_default();
        let Some(since) = looks.ended.map(|ended| ended.elapsed()) else { return Duration::ZERO };
        if neighbour == Neighbour::Silent {
            return looks.work.saturating_sub(since).min(WAIT_MAX);
        }
        looks.work = looks.work.max(since);
        Duration::ZERO
    }

    /// The look has ended.
    pub(crate) fn end(&self, op: &Op) {
        if matches!(op.purpose, Purpose::Twin { .. }) {
            self.looks().entry((op.scope, op.step)).or_default().ended = Some(Instant::now());
        }
    }

    fn looks(&self) -> MutexGuard<'_, BTreeMap<(ScopeId, StepId), Looks>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: (ScopeId, StepId) = (ScopeId(1), StepId(2));

    #[test]
    fn a_silent_look_waits_as_long_as_work_has_taken_and_no_longer_than_the_limit() {
        let still = Stillness::default();
        let look = |work, since| {
            let ended = Instant::now().checked_sub(since);
            still.looks().insert(LOOK, Looks { ended, work });
            still.wait(LOOK, Neighbour::Silent)
        };
        assert_eq!(look(Duration::from_millis(500), Duration::from_millis(600)), Duration::ZERO);
        assert_eq!(look(Duration::from_secs(60), Duration::ZERO), WAIT_MAX);
    }

    #[test]
    fn work_is_not_waited_for_and_its_longest_time_is_kept() {
        let still = Stillness::default();
        let ended = Instant::now().checked_sub(Duration::from_secs(2));
        still.looks().insert(LOOK, Looks { ended, work: Duration::from_secs(1) });
        assert_eq!(still.wait(LOOK, Neighbour::Active), Duration::ZERO);
        assert!(still.looks()[&LOOK].work >= Duration::from_secs(2));
    }
}
