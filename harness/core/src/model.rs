//! What answers must agree with: a model of what the one who asks, and those who share with it, have made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::FlowId;
use crate::principal::Scope;
use crate::step::StepId;
use crate::template::Template;

/// One thing that is read from an answer, and what it must agree with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Where it stands: RFC 9535.
    pub path: String,
    /// What it must be.
    pub asks: Asks,
    /// The steps that make what is listed or counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_by: Vec<StepId>,
    /// The steps that remove what was made in their pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_by: Vec<StepId>,
    /// Who has a part in it: what was made by somebody with whom the one who asks has this much in common.
    pub scope: Scope,
}

/// What is asked of a value in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asks {
    /// The rows are those that were made.
    Rows {
        /// By what a row is recognised.
        key: Key,
        /// Whether all of them are there.
        #[serde(default)]
        holds: Holds,
        /// Whether there may be rows that nobody is known to have made.
        #[serde(default)]
        unknown: Unknown,
        /// Steps of a pass that give this the same name are pages of one list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        list: Option<String>,
    },
    /// The number is how many were made.
    Count,
    /// The number is the sum of a canary that each making sends.
    Sum {
        /// Its slot in the flow in which it is sent.
        slot: u16,
    },
    /// There is nothing, for those who have made nothing: see [`crate::plan::Purpose::Fresh`].
    Nothing,
}

/// By what a row is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// By what was captured when it was made.
    Variable {
        /// In which flow.
        flow: FlowId,
        /// Its slot.
        slot: u16,
    },
    /// By the canary with which it was made.
    Canary {
        /// In which flow.
        flow: FlowId,
        /// Its slot.
        slot: u16,
    },
}

/// How much of what was made a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// All of it.
    #[default]
    All,
    /// Some of it: the first rows, or those that were searched for.
    Some,
}

/// Whether a list may show rows that nobody is known to have made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// It may: there was something before.
    #[default]
    Allowed,
    /// It may not.
    Refused,
}

/// A value that a request sends and that its answer must give back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    /// Where it comes back.
    pub place: EchoPlace,
    /// What was sent.
    pub value: Template,
}

/// Where a value comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EchoPlace {
    /// The first value at a JSONPath (RFC 9535) of the body.
    Json(String),
    /// A header field, by name.
    Header(String),
}
