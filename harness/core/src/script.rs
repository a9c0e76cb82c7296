//! The Script: all of a [`Plan`] that chance has drawn, told in the scenario's names.
//!
//! A plan is drawn from a seed, and a new version of Coalmine may draw another one. A script draws nothing: it lists who acts, in which
//! passes, and each operation with its manner. With its scenario it becomes a plan again, for other people with other canaries each
//! time. It is what is replayed, made smaller and written into a case file, where a person reads and edits it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::perturb::{Cut, Freeze, GateId, Manner, Perturbation, Point, Start, Via};
use crate::plan::{Flow, FlowId, Lane, Op, OpId, Phase, Plan, Purpose, Schedule, ScopeId};
use crate::principal::{PrincipalId, TenantId};
use crate::step::Step;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Who acts; others name them by their place here. One without credentials comes last.
    pub people: Vec<Person>,
    /// Passes through flows; others name them by their place here. Those that make the sessions come first, in the people's order.
    pub passes: Vec<Pass>,
    /// Whether lanes of a stage are gone through together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub schedule: Schedule,
    /// How long answers to these steps took as a rule, in microseconds: some are given up at a part of that time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub usual_us: BTreeMap<String, u32>,
    /// What is done, stage after stage.
    pub stages: Vec<Scene>,
    /// No more random bytes are sent at a time; nothing where none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random_bytes_max: Option<u32>,
}

/// Somebody who acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The tenant's number; nothing for somebody without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<u32>,
    /// The user's number in the tenant.
    #[serde(default, skip_serializing_if = "is_default")]
    pub user: u32,
    /// The session's number of the user.
    #[serde(default, skip_serializing_if = "is_default")]
    pub session: u32,
}

/// One pass of a person through a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    /// Whose, by place in [`Script::people`].
    pub by: u32,
    /// The flow's name; of several blocks with one name, the later ones have `+1`, `+2` behind it.
    pub flow: String,
    /// Its number among the passes of that person through that flow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub number: u32,
    /// With whom it is shared, by place in [`Script::people`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<u32>,
    /// Set for a turn of a block: the pass around it, by its place, and the turn's number there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<(u32, u32)>,
}

/// A stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// What it is for.
    pub phase: Phase,
    /// Those who act in it; with [`Schedule::OneAtATime`] in this order.
    pub lanes: Vec<Role>,
}

/// What one person does in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Who, by place in [`Script::people`].
    pub by: u32,
    /// Set for a short session beside the person's own lane: it begins when this operation has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<OpId>,
    /// In order.
    pub ops: Vec<Line>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// By which others name it; unique. With [`Schedule::InTurn`] operations come in the order of these numbers.
    pub op: OpId,
    /// The step's name; of several with one name, the later ones have `+1`, `+2` behind it.
    pub step: String,
    /// The pass, by place in [`Script::passes`].
    pub pass: ScopeId,
    /// Set where it has another purpose than the flow itself.
    #[serde(default, skip_serializing_if = "Purpose::is_flow")]
    pub purpose: Purpose,
    /// How it is done, where that is not the plain way. Gates are named by any number that their members share.
    #[serde(default, skip_serializing_if = "Manner::is_plain")]
    pub manner: Manner,
}

/// Where more is done, seen from an operation that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// First that, then the operation.
    Before,
    /// The operation first.
    After,
}

/// The number of an operation after so many were put beside one, with room on both sides of each.
pub fn moved(op: OpId, more: usize) -> OpId {
    let each = u32::try_from(more).unwrap_or(u32::MAX).saturating_add(1);
    OpId(op.0.saturating_add(1).saturating_mul(each))
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Script {
    /// What a plan does, whatever drew it.
    pub fn of(plan: &Plan) -> Self {
        let first = plan.principals.first().map_or(0, |principal| principal.id.0);
        let place = |id: PrincipalId| id.0 - first;
        let names = flow_names(&plan.flows);
        let steps = step_names(&plan.steps);
        let people = plan.principals.iter().map(|one| Person {
            tenant: Some(one.tenant.0).filter(|_| one.tenant != TenantId::NOBODY),
            user: one.user,
            session: one.session,
        });
        let passes = plan.scopes.iter().map(|of| Pass {
            by: place(of.principal),
            flow: names[usize::from(of.flow.0)].clone(),
            number: of.pass,
            members: of.members.iter().copied().map(place).collect(),
            turn: of.turn.map(|turn| (turn.within.0, turn.index)),
        });
        let line = |op: &Op| Line {
            op: op.id,
            step: steps[usize::from(op.step.0)].clone(),
            pass: op.scope,
            purpose: op.purpose,
            manner: op.manner,
        };
        let role = |lane: &Lane| Role {
            by: place(lane.principal),
            beside: lane.beside,
            ops: lane.ops.iter().map(line).collect(),
        };
        let scenes = plan.stages.iter();
        let stages =
            scenes.map(|stage| Scene { phase: stage.phase, lanes: stage.lanes.iter().map(role).collect() }).collect();
        Self {
            people: people.collect(),
            passes: passes.collect(),
            schedule: plan.schedule,
            usual_us: plan.usual_us.iter().map(|(step, us)| (steps[usize::from(step.0)].clone(), *us)).collect(),
            stages,
            random_bytes_max: plan.ops().filter_map(|(.., op)| plan.step(op.step).random_bytes()).max(),
        }
    }

    /// Every operation with its phase and who does it.
    pub fn lines(&self) -> impl Iterator<Item = (Phase, u32, &Line)> {
        self.roles().flat_map(|(phase, role)| role.ops.iter().map(move |line| (phase, role.by, line)))
    }

    /// How many operations there are, without those that make sessions or only clean up.
    pub fn ops(&self) -> usize {
        self.lines().filter(|(phase, ..)| !matches!(phase, Phase::Auth | Phase::Cleanup)).count()
    }

    /// How many tenants act, each without credentials as one.
    pub fn tenants(&self) -> usize {
        self.people.iter().map(|person| person.tenant).collect::<BTreeSet<_>>().len()
    }

    /// The tenant of somebody, by place.
    pub fn tenant_of(&self, person: u32) -> Option<u32> {
        self.people.get(person as usize).and_then(|person| person.tenant)
    }

    /// The kinds of perturbations in it.
    pub fn perturbations(&self) -> BTreeSet<Perturbation> {
        self.lines().flat_map(|(.., line)| line.manner.perturbations()).collect()
    }

    /// The same with these operations only, and only with the people and passes that they need.
    #[must_use]
    pub fn with_only(&self, is_kept: impl Fn(Phase, u32, &Line) -> bool) -> Self {
        let mut smaller = self.clone();
        for scene in &mut smaller.stages {
            for role in &mut scene.lanes {
                let by = role.by;
                role.ops.retain(|line| is_kept(scene.phase, by, line));
            }
        }
        smaller.tidy();
        smaller
    }

    /// The same with another manner for each operation.
    #[must_use]
    pub fn with_manners(&self, change: impl Fn(u32, &Line) -> Manner) -> Self {
        let mut changed = self.clone();
        for role in changed.stages.iter_mut().flat_map(|scene| &mut scene.lanes) {
            let by = role.by;
            role.ops.iter_mut().for_each(|line| line.manner = change(by, line));
        }
        changed.tidy();
        changed
    }

    /// The same where all who try objects of passes through that flow try those of this one pass, or make up ids like them; its own tenant
    /// tries none.
    #[must_use]
    pub fn with_victim(&self, pass: ScopeId) -> Self {
        let of = |scope: ScopeId| self.passes.get(scope.0 as usize);
        let Some(victim) = of(pass) else { return self.clone() };
        let owner = self.tenant_of(victim.by);
        let is_alike = |scope: ScopeId| of(scope).is_some_and(|other| other.flow == victim.flow);
        let mut changed = self.clone();
        for role in changed.stages.iter_mut().flat_map(|scene| &mut scene.lanes) {
            let is_own = self.tenant_of(role.by) == owner;
            role.ops.retain(|line| !(is_own && line.purpose.tries().is_some_and(is_alike)));
            for line in role.ops.iter_mut().filter(|line| line.purpose.tries().is_some_and(is_alike)) {
                line.purpose = line.purpose.with_scopes(|_| pass);
            }
        }
        changed.tidy();
        changed
    }

    /// The same with nobody who meets, waits for or is held back by others.
    #[must_use]
    pub fn without_meetings(&self) -> Self {
        let meets = [Perturbation::Race, Perturbation::React, Perturbation::Delay, Perturbation::Swizzle];
        self.with_manners(|_, line| meets.into_iter().fold(line.manner, Manner::without))
    }

    /// The same with requests that are given up while they are worked on given up at this part of the usual time.
    #[must_use]
    pub fn given_up_at(&self, wait_permille: u16) -> Self {
        self.with_manners(|_, line| match line.manner.cut {
            Some(cut @ Cut { at: Point::Sent { .. }, .. }) => {
                Manner { cut: Some(Cut { at: Point::Sent { wait_permille }, ..cut }), ..line.manner }
            }
            _ => line.manner,
        })
    }

    /// The same one operation at a time, within each stage in the order of these places; nobody meets anybody.
    #[must_use]
    pub fn in_turn<K: Ord>(&self, place: impl Fn(OpId) -> K) -> Self {
        let mut calm = Self { schedule: Schedule::InTurn, ..self.without_meetings() };
        let mut numbers: BTreeMap<OpId, OpId> = BTreeMap::new();
        for scene in &calm.stages {
            let mut ops: Vec<OpId> = scene.lanes.iter().flat_map(|role| role.ops.iter().map(|line| line.op)).collect();
            ops.sort_by_key(|op| place(*op));
            for op in ops {
                numbers.insert(op, OpId(u32::try_from(numbers.len()).unwrap_or(u32::MAX)));
            }
        }
        calm.renumber_ops(|op| numbers[&op]);
        calm.stages.iter_mut().flat_map(|scene| &mut scene.lanes).for_each(|role| role.ops.sort_by_key(|line| line.op));
        calm
    }

    /// The operation that has this number in the plan of the script: plans number operations as scripts order them.
    pub fn line(&self, op: OpId) -> Option<(Phase, u32, &Line)> {
        let mut lines: Vec<_> = self.lines().collect();
        lines.sort_by_key(|(.., line)| line.op);
        lines.get(op.0 as usize).copied()
    }

    /// The same with more done by whoever does this operation, right before or after it. Operations that are there go by
    /// [`moved`] numbers then; those of `more` mean nothing.
    #[must_use]
    pub fn with_lines(&self, side: Side, beside: OpId, more: &[Line]) -> Self {
        let count = u32::try_from(more.len()).unwrap_or(u32::MAX);
        let mut longer = self.clone();
        longer.renumber_ops(|op| moved(op, more.len()));
        let at = moved(beside, more.len());
        let first = match side {
            Side::Before => at.0.saturating_sub(count),
            Side::After => at.0.saturating_add(1),
        };
        let lines = || (first..).zip(more).map(|(op, line)| Line { op: OpId(op), ..line.clone() });
        for role in longer.stages.iter_mut().flat_map(|scene| &mut scene.lanes) {
            if let Some(place) = role.ops.iter().position(|line| line.op == at) {
                let place = place + usize::from(side == Side::After);
                role.ops.splice(place..place, lines());
            }
        }
        longer
    }

    /// The same with another tenant who does what somebody does, each time before it.
    #[must_use]
    pub fn with_second(&self, person: u32) -> Self {
        let place = self.people.iter().position(|one| one.tenant.is_none()).unwrap_or(self.people.len());
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        let count = u32::try_from(self.passes.len()).unwrap_or(u32::MAX);
        let tenant = self.people.iter().filter_map(|one| one.tenant).max().map_or(0, |last| last.saturating_add(1));
        let mut more = self.clone();
        // Room for one more session.
        let later = |number: u32| if number >= place { number + 1 } else { number };
        more.renumber(
            &(0..count).map(|one| (one, later(one))).collect(),
            &(0..count).map(|one| (one, later(one))).collect(),
        );
        let copied = later(person);
        more.people.insert(place as usize, Person { tenant: Some(tenant), ..self.people[person as usize] });
        more.passes.insert(place as usize, Pass { by: place, ..more.passes[copied as usize].clone() });
        let mut copies: BTreeMap<u32, u32> = BTreeMap::from([(copied, place)]);
        for pass in 0..more.passes.len() {
            let of = more.passes[pass].clone();
            let own = u32::try_from(pass).unwrap_or(u32::MAX);
            if of.by == copied && own != copied {
                copies.insert(own, u32::try_from(more.passes.len()).unwrap_or(u32::MAX));
                let turn = of.turn.map(|(within, index)| (copies.get(&within).copied().unwrap_or(within), index));
                more.passes.push(Pass { by: place, turn, ..of });
            }
        }
        more.copy_roles(copied, place, &copies);
        more
    }

    fn copy_roles(&mut self, copied: u32, place: u32, passes: &BTreeMap<u32, u32>) {
        // Room before each operation for its copy.
        self.renumber_ops(|op| moved(op, 1));
        let scope = |scope: ScopeId| ScopeId(passes.get(&scope.0).copied().unwrap_or(scope.0));
        for scene in &mut self.stages {
            let own = scene.lanes.iter().position(|role| role.by == copied && role.beside.is_none());
            let Some(own) = own else { continue };
            let before = |op: OpId| OpId(op.0 - 1);
            let copy = |line: &Line| Line {
                op: before(line.op),
                pass: scope(line.pass),
                purpose: line.purpose.with_scopes(scope).with_ops(before),
                manner: Manner::default(),
                step: line.step.clone(),
            };
            let ops = scene.lanes[own].ops.iter().map(copy).collect();
            scene.lanes.insert(own, Role { by: place, beside: None, ops });
        }
    }

    fn renumber_ops(&mut self, number: impl Fn(OpId) -> OpId) {
        for role in self.stages.iter_mut().flat_map(|scene| &mut scene.lanes) {
            role.beside = role.beside.map(&number);
            for line in &mut role.ops {
                line.op = number(line.op);
                line.purpose = line.purpose.with_ops(&number);
                line.manner = line.manner.with_numbers(&number, |gate| gate);
            }
        }
    }

    fn roles(&self) -> impl Iterator<Item = (Phase, &Role)> {
        self.stages.iter().flat_map(|scene| scene.lanes.iter().map(|role| (scene.phase, role)))
    }

    /// Drops everything that names something which is no longer there, and what nobody needs.
    fn tidy(&mut self) {
        self.drop_usual();
        // What is dropped may have been named by something else.
        let mut before = usize::MAX;
        while self.lines().count() < before {
            before = self.lines().count();
            self.drop_dangling();
        }
        self.drop_idle();
    }

    /// Times that nothing is given up by.
    fn drop_usual(&mut self) {
        let is_timed = |line: &Line| matches!(line.manner.cut, Some(Cut { at: Point::Sent { .. }, .. }));
        let timed = self.lines().filter(|(.., line)| is_timed(line)).map(|(.., line)| line.step.clone());
        let timed: BTreeSet<String> = timed.collect();
        self.usual_us.retain(|step, _| timed.contains(step));
    }

    fn drop_dangling(&mut self) {
        let ops: BTreeSet<OpId> = self.lines().map(|(.., line)| line.op).collect();
        let gates = self.gates();
        let passes: BTreeSet<ScopeId> = self.lines().map(|(.., line)| line.pass).collect();
        for scene in &mut self.stages {
            for role in &mut scene.lanes {
                role.ops.retain(|line| !matches!(line.purpose, Purpose::Confirm { probe } if !ops.contains(&probe)));
                role.ops.iter_mut().for_each(|line| line.manner = line.manner.within(&ops, &gates, &passes));
            }
            // A short session that no longer waits for its user's own lane is that lane, or is in its way.
            let own: BTreeSet<u32> = scene.lanes.iter().filter(|role| is_own(role)).map(|role| role.by).collect();
            let has_place = |role: &Role| match role.beside {
                Some(after) => ops.contains(&after) || !own.contains(&role.by),
                None => true,
            };
            scene.lanes.retain(|role| !role.ops.is_empty() && has_place(role));
            for role in &mut scene.lanes {
                role.beside = role.beside.filter(|after| ops.contains(after));
            }
        }
        self.stages.retain(|scene| !scene.lanes.is_empty());
    }

    /// Gates with at least two members.
    fn gates(&self) -> BTreeSet<GateId> {
        let mut members: BTreeMap<GateId, u32> = BTreeMap::new();
        for gate in self.lines().filter_map(|(.., line)| line.manner.gate) {
            *members.entry(gate).or_default() += 1;
        }
        members.into_iter().filter(|(_, count)| *count > 1).map(|(gate, _)| gate).collect()
    }

    /// Passes of which nothing is done, and people of whom there is no pass but their session.
    fn drop_idle(&mut self) {
        let mut used: BTreeSet<u32> = self.lines().flat_map(|(.., line)| line.passes()).collect();
        for pass in (0..).take(self.passes.len()).collect::<Vec<_>>().into_iter().rev() {
            // What is around a turn comes before it.
            if let (true, Some((within, _))) = (used.contains(&pass), self.passes[pass as usize].turn) {
                used.insert(within);
            }
        }
        let mut people: BTreeSet<u32> = self.roles().map(|(_, role)| role.by).collect();
        people.extend(used.iter().flat_map(|pass| {
            let pass = &self.passes[*pass as usize];
            std::iter::once(pass.by).chain(pass.members.iter().copied())
        }));
        // A session may be shared as well.
        let members: Vec<u32> = people.iter().flat_map(|one| self.passes[*one as usize].members.clone()).collect();
        people.extend(members);
        used.extend(people.iter().copied());
        self.renumber(&numbered(&people), &numbered(&used));
    }

    fn renumber(&mut self, people: &BTreeMap<u32, u32>, passes: &BTreeMap<u32, u32>) {
        let scope = |scope: ScopeId| ScopeId(passes[&scope.0]);
        let mut place = 0..;
        self.people.retain(|_| place.next().is_some_and(|place| people.contains_key(&place)));
        let mut place = 0..;
        self.passes.retain(|_| place.next().is_some_and(|place| passes.contains_key(&place)));
        for pass in &mut self.passes {
            pass.by = people[&pass.by];
            pass.members.iter_mut().for_each(|member| *member = people[member]);
            pass.turn = pass.turn.map(|(within, index)| (passes[&within], index));
        }
        for role in self.stages.iter_mut().flat_map(|scene| &mut scene.lanes) {
            role.by = people[&role.by];
            for line in &mut role.ops {
                line.pass = scope(line.pass);
                line.purpose = line.purpose.with_scopes(scope);
                line.manner.collide = line.manner.collide.map(scope);
            }
        }
    }
}

/// Whether it is a person's own lane, and no short session.
fn is_own(role: &Role) -> bool {
    role.beside.is_none() && !role.ops.is_empty()
}

fn numbered(kept: &BTreeSet<u32>) -> BTreeMap<u32, u32> {
    kept.iter().copied().zip(0..).collect()
}

impl Line {
    /// The passes that it names, by place.
    pub fn passes(&self) -> Vec<u32> {
        let mut named = vec![self.pass.0];
        let seen = std::cell::RefCell::new(&mut named);
        let _ = self.purpose.with_scopes(|scope| {
            seen.borrow_mut().push(scope.0);
            scope
        });
        named
    }
}

/// The name of each flow in a script.
pub fn flow_names(flows: &[Flow]) -> Vec<String> {
    told_apart(flows.iter().map(|flow| flow.name.as_str()))
}

/// The name of each step in a script: what is done without credentials is a step of its own, with a name that is there already.
pub fn step_names(steps: &[Step]) -> Vec<String> {
    told_apart(steps.iter().map(|step| step.name.as_str()))
}

fn told_apart<'n>(names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let mut known: BTreeMap<&str, u32> = BTreeMap::new();
    let mut told = vec![];
    for name in names {
        let count = known.entry(name).or_default();
        told.push(if *count == 0 { name.to_owned() } else { format!("{name}+{count}") });
        *count += 1;
    }
    told
}

/// The flow that makes a session, as scripts name it.
pub fn session_flow(flows: &[Flow]) -> &str {
    flows.get(usize::from(FlowId::SESSION.0)).map_or("auth", |flow| &flow.name)
}

impl Purpose {
    /// The pass whose object is tried, or whose object's id is changed.
    #[must_use]
    pub fn tries(self) -> Option<ScopeId> {
        match self {
            Self::Probe { victim: tried, .. } | Self::Unknown { like: tried, .. } | Self::Timed { like: tried, .. } => {
                Some(tried)
            }
            _ => None,
        }
    }

    /// The same with other numbers for the scopes that it names.
    #[must_use]
    pub fn with_scopes(self, number: impl Fn(ScopeId) -> ScopeId) -> Self {
        match self {
            Self::Probe { victim, object, access } => Self::Probe { victim: number(victim), object, access },
            Self::Visit { host } => Self::Visit { host: number(host) },
            Self::Role { host, allowed } => Self::Role { host: number(host), allowed },
            Self::Unknown { like, object, access } => Self::Unknown { like: number(like), object, access },
            Self::Timed { like, object, id } => Self::Timed { like: number(like), object, id },
            Self::Twin { with, neighbour } => Self::Twin { with: number(with), neighbour },
            Self::Anonymous { host } => Self::Anonymous { host: number(host) },
            Self::Revalidate { other } => Self::Revalidate { other: number(other) },
            Self::Short { session, part } => Self::Short { session: number(session), part },
            Self::Flow | Self::Shake | Self::Fresh | Self::Confirm { .. } => self,
        }
    }

    /// The same with another number for the operation that it names.
    #[must_use]
    pub fn with_ops(self, number: impl Fn(OpId) -> OpId) -> Self {
        match self {
            Self::Confirm { probe } => Self::Confirm { probe: number(probe) },
            _ => self,
        }
    }
}

impl Manner {
    /// The same without what names other operations, gates or passes than these.
    fn within(self, ops: &BTreeSet<OpId>, gates: &BTreeSet<GateId>, passes: &BTreeSet<ScopeId>) -> Self {
        let start = match self.start {
            Start::Once { op, .. } if !ops.contains(&op) => Start::AtOnce,
            start => start,
        };
        let cut = self.cut.map(|cut| match cut.at {
            Point::Once { op, .. } if !ops.contains(&op) => Cut { at: Point::Sent { wait_permille: 0 }, ..cut },
            _ => cut,
        });
        let freeze = self.freeze.filter(|freeze| ops.contains(&freeze.until));
        let gate = self.gate.filter(|gate| gates.contains(gate));
        let collide = self.collide.filter(|pass| passes.contains(pass));
        Self { start, gate, cut, freeze, collide, ..self }.with_rule_if_shown()
    }

    /// A rule is nothing without the manner that shows whether it is kept.
    fn with_rule_if_shown(self) -> Self {
        Self { rule: self.rule_shown_by().map(|(rule, _)| rule), ..self }
    }

    /// The same with other numbers for what it names.
    #[must_use]
    pub fn with_numbers(self, op: impl Fn(OpId) -> OpId, gate: impl Fn(GateId) -> GateId) -> Self {
        let start = match self.start {
            Start::Once { op: other, moment, delay_us } => Start::Once { op: op(other), moment, delay_us },
            start => start,
        };
        let cut = self.cut.map(|cut| match cut.at {
            Point::Once { op: other, moment, delay_us } => {
                Cut { at: Point::Once { op: op(other), moment, delay_us }, ..cut }
            }
            _ => cut,
        });
        let freeze = self.freeze.map(|freeze| Freeze { until: op(freeze.until), ..freeze });
        Self { start, cut, freeze, gate: self.gate.map(gate), ..self }
    }

    /// The same without one kind of perturbation. A second copy stays one.
    #[must_use]
    pub fn without(self, kind: Perturbation) -> Self {
        let is_of_start = self.start != Start::AtOnce
            && match kind {
                Perturbation::Delay => matches!(self.start, Start::After { .. }),
                Perturbation::React => matches!(self.start, Start::Once { .. }),
                _ => false,
            };
        let start = if is_of_start { Start::AtOnce } else { self.start };
        let via = match (kind, self.via) {
            (Perturbation::Share, Via::Shared(_)) | (Perturbation::Reconnect, Via::Fresh) => Via::Own,
            (_, via) => via,
        };
        let gate = self.gate.filter(|_| kind != Perturbation::Race);
        let pace = if kind == Perturbation::Stall { crate::perturb::Pace::Full } else { self.pace };
        let cut = self.cut.filter(|_| kind != Perturbation::Cancel);
        let poison = self.poison.filter(|_| kind != Perturbation::Poison);
        let widen = self.widen.filter(|_| kind != Perturbation::Widen);
        let freeze = self.freeze.filter(|_| kind != Perturbation::Swizzle);
        Self {
            start,
            via,
            gate,
            pace,
            freeze,
            cut,
            again: self.again,
            poison,
            widen,
            flood: self.flood && kind != Perturbation::Flood,
            collide: self.collide.filter(|_| kind != Perturbation::Collide),
            rule: self.rule,
            forge: self.forge.filter(|_| kind != Perturbation::Forge),
        }
        .with_rule_if_shown()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perturb::{HangUp, Moment};

    fn line(op: u32, step: &str, pass: u32) -> Line {
        Line { op: OpId(op), step: step.into(), pass: ScopeId(pass), purpose: Purpose::Flow, manner: Manner::default() }
    }

    /// Three tenants log in; the second reads once the first has written, and the first turns of the third's block come last.
    fn script() -> Script {
        let pass = |by, flow: &str, turn| Pass { by, flow: flow.into(), number: 0, members: vec![], turn };
        let role = |by, ops| Role { by, beside: None, ops };
        let mut read = line(4, "read", 4);
        read.manner.start = Start::Once { op: OpId(3), moment: Moment::Ended, delay_us: 0 };
        read.manner.gate = Some(GateId(7));
        let mut write = line(3, "write", 3);
        write.manner.gate = Some(GateId(7));
        Script {
            usual_us: BTreeMap::new(),
            people: (0..3).map(|tenant| Person { tenant: Some(tenant), ..Person::default() }).collect(),
            passes: vec![
                pass(0, "auth", None),
                pass(1, "auth", None),
                pass(2, "auth", None),
                pass(0, "notes", None),
                pass(1, "notes", None),
                pass(2, "notes", None),
                pass(2, "notes+1", Some((5, 0))),
            ],
            schedule: Schedule::Together,
            stages: vec![
                Scene { phase: Phase::Auth, lanes: (0..3).map(|by| role(by, vec![line(by, "login", by)])).collect() },
                Scene {
                    phase: Phase::Flows,
                    lanes: vec![role(0, vec![write]), role(1, vec![read]), role(2, vec![line(5, "turn", 6)])],
                },
            ],
            random_bytes_max: None,
        }
    }

    fn steps(script: &Script) -> Vec<(u32, &str)> {
        script.lines().map(|(_, by, line)| (by, line.step.as_str())).collect()
    }

    #[test]
    fn people_and_passes_that_nobody_needs_are_gone_and_the_others_have_new_numbers() {
        let last = script().with_only(|_, by, _| by == 2);
        assert_eq!(steps(&last), [(0, "login"), (0, "turn")]);
        assert_eq!(last.people, [Person { tenant: Some(2), ..Person::default() }]);
        let flows: Vec<_> = last.passes.iter().map(|pass| (pass.by, pass.flow.as_str(), pass.turn)).collect();
        assert_eq!(flows, [(0, "auth", None), (0, "notes", None), (0, "notes+1", Some((1, 0)))]);
        assert_eq!(last.lines().last().unwrap().2.pass, ScopeId(2));
    }

    #[test]
    fn what_waits_for_somebody_who_is_gone_waits_no_longer() {
        let both = script().with_only(|_, by, _| by != 2);
        assert_eq!(both.perturbations(), BTreeSet::from([Perturbation::Race, Perturbation::React]));
        let reader = script().with_only(|_, by, _| by == 1);
        assert_eq!(reader.perturbations(), BTreeSet::new());
    }

    #[test]
    fn a_short_session_that_waits_for_nobody_is_dropped_or_has_the_lane_to_itself() {
        let mut with_short = script();
        let session = Role { by: 0, beside: Some(OpId(3)), ops: vec![line(9, "logout", 0)] };
        with_short.stages[1].lanes.push(session);
        let kept = |keep: fn(&Line) -> bool| with_short.with_only(|_, by, line| by == 0 && keep(line));
        let both = kept(|_| true);
        assert_eq!(both.stages[1].lanes[1].beside, Some(OpId(3)));
        let alone = kept(|line| line.step != "write");
        assert_eq!((steps(&alone), alone.stages[1].lanes[0].beside), (vec![(0, "login"), (0, "logout")], None));
    }

    #[test]
    fn a_second_owner_does_everything_before_the_first() {
        let more = script().with_second(0);
        assert_eq!(steps(&more)[..2], [(3, "login"), (0, "login")]);
        assert!(steps(&more).windows(2).any(|pair| pair == [(3, "write"), (0, "write")]));
        let copy = more.lines().find(|(_, by, line)| *by == 3 && line.step == "write").unwrap().2;
        assert_eq!(more.passes[copy.pass.0 as usize].by, 3);
        assert_eq!(more.people[3].tenant, Some(3));
        assert!(more.passes.iter().zip(0..).take(4).all(|(pass, place)| pass.by == place && pass.flow == "auth"));
        assert_eq!(more.with_only(|_, by, _| by != 3).people.len(), 3);
    }

    #[test]
    fn what_is_put_beside_an_operation_is_done_by_the_same_person_in_that_place() {
        let script = script();
        let (_, by, write) = script.lines().find(|(.., line)| line.step == "write").unwrap();
        let look = |step: &str| Line { step: step.into(), ..line(0, "", write.pass.0) };
        let order = |side| {
            let longer = script.with_lines(side, write.op, &[look("one"), look("two")]);
            let mut lines: Vec<_> = longer.lines().filter(|(.., one)| one.pass == write.pass).collect();
            lines.sort_by_key(|(.., line)| line.op);
            assert!(lines.iter().any(|(.., line)| line.op == moved(write.op, 2) && line.step == "write"));
            let in_lane: Vec<_> = longer.lines().filter(|(.., one)| one.pass == write.pass).collect();
            assert_eq!(in_lane, lines, "lanes are in the order of their numbers");
            lines.iter().filter(|(_, who, _)| *who == by).map(|(.., line)| line.step.clone()).collect::<Vec<_>>()
        };
        assert_eq!(order(Side::Before)[..3], ["one", "two", "write"]);
        assert_eq!(order(Side::After)[..3], ["write", "one", "two"]);
        assert_eq!(script.with_lines(Side::After, write.op, &[look("one")]).perturbations(), script.perturbations());
    }

    #[test]
    fn how_long_answers_take_is_kept_for_what_is_given_up_in_that_time() {
        let at = Point::Sent { wait_permille: 700 };
        let mut timed = script();
        timed.usual_us = BTreeMap::from([("write".into(), 900), ("read".into(), 800)]);
        let write = timed.stages[1].lanes[0].ops.iter_mut().find(|line| line.step == "write").unwrap();
        write.manner.cut = Some(Cut { at, by: HangUp::Reset });
        let earlier = timed.given_up_at(450);
        assert_eq!(earlier.usual_us, BTreeMap::from([("write".into(), 900)]));
        let moments = earlier.lines().filter_map(|(.., line)| line.manner.cut.map(|cut| cut.at));
        assert_eq!(moments.collect::<Vec<_>>(), [Point::Sent { wait_permille: 450 }]);
        assert!(timed.with_only(|_, _, line| line.step != "write").usual_us.is_empty());
    }

    #[test]
    fn one_operation_at_a_time_they_come_in_the_order_of_their_places() {
        let backwards = script().in_turn(|op| u32::MAX - op.0);
        assert_eq!(backwards.schedule, Schedule::InTurn);
        assert!(backwards.perturbations().is_empty());
        let in_stage = |script: &Script| -> Vec<(u32, String)> {
            let mut lines: Vec<_> = script
                .lines()
                .filter(|(phase, ..)| *phase == Phase::Flows)
                .map(|(_, by, line)| (line.op, by, line))
                .collect();
            lines.sort_by_key(|(op, ..)| *op);
            lines.into_iter().map(|(_, by, line)| (by, line.step.clone())).collect()
        };
        let mut forwards = in_stage(&script());
        forwards.reverse();
        assert_eq!(in_stage(&backwards), forwards);
    }

    #[test]
    fn what_is_written_is_read() {
        let text = serde_json::to_string(&script()).unwrap();
        assert_eq!(serde_json::from_str::<Script>(&text).unwrap(), script());
    }

    #[test]
    fn nobody_stands_still_for_an_operation_that_is_left_out() {
        let manner = Manner { freeze: Some(Freeze { until: OpId(3), after_us: 5 }), ..Manner::default() };
        let within = |op: u32| manner.within(&BTreeSet::from([OpId(op)]), &BTreeSet::new(), &BTreeSet::new());
        assert_eq!(within(3), manner);
        assert!(within(4).is_plain());
    }

    #[test]
    fn nobody_collides_with_a_pass_that_is_left_out() {
        let mut colliding = script();
        colliding.stages[1].lanes[1].ops[0].manner = Manner { collide: Some(ScopeId(3)), ..Manner::default() };
        let both = colliding.with_only(|_, by, _| by != 2);
        let hosts =
            |script: &Script| -> Vec<ScopeId> { script.lines().filter_map(|(.., line)| line.manner.collide).collect() };
        // Two people are left, whose sessions come first.
        assert_eq!(hosts(&both), [ScopeId(2)]);
        assert_eq!(both.passes[2].by, 0);
        assert_eq!(hosts(&colliding.with_only(|_, by, _| by == 1)), []);
        assert_eq!(hosts(&colliding.with_second(0)), [ScopeId(4)]);
    }
}
