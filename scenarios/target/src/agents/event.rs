//! What a run tells the sockets of its user.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kinds of event, in the order in which a run sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    AgentStarted,
    AgentThinking,
    ToolExecuting,
    ToolCompleted,
    AgentCompleted,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AgentStarted => "agent_started",
            Self::AgentThinking => "agent_thinking",
            Self::ToolExecuting => "tool_executing",
            Self::ToolCompleted => "tool_completed",
            Self::AgentCompleted => "agent_completed",
        }
    }
}

impl FromStr for Kind {
    type Err = serde::de::value::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::deserialize(serde::de::value::StrDeserializer::new(name))
    }
}

#[derive(Serialize)]
pub(super) struct Event<'a> {
    /// Counts all events of the process.
    pub(super) id: u64,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) run_id: &'a str,
    pub(super) thread_id: &'a str,
    pub(super) user_id: &'a str,
    /// Counts from 1 in each run.
    pub(super) seq: u64,
    pub(super) data: &'a Value,
}
