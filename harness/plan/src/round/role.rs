//! The role matrix: which role may do which step, tried by users of other roles in a colleague's pass.
//!
//! It comes after the tries at objects, since what a role may do may change them. What removes an object is tried only by
//! those who may not: those who may do it in their own passes.

use std::collections::BTreeSet;
use std::ops::Range;

use coalmine_core::plan::{FlowId, Phase, Purpose};
use coalmine_core::step::{Action, StepId};
use coalmine_core::template::Level;

use super::people::People;
use super::room::Rooms;
use super::size::Size;
use super::stage::{Stages, Todo};
use crate::compile::{Compiled, Course};

/// One role does one step in the pass of a colleague.
struct Cell {
    visitor: usize,
    host: usize,
    flow: FlowId,
    step: StepId,
    allowed: bool,
}

/// Adds what is denied, a look of the owners at it, and what is allowed.
pub(super) fn stages(compiled: &Compiled, size: &Size, rooms: &mut Rooms<'_>, stages: &mut Stages) {
    let mut denied: Vec<Vec<Cell>> = (0..rooms.people().count()).map(|_| vec![]).collect();
    let mut allowed: Vec<Vec<Cell>> = (0..rooms.people().count()).map(|_| vec![]).collect();
    for cell in cells(compiled, rooms.people()) {
        let lanes = if cell.allowed { &mut allowed } else { &mut denied };
        lanes[cell.visitor].push(cell);
    }
    let todos = todos(compiled, size, rooms, &denied);
    let numbers = stages.add(Phase::Probe, rooms, todos);
    let mut looks: Vec<Vec<Todo>> = denied.iter().map(|_| vec![]).collect();
    for (cell, probe) in denied.iter().flatten().zip(numbers.into_iter().flatten()) {
        let mut changed = compiled.objects.iter().filter(|rule| rule.update == Some(cell.step));
        if let Some(rule) = changed.next() {
            let scope = rooms.pass(cell.host, cell.flow, last_pass(compiled, size, cell.flow));
            looks[cell.host].push(Todo::plain(rule.read, scope, Purpose::Confirm { probe }));
        }
    }
    stages.add(Phase::Confirm, rooms, looks);
    let todos = self::todos(compiled, size, rooms, &allowed);
    stages.add(Phase::Probe, rooms, todos);
}

/// The last pass, or the first turn of a block in it.
fn last_pass(compiled: &Compiled, size: &Size, flow: FlowId) -> u32 {
    let course = &compiled.courses[usize::from(flow.0)];
    match course.block {
        Some(block) => last_pass(compiled, size, block.within) * course.repeat,
        None => size.repeats[usize::from(flow.0)] - 1,
    }
}

fn todos(compiled: &Compiled, size: &Size, rooms: &mut Rooms<'_>, lanes: &[Vec<Cell>]) -> Vec<Vec<Todo>> {
    let mut todos = vec![];
    for lane in lanes {
        let todo = |cell: &Cell| {
            let host = rooms.pass(cell.host, cell.flow, last_pass(compiled, size, cell.flow));
            let sends = compiled.steps[usize::from(cell.step.0)].sends();
            let plants = sends.iter().any(|canary| canary.level == Level::Flow);
            let scope = if plants { rooms.open(cell.visitor, cell.flow) } else { rooms.idle(cell.visitor, cell.flow) };
            Todo::plain(cell.step, scope, Purpose::Role { host, allowed: cell.allowed })
        };
        todos.push(lane.iter().map(todo).collect());
    }
    todos
}

fn cells(compiled: &Compiled, people: &People) -> Vec<Cell> {
    let mut cells = vec![];
    for tenant in people.tenants() {
        for (flow, course) in (0..).map(FlowId).zip(&compiled.courses).skip(1) {
            for step in course.steps.iter().chain(&course.cleanup) {
                cells.extend(row(compiled, people, tenant, (flow, course), *step));
            }
        }
    }
    cells
}

/// The cells of one step in one tenant: each role that somebody besides the host has.
fn row(
    compiled: &Compiled,
    people: &People,
    tenant: &Range<usize>,
    (flow, course): (FlowId, &Course),
    step: StepId,
) -> Vec<Cell> {
    let rule = &compiled.steps[usize::from(step.0)];
    if rule.allowed.is_empty() {
        return vec![];
    }
    let removes = matches!(&rule.action, Action::Request(request) if request.method == "DELETE");
    let removes = removes || course.cleanup.contains(&step);
    let whole = &compiled.courses[usize::from(compiled.flow_of(flow).0)];
    let mut tried = BTreeSet::new();
    let mut cells = vec![];
    for visitor in tenant.clone() {
        let who = people.at(visitor);
        let allowed = who.role.as_ref().is_some_and(|role| rule.allowed.contains(role));
        let is_host = |place: &usize| people.at(*place).user != who.user && people.goes_through(*place, whole);
        let Some(host) = tenant.clone().find(is_host) else { continue };
        if !(allowed && removes) && tried.insert(who.role.clone()) {
            cells.push(Cell { visitor, host, flow, step, allowed });
        }
    }
    cells
}
