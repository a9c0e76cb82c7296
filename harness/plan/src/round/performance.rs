//! From a script to a plan: nothing is drawn but who the people are.

use std::collections::{BTreeMap, BTreeSet};

use coalmine_canary::{CanaryId, Serial, Shape};
use coalmine_core::perturb::{Gate, GateId, Via};
use coalmine_core::plan::{FlowId, Lane, Op, OpId, Plan, Purpose, Schedule, ScopeId, ScopeOf, Stage, Turn};
use coalmine_core::script::{Line, Pass, Role, Script, flow_names, session_flow, step_names};
use coalmine_core::step::{Action, Bytes, PartContent, Payload, Step, StepId};
use coalmine_core::template::Segment;
use coalmine_core::{Principal, PrincipalId, Seed};

use super::stage::Course;
use super::{Drawn, Overrides, PlanError, assemble, population, target};
use crate::compile::Compiled;
use crate::scenario::Scenario;

/// Resolves a script: the people have names, passwords and canaries of the seed, so that a service which has seen the script before
/// takes them for others. The same arguments give the same plan, to the byte.
///
/// Of the overrides only the address, the variables and the budget count; how many act and how often, the script says.
///
/// # Errors
///
/// When the script names what the scenario does not have, and for whatever a plan is refused.
pub fn perform(scenario: &Scenario, script: &Script, seed: Seed, overrides: &Overrides) -> Result<Plan, PlanError> {
    let compiled = scenario.compiled();
    let target = target(scenario, overrides)?;
    let reading =
        Reading { compiled, script, ops: numbers(script), gates: gates(script), steps: step_names(&compiled.steps) };
    reading.check().map_err(PlanError::Script)?;
    let principals = population::those(compiled, &script.people, seed, overrides.numbering);
    let first = principals.first().map_or(0, |principal| principal.id.0);
    let drawn = Drawn {
        round: overrides.numbering.map_or(0, |numbering| numbering.round),
        scopes: reading.scopes(&principals).map_err(PlanError::Script)?,
        principals,
        course: reading.course(first).map_err(PlanError::Script)?,
        schedule: script.schedule,
        demanded: vec![],
        rules: vec![],
        left_out: vec![],
        budget: overrides.budget.or(compiled.budget).or(overrides.budget_default),
    };
    let mut plan = assemble(scenario, compiled, (seed, target), overrides, drawn)?;
    if !hears_webhooks(&plan) {
        // Nobody waits for what is never told.
        plan.webhooks = None;
    }
    plan.usual_us = reading.usual_us();
    if let Some(max) = script.random_bytes_max {
        plan.steps.iter_mut().for_each(|step| shorten(step, max));
    }
    Ok(plan)
}

struct Reading<'a> {
    compiled: &'a Compiled,
    script: &'a Script,
    ops: BTreeMap<OpId, OpId>,
    gates: BTreeMap<GateId, (GateId, u16)>,
    steps: Vec<String>,
}

fn numbers(script: &Script) -> BTreeMap<OpId, OpId> {
    let ascending: BTreeSet<OpId> = script.lines().map(|(.., line)| line.op).collect();
    ascending.into_iter().zip((0..).map(OpId)).collect()
}

fn gates(script: &Script) -> BTreeMap<GateId, (GateId, u16)> {
    let mut members: BTreeMap<GateId, u16> = BTreeMap::new();
    for gate in script.lines().filter_map(|(.., line)| line.manner.gate) {
        *members.entry(gate).or_default() += 1;
    }
    members.into_iter().zip(0..).map(|((gate, members), number)| (gate, (GateId(number), members))).collect()
}

impl Reading<'_> {
    fn usual_us(&self) -> BTreeMap<StepId, u32> {
        let us = |name: &String| self.script.usual_us.get(name).copied();
        (0..).map(StepId).zip(&self.steps).filter_map(|(step, name)| Some((step, us(name)?))).collect()
    }

    /// Whether everything that is named is there.
    fn check(&self) -> Result<(), String> {
        let Script { people, passes, .. } = self.script;
        if people.is_empty() {
            return Err("nobody acts".to_owned());
        }
        let is_session = |(place, pass): (usize, &Pass)| {
            pass.by as usize == place && pass.flow == session_flow(&self.compiled.flows) && pass.turn.is_none()
        };
        if passes.len() < people.len() || !passes.iter().enumerate().take(people.len()).all(is_session) {
            return Err("`passes` begins with the session of each of the `people`, in their order".to_owned());
        }
        if people.iter().rev().skip(1).any(|person| person.tenant.is_none()) {
            return Err("somebody without a tenant stands last among the `people`".to_owned());
        }
        if self.ops.len() != self.script.lines().count() {
            return Err("two operations have the same number".to_owned());
        }
        for (place, pass) in (0..).zip(passes) {
            let mut named = pass.members.iter().chain([&pass.by]);
            if named.any(|one| *one as usize >= people.len()) {
                return Err(format!("pass {place} is of somebody who is not among the `people`"));
            }
            if pass.turn.is_some_and(|(within, _)| within >= place) {
                return Err(format!("pass {place} is a turn in a pass that does not stand before it"));
            }
        }
        let mut lanes = self.script.stages.iter().flat_map(|scene| &scene.lanes);
        lanes.try_for_each(|role| self.check_role(role))?;
        self.script.stages.iter().try_for_each(|scene| {
            let mut seen = BTreeSet::new();
            let mut own = scene.lanes.iter().filter(|role| role.beside.is_none());
            let twice = own.find(|role| !seen.insert(role.by));
            twice.map_or(Ok(()), |role| Err(format!("person {} has two lanes in one stage", role.by)))
        })
    }

    fn check_role(&self, role: &Role) -> Result<(), String> {
        if role.by as usize >= self.script.people.len() {
            return Err(format!("there is no person {}", role.by));
        }
        if let Some(after) = role.beside.filter(|after| !self.ops.contains_key(after)) {
            return Err(format!("there is no operation {}", after.0));
        }
        if self.script.schedule == Schedule::InTurn && !role.ops.is_sorted_by_key(|line| line.op) {
            return Err(format!("the operations of person {} do not ascend, though they come in turn", role.by));
        }
        role.ops.iter().try_for_each(|line| self.check_line(line))
    }

    fn check_line(&self, line: &Line) -> Result<(), String> {
        let here = format!("operation {}", line.op.0);
        let probed = match line.purpose {
            Purpose::Confirm { probe } => Some(probe),
            _ => None,
        };
        let missing = |op: &OpId| !self.ops.contains_key(op);
        if let Some(other) = line.manner.awaits().chain(probed).find(missing) {
            return Err(format!("{here} names operation {}, which is not there", other.0));
        }
        let objects = self.compiled.objects.len();
        match line.purpose {
            Purpose::Probe { object, .. } | Purpose::Unknown { object, .. } | Purpose::Timed { object, .. }
                if usize::from(object) >= objects =>
            {
                return Err(format!("{here} tries object {object}, and there are {objects}"));
            }
            _ => {}
        }
        let is_there = std::cell::Cell::new((line.pass.0 as usize) < self.script.passes.len());
        let _ = line.purpose.with_scopes(|scope| {
            is_there.set(is_there.get() && (scope.0 as usize) < self.script.passes.len());
            scope
        });
        let collides = line.manner.collide.is_none_or(|pass| (pass.0 as usize) < self.script.passes.len());
        is_there.set(is_there.get() && collides);
        if is_there.get() { Ok(()) } else { Err(format!("{here} names a pass that is not there")) }
    }

    fn scopes(&self, principals: &[Principal]) -> Result<Vec<ScopeOf>, String> {
        let names = flow_names(&self.compiled.flows);
        let mut serials: BTreeMap<(u32, Shape), u32> = BTreeMap::new();
        let mut scopes = vec![];
        for pass in &self.script.passes {
            let flow = names.iter().position(|name| *name == pass.flow);
            let flow = flow.ok_or_else(|| format!("the scenario has no flow `{}`", pass.flow))?;
            let owner = principals[pass.by as usize].id;
            let canaries = self.compiled.flows[flow].canaries.iter().map(|canary| {
                let next = serials.entry((pass.by, canary.shape)).or_default();
                let serial = Serial(*next);
                *next += 1;
                CanaryId { owner: owner.owner(), serial, shape: canary.shape }
            });
            scopes.push(ScopeOf {
                principal: owner,
                flow: FlowId(u16::try_from(flow).unwrap_or(u16::MAX)),
                pass: pass.number,
                canaries: canaries.collect(),
                members: pass.members.iter().map(|one| principals[*one as usize].id).collect(),
                turn: pass.turn.map(|(within, index)| Turn { within: ScopeId(within), index }),
            });
        }
        Ok(scopes)
    }

    fn course(&self, first: u32) -> Result<Course, String> {
        let mut stages = vec![];
        for scene in &self.script.stages {
            let lanes = scene.lanes.iter().map(|role| {
                Ok(Lane {
                    principal: PrincipalId(first.saturating_add(role.by)),
                    ops: role.ops.iter().map(|line| self.op(line)).collect::<Result<_, String>>()?,
                    beside: role.beside.map(|after| self.ops[&after]),
                })
            });
            stages.push(Stage { phase: scene.phase, lanes: lanes.collect::<Result<_, String>>()? });
        }
        let mut gates: Vec<(GateId, u16)> = self.gates.values().copied().collect();
        gates.sort_unstable();
        let shared = self.script.lines().filter_map(|(.., line)| match line.manner.via {
            Via::Shared(index) => Some(index.saturating_add(1)),
            _ => None,
        });
        Ok(Course {
            stages,
            op_count: u32::try_from(self.ops.len()).unwrap_or(u32::MAX),
            gates: gates.into_iter().map(|(_, members)| Gate { members }).collect(),
            shared_connections: shared.max().unwrap_or_default(),
        })
    }

    fn op(&self, line: &Line) -> Result<Op, String> {
        let step = self.steps.iter().position(|name| *name == line.step);
        let step = step.ok_or_else(|| format!("the scenario has no step `{}`", line.step))?;
        let op = |label: OpId| self.ops[&label];
        Ok(Op {
            id: op(line.op),
            step: StepId(u16::try_from(step).unwrap_or(u16::MAX)),
            scope: line.pass,
            purpose: line.purpose.with_ops(op),
            manner: line.manner.with_numbers(op, |gate| self.gates[&gate].0),
        })
    }
}

/// Whether an operation waits for a webhook, or tells the target where to send one.
fn hears_webhooks(plan: &Plan) -> bool {
    let mut hears = false;
    let mut note = |hole: &Segment| hears |= matches!(hole, Segment::Webhook(_));
    let steps: BTreeSet<StepId> = plan.ops().map(|(.., op)| op.step).collect();
    for step in steps.into_iter().map(|step| plan.step(step)) {
        match &step.action {
            Action::Request(request) => request.each_hole(&mut note),
            Action::Subscribe(subscribe) => subscribe.request.each_hole(&mut note),
            Action::Open(open) => open.path.each_hole(&mut note),
            Action::Send { payload: Payload::Json(tree), .. } => tree.each_hole(&mut note),
            Action::Send { payload: Payload::Text(text) | Payload::Binary(text), .. } => text.each_hole(&mut note),
            Action::AwaitWebhook(_) => note(&Segment::Webhook(0)),
            _ => {}
        }
    }
    hears
}

/// Sends no more random bytes at a time.
fn shorten(step: &mut Step, max: u32) {
    let payload = match &mut step.action {
        Action::Request(request) => request.body.as_mut(),
        Action::Send { payload, .. } => Some(payload),
        _ => None,
    };
    let cap = |bytes: &mut Bytes| {
        if let Bytes::Random(count) = bytes {
            *count = max.min(*count);
        }
    };
    match payload {
        Some(Payload::Bytes(bytes)) => cap(bytes),
        Some(Payload::Multipart(parts)) => {
            for part in parts {
                if let PartContent::Bytes(bytes) = &mut part.content {
                    cap(bytes);
                }
            }
        }
        _ => {}
    }
}
