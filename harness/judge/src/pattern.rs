//! Which patterns of concurrent code can do what a finding shows.
//!
//! From outside one sees what came, not why. So a pattern is named only where what was seen is what its models do, and none
//! where a missing check would look the same.

use coalmine_canary::Strength;
use coalmine_core::step::{Action, Step};
use coalmine_core::verdict::{OracleId, Pattern};

/// What else was seen where the evidence of a finding comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    /// In the pass that planted the canary, a request of the same route had been given up.
    pub(crate) given_up: bool,
    /// How much of the canary came.
    pub(crate) strength: Option<Strength>,
}

/// The patterns, likeliest first.
pub(crate) fn patterns(oracle: OracleId, step: &Step, signs: Signs) -> Vec<Pattern> {
    match oracle {
        OracleId::MisroutedEvent => vec![Pattern::Router, Pattern::Stream],
        OracleId::MissingEvent => vec![Pattern::Stream, Pattern::Router],
        OracleId::IdentityEcho if has_key(step) => vec![Pattern::Idempotency],
        OracleId::IdentityEcho => vec![Pattern::Slot, Pattern::Tokens, Pattern::Cache],
        OracleId::ResponseMixUp => vec![Pattern::Pool],
        OracleId::NotFresh => vec![Pattern::Lazy, Pattern::Cache],
        OracleId::WrongCredential => vec![Pattern::Queue, Pattern::Slot],
        OracleId::SessionAfterLogout => vec![Pattern::Tokens, Pattern::Registry],
        OracleId::ForeignCanary => of_a_canary(step, signs),
        OracleId::Access
        | OracleId::ForeignRow
        | OracleId::Role
        | OracleId::FaultPropagation
        | OracleId::Existence
        | OracleId::ExistenceByTime
        | OracleId::Interference
        | OracleId::ForgedCredential
        | OracleId::Caching
        | OracleId::UnguardedTable
        | OracleId::UnnamedKey
        | OracleId::SecretInLog
        | OracleId::NoisyNeighbour
        | OracleId::WrongAggregate
        | OracleId::WrongList => vec![],
    }
}

fn of_a_canary(step: &Step, signs: Signs) -> Vec<Pattern> {
    if signs.given_up {
        return vec![Pattern::Pool];
    }
    match &step.action {
        Action::Open(_) | Action::Subscribe(_) | Action::Receive(_) => vec![Pattern::Router, Pattern::Stream],
        _ if signs.strength == Some(Strength::Fragment) => vec![Pattern::Buffers],
        _ if has_key(step) => vec![Pattern::Idempotency],
        _ => vec![],
    }
}

fn has_key(step: &Step) -> bool {
    matches!(&step.action, Action::Request(request) if request.has_idempotency_key())
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::{Channel, Event, Happening, Seen, Shaken};
    use coalmine_core::perturb::Perturbation;
    use coalmine_core::step::StepId;

    use super::*;
    use crate::fixture::{CLOSE, CREATE, OPEN, READ, SECRET, Story, frame, seen, seen_as};

    impl Story {
        /// First of all, the tenant's request is cut off.
        fn given_up(&mut self, tenant: u32, step: StepId, reached: bool) {
            let shaken = Shaken::new(Perturbation::Cancel, reached);
            let what = Happening::Perturbed(shaken);
            self.events.insert(0, Event { seq: 0, at_us: 0, op: self.op(tenant, step), what });
            self.number();
        }
    }

    /// What is named where tenant 0 sees this of tenant 1.
    fn named(mut story: Story, seen: Seen) -> Vec<Pattern> {
        story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(seen));
        let findings = story.judge().verdict.findings;
        assert_eq!(findings.len(), 1);
        findings[0].patterns.clone()
    }

    #[test]
    fn canary_alone_names_no_pattern() {
        let story = Story::honest(2);
        let theirs = story.canary(1, SECRET);
        assert_eq!(named(story, seen(Channel::Body, theirs)), []);
    }

    #[test]
    fn answer_to_a_request_that_was_given_up_names_the_pool() {
        let pool = vec![Pattern::Pool];
        for (reached, tenant, step, patterns) in
            [(true, 1, READ, pool), (false, 1, READ, vec![]), (true, 2, READ, vec![]), (true, 1, CREATE, vec![])]
        {
            let mut story = Story::honest(3);
            story.given_up(tenant, step, reached);
            let theirs = story.canary(1, SECRET);
            assert_eq!(named(story, seen(Channel::Body, theirs)), patterns, "{reached} {tenant} {step:?}");
        }
    }

    #[test]
    fn request_of_the_same_route_that_was_given_up_names_the_pool() {
        let mut story = Story::honest(3);
        story.plan.steps[usize::from(CLOSE.0)].action = story.plan.steps[usize::from(READ.0)].action.clone();
        story.given_up(1, CLOSE, true);
        let theirs = story.canary(1, SECRET);
        assert_eq!(named(story, seen(Channel::Body, theirs)), [Pattern::Pool]);
    }

    #[test]
    fn beginning_of_a_canary_names_the_buffers() {
        let story = Story::honest(2);
        let theirs = story.canary(1, SECRET);
        assert_eq!(named(story, seen_as(Channel::Body, theirs, Strength::Fragment)), [Pattern::Buffers]);
    }

    #[test]
    fn canary_in_an_event_names_the_router() {
        let mut story = Story::honest(2);
        let theirs = seen(Channel::TextFrame, story.canary(1, SECRET));
        story.add(story.op(0, OPEN), frame("done", vec![theirs], vec![]));
        assert_eq!(story.judge().verdict.findings[0].patterns, [Pattern::Router, Pattern::Stream]);
    }

    #[test]
    fn canary_behind_an_idempotency_key_names_it() {
        let mut story = Story::honest(2);
        let Action::Request(request) = &mut story.plan.steps[usize::from(READ.0)].action else { unreachable!() };
        let key = request.path.clone();
        request.headers.push(("Idempotency-Key".to_owned(), key));
        let theirs = story.canary(1, SECRET);
        assert_eq!(named(story, seen(Channel::Body, theirs)), [Pattern::Idempotency]);
    }

    #[test]
    fn pattern_is_that_of_the_earliest_sighting() {
        let mut story = Story::honest(3);
        story.given_up(1, READ, true);
        let theirs = story.canary(1, SECRET);
        story.answers(story.op(2, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        let plain = story.canary(2, SECRET);
        assert_eq!(named(story, seen(Channel::Body, plain)), []);
    }
}
