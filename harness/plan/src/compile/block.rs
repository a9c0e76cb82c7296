//! Blocks of steps: in turns, under a condition, in groups at the same time; and pauses.

use coalmine_core::plan::{Block, FlowId, Items};
use coalmine_core::step::{DueIf, Group, StepId};
use coalmine_core::template::{Level, VariableRef};

use super::flow::{captured, steps_of};
use super::room::{Hidden, Room};
use super::{Compiler, Course, Leg, Stretch};
use crate::document::{Entries, StepText, StepsText};
use crate::span::{Span, Spanned};
use crate::suggestion;

/// Blocks in blocks.
const DEPTH_MAX: usize = 4;
/// Turns of one block in one pass.
const TURNS_MAX: u32 = 1_000;
/// Groups of steps at the same time.
const GROUPS_MAX: usize = 16;

/// Stands for a list that is not there, which is a problem of its own.
const NO_LIST: VariableRef = VariableRef { level: Level::Flow, slot: 0 };

/// The blocks around a step.
#[derive(Default)]
pub(super) struct Nest {
    /// How many blocks of any kind.
    pub(super) depth: usize,
    /// Their conditions, each with how many rooms are around the one in which it is looked at.
    due: Vec<(usize, u16)>,
    group: Option<(usize, u16, u16)>,
    /// Whether it is a step of a flow, the only place for blocks with turns and groups.
    in_flow: bool,
}

impl Nest {
    /// Which group of which parallel steps it is.
    pub(super) fn group(&self) -> Option<(u16, u16)> {
        self.group.map(|(_, parallel, number)| (parallel, number))
    }
}

impl Compiler<'_> {
    /// Steps and blocks of a flow.
    pub(super) fn legs(&mut self, written: &[Spanned<StepText>]) -> Vec<Leg> {
        let outside = std::mem::replace(&mut self.nest.in_flow, true);
        let legs = written.iter().flat_map(|leg| self.leg(leg)).collect();
        self.nest.in_flow = outside;
        legs
    }

    /// Steps where no block can stand but those under a condition.
    pub(super) fn plain_steps(&mut self, written: &[Spanned<StepText>]) -> Vec<StepId> {
        let outside = std::mem::replace(&mut self.nest.in_flow, false);
        let legs: Vec<Leg> = written.iter().flat_map(|leg| self.leg(leg)).collect();
        self.nest.in_flow = outside;
        steps_of(&legs)
    }

    fn leg(&mut self, written: &Spanned<StepText>) -> Vec<Leg> {
        let step = &written.value;
        let kinds = [
            ("repeat", step.repeat.as_ref().map(|it| it.span)),
            ("each", step.each.as_ref().map(|it| it.span)),
            ("parallel", step.parallel.as_ref().map(|it| it.span)),
        ];
        let kinds: Vec<_> = kinds.into_iter().filter_map(|(name, span)| Some((name, span?))).collect();
        if kinds.is_empty() && step.steps.is_none() {
            return vec![Leg::Step(self.step(written))];
        }
        if let Some((_, second)) = kinds.get(1) {
            let help = "put one block into the other".to_owned();
            self.problems.add(*second, "a block is of one kind", Some(help));
        }
        let name = kinds.first().map_or("when", |(name, _)| name);
        self.check_block(written, name, kinds.first().map(|(_, span)| *span));
        let conditions = self.nest.due.len();
        self.push_conditions(step);
        self.nest.depth += 1;
        let legs = match (&step.repeat, &step.each, &step.parallel) {
            (Some(times), ..) => self.repeat_block(times, step),
            (_, Some(each), _) => self.each_block(each, step),
            (.., Some(groups)) => self.parallel_block(groups),
            _ => self.when_block(step),
        };
        self.nest.depth -= 1;
        self.nest.due.truncate(conditions);
        legs
    }

    fn check_block(&self, written: &Spanned<StepText>, name: &str, kind: Option<Span>) {
        let step = &written.value;
        let at = kind.unwrap_or(written.span);
        let fitting: &[&str] = match name {
            "repeat" => &["repeat", "steps", "cleanup", "when", "unless"],
            "each" => &["each", "at_most", "steps", "cleanup", "when", "unless"],
            "parallel" => &["parallel", "when", "unless"],
            _ => &["when", "unless", "steps"],
        };
        self.check_block_keys(step, name, fitting);
        if name != "parallel" && step.steps.as_ref().is_none_or(|steps| steps.value.is_empty()) {
            self.problems.absent(at, "this block has no steps", Some("give it some: `steps: [...]`".to_owned()));
        }
        if name == "when" && step.when.is_none() && step.unless.is_none() {
            let help = "add one of `repeat`, `each`, `when`, `unless`; or take the steps out of it".to_owned();
            self.problems.absent(at, "nothing says what this block of steps is for", Some(help));
        }
        if name != "when" && !self.nest.in_flow {
            let help = match self.stretch {
                Stretch::Visit => {
                    "a visit looks at what its host has made: requests, pauses, and blocks with a condition"
                }
                _ => "write it into the `steps` of a flow",
            };
            self.problems.absent(at, format!("a block with `{name}` cannot stand here"), Some(help.to_owned()));
        }
        if self.nest.depth >= DEPTH_MAX {
            self.problems.add(at, format!("blocks stand in each other {DEPTH_MAX} deep at most"), None);
        }
    }

    fn check_block_keys(&self, step: &StepText, name: &str, fitting: &[&str]) {
        let id = step.id.as_ref().map(|id| ("id", id.span));
        let verbs = super::step::verbs(step).into_iter().map(|(name, span, _)| (name, span));
        for (key, span) in super::step::keys(step).chain(id).chain(verbs) {
            if !fitting.contains(&key) {
                let help = format!("it has {}", suggestion::listed(fitting));
                self.problems.add(span, format!("`{key}` does not fit a block with `{name}`"), Some(help));
            }
        }
    }

    /// The conditions of a step or a block hold for everything in it.
    fn push_conditions(&mut self, step: &StepText) {
        for condition in self.conditions_of(step) {
            self.nest.due.push((self.outer.len(), condition));
        }
    }

    /// On what the step that is being compiled depends.
    pub(super) fn due(&mut self, step: &StepText) -> Vec<DueIf> {
        let around = self.nest.due.len();
        self.push_conditions(step);
        let due =
            self.nest.due.iter().map(|(rooms, condition)| DueIf { condition: *condition, at: self.level(*rooms) });
        let due = due.collect();
        self.nest.due.truncate(around);
        due
    }

    /// The group that the step that is being compiled belongs to.
    pub(super) fn group(&self) -> Option<Group> {
        let (rooms, parallel, number) = self.nest.group?;
        Some(Group { parallel, number, at: self.level(rooms) })
    }

    /// The room that has so many around it, seen from the one that is being compiled.
    pub(super) fn level(&self, rooms: usize) -> Level {
        match (self.room.level, self.outer.len().saturating_sub(rooms)) {
            (Level::Session, _) => Level::Session,
            (_, 0) => Level::Flow,
            (_, levels) => Level::Outer(u8::try_from(levels).unwrap_or(u8::MAX)),
        }
    }

    fn when_block(&mut self, step: &StepText) -> Vec<Leg> {
        let steps = step.steps.iter().flat_map(|steps| &steps.value);
        let legs = steps.flat_map(|leg| self.leg(leg)).collect();
        self.check_closed();
        legs
    }

    fn repeat_block(&mut self, times: &Spanned<u32>, step: &StepText) -> Vec<Leg> {
        self.check_turns(times);
        self.turn_block(times.span, step, times.value, None)
    }

    fn each_block(&mut self, each: &Spanned<Entries<Spanned<String>>>, step: &StepText) -> Vec<Leg> {
        let [(item, list)] = each.value.0.as_slice() else {
            let help = "write `each: {item: items}`".to_owned();
            self.problems.add(each.span, "`each` is one name for the items of one list", Some(help));
            return vec![];
        };
        let list = self.list(list);
        let Some(at_most) = &step.at_most else {
            let help = "how many items there are is not known when the plan is made: write `at_most: 20`".to_owned();
            self.problems.absent(each.span, "`at_most` is missing here", Some(help));
            return vec![];
        };
        self.check_turns(at_most);
        self.turn_block(each.span, step, at_most.value, Some((list.unwrap_or(NO_LIST), item)))
    }

    fn check_turns(&self, written: &Spanned<u32>) {
        if !(1..=TURNS_MAX).contains(&written.value) {
            self.problems.add(written.span, format!("a block has 1 to {TURNS_MAX} turns"), None);
        }
    }

    /// The captured list that a block goes through.
    fn list(&mut self, name: &Spanned<String>) -> Option<VariableRef> {
        let found = self.captured_variable(name.as_str());
        if found.is_none() {
            self.unknown_hole(name.as_str(), name.span);
        }
        found
    }

    fn turn_block(
        &mut self,
        span: Span,
        step: &StepText,
        turns: u32,
        items: Option<(VariableRef, &Spanned<String>)>,
    ) -> Vec<Leg> {
        if !self.nest.in_flow {
            return vec![];
        }
        let block = self.new_flow(span);
        let steps = step.steps.as_ref().map_or(&[][..], |steps| &steps.value);
        let cleanup = step.cleanup.as_ref().map_or(&[][..], |steps| &steps.value);
        self.enter_room(block);
        self.room.captured_somewhere = [captured(steps), captured(cleanup)].concat();
        let items = items.map(|(list, item)| Items { list, item: self.variable(item).slot });
        let of = Block { within: self.outer.last().map_or(FlowId::SESSION, |room| room.flow), items };
        self.room.block = Some(of);
        let legs = self.legs(steps);
        self.end_sockets();
        let cleanup = self.cleanup(cleanup);
        let (steps, by) = (steps_of(&legs), self.by.clone());
        self.fill_flow(Course { repeat: turns, legs, steps, cleanup, by, block: Some(of), ..Course::default() });
        self.leave_room();
        vec![Leg::Block(block)]
    }

    /// WebSockets and streams belong to the pass, so that their slots go on through its blocks.
    fn enter_room(&mut self, block: FlowId) {
        let name = self.room.name.clone();
        let sockets = std::mem::take(&mut self.room.sockets);
        let around = std::mem::replace(&mut self.room, Room::new(block, &name, Level::Flow));
        self.room.sockets = sockets;
        self.outer.push(around);
    }

    fn leave_room(&mut self) {
        let Some(around) = self.outer.pop() else { return };
        let room = std::mem::replace(&mut self.room, around);
        self.room.turns.push(room.turn_names());
        let inner = room.turns;
        self.room.sockets = room.sockets;
        self.room.turns.extend(inner);
    }

    fn parallel_block(&mut self, groups: &Spanned<Vec<Spanned<StepsText>>>) -> Vec<Leg> {
        if let Some((.., number)) = self.nest.group {
            let message = format!("this stands in group {} of parallel steps already", number + 1);
            self.problems.add(groups.span, message, None);
            return vec![];
        }
        if !(2..=GROUPS_MAX).contains(&groups.value.len()) {
            let help = "write lists of steps: `parallel: [[{id: a, ...}], [{id: b, ...}]]`".to_owned();
            self.problems.add(groups.span, format!("parallel steps are 2 to {GROUPS_MAX} groups"), Some(help));
        }
        let parallel = self.slot(self.parallels, groups.span);
        self.parallels += 1;
        let start = [self.room.variables.len(), self.room.canaries.len(), self.room.turns.len()];
        let mut legs = vec![];
        for (number, group) in groups.value.iter().enumerate() {
            let [variables, canaries, turns] = start;
            self.room.hidden = Hidden {
                variables: variables..self.room.variables.len(),
                canaries: canaries..self.room.canaries.len(),
                turns: turns..self.room.turns.len(),
            };
            self.nest.group = Some((self.outer.len(), parallel, self.slot(number, group.span)));
            legs.extend(group.value.iter().flat_map(|leg| self.leg(leg)));
            self.check_closed();
        }
        self.nest.group = None;
        self.room.hidden = Hidden::default();
        legs
    }

    /// What a turn has opened ends with it.
    fn end_sockets(&mut self) {
        let depth = self.nest.depth;
        self.room.sockets.iter_mut().filter(|socket| socket.depth >= depth).for_each(|socket| socket.is_open = false);
    }

    /// After a block of which nobody knows whether it is gone through, and after a group, nothing of it is open.
    fn check_closed(&mut self) {
        let depth = self.nest.depth;
        for socket in self.room.sockets.iter_mut().filter(|socket| socket.depth >= depth && socket.is_open) {
            socket.is_open = false;
            let message = format!("`{}` is opened in a block that does not close it", socket.name);
            let help = format!("add a step such as `close: handshake` with `on: {}`", socket.name);
            self.problems.add(socket.span, message, Some(help));
        }
    }
}
