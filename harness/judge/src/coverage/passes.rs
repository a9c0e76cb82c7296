//! Which passes through flows were gone through whole: each step ended ok, and showed what it had to.

use std::collections::{BTreeMap, HashSet};

use coalmine_core::plan::{FlowId, Phase, Policy, ScopeId};
use coalmine_core::verdict::{Passes, Shortfall, ShortfallKind};

use crate::round::{Course, Place, Round, State};

/// How a pass was gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// To its end, with everything in it.
    Whole,
    /// Something in it did not end ok, or did not show what it had to.
    Broken,
}

/// The passes of a round that were due, but for those that were to be given up.
pub(super) fn gone(round: &Round, unmet: &HashSet<ScopeId>) -> BTreeMap<ScopeId, Gone> {
    let mut passes = BTreeMap::new();
    let mut given_up = HashSet::new();
    for (_, place, state) in round.ops().filter(|(_, place, _)| is_of_a_pass(round, *place)) {
        let pass = round.plan.pass_of(place.scope);
        if place.course == Course::CutOff {
            given_up.insert(pass);
        }
        let gone = match state {
            State::Ok if !unmet.contains(&pass) => Gone::Whole,
            State::NotDue => continue,
            State::Ok | State::Planned | State::Open | State::Fail | State::Info | State::Skipped => Gone::Broken,
        };
        if place.purpose.is_flow() {
            let known = passes.entry(pass).or_insert(gone);
            *known = if *known == Gone::Whole { gone } else { Gone::Broken };
        }
    }
    passes.retain(|pass, _| !given_up.contains(pass));
    passes
}

fn is_of_a_pass(round: &Round, place: Place) -> bool {
    let of_flow = round.plan.scope(place.scope).flow != FlowId::SESSION;
    let is_done = place.phase == Phase::Flows && place.purpose.is_traffic();
    of_flow && is_done && !round.receiver(place.scope).is_anonymous()
}

/// Counts them over all rounds.
#[derive(Default)]
pub(super) struct Counted {
    due: u64,
    whole: u64,
}

impl Counted {
    /// The passes of one more round.
    pub(super) fn add(&mut self, passes: &BTreeMap<ScopeId, Gone>) {
        self.due += passes.len() as u64;
        self.whole += passes.values().filter(|gone| **gone == Gone::Whole).count() as u64;
    }

    /// As the verdict has them, where the policy asks for them.
    pub(super) fn coverage(&self, policy: &Policy) -> Option<Passes> {
        let whole_min_percent = policy.passes_min_percent;
        (whole_min_percent > 0).then_some(Passes { due: self.due, whole: self.whole, whole_min_percent })
    }

    /// Too few of them.
    pub(super) fn shortfall(&self, policy: &Policy) -> Option<Shortfall> {
        let passes = self.coverage(policy).filter(|passes| !passes.are_enough())?;
        let Passes { due, whole, whole_min_percent } = passes;
        let message =
            format!("{whole} of {due} passes were gone through whole; the policy demands {whole_min_percent} %");
        Some(Shortfall { kind: ShortfallKind::Operation, operation: None, message })
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::{Happening, Receipt};
    use coalmine_core::verdict::{Outcome, Verdict};

    use crate::fixture::{READ, Story, fail};

    fn demanding(percent: u8) -> Story {
        let mut story = Story::honest(4);
        story.plan.policy.passes_min_percent = percent;
        story
    }

    fn counted(verdict: &Verdict) -> (u64, u64) {
        verdict.coverage.passes.map(|passes| (passes.whole, passes.due)).unwrap()
    }

    #[test]
    fn passes_of_an_honest_story_are_whole() {
        let verdict = demanding(100).judge().verdict;
        assert_eq!((counted(&verdict), verdict.outcome), ((4, 4), Outcome::Pass));
        assert_eq!(Story::honest(4).judge().verdict.coverage.passes, None);
    }

    #[test]
    fn a_pass_with_a_step_that_failed_is_not_whole_and_too_few_are_no_pass() {
        for (percent, outcome) in [(75, Outcome::Pass), (76, Outcome::Inconclusive)] {
            let mut story = demanding(percent);
            story.plan.policy.ok_min_percent = 0;
            story.ends(story.op(1, READ), fail(500, Receipt::default()));
            let verdict = story.judge().verdict;
            assert_eq!(counted(&verdict), (3, 4));
            let whole = |message: &str| message.contains("gone through whole");
            let is_said = verdict.shortfalls.iter().any(|shortfall| whole(&shortfall.message));
            assert_eq!(is_said, outcome == Outcome::Inconclusive, "{:?}", verdict.shortfalls);
        }
    }

    #[test]
    fn a_pass_that_does_not_show_its_own_is_not_whole() {
        let mut story = demanding(50);
        story.answers(story.op(2, READ), |answer| answer.receipt.seen.clear());
        assert_eq!(counted(&story.judge().verdict), (3, 4));
    }

    #[test]
    fn what_was_due_and_not_sent_is_told_where_the_policy_bounds_it() {
        let skip = |max| {
            let mut story = Story::honest(4);
            story.plan.policy.unsent_max = max;
            let read = story.op(1, READ);
            story.never_ends(read);
            story.events.retain(|event| event.op != read);
            story.number();
            story.add(read, Happening::Skipped { why: "it was late".into() });
            let said = story.judge().verdict.shortfalls;
            said.iter().any(|shortfall| shortfall.message.contains("that were due were not sent"))
        };
        assert_eq!([None, Some(1), Some(0)].map(skip), [false, false, true]);
    }
}
