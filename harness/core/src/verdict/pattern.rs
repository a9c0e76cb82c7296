//! Patterns of concurrent code of which `coalmine models` shows how they leak.

use serde::{Deserialize, Serialize};

/// A pattern of concurrent code, by its name in `coalmine models`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Connections that are lent.
    Pool,
    /// The context of whoever is asking.
    Slot,
    /// The working state of runs.
    States,
    /// The contexts of a run's children.
    Children,
    /// What is stored for somebody.
    Cache,
    /// Loads that fly once.
    Flight,
    /// What each tenant has one of.
    Lazy,
    /// Sessions by number.
    Registry,
    /// What tokens say.
    Tokens,
    /// Answers by idempotency key.
    Idempotency,
    /// Who hears what.
    Router,
    /// Events for sockets that come back.
    Stream,
    /// Jobs, and what their workers keep.
    Queue,
    /// Buffers that are used again.
    Buffers,
    /// Budgets of requests.
    Limiter,
    /// What is left at a shutdown.
    Drain,
}

impl Pattern {
    /// All of them, in the order of `coalmine models`.
    pub const ALL: [Self; 16] = [
        Self::Pool,
        Self::Slot,
        Self::States,
        Self::Children,
        Self::Cache,
        Self::Flight,
        Self::Lazy,
        Self::Registry,
        Self::Tokens,
        Self::Idempotency,
        Self::Router,
        Self::Stream,
        Self::Queue,
        Self::Buffers,
        Self::Limiter,
        Self::Drain,
    ];

    /// Its name in `coalmine models`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Slot => "slot",
            Self::States => "states",
            Self::Children => "children",
            Self::Cache => "cache",
            Self::Flight => "flight",
            Self::Lazy => "lazy",
            Self::Registry => "registry",
            Self::Tokens => "tokens",
            Self::Idempotency => "idempotency",
            Self::Router => "router",
            Self::Stream => "stream",
            Self::Queue => "queue",
            Self::Buffers => "buffers",
            Self::Limiter => "limiter",
            Self::Drain => "drain",
        }
    }
}
