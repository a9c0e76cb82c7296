//! In which phases of an operation those of other tenants began.

use std::collections::{BTreeMap, HashMap};

use coalmine_core::TenantId;
use coalmine_core::history::{Answer, Event};
use coalmine_core::verdict::Phases;

/// When operations of a round began, and what that was for those that were in flight.
///
/// An operation's phases are known when it has ended; by then others have begun, which are looked up by search. So the work grows
/// with the number of steps, and only with the logarithm of the number of operations.
#[derive(Default)]
pub(super) struct PhaseCount {
    all: Beginnings,
    by_tenant: HashMap<TenantId, Beginnings>,
    /// By the place of the operation that was in flight, and of the one that began meanwhile.
    counts: BTreeMap<(usize, usize), Phases>,
}

/// For each operation, the places in the history and the times at which it began, in order.
#[derive(Default)]
struct Beginnings(Vec<Vec<(u64, u64)>>);

/// An operation that has begun.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    pub(super) step: usize,
    pub(super) tenant: TenantId,
    seq: u64,
    at_us: u64,
    /// It was answered more than once: when its last request was sent is not known.
    pub(super) is_repeated: bool,
}

impl Begun {
    pub(super) fn new(step: usize, tenant: TenantId, event: &Event) -> Self {
        Self { step, tenant, seq: event.seq, at_us: event.at_us, is_repeated: false }
    }

    /// When it was sent and when it was answered.
    fn boundaries_us(&self, answer: &Answer) -> (u64, u64) {
        if self.is_repeated || !answer.hops.is_empty() {
            return (self.at_us, u64::MAX);
        }
        let after = |time_us: u32| self.at_us + u64::from(time_us);
        let sent_us = answer.sent_us.map_or(self.at_us, after);
        (sent_us, answer.head_us.map_or(u64::MAX, after).max(sent_us))
    }
}

impl PhaseCount {
    pub(super) fn begin(&mut self, begun: Begun) {
        self.all.add(&begun);
        self.by_tenant.entry(begun.tenant).or_default().add(&begun);
    }

    /// It has ended at this event.
    pub(super) fn end(&mut self, begun: Begun, event: &Event, answer: &Answer) {
        let (sent_us, head_us) = begun.boundaries_us(answer);
        let mine = self.by_tenant.get(&begun.tenant);
        for other in 0..self.all.0.len() {
            let place = |of: Option<&Beginnings>| {
                of.map_or([0; 4], |of| of.places(other, [begun.seq, event.seq], [sent_us, head_us]))
            };
            let (all, own) = (place(Some(&self.all)), place(mine));
            let has_begun = |phase: usize| u64::from(all[phase + 1] - all[phase] > own[phase + 1] - own[phase]);
            let new = Phases { sending: has_begun(0), processing: has_begun(1), answering: has_begun(2) };
            if !new.is_none() {
                let counts = self.counts.entry((begun.step, other)).or_default();
                counts.sending += new.sending;
                counts.processing += new.processing;
                counts.answering += new.answering;
            }
        }
    }

    /// The round is over.
    pub(super) fn end_round(&mut self) {
        self.all = Beginnings::default();
        self.by_tenant.clear();
    }

    /// How often the second began while the first was in one of its phases.
    pub(super) fn of(&self, in_flight: usize, began: usize) -> Phases {
        self.counts.get(&(in_flight, began)).copied().unwrap_or_default()
    }
}

impl Beginnings {
    fn add(&mut self, begun: &Begun) {
        self.0.resize_with(self.0.len().max(begun.step + 1), Vec::new);
        self.0[begun.step].push((begun.seq, begun.at_us));
    }

    /// How many of a step lie before the first place, the first and the second time within, and the last place.
    fn places(&self, step: usize, [first, last]: [u64; 2], times_us: [u64; 2]) -> [usize; 4] {
        let Some(all) = self.0.get(step) else { return [0; 4] };
        let before = |seq: u64| all.partition_point(|(other, _)| *other <= seq);
        let (begin, end) = (before(first), before(last));
        let [sent, head] = times_us.map(|time_us| all.partition_point(|(_, at_us)| *at_us < time_us).clamp(begin, end));
        [begin, sent, head, end]
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::Happening;
    use coalmine_core::plan::OpId;

    use super::*;

    fn event(seq: u64, at_us: u64) -> Event {
        Event { seq, at_us, op: OpId(0), what: Happening::Invoke { connection: None } }
    }

    /// The operation at place 0 of tenant 0 goes from 100 to 200 us; others, at place 1, begin at these times.
    fn during(others: &[(u32, u64)], answer: &Answer) -> Phases {
        let mut count = PhaseCount::default();
        let one = Begun::new(0, TenantId(0), &event(0, 100));
        count.begin(one);
        for (seq, (tenant, at_us)) in (1..).zip(others) {
            count.begin(Begun::new(1, TenantId(*tenant), &event(seq, *at_us)));
        }
        count.end(one, &event(99, 200), answer);
        count.of(0, 1)
    }

    fn answer(sent_us: Option<u32>, head_us: Option<u32>) -> Answer {
        Answer { sent_us, head_us, ..Answer::default() }
    }

    #[test]
    fn each_phase_is_counted_once_an_operation() {
        let phases = during(&[(1, 110), (1, 115), (2, 150), (1, 180)], &answer(Some(20), Some(60)));
        assert_eq!(phases, Phases { sending: 1, processing: 1, answering: 1 });
        let phases = during(&[(1, 110), (1, 115)], &answer(None, Some(60)));
        assert_eq!(phases, Phases { processing: 1, ..Phases::default() });
    }

    #[test]
    fn operations_of_the_same_tenant_do_not_count() {
        let phases = during(&[(0, 110), (0, 150), (1, 180)], &answer(Some(20), Some(60)));
        assert_eq!(phases, Phases { answering: 1, ..Phases::default() });
    }

    #[test]
    fn what_was_never_answered_was_being_processed_to_its_end() {
        let phases = during(&[(1, 110), (1, 199)], &answer(Some(20), None));
        assert_eq!(phases, Phases { sending: 1, processing: 1, answering: 0 });
    }
}
