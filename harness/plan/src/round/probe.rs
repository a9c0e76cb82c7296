//! Who tries whose objects, and how the owners look afterwards.
//!
//! Never all pairs: each principal's objects are tried by a few others, drawn from the seed. What changes or removes an object
//! is tried on other passes than what reads it, as long as there are enough passes; otherwise in stages of its own, later.

use coalmine_core::plan::{Access, FlowId, ObjectRule, Phase, Purpose, ScopeId};
use coalmine_core::principal::Principal;
use coalmine_core::sharing::Reach;
use coalmine_core::step::StepId;
use coalmine_core::template::Level;

use super::people::People;
use super::room::Rooms;
use super::size::Size;
use super::stage::{Stages, Todo};
use crate::compile::Compiled;
use crate::draw::Draw;

/// One principal tries another's object.
struct Attempt {
    attacker: usize,
    victim: usize,
    victim_scope: ScopeId,
    object: u16,
    access: Access,
    step: StepId,
    /// Whether the id is changed into one that nobody has.
    unknown: bool,
}

/// The passes of which nothing changes or removes the object, where there are such.
pub(super) fn passes_read(compiled: &Compiled, size: &Size, rule: &ObjectRule) -> Vec<u32> {
    let ways = ways(rule, &passes(compiled, size, rule.flow));
    let is_alone = ways.iter().all(|way| way.wave == 0);
    let read = ways.into_iter().find(|way| way.access == Access::Read).filter(|_| is_alone);
    read.map_or(vec![], |way| way.passes)
}

/// One way to try an object, and the passes whose objects are tried so.
struct Way {
    wave: usize,
    access: Access,
    step: StepId,
    passes: Vec<u32>,
}

/// Adds a probe stage and a confirm stage for each wave of attempts.
pub(super) fn stages(compiled: &Compiled, size: &Size, draw: &mut Draw, rooms: &mut Rooms<'_>, stages: &mut Stages) {
    for attempts in waves(compiled, size, draw, rooms) {
        add_wave(compiled, attempts, rooms, stages);
    }
}

fn waves(compiled: &Compiled, size: &Size, draw: &mut Draw, rooms: &Rooms<'_>) -> Vec<Vec<Attempt>> {
    let mut waves: Vec<Vec<Attempt>> = vec![];
    let people = rooms.people();
    for (object, rule) in (0..).zip(&compiled.objects) {
        for way in ways(rule, &passes(compiled, size, rule.flow)) {
            waves.resize_with(waves.len().max(way.wave + 1), Vec::new);
            for victim in 0..people.count() {
                if !people.goes_through(victim, &compiled.courses[usize::from(compiled.flow_of(rule.flow).0)]) {
                    continue;
                }
                let drawn = attackers(compiled, victim, draw, people);
                let offset = draw.below(u32::try_from(way.passes.len()).unwrap_or(u32::MAX)) as usize;
                for (nth, attacker) in drawn.into_iter().enumerate() {
                    let pass = way.passes[(offset + nth) % way.passes.len()];
                    let victim_scope = rooms.pass(victim, rule.flow, pass);
                    if rooms.shares_with(victim_scope, attacker) {
                        continue;
                    }
                    let (access, step) = (way.access, way.step);
                    let attempt = |unknown| Attempt { attacker, victim, victim_scope, object, access, step, unknown };
                    waves[way.wave].push(attempt(false));
                    if rule.indistinguishable && may_try_unknown(compiled, access) {
                        waves[way.wave].push(attempt(true));
                    }
                }
            }
        }
    }
    for wave in &mut waves {
        draw.shuffle(wave);
    }
    waves
}

/// Whether an id that nobody has may be tried so. Where accounts exist already, it might be somebody's after all, and what is
/// changed or removed there stays so.
fn may_try_unknown(compiled: &Compiled, access: Access) -> bool {
    let changes = matches!(access, Access::Update | Access::Delete);
    !changes || compiled.tenants.accounts.is_none()
}

/// The passes or turns whose objects are tried. How many items a list has is not known: only of the first there is hope.
pub(super) fn passes(compiled: &Compiled, size: &Size, flow: FlowId) -> Vec<u32> {
    let course = &compiled.courses[usize::from(flow.0)];
    let Some(block) = course.block else { return (0..size.repeats[usize::from(flow.0)]).collect() };
    let turns = if block.items.is_some() { 1 } else { course.repeat };
    let around = passes(compiled, size, block.within).into_iter();
    around.flat_map(|pass| (0..turns).map(move |turn| pass * course.repeat + turn)).collect()
}

/// With a pass or more for reading, changing and removing, each has its own passes and all go in one wave; otherwise one wave
/// after another.
fn ways(rule: &ObjectRule, passes: &[u32]) -> Vec<Way> {
    let groups = [&[Access::Read, Access::List, Access::Export][..], &[Access::Update], &[Access::Delete]];
    let groups: Vec<_> = groups.into_iter().filter(|group| group.iter().any(|it| rule.step(*it).is_some())).collect();
    let share = groups.len().max(1);
    let apart = passes.len() >= share;
    let mut ways = vec![];
    for (nth, group) in groups.into_iter().enumerate() {
        let own = passes.iter().enumerate().filter(|(at, _)| !apart || at % share == nth);
        let own: Vec<u32> = own.map(|(_, pass)| *pass).collect();
        let wave = if apart { 0 } else { nth };
        for (access, step) in group.iter().filter_map(|access| Some((*access, rule.step(*access)?))) {
            ways.push(Way { wave, access, step, passes: own.clone() });
        }
    }
    ways
}

/// Principals of other tenants, as places in the plan. The principals of a tenant stand side by side.
pub(super) fn attackers(compiled: &Compiled, victim: usize, draw: &mut Draw, people: &People) -> Vec<usize> {
    let own = &people.tenants()[people.tenant_of(victim)];
    let others = u32::try_from(people.makers().saturating_sub(own.len())).unwrap_or(u32::MAX);
    let skip_own = |other: usize| if other < own.start { other } else { other + own.len() };
    let drawn = draw.distinct_below(others, compiled.probes).into_iter().map(|other| skip_own(other as usize));
    drawn.filter(|attacker| !sees_everything(compiled, people.at(*attacker))).collect()
}

pub(super) fn sees_everything(compiled: &Compiled, principal: &Principal) -> bool {
    let mut rules = compiled.sharing.roles.iter().filter(|rule| rule.reach == Reach::Everything);
    rules.any(|rule| principal.role.as_ref() == Some(&rule.role))
}

fn add_wave(compiled: &Compiled, attempts: Vec<Attempt>, rooms: &mut Rooms<'_>, stages: &mut Stages) {
    let mut lanes: Vec<Vec<Attempt>> = (0..rooms.people().count()).map(|_| vec![]).collect();
    for attempt in attempts {
        lanes[attempt.attacker].push(attempt);
    }
    let mut todos = vec![];
    for lane in &lanes {
        todos.push(lane.iter().map(|attempt| attempt.todo(compiled, rooms)).collect());
    }
    let numbers = stages.add(Phase::Probe, rooms, todos);
    let mut confirms: Vec<Vec<Todo>> = lanes.iter().map(|_| vec![]).collect();
    for (attempt, probe) in lanes.iter().flatten().zip(numbers.into_iter().flatten()) {
        if attempt.unknown {
            continue;
        }
        let read = compiled.objects[usize::from(attempt.object)].read;
        let purpose = Purpose::Confirm { probe };
        confirms[attempt.victim].push(Todo::plain(read, attempt.victim_scope, purpose));
    }
    stages.add(Phase::Confirm, rooms, confirms);
}

impl Attempt {
    fn todo(&self, compiled: &Compiled, rooms: &mut Rooms<'_>) -> Todo {
        let flow = compiled.objects[usize::from(self.object)].flow;
        let sends = compiled.steps[usize::from(self.step.0)].sends();
        let plants = sends.iter().any(|canary| canary.level == Level::Flow);
        let scope = if plants { rooms.open(self.attacker, flow) } else { rooms.idle(self.attacker, flow) };
        let purpose = if self.unknown {
            Purpose::Unknown { like: self.victim_scope, object: self.object, access: self.access }
        } else {
            Purpose::Probe { victim: self.victim_scope, object: self.object, access: self.access }
        };
        Todo::plain(self.step, scope, purpose)
    }
}
