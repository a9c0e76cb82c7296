//! Did others wait for much longer than their share while one tenant sent many requests?

use std::collections::BTreeMap;

use coalmine_core::history::Event;
use coalmine_core::verdict::{Evidence, OracleId};

use super::{Oracle, Testimony};
use crate::floods::{Floods, Key, Series, Slowest};
use crate::lead::{Hit, Leads};
use crate::round::Round;

/// Others who wait this much longer do not mind, and a machine that has other work makes anyone wait as long.
const DELAY_US_MIN: f64 = 25_000.0;

/// A flood has a few requests in flight at a time. A target that is merely busy, with however few cores, locks or connections to its
/// database, divides what it has among the requests in flight, and so others wait at most as many times longer as there are more
/// of them. Who waits for far longer waits for what the flood has left behind: a queue in which all stand one behind another,
/// whoever they are. So the ratio of the times has a limit that depends on nothing but these numbers.
///
/// There is a finding where the whole interval of the ratio is above the limit, and the delay is one that somebody notices.
pub(crate) struct NoisyNeighbour {
    leads: Leads,
    floods: Floods,
}

impl Default for NoisyNeighbour {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::NoisyNeighbour), floods: Floods::default() }
    }
}

impl Oracle for NoisyNeighbour {
    fn id(&self) -> OracleId {
        OracleId::NoisyNeighbour
    }

    fn event(&mut self, round: &Round, event: &Event) {
        self.floods.event(round, event);
    }

    fn end(&mut self, round: &Round) {
        let slowest = self.floods.end(round);
        for (key, slowest) in self.worst(round, slowest) {
            self.tell(round, key, slowest);
        }
    }

    fn answer(&mut self) -> Testimony {
        Testimony { leads: self.leads.take(), ..Testimony::default() }
    }
}

impl NoisyNeighbour {
    /// One defect is told once: for each step that is flooded, by the operation of others that suffers most.
    fn worst(&mut self, round: &Round, slowest: BTreeMap<Key, Slowest>) -> Vec<(Key, Slowest)> {
        let mut worst: BTreeMap<_, (f64, Key, Slowest)> = BTreeMap::new();
        for (key, slowest) in slowest {
            let series = self.floods.series(round, key);
            let Some((low, _)) = series.ratio().filter(|_| is_certain(series)) else { continue };
            let entry = worst.entry(key.0).or_insert((low, key, slowest));
            if low > entry.0 {
                *entry = (low, key, slowest);
            }
        }
        worst.into_values().map(|(_, key, slowest)| (key, slowest)).collect()
    }

    fn tell(&mut self, round: &Round, key: Key, slowest: Slowest) {
        let Some(place) = round.place(slowest.op) else { return };
        let (receiver, owner) = (round.receiver(place.scope), round.receiver(slowest.by));
        let flood = round.plan.step(key.0).name.as_str();
        let series = self.floods.series(round, key);
        let Some((low, high)) = series.ratio() else { return };
        let summary = format!(
            "while {owner} sent `{flood}` many times, `{}` of others took {low:.1} to {high:.1} times as long as just before and \
             after, in {} floods; their share of the target would be at most {:.1}",
            round.step(place).name,
            series.floods(),
            series.limit()
        );
        let evidence = Evidence {
            receiver: receiver.to_string(),
            owner: Some(owner.to_string()),
            seen: round.moment_of(slowest.op, slowest.seq, slowest.at_us),
            planted_in: None,
            planted: None,
            field: None,
            encodings: vec![],
            offset: None,
            len: None,
            context: None,
        };
        let hit =
            Hit { names: &[flood], place, channel: None, summary, receiver, owner: Some(owner), evidence, plant: None };
        self.leads.add(round, hit);
    }
}

fn is_certain(series: &Series) -> bool {
    let is_above = |interval: Option<(f64, f64)>, limit: f64| interval.is_some_and(|(low, _)| low > limit);
    is_above(series.ratio(), series.limit()) && is_above(series.delay_us(), DELAY_US_MIN)
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::{Answer, Happening, Shaken};
    use coalmine_core::perturb::{Manner, Perturbation};
    use coalmine_core::plan::{Lane, Op, OpId, Phase, Purpose, ScopeId, Stage};
    use coalmine_core::step::StepId;

    use super::*;
    use crate::fixture::{CREATE, READ, Story, fail};

    const TENANTS: u32 = 9;
    const REQUESTS: u32 = 16;
    const FLOODS: usize = 9;
    /// Far behind all that the honest story tells.
    const BEGIN_US: u64 = 1_000_000;

    /// How a read of others ends in a flood: what comes of it, and after how many milliseconds.
    type End<'a> = &'a dyn Fn(usize, u32) -> (Happening, u64);

    /// Eight tenants read, again and again; every other time the first tenant floods meanwhile.
    struct Told {
        story: Story,
        now_us: u64,
    }

    impl Told {
        /// Reads take as long as `quiet` says of the stage, and in floods as `flooded` says of the flood and the tenant.
        fn new(floods: usize, quiet: impl Fn(usize) -> u64, flooded: End<'_>) -> Self {
            let mut told = Self { story: Story::honest(TENANTS), now_us: BEGIN_US };
            for nth in 0..floods {
                told.stage(false, &|_| (ok(), quiet(nth)));
                told.stage(true, &|tenant| flooded(nth, tenant));
            }
            told.stage(false, &|_| (ok(), quiet(floods)));
            told
        }

        /// All reads take so many milliseconds, and so many in floods.
        fn steady(quiet_ms: u64, flooded_ms: u64) -> Self {
            Self::new(FLOODS, |_| quiet_ms, &|_, _| (ok(), flooded_ms))
        }

        fn stage(&mut self, is_flooded: bool, end: &dyn Fn(u32) -> (Happening, u64)) {
            let mut lanes = vec![];
            let manner = Manner { flood: true, ..Manner::default() };
            let copies = if is_flooded { REQUESTS } else { 0 };
            let flood: Vec<Op> = (0..copies).map(|_| self.op(0, CREATE, Purpose::Shake, manner)).collect();
            for op in &flood {
                let shaken = Shaken::new(Perturbation::Flood, true);
                self.story.add_at(self.now_us, op.id, Happening::Invoke { connection: None });
                self.story.add_at(self.now_us, op.id, Happening::Perturbed(shaken));
                self.story.add_at(self.now_us, op.id, ok());
            }
            lanes.extend(is_flooded.then_some((0, flood)));
            for tenant in 1..TENANTS {
                let op = self.op(tenant, READ, Purpose::Flow, Manner::default());
                let (what, took_ms) = end(tenant);
                self.story.add_at(self.now_us, op.id, Happening::Invoke { connection: None });
                self.story.add_at(self.now_us + took_ms * 1_000, op.id, what);
                lanes.push((tenant, vec![op]));
            }
            self.now_us += 5_000_000;
            let lane = |(tenant, ops): (u32, Vec<Op>)| {
                let principal = self.story.plan.principals[tenant as usize].id;
                Lane { principal, ops, beside: None }
            };
            let lanes = lanes.into_iter().map(lane).collect();
            self.story.plan.stages.push(Stage { phase: Phase::Flows, lanes });
        }

        fn op(&mut self, tenant: u32, step: StepId, purpose: Purpose, manner: Manner) -> Op {
            let id = OpId(self.story.plan.op_count);
            self.story.plan.op_count += 1;
            Op { id, step, scope: ScopeId(TENANTS + tenant), purpose, manner }
        }

        fn found(&self) -> Vec<(OracleId, String)> {
            self.story.found()
        }
    }

    fn ok() -> Happening {
        Happening::Ok(Answer { status: Some(200), ..Answer::default() })
    }

    #[test]
    fn others_who_stand_behind_a_flood_are_a_finding() {
        let told = Told::steady(20, 200);
        let verdict = told.story.judge().verdict;
        let [finding] = &verdict.findings[..] else { panic!("{:#?}", verdict.findings) };
        let words = "while tenant 0 sent `create` many times, `read` of others took 10.0 to 10.0 times as long as just before and \
                     after, in 9 floods; their share of the target would be at most 4.0";
        assert_eq!((finding.oracle, finding.summary.as_str()), (OracleId::NoisyNeighbour, words));
        let [flooded] = &verdict.coverage.floods[..] else { panic!("{:#?}", verdict.coverage.floods) };
        assert_eq!((flooded.floods, flooded.ratio, flooded.ratio_limit), (9, 10.0, 4.0));
        assert_eq!((flooded.flood.as_str(), flooded.operation.as_str()), ("create", "read"));
    }

    #[test]
    fn a_target_that_shares_a_busy_machine_is_right() {
        // Eight more requests in flight beside eight: twice as long, or a little more.
        for flooded_ms in [20, 40, 75] {
            assert_eq!(Told::steady(20, flooded_ms).found(), []);
        }
    }

    #[test]
    fn a_delay_that_nobody_notices_is_none() {
        assert_eq!(Told::steady(1, 20).found(), []);
        assert_eq!(Told::steady(1, 60).found().len(), 1);
    }

    #[test]
    fn five_floods_are_too_few() {
        let told = Told::new(5, |_| 20, &|_, _| (ok(), 2_000));
        assert_eq!(told.found(), []);
        assert_eq!(told.story.judge().verdict.coverage.floods[0].ratio_low, None);
    }

    #[test]
    fn two_floods_that_harm_nobody_clear_the_target() {
        let told = |clear: &[usize]| {
            Told::new(FLOODS, |_| 20, &|nth, _| (ok(), if clear.contains(&nth) { 30 } else { 2_000 }))
        };
        assert_eq!(told(&[3, 6]).found(), []);
        assert_eq!(told(&[3]).found().len(), 1);
    }

    #[test]
    fn a_machine_that_becomes_slower_all_the_time_is_no_finding() {
        // Each stage takes half as long again as the one before it.
        let quiet = |nth: usize| (0..2 * nth).fold(20, |now, _| now * 15 / 10);
        let flooded = |nth: usize, _: u32| (ok(), quiet(nth) * 15 / 10);
        assert_eq!(Told::new(FLOODS, quiet, &flooded).found(), []);
    }

    #[test]
    fn a_machine_that_stands_still_now_and_then_is_no_finding() {
        for hit in (1_u32..1 << FLOODS).filter(|hit| hit.count_ones() < 8) {
            let flooded = |nth: usize, _: u32| (ok(), if hit & (1 << nth) == 0 { 20 } else { 3_000 });
            assert_eq!(Told::new(FLOODS, |_| 20, &flooded).found(), [], "{hit:b}");
        }
    }

    #[test]
    fn a_few_who_wait_are_none() {
        let flooded = |_: usize, tenant: u32| (ok(), if tenant < 4 { 3_000 } else { 20 });
        assert_eq!(Told::new(FLOODS, |_| 20, &flooded).found(), []);
    }

    #[test]
    fn who_waits_in_vain_waits_as_well_and_who_is_refused_does_not() {
        let no_answer = || Happening::Info { answer: Answer::default(), why: "no whole answer within 5s".into() };
        let told = Told::new(FLOODS, |_| 20, &|_, _| (no_answer(), 5_000));
        assert_eq!(told.found(), [(OracleId::NoisyNeighbour, "read".to_owned())]);
        let refused = || fail(429, coalmine_core::history::Receipt::default());
        assert_eq!(Told::new(FLOODS, |_| 20, &|_, _| (refused(), 5_000)).found(), []);
    }

    #[test]
    fn a_flood_that_was_no_flood_shows_nothing() {
        let mut told = Told::steady(20, 2_000);
        for event in &mut told.story.events {
            if let Happening::Perturbed(shaken) = &mut event.what {
                shaken.reached = false;
            }
        }
        assert_eq!(told.found(), []);
    }
}
