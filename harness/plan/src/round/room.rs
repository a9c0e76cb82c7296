//! Scopes: one for each session, for each pass through a flow and for each probe, with the canaries that live in them.

use std::collections::BTreeMap;

use coalmine_canary::{CanaryId, Serial, Shape};
use coalmine_core::plan::{FlowId, ScopeId, ScopeOf, Turn};
use coalmine_core::{Principal, Seed};

use super::member::Acquaintances;
use super::people::People;
use super::size::Size;
use crate::compile::Compiled;

/// The scopes of a round while it is made.
pub(super) struct Rooms<'a> {
    compiled: &'a Compiled,
    acquaintances: Acquaintances<'a>,
    people: &'a People,
    scopes: Vec<ScopeOf>,
    /// The next serial of each principal and shape.
    serials: Vec<BTreeMap<Shape, u32>>,
    /// The next pass of each principal through each flow.
    passes: Vec<Vec<u32>>,
    /// Where the passes of the first principal through each flow begin, and how many passes a principal has in all.
    offsets: Vec<u32>,
    passes_each: u32,
    /// The first turn of each principal in each block.
    turns: BTreeMap<(usize, FlowId), ScopeId>,
    /// Scopes for what sends no canaries of the flow.
    idle: BTreeMap<(usize, FlowId), ScopeId>,
}

impl<'a> Rooms<'a> {
    /// Opens the scopes of all sessions and passes.
    pub(super) fn new(compiled: &'a Compiled, size: &Size, people: &'a People, (seed, round): (Seed, u32)) -> Self {
        let mut offsets = vec![0];
        let mut passes_each = 0;
        for (repeat, course) in size.repeats.iter().zip(&compiled.courses).skip(1) {
            offsets.push(if course.is_anonymous { 0 } else { passes_each });
            passes_each += if course.block.is_none() && !course.is_anonymous { *repeat } else { 0 };
        }
        let mut rooms = Self {
            compiled,
            acquaintances: Acquaintances::new(compiled, people, seed, round),
            people,
            scopes: vec![],
            serials: vec![BTreeMap::new(); people.count()],
            passes: vec![vec![0; size.repeats.len()]; people.count()],
            offsets,
            passes_each,
            turns: BTreeMap::new(),
            idle: BTreeMap::new(),
        };
        rooms.open_all(&size.repeats);
        rooms
    }

    fn open_all(&mut self, repeats: &[u32]) {
        for principal in 0..self.people.count() {
            self.open_in(principal, FlowId::SESSION, None);
        }
        let is_block = |flow: FlowId| self.compiled.courses[usize::from(flow.0)].block.is_some();
        let flows = (0..).map(FlowId).zip(repeats.iter().copied()).skip(1);
        let (blocks, flows): (Vec<_>, Vec<_>) = flows.partition(|(flow, _)| is_block(*flow));
        for principal in 0..self.people.count() {
            for (flow, repeat) in &flows {
                let passes = if self.is_open_to(principal, *flow) { *repeat } else { 0 };
                for _ in 0..passes {
                    self.open_in(principal, *flow, None);
                }
            }
        }
        for principal in 0..self.people.count() {
            for (block, _) in &blocks {
                if self.is_open_to(principal, *block) {
                    self.open_turns(principal, *block, repeats);
                }
            }
        }
    }

    /// Flows with credentials are for those who have some, the others for those who have none.
    fn is_open_to(&self, principal: usize, flow: FlowId) -> bool {
        let course = &self.compiled.courses[usize::from(self.compiled.flow_of(flow).0)];
        course.is_anonymous == self.people.at(principal).is_anonymous()
    }

    /// All turns of a block, which come after what it stands in.
    fn open_turns(&mut self, principal: usize, block: FlowId, repeats: &[u32]) {
        let course = &self.compiled.courses[usize::from(block.0)];
        let Some(within) = course.block.map(|block| block.within) else { return };
        for pass in 0..repeats[usize::from(within.0)] {
            let within = self.pass(principal, within, pass);
            for index in 0..course.repeat {
                let turn = self.open_in(principal, block, Some(Turn { within, index }));
                self.turns.entry((principal, block)).or_insert(turn);
            }
        }
    }

    /// One more pass of a principal (by its place in the plan) through a flow, or a turn of a block in a pass besides.
    pub(super) fn open(&mut self, principal: usize, flow: FlowId) -> ScopeId {
        let block = self.compiled.courses[usize::from(flow.0)].block;
        let turn = block.map(|block| Turn { within: self.open(principal, block.within), index: 0 });
        self.open_in(principal, flow, turn)
    }

    fn open_in(&mut self, principal: usize, flow: FlowId, turn: Option<Turn>) -> ScopeId {
        let id = ScopeId(u32::try_from(self.scopes.len()).unwrap_or(u32::MAX));
        let owner = self.people.at(principal).id;
        let serials = &mut self.serials[principal];
        let canaries = self.compiled.flows[usize::from(flow.0)].canaries.iter().map(|canary| {
            let next = serials.entry(canary.shape).or_default();
            let serial = Serial(*next);
            *next += 1;
            CanaryId { owner: owner.owner(), serial, shape: canary.shape }
        });
        let canaries = canaries.collect();
        let next_pass = &mut self.passes[principal][usize::from(flow.0)];
        let pass = *next_pass;
        *next_pass += 1;
        let members = self.acquaintances.draw(principal, flow, id);
        self.scopes.push(ScopeOf { principal: owner, flow, pass, canaries, members, turn });
        id
    }

    /// A scope besides the passes of which no canary is sent. A principal has one for each flow at most, since some shapes
    /// have only few canaries for each owner.
    pub(super) fn idle(&mut self, principal: usize, flow: FlowId) -> ScopeId {
        if let Some(scope) = self.idle.get(&(principal, flow)) {
            return *scope;
        }
        let block = self.compiled.courses[usize::from(flow.0)].block;
        let turn = block.map(|block| Turn { within: self.idle(principal, block.within), index: 0 });
        let scope = self.open_in(principal, flow, turn);
        self.idle.insert((principal, flow), scope);
        scope
    }

    /// The turns of a block in one pass or turn of a principal.
    pub(super) fn turns(&self, principal: usize, block: FlowId, within: ScopeId) -> impl Iterator<Item = ScopeId> {
        let turns = self.compiled.courses[usize::from(block.0)].repeat;
        let first = self.scopes[within.0 as usize].pass * turns;
        let first = self.pass(principal, block, first);
        (0..turns).map(move |index| ScopeId(first.0 + index))
    }

    /// The scope of a principal's pass or turn, which was opened at the beginning.
    pub(super) fn pass(&self, principal: usize, flow: FlowId, pass: u32) -> ScopeId {
        let place = u32::try_from(principal).unwrap_or(u32::MAX);
        if flow == FlowId::SESSION {
            return ScopeId(place);
        }
        if let Some(first) = self.turns.get(&(principal, flow)) {
            return ScopeId(first.0 + pass);
        }
        let sessions = u32::try_from(self.people.count()).unwrap_or(u32::MAX);
        ScopeId(sessions + place * self.passes_each + self.offsets[usize::from(flow.0)] + pass)
    }

    /// How many canaries of a shape a principal has so far.
    pub(super) fn serials_used(&self, place: usize, shape: Shape) -> u32 {
        self.serials[place].get(&shape).copied().unwrap_or(0)
    }

    /// The flow or block that a scope is of.
    pub(super) fn flow(&self, scope: ScopeId) -> FlowId {
        self.scopes[scope.0 as usize].flow
    }

    pub(super) fn principal(&self, place: usize) -> &Principal {
        self.people.at(place)
    }

    /// Those who act.
    pub(super) fn people(&self) -> &'a People {
        self.people
    }

    /// Those with whom a scope is shared, as places in the plan.
    pub(super) fn members(&self, scope: ScopeId) -> impl Iterator<Item = usize> + '_ {
        let first = self.people.all().first().map_or(0, |principal| principal.id.0);
        self.scopes[scope.0 as usize].members.iter().map(move |member| (member.0 - first) as usize)
    }

    /// Whether the scope, or its session, is shared with the principal at that place: that it reaches an object proves nothing.
    pub(super) fn shares_with(&self, scope: ScopeId, viewer: usize) -> bool {
        let first = self.people.all().first().map_or(0, |principal| principal.id.0);
        let session = ScopeId(self.scopes[scope.0 as usize].principal.0 - first);
        let scope = self.pass_of(scope);
        [scope, session].into_iter().any(|scope| {
            let flow = &self.compiled.flows[usize::from(self.scopes[scope.0 as usize].flow.0)];
            let mut members = flow.members.iter().zip(self.members(scope));
            members.any(|(member, place)| self.people.at(viewer).may_see(self.people.at(place), member.scope))
        })
    }

    fn pass_of(&self, scope: ScopeId) -> ScopeId {
        let outward = |inner: &ScopeId| self.scopes[inner.0 as usize].turn.map(|turn| turn.within);
        std::iter::successors(Some(scope), outward).last().unwrap_or(scope)
    }

    pub(super) fn into_scopes(self) -> Vec<ScopeOf> {
        self.scopes
    }
}
