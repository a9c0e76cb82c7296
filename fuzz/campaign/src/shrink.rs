//! Makes a script smaller that shows a leak: tenants, operations, perturbations, payloads, in this order, and at last without concurrency.
//!
//! It knows no sockets: whoever asks brings the trial. A leak that comes now and then is tried as often as its rate demands, so that no
//! part is thrown away on which it depends, and none is kept for a miss by chance.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use coalmine_core::Script;
use coalmine_core::bound::Rate;
use coalmine_core::perturb::{Cut, Manner, Perturbation, Point, Start};
use coalmine_core::plan::{OpId, Phase, Schedule, ScopeId};
use coalmine_core::script::Line;

use crate::sequential::{Decision, Sequential};

/// Trials from which the rate is estimated that smaller scripts are held to.
const BASE_TRIALS: u32 = 6;
/// A whole script is looked at so often before nothing is said to come back.
const WHOLE_TRIALS: u32 = 20;
/// Trials in a row that could not be made.
const VOID_MAX: u32 = 4;
/// A rate is known well enough after so many hits, or so many trials.
const HITS_WANTED: u32 = 6;
const RARE_TRIALS: u32 = 40;
/// Below this rate it is tried whether the leak comes more often when one side begins later.
const RARE: f64 = 0.7;
/// So much later.
const LATER_US: [u32; 4] = [1_000, 4_000, 12_000, 30_000];
/// So far into the usual time of an answer requests are given up.
const WAIT_PERMILLE: [u16; 6] = [0, 100, 250, 450, 650, 850];
/// A script of more operations takes so long that it is made smaller first.
const AIMED_MAX: usize = 400;
/// A case with no more operations is small.
const SMALL_OPS: usize = 8;
/// What is larger may come as seldom as this.
const TRADED_RATE: f64 = 0.4;
/// What works in the background for an operation is through after so long, in microseconds.
pub const PAUSE_US: u32 = 250_000;
/// So many of those whose objects are tried are taken for the one who is left.
const VICTIMS_MAX: usize = 6;
/// Random bytes that a payload is cut to, one after another.
const RANDOM_BYTES: [u32; 3] = [0, 16, 256];

/// What one trial showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// The leak.
    Found,
    /// No such leak, though the script was gone through.
    Absent,
    /// Nothing: the script could not be gone through, or what came was left from a trial before.
    Void,
}

/// A script that shows the leak and has little in it on which that does not depend.
#[derive(Clone, Debug, PartialEq)]
pub struct Shrunk {
    /// The script.
    pub script: Script,
    /// How often it showed the leak, after nothing was changed any more.
    pub rate: Rate,
    /// How many trials it took.
    pub trials: u32,
}

/// What making a script smaller may take.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// So many trials.
    pub trials_max: u32,
    /// No trial is begun after this moment; none where time does not matter.
    pub until: Option<Instant>,
}

impl Allowance {
    /// So many trials, however long they take.
    pub fn of_trials(trials_max: u32) -> Self {
        Self { trials_max, until: None }
    }

    /// The same, and from now on no more than this time.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { until: Instant::now().checked_add(time), ..self }
    }
}

struct Shrinker<T> {
    trial: T,
    trials: u32,
    allowance: Allowance,
    /// The rate at which the current script shows the leak.
    rate: f64,
    /// What the script was before, from the first on.
    earlier: Vec<Script>,
}

/// Makes the first of these scripts smaller that shows the leak; they stand in ascending order of size. None when no script does.
///
/// Where the allowance is used up, it ends with what it has then.
///
/// # Errors
///
/// Those of the trial.
pub async fn shrink<E>(
    scripts: &[Script],
    allowance: Allowance,
    trial: impl AsyncFnMut(&Script) -> Result<Trial, E>,
) -> Result<Option<Shrunk>, E> {
    let mut shrinker = Shrinker { trial, trials: 0, allowance, rate: 1.0, earlier: vec![] };
    let Some(mut script) = shrinker.begin(scripts).await? else { return Ok(None) };
    if script.lines().count() <= AIMED_MAX {
        shrinker.aim(&mut script).await?;
    }
    shrinker.share_a_victim(&mut script).await?;
    shrinker.drop_tenants(&mut script).await?;
    shrinker.drop_passes(&mut script).await?;
    shrinker.aim(&mut script).await?;
    shrinker.drop_ops(&mut script).await?;
    shrinker.calm(&mut script).await?;
    shrinker.shorten(&mut script).await?;
    if shrinker.line_up(&mut script).await? {
        shrinker.drop_tenants(&mut script).await?;
    }
    // What a perturbation or the company of others needed is of no use any more.
    shrinker.drop_ops(&mut script).await?;
    shrinker.take_time(&mut script).await?;
    shrinker.trade(&mut script).await?;
    shrinker.sharpen(&mut script).await?;
    let rate = shrinker.confirm(&mut script).await?;
    Ok(Some(Shrunk { script, rate, trials: shrinker.trials }))
}

impl<E, T: AsyncFnMut(&Script) -> Result<Trial, E>> Shrinker<T> {
    fn may_go_on(&self) -> bool {
        self.trials < self.allowance.trials_max && self.allowance.until.is_none_or(|until| Instant::now() < until)
    }

    /// The first script that shows the leak often enough to work with; of the last, once is enough.
    async fn begin(&mut self, scripts: &[Script]) -> Result<Option<Script>, E> {
        let Some((whole, parts)) = scripts.split_last() else { return Ok(None) };
        for script in parts {
            if self.passes(script, Sequential::between(0.6, 0.1)).await? {
                self.settle(script).await?;
                return Ok(Some(script.clone()));
            }
        }
        let mut rate = Rate::default();
        while rate.trials < WHOLE_TRIALS && rate.hits < 2 {
            rate.count((self.trial)(whole).await? == Trial::Found);
            self.trials += 1;
        }
        self.rate = rate.share();
        Ok((rate.hits > 0).then(|| whole.clone()))
    }

    async fn settle(&mut self, script: &Script) -> Result<(), E> {
        let rate = self.measure(script, BASE_TRIALS).await?;
        self.rate = rate.share().max(0.1);
        Ok(())
    }

    async fn measure(&mut self, script: &Script, trials: u32) -> Result<Rate, E> {
        let mut rate = Rate::default();
        for _ in 0..trials {
            self.trials += 1;
            rate.count((self.trial)(script).await? == Trial::Found);
        }
        Ok(rate)
    }

    /// The rate in the end. A test now and then takes what it should not, and nothing is left that shows the leak: then half of the
    /// way is gone back, and half of what is left.
    async fn confirm(&mut self, script: &mut Script) -> Result<Rate, E> {
        let mut rate = self.estimate(script).await?;
        while rate.hits == 0 && !self.earlier.is_empty() {
            self.earlier.truncate(self.earlier.len() / 2 + 1);
            *script = self.earlier.pop().unwrap_or_default();
            rate = self.estimate(script).await?;
        }
        Ok(rate)
    }

    /// The rate in the end: in more trials where the leak is rare, since few would say little.
    async fn estimate(&mut self, script: &Script) -> Result<Rate, E> {
        let mut rate = self.measure(script, 2 * BASE_TRIALS).await?;
        while rate.hits < HITS_WANTED && rate.trials < RARE_TRIALS && self.may_go_on() {
            self.trials += 1;
            rate.count((self.trial)(script).await? == Trial::Found);
        }
        Ok(rate)
    }

    async fn passes(&mut self, script: &Script, mut test: Sequential) -> Result<bool, E> {
        let mut void = 0;
        while self.may_go_on() && void < VOID_MAX {
            self.trials += 1;
            let decision = match (self.trial)(script).await? {
                Trial::Void => {
                    void += 1;
                    continue;
                }
                trial => test.count(trial == Trial::Found),
            };
            if let Some(decision) = decision {
                return Ok(decision == Decision::Stays);
            }
        }
        Ok(false)
    }

    /// Takes the candidate if it shows the leak about as often, and is not what there is already.
    async fn try_out(&mut self, script: &mut Script, candidate: Script) -> Result<bool, E> {
        if candidate == *script || candidate.lines().next().is_none() {
            return Ok(false);
        }
        let taken = self.passes(&candidate, Sequential::of_rate(self.rate)).await?;
        if taken {
            self.earlier.push(std::mem::replace(script, candidate));
        }
        Ok(taken)
    }

    /// What is told from several tries at others' objects is told from tries at one: then the other owners are of no use.
    async fn share_a_victim(&mut self, script: &mut Script) -> Result<(), E> {
        let tried = script.lines().filter_map(|(.., line)| line.purpose.tries());
        let victims: BTreeSet<ScopeId> = tried.collect();
        if victims.len() < 2 {
            return Ok(());
        }
        for victim in victims.into_iter().take(VICTIMS_MAX) {
            if self.try_out(script, script.with_victim(victim)).await? {
                break;
            }
        }
        Ok(())
    }

    async fn drop_tenants(&mut self, script: &mut Script) -> Result<(), E> {
        let tenants: BTreeSet<Option<u32>> = script.people.iter().map(|person| person.tenant).collect();
        self.halve(script, tenants.into_iter().rev().collect(), |script, gone| {
            script.with_only(|_, by, _| !gone.contains(&script.tenant_of(by)))
        })
        .await
    }

    async fn drop_passes(&mut self, script: &mut Script) -> Result<(), E> {
        // Passes are told by what does not change when others are gone.
        let key = |script: &Script, by: u32, line: &Line| {
            let pass = &script.passes[line.pass.0 as usize];
            (script.people[by as usize], pass.flow.clone(), pass.number)
        };
        let all: BTreeSet<_> = flow_lines(script).map(|(_, by, line)| key(script, by, line)).collect();
        self.halve(script, all.into_iter().rev().collect(), |script, gone| {
            script.with_only(|phase, by, line| is_set_up(phase) || !gone.contains(&key(script, by, line)))
        })
        .await
    }

    async fn drop_ops(&mut self, script: &mut Script) -> Result<(), E> {
        let ops: Vec<_> =
            script.lines().filter(|(phase, ..)| *phase != Phase::Cleanup).map(|(.., line)| line.op).collect();
        self.halve(script, ops.into_iter().rev().collect(), |script, gone| {
            script.with_only(|_, _, line| !gone.contains(&line.op))
        })
        .await
    }

    /// Leaves out parts: first halves of them, then quarters, and so on to single ones (A. Zeller, R. Hildebrandt 2002).
    async fn halve<U: Clone + PartialEq>(
        &mut self,
        script: &mut Script,
        mut parts: Vec<U>,
        without: impl Fn(&Script, &[U]) -> Script,
    ) -> Result<(), E> {
        let mut size = parts.len().div_ceil(2).max(1);
        while self.may_go_on() {
            let mut at = 0;
            while at < parts.len() {
                let end = (at + size).min(parts.len());
                let candidate = without(script, &parts[at..end]);
                if self.try_out(script, candidate).await? {
                    parts.drain(at..end);
                } else {
                    at = end;
                }
            }
            if size == 1 {
                break;
            }
            size = size.div_ceil(2);
        }
        Ok(())
    }

    /// Where the leak is rare: requests are given up at the moment at which it comes most often. What is left out after that is told from
    /// what is needed in fewer trials.
    async fn aim(&mut self, script: &mut Script) -> Result<(), E> {
        let gives_up = |line: &Line| matches!(line.manner.cut, Some(Cut { at: Point::Sent { .. }, .. }));
        if self.rate >= RARE || !script.lines().any(|(.., line)| gives_up(line)) {
            return Ok(());
        }
        let mut best = self.measure(script, BASE_TRIALS).await?;
        let before = script.clone();
        for wait_permille in WAIT_PERMILLE {
            if !self.may_go_on() {
                break;
            }
            let aimed = before.given_up_at(wait_permille);
            let rate = self.measure(&aimed, BASE_TRIALS).await?;
            if rate.hits > best.hits {
                (best, *script) = (rate, aimed);
            }
        }
        self.rate = best.share().max(self.rate);
        Ok(())
    }

    /// Of many operations few can be understood: then a leak that comes less often is better.
    async fn trade(&mut self, script: &mut Script) -> Result<(), E> {
        if script.ops() <= SMALL_OPS {
            return Ok(());
        }
        self.rate = self.rate.min(TRADED_RATE);
        self.drop_passes(script).await?;
        self.drop_ops(script).await
    }

    async fn calm(&mut self, script: &mut Script) -> Result<(), E> {
        let plain = script.with_manners(|_, line| Manner { again: line.manner.again, ..Manner::default() });
        if self.try_out(script, plain).await? {
            return Ok(());
        }
        for kind in Perturbation::ALL {
            let calmer = script.with_manners(|_, line| line.manner.without(kind));
            self.try_out(script, calmer).await?;
        }
        // What is left of a kind may be more than is needed.
        let shaken: Vec<_> =
            script.lines().filter(|(.., line)| !line.manner.is_plain()).map(|(.., line)| line.op).collect();
        self.halve(script, shaken, |script, gone| {
            let plain = |line: &Line| Manner { again: line.manner.again, ..Manner::default() };
            script.with_manners(|_, line| if gone.contains(&line.op) { plain(line) } else { line.manner })
        })
        .await
    }

    async fn shorten(&mut self, script: &mut Script) -> Result<(), E> {
        let Some(longest) = script.random_bytes_max else { return Ok(()) };
        for max in RANDOM_BYTES.into_iter().filter(|max| *max < longest) {
            let shorter = Script { random_bytes_max: Some(max), ..script.clone() };
            if self.try_out(script, shorter).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Where the leak is rare: one side of the race begins later, by as much as makes it come most often.
    async fn sharpen(&mut self, script: &mut Script) -> Result<(), E> {
        let mut best = self.measure(script, BASE_TRIALS).await?;
        if best.share() >= RARE || script.schedule != Schedule::Together {
            return Ok(());
        }
        let calm = script.clone();
        for (delay_us, side) in LATER_US.into_iter().flat_map(|later| [(later, 0), (later, 1)]) {
            if !self.may_go_on() {
                break;
            }
            let later = later(&calm, side, delay_us);
            let rate = self.measure(&later, BASE_TRIALS).await?;
            if rate.hits > best.hits {
                (best, *script) = (rate, later);
            }
        }
        Ok(())
    }

    /// Who waits for what goes on in the background needs operations for that. Where everybody takes time, they are of no use.
    async fn take_time(&mut self, script: &mut Script) -> Result<(), E> {
        if script.ops() <= SMALL_OPS {
            return Ok(());
        }
        for order in in_order(script) {
            if self.try_out(script, with_pauses(&order)).await? {
                self.drop_tenants(script).await?;
                self.drop_passes(script).await?;
                self.drop_ops(script).await?;
                let pauses = flow_lines(script).map(|(.., line)| line.op).collect();
                let without = |script: &Script, hasty: &[OpId]| {
                    let begins = |line: &Line| if hasty.contains(&line.op) { Start::AtOnce } else { line.manner.start };
                    script.with_manners(|_, line| Manner { start: begins(line), ..line.manner })
                };
                return self.halve(script, pauses, without).await;
            }
        }
        Ok(())
    }

    /// One lane after another, in one order or the other.
    async fn line_up(&mut self, script: &mut Script) -> Result<bool, E> {
        for order in in_order(script) {
            if self.try_out(script, order).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// One tenant after another, forth and back.
fn in_order(script: &Script) -> [Script; 2] {
    let forth = Script { schedule: Schedule::OneAtATime, ..script.without_meetings() };
    let mut back = forth.clone();
    back.stages.iter_mut().for_each(|scene| scene.lanes.reverse());
    [forth, back]
}

/// Each operation of a flow begins so late that work in the background for those before it has ended.
fn with_pauses(script: &Script) -> Script {
    let flows: BTreeSet<OpId> = flow_lines(script).map(|(.., line)| line.op).collect();
    script.with_manners(|_, line| match line.manner.start {
        Start::AtOnce if flows.contains(&line.op) => {
            Manner { start: Start::After { delay_us: PAUSE_US }, ..line.manner }
        }
        _ => line.manner,
    })
}

/// Every second person begins later in its flows.
fn later(script: &Script, side: u32, delay_us: u32) -> Script {
    let flows: Vec<_> = script.stages.iter().filter(|scene| !is_set_up(scene.phase)).collect();
    let firsts = flows.iter().flat_map(|scene| scene.lanes.iter().filter_map(|role| role.ops.first()));
    let firsts: BTreeSet<_> = firsts.map(|line| line.op).collect();
    script.with_manners(|by, line| match line.manner.start {
        Start::AtOnce if by % 2 == side && firsts.contains(&line.op) => {
            Manner { start: Start::After { delay_us }, ..line.manner }
        }
        _ => line.manner,
    })
}

/// Whether it only makes sessions, or removes what was made.
fn is_set_up(phase: Phase) -> bool {
    matches!(phase, Phase::Auth | Phase::Cleanup)
}

fn flow_lines(script: &Script) -> impl Iterator<Item = (Phase, u32, &Line)> {
    script.lines().filter(|(phase, ..)| !is_set_up(*phase))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use coalmine_core::perturb::{GateId, HangUp};
    use coalmine_core::plan::{Access, Purpose};
    use coalmine_core::script::{Pass, Person, Role, Scene};

    use super::*;

    /// Trials in tests never wait.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("it waits"),
        }
    }

    /// So many tenants, each of whom logs in, and then writes and reads so often. All pass the first gate.
    fn script(tenants: u32, passes: u32) -> Script {
        let session = |by| Pass { by, flow: "auth".into(), number: 0, members: vec![], turn: None };
        let pass = |by, number| Pass { by, flow: "notes".into(), number, members: vec![], turn: None };
        let mut next = 0;
        let mut line = |step: &str, pass: u32, manner: Manner| {
            next += 1;
            Line { op: OpId(next), step: step.into(), pass: ScopeId(pass), purpose: Purpose::Flow, manner }
        };
        let logins = (0..tenants).map(|by| Role { by, beside: None, ops: vec![line("login", by, Manner::default())] });
        let logins = logins.collect();
        let gated = Manner { gate: Some(GateId(0)), ..Manner::default() };
        let notes = (0..tenants).map(|by| {
            let places = (0..passes).map(|nth| tenants + by * passes + nth);
            let ops = places.flat_map(|pass| [line("write", pass, gated), line("read", pass, Manner::default())]);
            Role { by, beside: None, ops: ops.collect() }
        });
        let notes = notes.collect();
        let all = (0..tenants).flat_map(|by| (0..passes).map(move |number| pass(by, number)));
        Script {
            people: (0..tenants).map(|tenant| Person { tenant: Some(tenant), ..Person::default() }).collect(),
            passes: (0..tenants).map(session).chain(all).collect(),
            schedule: Schedule::Together,
            stages: vec![Scene { phase: Phase::Auth, lanes: logins }, Scene { phase: Phase::Flows, lanes: notes }],
            usual_us: std::collections::BTreeMap::new(),
            random_bytes_max: None,
        }
    }

    fn does(script: &Script, tenant: u32, step: &str) -> bool {
        script.lines().any(|(_, by, line)| script.tenant_of(by) == Some(tenant) && line.step == step)
    }

    fn run(scripts: &[Script], mut shows: impl FnMut(&Script) -> bool) -> Option<Shrunk> {
        let trial = async |script: &Script| -> Result<Trial, Infallible> {
            Ok(if shows(script) { Trial::Found } else { Trial::Absent })
        };
        now(shrink(scripts, Allowance::of_trials(10_000), trial)).unwrap()
    }

    #[test]
    fn pauses_take_the_place_of_operations_that_only_wait() {
        let waits = |script: &Script| script.lines().filter(|(.., line)| line.step == "read").count();
        let pauses = |script: &Script| {
            script.lines().filter(|(.., line)| matches!(line.manner.start, Start::After { .. })).count()
        };
        // Somebody writes, and nine steps of time have passed since.
        let shows = |script: &Script| does(script, 0, "write") && waits(script) + 9 * pauses(script) >= 9;
        let shrunk = run(&[script(1, 12)], shows).unwrap().script;
        assert_eq!((waits(&shrunk), pauses(&shrunk)), (0, 1));
    }

    #[test]
    fn several_tries_are_made_at_one_owners_object() {
        let mut script = script(4, 1);
        let lines = |by: u32| (0..4).filter(move |victim| *victim != by).map(move |victim| (by, ScopeId(4 + victim)));
        let tries = (0..4).flat_map(lines).zip(100..).map(|((by, victim), op)| {
            let purpose = Purpose::Probe { victim, object: 0, access: Access::Read };
            (by, Line { op: OpId(op), step: "read".into(), pass: ScopeId(4 + by), purpose, manner: Manner::default() })
        });
        let mut lanes: Vec<Role> = (0..4).map(|by| Role { by, beside: None, ops: vec![] }).collect();
        tries.for_each(|(by, line)| lanes[by as usize].ops.push(line));
        script.stages.push(Scene { phase: Phase::Probe, lanes });
        // Three tries at what an owner has written.
        let victims = |script: &Script| script.lines().filter(|(.., line)| line.purpose.tries().is_some()).count();
        let shrunk = run(&[script], |script| victims(script) >= 3).unwrap().script;
        let tried: BTreeSet<_> = shrunk.lines().filter_map(|(.., line)| line.purpose.tries()).collect();
        assert_eq!((tried.len(), victims(&shrunk)), (1, 3));
    }

    #[test]
    fn what_the_leak_does_not_need_is_gone() {
        let needs = |script: &Script| does(script, 2, "write") && does(script, 5, "read") && does(script, 5, "login");
        let shrunk = run(&[script(8, 4)], needs).unwrap();
        assert_eq!((shrunk.script.tenants(), shrunk.script.ops(), shrunk.script.lines().count()), (2, 2, 3));
        assert_eq!(shrunk.script.schedule, Schedule::OneAtATime, "it needs no concurrency");
        assert_eq!(shrunk.script.perturbations(), BTreeSet::new());
        assert_eq!(shrunk.rate.hits, shrunk.rate.trials);
    }

    #[test]
    fn payloads_are_cut_as_far_as_the_leak_allows() {
        let long = Script { random_bytes_max: Some(4096), ..script(2, 1) };
        let shrunk = run(&[long], |script| script.random_bytes_max.is_some_and(|max| max >= 10)).unwrap();
        assert_eq!(shrunk.script.random_bytes_max, Some(16));
        assert_eq!(run(&[script(2, 1)], |_| true).unwrap().script.random_bytes_max, None);
    }

    #[test]
    fn requests_are_given_up_when_the_leak_comes_most_often() {
        let mut rare = script(3, 2);
        for line in rare.stages.iter_mut().flat_map(|scene| &mut scene.lanes).flat_map(|role| &mut role.ops) {
            if line.step == "write" {
                line.manner.cut = Some(Cut { at: Point::Sent { wait_permille: 20 }, by: HangUp::Reset });
            }
        }
        let mut nth = 0_u32;
        let waits = |script: &Script, wait_permille| {
            let at = Point::Sent { wait_permille };
            script.lines().any(|(.., line)| line.manner.cut.is_some_and(|cut| cut.at == at))
        };
        let shrunk = run(&[rare], |script| {
            nth += 1;
            waits(script, 450) || waits(script, 20) && nth.is_multiple_of(3)
        });
        let shrunk = shrunk.unwrap();
        assert_eq!((shrunk.script.ops(), shrunk.rate.hits), (1, shrunk.rate.trials));
        assert!(waits(&shrunk.script, 450));
    }

    #[test]
    fn a_case_that_stays_large_is_traded_for_a_rarer_one() {
        let mut nth = 0_u32;
        let shrunk = run(&[script(4, 12)], |script| {
            nth += 1;
            let is_there = does(script, 0, "write") && does(script, 1, "read");
            is_there && (script.ops() > 10 || nth.is_multiple_of(2))
        });
        let shrunk = shrunk.unwrap();
        assert!(shrunk.script.ops() <= 8, "{:?}", shrunk.script);
        assert!(shrunk.rate.hits > 0 && shrunk.rate.hits < shrunk.rate.trials, "{:?}", shrunk.rate);
    }

    #[test]
    fn what_a_race_needs_stays() {
        let needs = |script: &Script| {
            script.schedule == Schedule::Together
                && script.perturbations().contains(&Perturbation::Race)
                && does(script, 0, "write")
                && does(script, 1, "write")
        };
        let shrunk = run(&[script(4, 2)], needs).unwrap();
        assert_eq!((shrunk.script.tenants(), shrunk.script.ops()), (2, 2));
        assert_eq!(shrunk.script.schedule, Schedule::Together);
    }

    #[test]
    fn a_leak_of_one_in_three_is_made_smaller_all_the_same() {
        let mut nth = 0_u32;
        let shrunk = run(&[script(4, 2)], |script| {
            nth += 1;
            nth.is_multiple_of(3) && does(script, 0, "write") && does(script, 1, "read")
        });
        let shrunk = shrunk.unwrap();
        assert_eq!((shrunk.script.tenants(), shrunk.script.ops()), (2, 2), "{:?}", shrunk.script);
        assert!(shrunk.rate.hits >= HITS_WANTED && shrunk.rate.share() < 0.5, "{:?}", shrunk.rate);
    }

    #[test]
    fn a_race_that_is_seldom_met_is_met_more_often_when_one_side_begins_later() {
        let mut nth = 0_u32;
        let shrunk = run(&[script(2, 1)], |script| {
            nth += 1;
            let both = does(script, 0, "write") && does(script, 1, "read") && script.schedule == Schedule::Together;
            let is_late = |line: &Line| line.manner.start == Start::After { delay_us: 12_000 };
            both && (nth.is_multiple_of(3) || script.lines().any(|(_, by, line)| by == 1 && is_late(line)))
        });
        let shrunk = shrunk.unwrap();
        assert_eq!(shrunk.script.perturbations(), BTreeSet::from([Perturbation::Delay]));
        assert_eq!(shrunk.rate, Rate { hits: 12, trials: 12 });
    }

    #[test]
    fn the_smallest_script_that_shows_it_is_begun_with_and_nothing_comes_of_nothing() {
        let small = script(2, 1);
        let shrunk = run(&[small.clone(), script(8, 4)], |script| does(script, 0, "write")).unwrap();
        assert!(shrunk.script.people.len() < 2 && shrunk.trials < 60, "{shrunk:?}");
        assert_eq!(run(&[small, script(3, 1)], |_| false), None);
        assert_eq!(run(&[], |_| true), None);
    }

    #[test]
    fn what_luck_threw_away_is_taken_back_where_nothing_shows_the_leak_any_more() {
        let mut nth = 0_u32;
        let needs = |script: &Script| does(script, 0, "write") && does(script, 1, "read");
        let shrunk = run(&[script(8, 4)], |script| {
            nth += 1;
            nth < 30 || needs(script)
        });
        let shrunk = shrunk.unwrap();
        assert!(needs(&shrunk.script) && shrunk.rate.hits > 0, "{shrunk:?}");
    }

    #[test]
    fn it_ends_with_what_it_has_when_its_trials_are_used_up() {
        let mut count = 0;
        let trial = async |_: &Script| -> Result<Trial, Infallible> {
            count += 1;
            Ok(Trial::Found)
        };
        let shrunk = now(shrink(&[script(8, 4)], Allowance::of_trials(5), trial)).unwrap().unwrap();
        assert!(shrunk.trials <= 5 + 4 * BASE_TRIALS && count == shrunk.trials);
    }
}
