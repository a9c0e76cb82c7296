//! What the rules of the scenario ask for: who meets whom, and what they do to each other.
//!
//! The one who is waited for waits as well, until the other stands ready: so a rule is kept however far apart their lanes are.

use coalmine_core::perturb::{Cut, GateId, Manner, Moment, Pace, Point, RuleId, Start, Via};
use coalmine_core::plan::{FlowId, Lane, Op, Purpose, ScopeId};
use coalmine_core::step::StepId;

use super::Mood;
use super::pass::{Sacrifice, beginning, is_narrow};
use crate::compile::{Compiled, Deed, Reaction};
use crate::draw::Draw;
use crate::round::room::Rooms;
use crate::round::stage::Todo;

/// Passes besides those of one lane that rules will give up.
pub(crate) fn passes_given_up(
    compiled: &Compiled,
    mood: &Mood,
    order: &[(FlowId, u32)],
    place: usize,
    rooms: &mut Rooms<'_>,
    draw: &mut Draw,
) -> Vec<Sacrifice> {
    let mut all = vec![];
    for (rule, reaction) in (0..).map(RuleId).zip(&mood.reactions) {
        let Deed::Cancel { step, .. } = reaction.deed else { continue };
        for (after, (flow, _)) in order.iter().enumerate() {
            let steps = beginning(compiled, *flow);
            let Some(at) = steps.iter().position(|one| *one == step) else { continue };
            if draw.below(1000) >= reaction.permille || is_narrow(compiled, *flow, place, rooms) {
                continue;
            }
            let scope = rooms.open(place, *flow);
            all.push(pass(compiled, (*flow, scope), &steps[..=at], (after, rule)));
        }
    }
    all
}

fn pass(
    compiled: &Compiled,
    (flow, scope): (FlowId, ScopeId),
    steps: &[StepId],
    (after, rule): (usize, RuleId),
) -> Sacrifice {
    let mut todos: Vec<Todo> = steps.iter().map(|step| Todo::plain(*step, scope, Purpose::Flow)).collect();
    if let Some(last) = todos.last_mut() {
        last.purpose = Purpose::Shake;
        last.manner.rule = Some(rule);
    }
    let course = &compiled.courses[usize::from(flow.0)];
    let cleanup = course.cleanup.iter().map(|step| Todo::plain(*step, scope, Purpose::Shake)).collect();
    Sacrifice { after, todos, cleanup }
}

/// A meeting that a rule asks for: operations by lane and place, that which leads first.
pub(super) struct Rendezvous {
    rule: RuleId,
    pub(super) members: Vec<(usize, usize)>,
}

/// Lanes while rules find their operations in them.
pub(super) struct Search<'a> {
    pub(super) reactions: &'a [Reaction],
    pub(super) tenants: &'a [u32],
    pub(super) clocks: &'a [Vec<u32>],
    pub(super) lanes: &'a [Lane],
}

impl Search<'_> {
    /// All that can be had, one after another: in every lane they stand in this order.
    pub(super) fn rendezvous(&self, draw: &mut Draw) -> Vec<Rendezvous> {
        let mut found: Vec<Rendezvous> = vec![];
        if self.reactions.is_empty() {
            return found;
        }
        let mut next = vec![0; self.lanes.len()];
        let mut counts = vec![0; self.reactions.len()];
        while let Some((lane, place)) = self.leader(&next) {
            next[lane] = place + 1;
            let leads = (0..self.reactions.len()).filter(|rule| self.leads(*rule, &self.lanes[lane].ops[place]));
            let Some(rule) = leads.min_by_key(|rule| counts[*rule]) else { break };
            let is_meant = self.is_given_up(rule) || draw.below(1000) < self.reactions[rule].permille;
            if !is_meant || self.is_greedy(rule, &counts) {
                continue;
            }
            let Some(members) = self.members(rule, (lane, place), &next, draw) else { continue };
            for (lane, place) in &members {
                next[*lane] = place + 1;
            }
            counts[rule] += 1;
            found.push(Rendezvous { rule: RuleId(u16::try_from(rule).unwrap_or(u16::MAX)), members });
        }
        found
    }

    /// Whether a rule that wants the same steps would come off badly.
    fn is_greedy(&self, rule: usize, counts: &[u32]) -> bool {
        let steps = self.reactions[rule].deed.steps();
        let shares = |other: &usize| self.reactions[*other].deed.steps().iter().any(|step| steps.contains(step));
        let least = (0..counts.len()).filter(shares).map(|other| counts[other]).min();
        counts[rule] > 1 + 2 * least.unwrap_or_default()
    }

    fn is_given_up(&self, rule: usize) -> bool {
        matches!(self.reactions[rule].deed, Deed::Cancel { .. })
    }

    /// Whether a rule begins with the operation.
    fn leads(&self, rule: usize, op: &Op) -> bool {
        match op.manner.rule {
            Some(marked) => usize::from(marked.0) == rule && self.is_given_up(rule),
            None => !self.is_given_up(rule) && is_flow(op) && self.reactions[rule].deed.steps()[0] == op.step,
        }
    }

    /// The operation that comes first of those with which a rule begins.
    fn leader(&self, next: &[usize]) -> Option<(usize, usize)> {
        let is_lead = |op: &Op| (0..self.reactions.len()).any(|rule| self.leads(rule, op));
        let first = |lane: usize| {
            let ops = &self.lanes[lane].ops;
            (next[lane]..ops.len()).find(|place| is_lead(&ops[*place])).map(|place| (lane, place))
        };
        let leads = (0..self.lanes.len()).filter_map(first);
        leads.min_by_key(|(lane, place)| self.clocks[*lane][*place])
    }

    /// The one who leads, and for each further step the operation of another tenant that comes at about the same time.
    fn members(
        &self,
        rule: usize,
        (lane, place): (usize, usize),
        next: &[usize],
        draw: &mut Draw,
    ) -> Option<Vec<(usize, usize)>> {
        let now = self.clocks[lane][place];
        let mut order: Vec<usize> = (0..self.lanes.len()).collect();
        draw.shuffle(&mut order);
        let mut members = vec![(lane, place)];
        for step in self.reactions[rule].deed.steps().into_iter().skip(1) {
            let is_new = |lane: &&usize| members.iter().all(|(other, _)| self.tenants[*other] != self.tenants[**lane]);
            let able =
                order.iter().filter(is_new).filter_map(|lane| Some((*lane, self.free(*lane, next[*lane], step)?)));
            members.push(able.min_by_key(|(lane, place)| self.clocks[*lane][*place].abs_diff(now))?);
        }
        Some(members)
    }

    /// The next operation of a lane that does the step.
    fn free(&self, lane: usize, from: usize, step: StepId) -> Option<usize> {
        let mut ops = self.lanes[lane].ops.get(from..)?.iter();
        ops.position(|op| op.step == step && is_flow(op)).map(|place| from + place)
    }
}

fn is_flow(op: &Op) -> bool {
    op.purpose == Purpose::Flow && op.manner.cut.is_none()
}

/// What a rule would have given up and finds nobody to do it with is sent as it is.
pub(super) fn unmark(found: &[Rendezvous], lanes: &mut [Lane]) {
    let met = |at: (usize, usize)| found.iter().any(|rendezvous| rendezvous.members[0] == at);
    for (lane, ops) in lanes.iter_mut().map(|lane| &mut lane.ops).enumerate() {
        for (place, op) in ops.iter_mut().enumerate() {
            if op.manner.rule.is_some() && !met((lane, place)) {
                op.manner = Manner::default();
            }
        }
    }
}

impl Rendezvous {
    /// Says to its members what they do. Those who go through a gate have this one.
    pub(super) fn keep(
        &self,
        reactions: &[Reaction],
        gate: GateId,
        lanes: &mut [Lane],
        draw: &mut Draw,
    ) -> Option<u16> {
        let ids: Vec<_> = self.members.iter().map(|(lane, place)| lanes[*lane].ops[*place].id).collect();
        for (lane, place) in &self.members {
            // Nothing else comes between them and the moment.
            let manner = &mut lanes[*lane].ops[*place].manner;
            (manner.via, manner.pace, manner.start) = (Via::Own, Pace::Full, Start::AtOnce);
        }
        let [mut first, mut second] = [0, 1].map(|member: usize| {
            let (lane, place) = self.members[member];
            lanes[lane].ops[place].manner
        });
        first.rule = Some(self.rule);
        match &reactions[usize::from(self.rule.0)].deed {
            Deed::Begin { once, jitter_us, .. } => {
                first.start = Start::Once { op: ids[1], moment: once.moment, delay_us: draw.below(*jitter_us) };
                second.start = Start::Once { op: ids[0], moment: Moment::Ready, delay_us: 0 };
            }
            Deed::Cancel { once, jitter_us, by, .. } => {
                let at = Point::Once { op: ids[1], moment: once.moment, delay_us: draw.below(*jitter_us) };
                first.cut = Some(Cut { at, by: *by });
                first.start = Start::Once { op: ids[1], moment: Moment::Ready, delay_us: 0 };
                second.start = Start::Once { op: ids[0], moment: Moment::InFlight, delay_us: 0 };
            }
            Deed::Together(_) => {
                self.set(0, first, lanes);
                for (lane, place) in &self.members {
                    lanes[*lane].ops[*place].manner.gate = Some(gate);
                }
                return u16::try_from(self.members.len()).ok();
            }
        }
        self.set(0, first, lanes);
        self.set(1, second, lanes);
        None
    }

    fn set(&self, member: usize, manner: Manner, lanes: &mut [Lane]) {
        let (lane, place) = self.members[member];
        lanes[lane].ops[place].manner = manner;
    }
}
