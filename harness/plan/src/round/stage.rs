//! Stages, lanes and the numbering of operations.

use coalmine_core::perturb::{Gate, Manner, Moment, Start};
use coalmine_core::plan::{FlowId, Lane, Op, OpId, Phase, Purpose, ScopeId, Stage};
use coalmine_core::step::StepId;
use coalmine_core::{PrincipalId, Seed};

use super::people::People;
use super::room::Rooms;
use super::shake::{
    Collisions, Mood, ShortSessions, Wanted, draw_deaf, floods, forgeries, meet, pack, passes_given_up, poisonings,
    sacrifices, shake_lanes, stalled_passes,
};
use super::size::Size;
use super::{anonymous, fresh, interference, probe, revalidation, role, short, timing, visit};
use crate::compile::{Compiled, Leg};
use crate::draw::Draw;

/// An operation that has no number yet.
pub(super) struct Todo {
    pub(super) step: StepId,
    pub(super) scope: ScopeId,
    pub(super) purpose: Purpose,
    pub(super) manner: Manner,
}

impl Todo {
    /// In the plain way.
    pub(super) fn plain(step: StepId, scope: ScopeId, purpose: Purpose) -> Self {
        Self { step, scope, purpose, manner: Manner::default() }
    }
}

/// The stages made so far; the lanes of a stage are in the principals' order, each with what there is to do.
#[derive(Default)]
pub(super) struct Stages {
    stages: Vec<Stage>,
    op_next: u32,
}

impl Stages {
    /// Numbers the operations; a stage without any is left out. Returns the numbers, lane by lane.
    pub(super) fn add(&mut self, phase: Phase, rooms: &Rooms<'_>, lanes: Vec<Vec<Todo>>) -> Vec<Vec<OpId>> {
        let mut numbers = vec![];
        let mut stage = Stage { phase, lanes: vec![] };
        for (place, todos) in lanes.into_iter().enumerate() {
            let ops: Vec<Op> = todos.iter().map(|todo| self.number(todo)).collect();
            numbers.push(ops.iter().map(|op| op.id).collect());
            if !ops.is_empty() {
                stage.lanes.push(Lane { principal: rooms.principal(place).id, ops, beside: None });
            }
        }
        if !stage.lanes.is_empty() {
            self.stages.push(stage);
        }
        numbers
    }

    /// Puts lanes beside those of the stage that was added last.
    pub(super) fn put_beside(&mut self, sessions: Vec<short::Session>) {
        for short::Session { principal, after, todos } in sessions {
            let ops = todos.iter().map(|todo| self.number(todo)).collect();
            if let Some(stage) = self.stages.last_mut() {
                stage.lanes.push(Lane { principal, ops, beside: Some(after) });
            }
        }
    }

    /// In the stage that was added last, all but one begin once an operation of that one is on its way.
    pub(super) fn hold_back_others(&mut self, one: PrincipalId, op: OpId) {
        let lanes = self.stages.last_mut().into_iter().flat_map(|stage| &mut stage.lanes);
        for first in lanes.filter(|lane| lane.principal != one).filter_map(|lane| lane.ops.first_mut()) {
            first.manner.start = Start::Once { op, moment: Moment::InFlight, delay_us: 0 };
        }
    }

    fn number(&mut self, todo: &Todo) -> Op {
        let id = OpId(self.op_next);
        self.op_next += 1;
        Op { id, step: todo.step, scope: todo.scope, purpose: todo.purpose, manner: todo.manner }
    }
}

/// What a round does, and what is common to its operations.
pub(super) struct Course {
    pub(super) stages: Vec<Stage>,
    pub(super) op_count: u32,
    pub(super) gates: Vec<Gate>,
    pub(super) shared_connections: u16,
}

/// All stages of the round.
pub(super) fn stages(
    compiled: &Compiled,
    size: &Size,
    seed: Seed,
    round: u32,
    rooms: &mut Rooms<'_>,
    mood: &Mood,
    wanted: &Wanted,
) -> Course {
    let mut stages = Stages::default();
    let people = rooms.people();
    let orders: Vec<Vec<(FlowId, u32)>> = (0..people.count())
        .map(|place| passes_in_order(compiled, (size, mood), (seed, round), people, place))
        .collect();
    let session = |place| if Some(place) == people.anonymous() { vec![] } else { vec![(FlowId::SESSION, 0)] };
    let session = (0..people.count()).map(session).collect::<Vec<_>>();
    let by_tenant = |steps: &[StepId]| once(rooms, steps, |place| people.is_first_of_tenant(place));
    let by_user = |steps: &[StepId]| once(rooms, steps, |place| people.is_first_of_user(place));
    stages.add(Phase::Auth, rooms, by_tenant(&compiled.register.tenant));
    stages.add(Phase::Auth, rooms, by_user(&compiled.register.user));
    let teardown = [by_user(&compiled.teardown.user), by_tenant(&compiled.teardown.tenant)];
    let sessions = Walk { compiled, rooms }.lanes(&session, Walk::pass);
    stages.add(Phase::Auth, rooms, sessions);
    let mut shaken = Shaken::new(compiled, mood, &orders, (seed, round), rooms);
    let mut draw = Draw::new(seed, "coalmine manners v1", round, 0);
    let mut shared_connections = shake_lanes(compiled, mood, &mut shaken.lanes, &mut draw);
    fresh::look_beside(compiled, rooms, &mut shaken.lanes);
    let before = stages.stages.len();
    stages.add(Phase::Flows, rooms, shaken.lanes);
    let gates = stages.stages.get_mut(before).map_or(vec![], |stage| {
        let mut draw = Draw::new(seed, "coalmine meetings v1", round, 0);
        let mut draw_rules = Draw::new(seed, "coalmine rules v1", round, 0);
        let gates = meet(compiled, mood, wanted, people.all(), &mut stage.lanes, (&mut draw, &mut draw_rules));
        let mut draw = Draw::new(seed, "coalmine packets v1", round, 0);
        shared_connections += pack(compiled, mood, &mut stage.lanes, shared_connections, &mut draw);
        gates
    });
    if mood.sessions == ShortSessions::Some && stages.stages.len() > before {
        let mut draw = Draw::new(seed, "coalmine short sessions v1", round, 0);
        let sessions = short::sessions(compiled, &stages.stages[before].lanes, rooms, &mut draw);
        stages.put_beside(sessions);
    }
    fresh::look_after(compiled, rooms, &mut stages);
    visit::stage(compiled, size, rooms, &mut stages);
    anonymous::stages(compiled, size, &mut Draw::new(seed, "coalmine anonymous v1", round, 0), rooms, &mut stages);
    probe::stages(compiled, size, &mut Draw::new(seed, "coalmine probes v1", round, 0), rooms, &mut stages);
    timing::stage(compiled, size, &mut Draw::new(seed, "coalmine timing v1", round, 0), rooms, &mut stages);
    let interfered = interference::stages(compiled, (seed, round), rooms, &mut stages);
    revalidation::stage(compiled, (size, mood), rooms, &mut stages);
    role::stages(compiled, size, rooms, &mut stages);
    let lanes = stages.stages.get(before).map_or(vec![], |stage| stage.lanes.clone());
    forgeries(compiled, mood, &lanes, &mut Draw::new(seed, "coalmine forgeries v1", round, 0), rooms, &mut stages);
    let mut draw = Draw::new(seed, "coalmine flood v1", round, 0);
    let flooded = floods(compiled, mood, &mut draw, rooms, &mut stages);
    let mut draw = Draw::new(seed, "coalmine poison v1", round, 0);
    let poisoned = poisonings(compiled, mood, &mut draw, rooms, &mut stages);
    let mut cleanup = Walk { compiled, rooms }.lanes(&orders, Walk::cleanup);
    for traces in [shaken.cleanup, interfered, flooded, poisoned] {
        cleanup.iter_mut().zip(traces).for_each(|(lane, traces)| lane.extend(traces));
    }
    stages.add(Phase::Cleanup, rooms, cleanup);
    for lanes in teardown {
        stages.add(Phase::Cleanup, rooms, lanes);
    }
    let mut draw = Draw::new(seed, "coalmine collisions v1", round, 0);
    Collisions::draw(compiled, mood, &orders, rooms, &mut draw).tell(compiled, &mut stages.stages);
    Course { stages: stages.stages, op_count: stages.op_next, gates, shared_connections }
}

/// The lanes of the flows with the passes that are given up among the others, and what removes their traces.
struct Shaken {
    lanes: Vec<Vec<Todo>>,
    cleanup: Vec<Vec<Todo>>,
}

impl Shaken {
    fn new(
        compiled: &Compiled,
        mood: &Mood,
        orders: &[Vec<(FlowId, u32)>],
        (seed, round): (Seed, u32),
        rooms: &mut Rooms<'_>,
    ) -> Self {
        let mut shaken = Self { lanes: vec![], cleanup: vec![] };
        let mut draw = Draw::new(seed, "coalmine deaf users v1", round, 0);
        let deaf = draw_deaf(compiled, mood, orders, &mut draw);
        for (place, order) in orders.iter().enumerate() {
            let mut draw = Draw::new(seed, "coalmine sacrifices v1", round, place as u64);
            let mut besides = sacrifices(compiled, mood, order, place, rooms, &mut draw);
            let mut draw = Draw::new(seed, "coalmine stalled passes v1", round, place as u64);
            besides.extend(stalled_passes(compiled, (mood, &deaf), order, place, rooms, &mut draw));
            let mut draw = Draw::new(seed, "coalmine passes for rules v1", round, place as u64);
            besides.extend(passes_given_up(compiled, mood, order, place, rooms, &mut draw));
            besides.sort_by_key(|pass| pass.after);
            let mut besides = besides.into_iter().peekable();
            let (mut lane, mut cleanup) = (vec![], vec![]);
            for (nth, (flow, pass)) in order.iter().enumerate() {
                let scope = rooms.pass(place, *flow, *pass);
                Walk { compiled, rooms }.pass(Stretch { place, flow: *flow, scope }, &mut lane);
                while let Some(pass) = besides.next_if(|pass| pass.after == nth) {
                    lane.extend(pass.todos);
                    cleanup.extend(pass.cleanup);
                }
            }
            shaken.lanes.push(lane);
            shaken.cleanup.push(cleanup);
        }
        shaken
    }
}

/// Steps for the first of each tenant or of each user.
fn once(rooms: &Rooms<'_>, steps: &[StepId], is_first: impl Fn(usize) -> bool) -> Vec<Vec<Todo>> {
    let lane = |place: usize| {
        let steps = if is_first(place) { steps } else { &[] };
        let scope = rooms.pass(place, FlowId::SESSION, 0);
        steps.iter().map(|step| Todo::plain(*step, scope, Purpose::Flow)).collect()
    };
    (0..rooms.people().count()).map(lane).collect()
}

/// Whole passes through all flows, mixed; the passes through one flow stay in their order.
fn passes_in_order(
    compiled: &Compiled,
    (size, mood): (&Size, &Mood),
    (seed, round): (Seed, u32),
    people: &People,
    place: usize,
) -> Vec<(FlowId, u32)> {
    let is_flow = |(flow, _): &(FlowId, &u32)| compiled.courses[usize::from(flow.0)].block.is_none();
    let flows = (0..).map(FlowId).zip(&size.repeats).skip(1).filter(is_flow);
    let mut order: Vec<FlowId> = flows.flat_map(|(flow, repeat)| (0..*repeat).map(move |_| flow)).collect();
    order.retain(|flow| mood.has(*flow) && people.goes_through(place, &compiled.courses[usize::from(flow.0)]));
    Draw::new(seed, "coalmine order of passes v1", round, place as u64).shuffle(&mut order);
    let mut next = vec![0; size.repeats.len()];
    let numbered = order.into_iter().map(|flow| {
        let pass: &mut u32 = &mut next[usize::from(flow.0)];
        *pass += 1;
        (flow, *pass - 1)
    });
    numbered.collect()
}

/// What one principal does in one scope: a pass, or a turn of a block.
#[derive(Clone, Copy)]
struct Stretch {
    place: usize,
    flow: FlowId,
    scope: ScopeId,
}

/// Goes through flows with their blocks.
struct Walk<'a> {
    compiled: &'a Compiled,
    rooms: &'a Rooms<'a>,
}

impl Walk<'_> {
    fn lanes(&self, orders: &[Vec<(FlowId, u32)>], walk: fn(&Self, Stretch, &mut Vec<Todo>)) -> Vec<Vec<Todo>> {
        let lane = |(place, order): (usize, &Vec<(FlowId, u32)>)| {
            let mut todos = vec![];
            for (flow, pass) in order {
                let scope = self.rooms.pass(place, *flow, *pass);
                walk(self, Stretch { place, flow: *flow, scope }, &mut todos);
            }
            todos
        };
        orders.iter().enumerate().map(lane).collect()
    }

    fn pass(&self, here: Stretch, todos: &mut Vec<Todo>) {
        for leg in &self.compiled.courses[usize::from(here.flow.0)].legs {
            match leg {
                Leg::Step(step) => todos.push(here.todo(*step)),
                Leg::Block(block) => self.turns(here, *block).for_each(|turn| self.pass(turn, todos)),
            }
        }
    }

    /// What turns have made is removed before what is around them.
    fn cleanup(&self, here: Stretch, todos: &mut Vec<Todo>) {
        let course = &self.compiled.courses[usize::from(here.flow.0)];
        for leg in &course.legs {
            if let Leg::Block(block) = leg {
                self.turns(here, *block).for_each(|turn| self.cleanup(turn, todos));
            }
        }
        todos.extend(course.cleanup.iter().map(|step| here.todo(*step)));
    }

    fn turns(&self, here: Stretch, block: FlowId) -> impl Iterator<Item = Stretch> {
        let turns = self.rooms.turns(here.place, block, here.scope);
        turns.map(move |scope| Stretch { place: here.place, flow: block, scope })
    }
}

impl Stretch {
    fn todo(self, step: StepId) -> Todo {
        Todo::plain(step, self.scope, Purpose::Flow)
    }
}
