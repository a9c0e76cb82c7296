//! Groups of operations that one principal does at the same time, each on a connection of its own: those that the scenario calls
//! parallel, and floods.

use std::sync::Arc;

use coalmine_core::Plan;
use coalmine_core::perturb::FLOOD_CONNECTIONS;
use coalmine_core::plan::{Op, ScopeId};
use coalmine_core::step::{Action, SocketSlot};
use futures_util::future::join_all;

use super::line::Lines;
use super::{Failure, Lane};

/// Which parallel steps an operation belongs to, and in which scope they stand.
fn parallel(plan: &Plan, op: &Op) -> Option<(u16, ScopeId)> {
    let group = plan.step(op.step).group?;
    Some((group.parallel, plan.scope_at(op.scope, group.at)))
}

/// How many operations from the first on are done at the same time, or else one.
pub(super) fn stretch(plan: &Plan, ops: &[Op]) -> usize {
    let Some(first) = ops.first() else { return 0 };
    if first.manner.flood {
        return ops.iter().take_while(|op| op.manner.flood).count();
    }
    let Some(together) = parallel(plan, first) else { return 1 };
    ops.iter().take_while(|op| parallel(plan, op) == Some(together)).count()
}

fn split(plan: &Plan, ops: &[Op]) -> Vec<Vec<Op>> {
    if ops.iter().all(|op| op.manner.flood) {
        let of_one = |nth: usize| ops.iter().skip(nth).step_by(FLOOD_CONNECTIONS).cloned().collect();
        return (0..FLOOD_CONNECTIONS.min(ops.len())).map(of_one).collect();
    }
    let number = |op: &Op| plan.step(op.step).group.map(|group| group.number);
    ops.chunk_by(|one, next| number(one) == number(next)).map(<[Op]>::to_vec).collect()
}

impl Lane {
    /// Carries out all groups and waits for the last of them.
    pub(super) async fn run_groups(&mut self, ops: &[Op]) -> Option<Failure> {
        let groups = split(&self.round.plan, ops);
        let mut lanes: Vec<(Lane, Vec<Op>)> = groups.into_iter().map(|group| (self.fork(&group), group)).collect();
        let failures = join_all(lanes.iter_mut().map(|(lane, group)| lane.run_one_by_one(group))).await;
        for (lane, _) in lanes {
            self.lines.join(lane.lines);
            self.spare.extend((!lane.connections.is_empty()).then_some(lane.connections));
            self.silent.extend(lane.silent);
        }
        failures.into_iter().flatten().next()
    }

    /// The same principal once more: with the cookies of the session, and those lines that the group uses.
    fn fork(&mut self, group: &[Op]) -> Self {
        let slots: Vec<SocketSlot> =
            group.iter().filter_map(|op| slot(&self.round.plan.step(op.step).action)).collect();
        let mut fork = Self::with(self.round.clone(), self.principal.clone(), self.jar.clone());
        fork.connections = match std::mem::take(&mut self.connections) {
            none if none.is_empty() => self.spare.pop().unwrap_or_default(),
            own => own,
        };
        fork.lines = self.lines.part(&slots);
        fork.session = Arc::clone(&self.session);
        fork
    }
}

fn slot(action: &Action) -> Option<SocketSlot> {
    match action {
        Action::Open(open) => Some(open.socket),
        Action::Subscribe(subscribe) => Some(subscribe.socket),
        Action::Receive(receive) => Some(receive.socket),
        Action::Send { socket, .. }
        | Action::Ping { socket }
        | Action::AwaitClose { socket, .. }
        | Action::Close { socket, .. } => Some(*socket),
        Action::Request(_)
        | Action::AwaitWebhook(_)
        | Action::SearchPostgres(_)
        | Action::SearchRedis(_)
        | Action::SearchLogs(_)
        | Action::Pause { .. } => None,
    }
}

impl Lines {
    /// Takes out those of these slots.
    fn part(&mut self, slots: &[SocketSlot]) -> Self {
        let (theirs, mine) = std::mem::take(&mut self.open).into_iter().partition(|(_, slot, _)| slots.contains(slot));
        self.open = mine;
        let (theirs_rests, mine_rests) =
            std::mem::take(&mut self.rests).into_iter().partition(|(_, slot, _)| slots.contains(slot));
        self.rests = mine_rests;
        let keep = self.keep.clone();
        Self { open: theirs, rests: theirs_rests, keep, ..Self::default() }
    }

    /// Takes back what a part has left.
    fn join(&mut self, part: Self) {
        self.open.extend(part.open);
        self.kept.extend(part.kept);
        self.rests.extend(part.rests);
        self.keep.extend(part.keep);
        self.keep.sort_unstable();
        self.keep.dedup();
    }
}
