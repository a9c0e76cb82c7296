//! What kind of defect a leak is, and the trials from which that follows.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bound::Rate;
use crate::verdict::Pattern;

/// Kinds of defects, by their mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nobody asks whose it is.
    MissingCheck,
    /// An answer is kept for others under a key that does not say whose it is.
    CacheKey,
    /// Something of one request is kept for its connection, and serves others that come over it.
    ConnectionBound,
    /// A request that was given up leaves its answer behind, and the next takes it for its own.
    PoolOutOfStep,
    /// Requests that are under way at the same time use one place for what belongs to each.
    SharedState,
    /// An event goes to those whom it does not concern.
    MisroutedFanOut,
    /// The end of an older answer stands in a newer one.
    BufferReuse,
    /// Whoever does the work has not forgotten what it did before.
    StaleWorker,
    /// What belongs to one tenant is found under a name that others choose as well.
    KeyCollision,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::MissingCheck,
        Self::CacheKey,
        Self::ConnectionBound,
        Self::PoolOutOfStep,
        Self::SharedState,
        Self::MisroutedFanOut,
        Self::BufferReuse,
        Self::StaleWorker,
        Self::KeyCollision,
    ];

    /// Its name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingCheck => "missing check",
            Self::CacheKey => "cache key",
            Self::ConnectionBound => "connection-bound state",
            Self::PoolOutOfStep => "pool out of step after a cancel",
            Self::SharedState => "shared state race",
            Self::MisroutedFanOut => "misrouted fan-out",
            Self::BufferReuse => "buffer reuse",
            Self::StaleWorker => "stale worker state",
            Self::KeyCollision => "key collision",
        }
    }

    /// The patterns of concurrent code whose models do this, likeliest first; none where it needs no concurrent code.
    pub fn patterns(self) -> &'static [Pattern] {
        match self {
            Self::MissingCheck | Self::ConnectionBound => &[],
            Self::CacheKey => &[Pattern::Cache, Pattern::Flight],
            Self::PoolOutOfStep => &[Pattern::Pool],
            Self::SharedState => &[Pattern::States, Pattern::Slot],
            Self::MisroutedFanOut => &[Pattern::Router, Pattern::Stream],
            Self::BufferReuse => &[Pattern::Buffers],
            Self::StaleWorker => &[Pattern::Queue],
            Self::KeyCollision => &[Pattern::Cache, Pattern::Idempotency],
        }
    }

    /// What probably happens, as a sentence without its full stop.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::MissingCheck => "nobody asks whose it is: it comes back in order, without haste, at any time",
            Self::CacheKey => {
                "an answer is kept and given to others: the key under which it is kept does not say whose it is"
            }
            Self::ConnectionBound => {
                "something of a request is kept for its connection: it goes away when tenants do not share one"
            }
            Self::PoolOutOfStep => {
                "a request that is given up leaves its answer on a connection to something behind the service, and the next takes it for its own"
            }
            Self::SharedState => {
                "requests that are under way at the same time use one place for what belongs to each of them"
            }
            Self::MisroutedFanOut => "events go to sockets or streams of those whom they do not concern",
            Self::BufferReuse => {
                "the end of an older answer stands behind a newer one: a buffer is used again uncleared"
            }
            Self::StaleWorker => "whoever does the work keeps something of the job before, and puts it into the next",
            Self::KeyCollision => {
                "it is kept under a name that two tenants choose, and the name does not say whose it is"
            }
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is changed in a case, to see whether the leak comes back all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ablation {
    /// Nothing.
    AsItIs,
    /// Tenants act one after another, the owner first, with pauses in which work in the background ends.
    WithoutOverlap,
    /// One operation at a time, with pauses between them: in the order in which they came, or else in others.
    WithoutHaste,
    /// No request is given up.
    WithoutCancellation,
    /// No tenants share a connection.
    SeparateConnections,
    /// No URL is asked for by two tenants.
    UniqueUrls,
    /// No name is chosen by two tenants.
    UniqueIds,
    /// The owner sends its secrets and does nothing else.
    SilentOwner,
    /// The receiver has sent secrets of its own before it asks, and the owner more than it.
    OwnSecrets,
    /// There is another owner, and one answer shows the secrets of both.
    SecondOwner,
    /// There is another receiver, and both are shown the secrets of the same owner.
    SecondReceiver,
}

impl Ablation {
    /// All of them, in the order of a table.
    pub const ALL: [Self; 11] = [
        Self::AsItIs,
        Self::WithoutOverlap,
        Self::WithoutHaste,
        Self::WithoutCancellation,
        Self::SeparateConnections,
        Self::UniqueUrls,
        Self::UniqueIds,
        Self::SilentOwner,
        Self::OwnSecrets,
        Self::SecondOwner,
        Self::SecondReceiver,
    ];

    /// What is done, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::AsItIs => "as it is",
            Self::WithoutOverlap => "one tenant after another, with pauses",
            Self::WithoutHaste => "one operation at a time, with pauses",
            Self::WithoutCancellation => "nothing given up",
            Self::SeparateConnections => "no shared connections",
            Self::UniqueUrls => "a URL of its own for each tenant",
            Self::UniqueIds => "a name of its own for each tenant",
            Self::SilentOwner => "the owner sends and never asks",
            Self::OwnSecrets => "secrets of the receiver's own, fewer than the owner's",
            Self::SecondOwner => "a second owner: the secrets of both in one answer",
            Self::SecondReceiver => "a second receiver: the secrets of one owner for both",
        }
    }
}

/// What came of an ablation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trials {
    /// What was changed.
    pub change: Ablation,
    /// How often the leak came back.
    pub rate: Rate,
    /// Whether the case did no longer what it should: that nothing leaks means nothing then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
}

/// What kind of defect a leak is, as far as the trials tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// The kind; nothing where the rates do not separate the kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// Why, or why not, in words.
    pub because: String,
    /// The table behind it.
    pub trials: Vec<Trials>,
}

impl Diagnosis {
    /// As one sentence.
    pub fn sentence(&self) -> String {
        match self.class {
            Some(class) => format!("{class}: {} ({})", class.sentence(), self.because),
            None => format!("undecided: {}", self.because),
        }
    }
}
