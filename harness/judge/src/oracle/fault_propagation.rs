//! Did others fail from then on when one tenant sent what the target did not expect?

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use coalmine_core::TenantId;
use coalmine_core::history::{Event, Happening};
use coalmine_core::perturb::Perturbation;
use coalmine_core::plan::{Op, OpId, Phase, ScopeId, Stage};
use coalmine_core::step::StepId;
use coalmine_core::verdict::{Evidence, OracleId};

use super::{Oracle, Testimony};
use crate::lead::{Hit, Leads};
use crate::round::Round;

/// In a round in which poison changes nothing, there is a finding by chance at most this often, whatever share of the operations
/// fails: the test is exact, and its bound is divided by the number of tests in the round.
const CHANCE_MAX: f64 = 1e-6;
/// Others who fail belong to so many tenants at least.
const TENANTS_MIN: usize = 2;
/// They fail in so many stages after the poison at least.
const STAGES_MIN: usize = 2;

/// What is compared is how operations of other tenants ended, those that were sent in the plain way. Statuses from 400 to 499 say
/// that the target refused something on purpose, such as what is beyond a quota: they count neither way. No answer, an answer that
/// says that the target failed, and one without what a step captures are failures; so is a connection that is refused, since a
/// target that is down is down for all.
///
/// There is a finding where every operation failed after the poison, none did in the stage just before it, and the exact test of
/// Fisher finds that too unlikely for chance.
pub(crate) struct FaultPropagation {
    leads: Leads,
    ends: HashMap<OpId, End>,
    /// Spoiled requests that were sent.
    sent: HashSet<OpId>,
}

/// How an operation ended.
#[derive(Clone, Copy)]
struct End {
    ok: bool,
    seq: u64,
    at_us: u64,
}

/// A stage in which a tenant sent spoiled requests.
struct Poisoned<'r> {
    stage: usize,
    by: ScopeId,
    tenant: TenantId,
    step: StepId,
    round: &'r Round,
}

/// How one step went for others before and after.
#[derive(Default)]
struct Change {
    before: Tally,
    just_before: Tally,
    after: Tally,
    tenants: BTreeSet<TenantId>,
    stages: BTreeSet<usize>,
    first_failed: Option<(u64, u64, OpId)>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    ok: u32,
    failed: u32,
}

impl Default for FaultPropagation {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::FaultPropagation), ends: HashMap::new(), sent: HashSet::new() }
    }
}

impl Oracle for FaultPropagation {
    fn id(&self) -> OracleId {
        OracleId::FaultPropagation
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let Some(place) = round.place(event.op).filter(|place| place.phase == Phase::Flows) else { return };
        let ok = match &event.what {
            Happening::Perturbed(shaken) => {
                let is_poison = shaken.what == Perturbation::Poison && shaken.reached;
                self.sent.extend(is_poison.then_some(event.op));
                return;
            }
            Happening::Ok(_) => true,
            Happening::Fail { answer, .. } if matches!(answer.status, Some(400..=499)) => return,
            Happening::Fail { .. } | Happening::Info { .. } => false,
            _ => return,
        };
        if place.purpose.is_flow() && !round.step(place).is_search() {
            self.ends.insert(event.op, End { ok, seq: event.seq, at_us: event.at_us });
        }
    }

    fn end(&mut self, round: &Round) {
        let poisoned: Vec<Poisoned<'_>> =
            (0..).zip(&round.plan.stages).filter_map(|it| self.poisoned(round, it)).collect();
        let mut broken = BTreeSet::new();
        let tests = poisoned.iter().map(Poisoned::tests).sum();
        for poisoned in &poisoned {
            let changes = poisoned.changes(&self.ends);
            let changed =
                changes.into_iter().filter(|(step, change)| !broken.contains(step) && change.is_certain(tests));
            let changed: Vec<_> = changed.collect();
            broken.extend(changed.iter().map(|(step, _)| *step));
            // One defect is told once: by the step that failed first.
            if let Some((_, change)) = changed.iter().min_by_key(|(_, change)| change.first_failed) {
                self.tell(poisoned, change);
            }
        }
        self.ends.clear();
        self.sent.clear();
    }

    fn answer(&mut self) -> Testimony {
        Testimony { leads: self.leads.take(), ..Testimony::default() }
    }
}

impl FaultPropagation {
    fn poisoned<'r>(&self, round: &'r Round, (stage, of): (usize, &Stage)) -> Option<Poisoned<'r>> {
        let mut ops = of.lanes.iter().flat_map(|lane| &lane.ops);
        let op = ops.find(|op| op.manner.poison.is_some() && self.sent.contains(&op.id))?;
        let tenant = round.receiver(op.scope).tenant;
        Some(Poisoned { stage, by: op.scope, tenant, step: op.step, round })
    }

    fn tell(&mut self, poisoned: &Poisoned<'_>, change: &Change) {
        let Some((seq, at_us, op)) = change.first_failed else { return };
        let Some(place) = poisoned.round.place(op) else { return };
        let (receiver, owner) = (poisoned.round.receiver(place.scope), poisoned.round.receiver(poisoned.by));
        let step = poisoned.round.plan.step(poisoned.step).name.as_str();
        let (before, after) = (change.before, change.after);
        let summary = format!(
            "since {owner} sent spoiled input to `{step}`, `{}` of others has failed: {} of {} ended ok before, and none of {} after",
            poisoned.round.step(place).name,
            before.ok,
            before.ok + before.failed,
            after.failed
        );
        let evidence = Evidence {
            receiver: receiver.to_string(),
            owner: Some(owner.to_string()),
            seen: poisoned.round.moment_of(op, seq, at_us),
            planted_in: None,
            planted: None,
            field: None,
            encodings: vec![],
            offset: None,
            len: None,
            context: None,
        };
        let hit =
            Hit { names: &[step], place, channel: None, summary, receiver, owner: Some(owner), evidence, plant: None };
        self.leads.add(poisoned.round, hit);
    }
}

impl Poisoned<'_> {
    /// How many steps can be found to have changed: those of the stage before.
    fn tests(&self) -> usize {
        let before = self.stage.checked_sub(1).and_then(|before| self.round.plan.stages.get(before));
        let ops = before.iter().flat_map(|stage| &stage.lanes).flat_map(|lane| &lane.ops);
        ops.map(|op| op.step).collect::<BTreeSet<_>>().len()
    }

    fn changes(&self, ends: &HashMap<OpId, End>) -> BTreeMap<StepId, Change> {
        let mut changes: BTreeMap<StepId, Change> = BTreeMap::new();
        for (stage, of) in self.round.plan.stages.iter().enumerate().filter(|(_, of)| of.phase == Phase::Flows) {
            for op in of.lanes.iter().flat_map(|lane| &lane.ops).filter(|op| self.is_others(op)) {
                if let Some(end) = ends.get(&op.id) {
                    let tenant = self.round.receiver(op.scope).tenant;
                    changes.entry(op.step).or_default().count((stage, self.stage), (op.id, tenant), *end);
                }
            }
        }
        changes
    }

    fn is_others(&self, op: &Op) -> bool {
        op.purpose.is_flow() && op.manner.is_plain() && self.round.receiver(op.scope).tenant != self.tenant
    }
}

impl Change {
    fn count(&mut self, (stage, poisoned): (usize, usize), (op, tenant): (OpId, TenantId), end: End) {
        if stage < poisoned {
            self.before.count(end.ok);
            if stage + 1 == poisoned {
                self.just_before.count(end.ok);
            }
            return;
        }
        self.after.count(end.ok);
        if !end.ok {
            self.tenants.insert(tenant);
            self.stages.insert(stage);
            let failed = (end.seq, end.at_us, op);
            self.first_failed = Some(self.first_failed.map_or(failed, |first| first.min(failed)));
        }
    }

    fn is_certain(&self, tests: usize) -> bool {
        let is_sharp = self.just_before.ok > 0 && self.just_before.failed == 0 && self.after.ok == 0;
        let is_broad = self.tenants.len() >= TENANTS_MIN && self.stages.len() >= STAGES_MIN;
        let tests = f64::from(u32::try_from(tests).unwrap_or(u32::MAX));
        is_sharp && is_broad && self.chance() * tests <= CHANCE_MAX
    }

    /// The chance that all failures that there were, or more, come to lie behind the poison if it has nothing to do with them.
    fn chance(&self) -> f64 {
        let all = self.before.ok + self.before.failed + self.after.failed;
        let failed = self.before.failed + self.after.failed;
        (0..self.after.failed).map(|nth| f64::from(failed - nth) / f64::from(all - nth)).product()
    }
}

impl Tally {
    fn count(&mut self, ok: bool) {
        if ok { self.ok += 1 } else { self.failed += 1 }
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::{Answer, Shaken};
    use coalmine_core::perturb::{Manner, Poison, PoisonKind};
    use coalmine_core::plan::{Lane, Purpose};

    use super::*;
    use crate::fixture::{CREATE, READ, Story, fail};

    /// Stages of reads, and the one in which the first tenant poisons.
    const STAGES: usize = 4;
    const POISON: usize = 1;
    const TENANTS: u32 = 9;
    const PASSES: u32 = 2;

    /// Others read, the first tenant sends poison, others read twice more; all is well before.
    struct Round {
        story: Story,
        /// The reads of each stage.
        reads: Vec<Vec<OpId>>,
    }

    impl Round {
        fn new() -> Self {
            let mut round = Self { story: Story::honest(TENANTS), reads: vec![] };
            for stage in 0..STAGES {
                let reads = if stage == POISON { round.poison() } else { round.read() };
                round.reads.push(reads);
            }
            round
        }

        fn poison(&mut self) -> Vec<OpId> {
            let poison = Some(Poison { kind: PoisonKind::WideCharacters, value: 0 });
            let op = self.op(0, CREATE, Purpose::Shake, Manner { poison, ..Manner::default() });
            let id = op.id;
            self.stage(vec![(0, vec![op])]);
            self.story.add(id, Happening::Invoke { connection: None });
            let shaken = Shaken::new(Perturbation::Poison, true);
            self.story.add(id, Happening::Perturbed(shaken));
            self.story.add(id, fail(400, coalmine_core::history::Receipt::default()));
            vec![id]
        }

        fn read(&mut self) -> Vec<OpId> {
            let mut lanes = vec![];
            for tenant in 1..TENANTS {
                let ops = (0..PASSES).map(|_| self.op(tenant, READ, Purpose::Flow, Manner::default())).collect();
                lanes.push((tenant, ops));
            }
            let ids: Vec<OpId> =
                lanes.iter().flat_map(|(_, ops): &(u32, Vec<Op>)| ops.iter().map(|op| op.id)).collect();
            self.stage(lanes);
            for id in &ids {
                self.story.add(*id, Happening::Invoke { connection: None });
                self.story.add(*id, Happening::Ok(Answer { status: Some(200), ..Answer::default() }));
            }
            ids
        }

        fn op(&mut self, tenant: u32, step: StepId, purpose: Purpose, manner: Manner) -> Op {
            let id = OpId(self.story.plan.op_count);
            self.story.plan.op_count += 1;
            Op { id, step, scope: ScopeId(TENANTS + tenant), purpose, manner }
        }

        fn stage(&mut self, lanes: Vec<(u32, Vec<Op>)>) {
            let lanes = lanes.into_iter().map(|(tenant, ops)| {
                let principal = self.story.plan.principals[tenant as usize].id;
                Lane { principal, ops, beside: None }
            });
            let lanes = lanes.collect();
            self.story.plan.stages.push(Stage { phase: Phase::Flows, lanes });
        }

        /// Reads of the stages end so, where `is_hit` says it by their number.
        fn ends(mut self, stages: &[usize], what: &Happening, is_hit: impl Fn(usize) -> bool) -> Self {
            for stage in stages {
                for (_, op) in self.reads[*stage].iter().enumerate().filter(|(nth, _)| is_hit(*nth)) {
                    self.story.ends(*op, what.clone());
                }
            }
            self
        }

        fn found(&self) -> Vec<(OracleId, String)> {
            self.story.found()
        }
    }

    fn no_answer() -> Happening {
        Happening::Info { answer: Answer::default(), why: "no whole answer within 5s".into() }
    }

    #[test]
    fn poison_that_is_refused_and_harms_nobody_is_right() {
        assert_eq!(Round::new().found(), []);
    }

    #[test]
    fn others_who_fail_from_then_on_are_a_finding() {
        for what in [no_answer(), fail(200, coalmine_core::history::Receipt::default())] {
            let round = Round::new().ends(&[2, 3], &what, |_| true);
            let findings = round.story.judge().verdict.findings;
            let [finding] = &findings[..] else { panic!("{findings:#?}") };
            let words = "since tenant 0 sent spoiled input to `create`, `read` of others has failed: 24 of 24 ended ok before, \
                         and none of 32 after";
            assert_eq!((finding.oracle, finding.summary.as_str()), (OracleId::FaultPropagation, words));
            assert_eq!((finding.receivers, finding.owners), (1, 1));
        }
    }

    #[test]
    fn one_failed_operation_is_none() {
        assert_eq!(Round::new().ends(&[2, 3], &no_answer(), |nth| nth == 0).found(), []);
    }

    #[test]
    fn who_recovers_is_none() {
        assert_eq!(Round::new().ends(&[2], &no_answer(), |_| true).found(), []);
    }

    #[test]
    fn failures_of_one_tenant_alone_are_none() {
        assert_eq!(Round::new().ends(&[2, 3], &no_answer(), |nth| nth < PASSES as usize).found(), []);
    }

    #[test]
    fn failures_that_were_there_before_are_none() {
        assert_eq!(Round::new().ends(&[0, 2, 3], &no_answer(), |_| true).found(), []);
        let flaky = Round::new().ends(&[0], &no_answer(), |nth| nth % 3 == 0);
        assert_eq!(flaky.ends(&[2, 3], &no_answer(), |_| true).found(), []);
    }

    #[test]
    fn refusals_on_purpose_such_as_those_of_a_quota_are_none() {
        for status in [402, 403, 409, 429] {
            let refused = fail(status, coalmine_core::history::Receipt::default());
            assert_eq!(Round::new().ends(&[2, 3], &refused, |_| true).found(), []);
        }
    }

    #[test]
    fn failures_at_random_are_none_at_any_rate() {
        for modulus in 2..7 {
            for shift in 0..modulus {
                let random = |nth: usize| !(nth * 7 + shift).is_multiple_of(modulus);
                assert_eq!(Round::new().ends(&[0, 2, 3], &no_answer(), random).found(), []);
            }
        }
    }

    #[test]
    fn the_chance_is_that_of_the_exact_test() {
        let tally = |ok, failed| Tally { ok, failed };
        let chance = |before, failed| Change { before, after: tally(0, failed), ..Change::default() }.chance();
        assert!((chance(tally(7, 0), 7) - 1.0 / 3432.0).abs() < 1e-12);
        assert!((chance(tally(2, 1), 2) - 0.3).abs() < 1e-12);
        assert!((chance(tally(0, 5), 4) - 1.0).abs() < 1e-12);
    }
}
