//! What a run tells the sockets of its user.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::runs::STATUSES;

/// The kinds of event, in the order in which a run sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

#[derive(Serialize, JsonSchema)]
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
    pub(super) data: &'a Detail,
}

/// What an event is about.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Detail {
    Started {
        agent: String,
        prompt: String,
    },
    Ended {
        #[schemars(extend("enum" = STATUSES))]
        status: String,
        prompt: String,
    },
    Tool {
        tool: String,
        input: String,
    },
    Thought {
        text: String,
    },
}
