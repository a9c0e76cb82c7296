//! The names that exist while a flow or a block is compiled.

use std::ops::Range;

use coalmine_core::plan::{Block, CanarySpec, Flow, FlowId};
use coalmine_core::sharing::Member;
use coalmine_core::step::Wire;
use coalmine_core::template::{CanaryRef, Level, VariableRef};

use crate::span::Span;

/// The names of one flow or block, as far as its steps have been compiled.
pub(super) struct Room {
    pub(super) flow: FlowId,
    pub(super) name: String,
    pub(super) level: Level,
    pub(super) variables: Vec<String>,
    pub(super) canaries: Vec<CanarySpec>,
    pub(super) sockets: Vec<Socket>,
    pub(super) members: Vec<Member>,
    /// Names that some step of the flow captures, compiled or not.
    pub(super) captured_somewhere: Vec<String>,
    /// Set where it is a block with turns.
    pub(super) block: Option<Block>,
    /// What the turns of its blocks have, which are compiled.
    pub(super) turns: Vec<TurnNames>,
    /// What other groups of steps make at the same time.
    pub(super) hidden: Hidden,
    /// Whether those go through it who have no credentials.
    pub(super) is_anonymous: bool,
}

/// The names of a block of which each turn has its own.
pub(super) struct TurnNames {
    pub(super) block: FlowId,
    pub(super) variables: Vec<String>,
    pub(super) canaries: Vec<String>,
}

/// Names, by their slots, of which the group that is being compiled knows nothing.
#[derive(Clone, Default)]
pub(super) struct Hidden {
    pub(super) variables: Range<usize>,
    pub(super) canaries: Range<usize>,
    pub(super) turns: Range<usize>,
}

/// A WebSocket or event stream of the flow.
pub(super) struct Socket {
    pub(super) name: String,
    /// The step that opened it last.
    pub(super) span: Span,
    pub(super) wire: Wire,
    pub(super) is_open: bool,
    /// How many blocks stood around the step that opened it.
    pub(super) depth: usize,
    /// The last group of parallel steps that used it.
    pub(super) used_by: Option<(u16, u16)>,
}

impl Default for Room {
    fn default() -> Self {
        Self::new(FlowId::SESSION, "auth", Level::Session)
    }
}

impl Room {
    pub(super) fn new(flow: FlowId, name: &str, level: Level) -> Self {
        let name = name.to_owned();
        Self {
            flow,
            name,
            level,
            variables: vec![],
            canaries: vec![],
            sockets: vec![],
            members: vec![],
            captured_somewhere: vec![],
            block: None,
            turns: vec![],
            hidden: Hidden::default(),
            is_anonymous: false,
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<VariableRef> {
        let slot = self.variables.iter().position(|variable| variable == name)?;
        if self.hidden.variables.contains(&slot) {
            return None;
        }
        Some(VariableRef { level: self.level, slot: u16::try_from(slot).ok()? })
    }

    pub(super) fn canary(&self, name: &str) -> Option<CanaryRef> {
        let slot = self.canaries.iter().position(|canary| canary.name == name)?;
        if self.hidden.canaries.contains(&slot) {
            return None;
        }
        Some(CanaryRef { level: self.level, slot: u16::try_from(slot).ok()? })
    }

    /// Whether another group of steps that is done at the same time sends the canary.
    pub(super) fn hides_canary(&self, name: &str) -> bool {
        self.canaries.get(self.hidden.canaries.clone()).is_some_and(|it| it.iter().any(|canary| canary.name == name))
    }

    /// Whether another group of steps that is done at the same time captures the variable.
    pub(super) fn hides_variable(&self, name: &str) -> bool {
        self.variables.get(self.hidden.variables.clone()).is_some_and(|it| it.iter().any(|variable| variable == name))
    }

    /// The blocks whose turns have the canary each, with its slot there.
    pub(super) fn canary_of_turns(&self, name: &str) -> impl Iterator<Item = (FlowId, usize)> {
        let turns = self.turns.iter().enumerate().filter(|(at, _)| !self.hidden.turns.contains(at));
        turns.filter_map(move |(_, turn)| Some((turn.block, turn.canaries.iter().position(|canary| canary == name)?)))
    }

    /// What a step after the block knows of it.
    pub(super) fn turn_names(&self) -> TurnNames {
        let canaries = self.canaries.iter().map(|canary| canary.name.clone()).collect();
        TurnNames { block: self.flow, variables: self.variables.clone(), canaries }
    }

    pub(super) fn names(&self) -> Flow {
        Flow {
            name: self.name.clone(),
            variables: self.variables.clone(),
            canaries: self.canaries.clone(),
            sockets: self.sockets.iter().map(|socket| socket.name.clone()).collect(),
            members: self.members.clone(),
            block: self.block,
        }
    }
}
