//! The names that exist while a flow is compiled.

use coalmine_core::plan::{CanarySpec, Flow, FlowId};
use coalmine_core::sharing::Member;
use coalmine_core::step::Wire;
use coalmine_core::template::{CanaryRef, Level, VariableRef};

/// The names of one flow, as far as its steps have been compiled.
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
    /// Whether those go through it who have no credentials.
    pub(super) is_anonymous: bool,
}

/// A WebSocket or event stream of the flow.
pub(super) struct Socket {
    pub(super) name: String,
    pub(super) wire: Wire,
    pub(super) is_open: bool,
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
            is_anonymous: false,
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<VariableRef> {
        let slot = self.variables.iter().position(|variable| variable == name)?;
        Some(VariableRef { level: self.level, slot: u16::try_from(slot).ok()? })
    }

    pub(super) fn canary(&self, name: &str) -> Option<CanaryRef> {
        let slot = self.canaries.iter().position(|canary| canary.name == name)?;
        Some(CanaryRef { level: self.level, slot: u16::try_from(slot).ok()? })
    }

    pub(super) fn names(&self) -> Flow {
        Flow {
            name: self.name.clone(),
            variables: self.variables.clone(),
            canaries: self.canaries.clone(),
            sockets: self.sockets.iter().map(|socket| socket.name.clone()).collect(),
            members: self.members.clone(),
        }
    }
}
