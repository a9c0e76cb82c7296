//! Meetings: operations of different tenants that are released together, or of which one waits for the other's moment.
//!
//! Meetings are made one after another, each at the lanes' next operations that are free. So they stand in the same order in all
//! lanes, and lanes cannot wait for each other in a circle.

use std::collections::{BTreeSet, VecDeque};

use coalmine_core::Principal;
use coalmine_core::perturb::{Cut, Gate, GateId, Moment, Perturbation, Point, Start, Via};
use coalmine_core::plan::{Lane, Op};
use coalmine_core::step::{Action, StepId};

use super::rule::{Rendezvous, Search, unmark};
use super::{Mood, swizzle};
use crate::compile::Compiled;
use crate::draw::Draw;

/// A guest's operation is looked for among so many next ones.
const WINDOW: usize = 8;
/// One of a step of which no two have met is looked for among so many, since in a service of many steps chance brings few together.
const WINDOW_ALONE: usize = 48;
/// Most meetings are of two; now and then as many as this meet.
const CROWD_MAX: u32 = 24;
/// A reaction comes at most so much later.
const REACTION_US_MAX: u32 = 800;

/// What operations meet for.
const MEETINGS: [Perturbation; 3] = [Perturbation::Race, Perturbation::React, Perturbation::Swizzle];

/// Pairs of operations that have not been in flight together so far, either way around.
pub(crate) type Wanted = BTreeSet<(StepId, StepId)>;

struct Meetings<'a> {
    compiled: &'a Compiled,
    mood: &'a Mood,
    wanted: &'a Wanted,
    tenants: Vec<u32>,
    /// For each lane, its next operation.
    next: Vec<usize>,
    /// For each lane, about how much time has passed before each of its operations.
    clocks: Vec<Vec<u32>>,
    gates: Vec<Gate>,
    /// For each lane, the operations with which it is still to keep rules.
    promised: Vec<VecDeque<usize>>,
    /// Steps of which no two operations have met in this round. Two of the same step use the same structure of the service, and most
    /// bugs that are wanted here take two who do so.
    alone: BTreeSet<StepId>,
}

/// Arranges the lanes of a stage; the principals are those of the round. What rules ask for comes first, and chance fills what is
/// between.
pub(crate) fn meet(
    compiled: &Compiled,
    mood: &Mood,
    wanted: &Wanted,
    principals: &[Principal],
    lanes: &mut [Lane],
    (draw, draw_rules): (&mut Draw, &mut Draw),
) -> Vec<Gate> {
    let first = principals.first().map_or(0, |principal| principal.id.0);
    let tenants: Vec<u32> = lanes.iter().map(|lane| principals[(lane.principal.0 - first) as usize].tenant.0).collect();
    let clocks: Vec<Vec<u32>> = lanes.iter().map(|lane| clock(compiled, lane)).collect();
    let next = vec![0; lanes.len()];
    let search = Search { reactions: &mood.reactions, tenants: &tenants, clocks: &clocks, lanes };
    let rendezvous = search.rendezvous(draw_rules);
    unmark(&rendezvous, lanes);
    let promised = promised(&rendezvous, lanes.len());
    let alone = lanes.iter().flat_map(|lane| &lane.ops).map(|op| op.step).collect();
    let mut meetings = Meetings { compiled, mood, wanted, tenants, next, clocks, gates: vec![], promised, alone };
    for rendezvous in rendezvous {
        let (lane, place) = rendezvous.members[0];
        meetings.fill(lanes, meetings.clocks[lane][place], draw);
        meetings.keep(&rendezvous, lanes, draw_rules);
    }
    meetings.fill(lanes, u32::MAX, draw);
    meetings.gates
}

fn promised(rendezvous: &[Rendezvous], lanes: usize) -> Vec<VecDeque<usize>> {
    let mut promised = vec![VecDeque::new(); lanes];
    for (lane, place) in rendezvous.iter().flat_map(|rendezvous| &rendezvous.members) {
        promised[*lane].push_back(*place);
    }
    promised
}

/// Lanes that are no further apart than this are as good as each other.
const NEAR: u32 = 8;
/// A wait for events, or for a new connection, takes about so many times as long as a request.
const WAIT_COST: u32 = 6;

/// When each operation of a lane comes, in requests, if nobody waits for anybody. Lanes that meet at places that come at about the same
/// time wait little.
fn clock(compiled: &Compiled, lane: &Lane) -> Vec<u32> {
    let mut now = 0;
    let mut clock = vec![];
    for op in &lane.ops {
        clock.push(now);
        now += match compiled.steps[usize::from(op.step.0)].action {
            Action::Request(_) | Action::Send { .. } => 1,
            _ => WAIT_COST,
        };
    }
    clock
}

/// How many guests a meeting has.
fn crowd(draw: &mut Draw) -> u32 {
    match draw.below(10) {
        0..6 => 1,
        6..9 => 2 + draw.below(3),
        _ => draw.below(CROWD_MAX).max(1),
    }
}

impl Meetings<'_> {
    /// Makes meetings by chance, up to a time.
    fn fill(&mut self, lanes: &mut [Lane], until: u32, draw: &mut Draw) {
        let share = MEETINGS.into_iter().map(|what| self.mood.permille(what)).sum::<u32>();
        if share == 0 || lanes.len() < 2 {
            return;
        }
        // So many operations lie between two meetings of a lane on average.
        let gap = 2 * 1000 / share.clamp(1, 1000);
        while let Some(host) = self.least_advanced(lanes) {
            if self.clocks[host][self.next[host]] > until {
                return;
            }
            let skipped = draw.below(gap + 1) as usize;
            self.next[host] = self.first_alone(host, lanes, skipped).unwrap_or(self.next[host] + skipped);
            self.convene(host, lanes, draw);
        }
    }

    /// Of the operations that would be passed over, the first of a step of which no two have met.
    fn first_alone(&self, host: usize, lanes: &[Lane], skipped: usize) -> Option<usize> {
        let (ops, from) = (self.open(host, lanes), self.next[host]);
        let mut near = self.free(ops, from, Perturbation::Race).take_while(|at| at - from <= skipped);
        near.find(|at| self.alone.contains(&ops[*at].step))
    }

    /// A rule is kept.
    fn keep(&mut self, rendezvous: &Rendezvous, lanes: &mut [Lane], draw: &mut Draw) {
        for (lane, place) in &rendezvous.members {
            self.promised[*lane].pop_front();
            self.next[*lane] = place + 1;
        }
        let gate = GateId(u32::try_from(self.gates.len()).unwrap_or(u32::MAX));
        let members = rendezvous.keep(&self.mood.reactions, gate, lanes, draw);
        self.gates.extend(members.map(|members| Gate { members }));
    }

    /// Those operations of a lane that chance may arrange: up to the next with which it keeps a rule.
    fn open<'l>(&self, lane: usize, lanes: &'l [Lane]) -> &'l [Op] {
        let ops = &lanes[lane].ops;
        &ops[..self.promised[lane].front().copied().unwrap_or(ops.len())]
    }

    /// The lane whose next operation comes first.
    fn least_advanced(&self, lanes: &[Lane]) -> Option<usize> {
        let open = (0..lanes.len()).filter(|lane| self.next[*lane] < self.open(*lane, lanes).len());
        open.min_by_key(|lane| self.clocks[*lane][self.next[*lane]])
    }

    fn convene(&mut self, host: usize, lanes: &mut [Lane], draw: &mut Draw) {
        let Some(at) = self.free(self.open(host, lanes), self.next[host], Perturbation::Race).next() else {
            self.next[host] = lanes[host].ops.len();
            return;
        };
        let what = self.occasion(draw);
        let size = if what == Perturbation::Swizzle { swizzle::size(lanes.len(), draw) } else { crowd(draw) };
        let guests = self.guests((host, at), size, lanes, draw);
        self.next[host] = at + 1;
        if guests.is_empty() {
            return;
        }
        let step = lanes[host].ops[at].step;
        for (guest, place) in &guests {
            self.next[*guest] = place + 1;
            if lanes[*guest].ops[*place].step == step {
                self.alone.remove(&step);
            }
        }
        match what {
            Perturbation::React => Self::react((host, at), guests[0], lanes, draw),
            Perturbation::Swizzle => swizzle::freeze(self.compiled, (host, at), &guests, lanes, draw),
            _ => self.race((host, at), &guests, lanes),
        }
    }

    /// What the next meeting is for.
    fn occasion(&self, draw: &mut Draw) -> Perturbation {
        let mut left = draw.below(MEETINGS.into_iter().map(|what| self.mood.permille(what)).sum());
        let strikes = |what: &Perturbation| {
            let permille = self.mood.permille(*what);
            let is_it = left < permille;
            left = left.saturating_sub(permille);
            is_it
        };
        MEETINGS.into_iter().find(strikes).unwrap_or(Perturbation::Race)
    }

    fn race(&mut self, host: (usize, usize), guests: &[(usize, usize)], lanes: &mut [Lane]) {
        let gate = GateId(u32::try_from(self.gates.len()).unwrap_or(u32::MAX));
        let mut members = 0;
        for (lane, place) in std::iter::once(&host).chain(guests) {
            let op = &mut lanes[*lane].ops[*place];
            op.manner.gate = Some(gate);
            // A connection that others wait for must not wait for others.
            op.manner.via = if op.manner.via == Via::Fresh { Via::Fresh } else { Via::Own };
            op.manner.start = Start::AtOnce;
            members += 1;
        }
        self.gates.push(Gate { members });
    }

    /// The guest's operation begins, or is given up, at a moment of the host's.
    fn react(host: (usize, usize), guest: (usize, usize), lanes: &mut [Lane], draw: &mut Draw) {
        let other = lanes[host.0].ops[host.1].id;
        let moment = if draw.below(2) == 0 { Moment::InFlight } else { Moment::Ended };
        let op = &mut lanes[guest.0].ops[guest.1];
        op.manner.via = if op.manner.via == Via::Fresh { Via::Fresh } else { Via::Own };
        if let Some(cut @ Cut { at: Point::Sent { .. }, .. }) = op.manner.cut {
            op.manner.cut = Some(Cut { at: Point::Once { op: other, moment, delay_us: 0 }, ..cut });
            return;
        }
        op.manner.start = Start::Once { op: other, moment, delay_us: draw.below(REACTION_US_MAX) };
    }

    /// Lanes of other tenants, one for each, and the operation of each that comes.
    fn guests(&self, (host, at): (usize, usize), size: u32, lanes: &[Lane], draw: &mut Draw) -> Vec<(usize, usize)> {
        let mut candidates: Vec<usize> =
            (0..lanes.len()).filter(|lane| self.tenants[*lane] != self.tenants[host]).collect();
        draw.shuffle(&mut candidates);
        // Those that come at about the same time first: nobody waits long for them.
        let now = self.clocks[host][at];
        let away = |lane: &usize| self.clocks[*lane].get(self.next[*lane]).map_or(u32::MAX, |then| then.abs_diff(now));
        candidates.sort_by_key(|lane| away(lane) / NEAR);
        let mut seen = BTreeSet::from([self.tenants[host]]);
        let mut guests = vec![];
        let step = lanes[host].ops[at].step;
        if self.alone.contains(&step)
            && let Some(guest) = self.alike(&candidates, step, now, lanes)
        {
            seen.insert(self.tenants[guest.0]);
            guests.push(guest);
        }
        for lane in candidates {
            if guests.len() == size as usize {
                break;
            }
            let Some(place) = self.place(self.open(lane, lanes), self.next[lane], step, draw) else { continue };
            if seen.insert(self.tenants[lane]) {
                guests.push((lane, place));
            }
        }
        guests
    }

    /// Of these lanes the operation of the step that comes nearest to a time.
    fn alike(&self, candidates: &[usize], step: StepId, now: u32, lanes: &[Lane]) -> Option<(usize, usize)> {
        let first = |lane: &usize| {
            let (ops, from) = (self.open(*lane, lanes), self.next[*lane]);
            let mut near = self.free(ops, from, Perturbation::Race).take_while(|at| at - from < WINDOW_ALONE);
            near.find(|at| ops[*at].step == step).map(|at| (*lane, at))
        };
        let alike = candidates.iter().filter_map(first);
        alike.min_by_key(|(lane, at)| self.clocks[*lane][*at].abs_diff(now))
    }

    /// Which of a lane's next operations meets an operation of that step: one that has not met it yet, the same, or any.
    fn place(&self, ops: &[Op], from: usize, step: StepId, draw: &mut Draw) -> Option<usize> {
        let near: Vec<usize> = self.free(ops, from, Perturbation::Race).take_while(|at| at - from < WINDOW).collect();
        let wanted = near.iter().find(|at| self.is_wanted(step, ops[**at].step));
        let same = near.iter().find(|at| ops[**at].step == step);
        let any = (!near.is_empty()).then(|| &near[draw.below(u32::try_from(near.len()).unwrap_or(u32::MAX)) as usize]);
        match draw.below(10) {
            0..5 => wanted.or(same).or(any),
            5..8 => same.or(any),
            _ => any,
        }
        .copied()
    }

    fn is_wanted(&self, one: StepId, other: StepId) -> bool {
        self.wanted.contains(&(one, other)) || self.wanted.contains(&(other, one))
    }

    /// Operations that can meet others', from a place on.
    fn free<'s>(&'s self, ops: &'s [Op], from: usize, what: Perturbation) -> impl Iterator<Item = usize> + 's {
        let able = move |at: &usize| {
            let op = &ops[*at];
            let action = &self.compiled.steps[usize::from(op.step.0)].action;
            let is_sent = matches!(action, Action::Request(_) | Action::Send { .. });
            let is_whole = op.manner.cut.is_none_or(|cut| matches!(cut.at, Point::Sent { .. }));
            is_sent && is_whole && op.purpose.is_traffic() && self.mood.is_for(what, op.step)
        };
        (from..ops.len()).filter(able)
    }
}
