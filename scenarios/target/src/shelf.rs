//! A cache of what belongs to users: in this process, or in Redis.

use std::sync::Arc;

use coalmine_models::{Cache, Fill, KeyedBy, Lookup, Ticket};
use redis::{Cmd, cmd};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::refusal::Refusal;
use crate::remote::Remote;

/// An entry of Redis that nobody replaces is forgotten after this.
const KEPT_S: u32 = 3600;

pub(crate) enum Shelf<V: Send> {
    Here(Box<Cache<String, String, V>>),
    Redis(Entries),
}

/// What was found.
pub(crate) enum Found<V> {
    Hit(V),
    /// Nothing: load it, then hand it in with this.
    Miss(Slip),
}

/// The right to fill an entry, void once its owner has made it forgotten.
pub(crate) enum Slip {
    Here(Ticket),
    /// How often it had been forgotten.
    Redis(String),
}

/// Entries in Redis, with whom each was filled for, and how often each owner's was forgotten.
pub(crate) struct Entries {
    remote: Arc<Remote>,
    kind: &'static str,
    keyed_by: KeyedBy,
}

impl<V: Clone + Send + Serialize + DeserializeOwned> Shelf<V> {
    /// A cache of things of a kind. In this process it has `capacity` entries at most.
    pub(crate) fn new(kind: &'static str, keyed_by: KeyedBy, capacity: usize, remote: Option<&Arc<Remote>>) -> Self {
        match remote {
            None => Self::Here(Box::new(Cache::new(keyed_by, Fill::UnlessForgotten, capacity))),
            Some(remote) => Self::Redis(Entries { remote: Arc::clone(remote), kind, keyed_by }),
        }
    }

    /// Finds what `owner` gets to see under `name`.
    pub(crate) async fn look_up(&self, owner: &String, name: &String) -> Result<Found<V>, Refusal> {
        match self {
            Self::Here(cache) => Ok(match cache.look_up(owner, name) {
                Lookup::Hit(value) => Found::Hit(value),
                Lookup::Miss(ticket) => Found::Miss(Slip::Here(ticket)),
            }),
            Self::Redis(entries) => {
                let (value, forgets) = entries.look_up(owner, name).await?;
                let value = value.map(|value| serde_json::from_slice(&value)).transpose();
                let found = value.map_err(|_| Refusal::Fault)?;
                Ok(found.map_or(Found::Miss(Slip::Redis(forgets)), Found::Hit))
            }
        }
    }

    /// Stores what was loaded for `owner` after the miss that gave `slip`. Whoever fills an entry first keeps it.
    pub(crate) async fn fill(&self, slip: Slip, owner: &String, name: &String, value: V) -> Result<(), Refusal> {
        match (self, slip) {
            (Self::Here(cache), Slip::Here(ticket)) => {
                cache.fill(ticket, owner, name, value);
                Ok(())
            }
            (Self::Redis(entries), Slip::Redis(forgets)) => {
                let value = serde_json::to_vec(&value).map_err(|_| Refusal::Fault)?;
                entries.fill(&forgets, owner, name, &value).await
            }
            _ => Err(Refusal::Fault),
        }
    }

    /// Makes `owner` read afresh what it has just written, from a thread that may wait.
    pub(crate) fn forget(&self, owner: &String, name: &String) {
        match self {
            Self::Here(cache) => cache.forget(owner, name),
            // Where Redis is gone, nothing is found there any more.
            Self::Redis(entries) => drop(entries.forget(owner, name)),
        }
    }
}

const LOOK_UP: &str = "return {redis.call('HGET', KEYS[1], 'value'), redis.call('GET', KEYS[2]) or ''}";

const FILL: &str = "
    if (redis.call('GET', KEYS[2]) or '') == ARGV[1] and redis.call('EXISTS', KEYS[1]) == 0 then
        redis.call('HSET', KEYS[1], 'filled_for', ARGV[2], 'value', ARGV[3])
        redis.call('EXPIRE', KEYS[1], ARGV[4])
    end";

/// What was filled for somebody else is not this owner's to throw away.
const FORGET: &str = "
    redis.call('INCR', KEYS[2])
    redis.call('EXPIRE', KEYS[2], ARGV[2])
    if redis.call('HGET', KEYS[1], 'filled_for') == ARGV[1] then
        redis.call('DEL', KEYS[1])
    end";

impl Entries {
    async fn look_up(&self, owner: &str, name: &str) -> Result<(Option<Vec<u8>>, String), Refusal> {
        self.remote.ask(&self.script(LOOK_UP, owner, name)).await
    }

    async fn fill(&self, forgets: &str, owner: &str, name: &str, value: &[u8]) -> Result<(), Refusal> {
        let mut script = self.script(FILL, owner, name);
        script.arg(forgets).arg(owner).arg(value).arg(KEPT_S);
        self.remote.ask(&script).await
    }

    fn forget(&self, owner: &str, name: &str) -> Result<(), Refusal> {
        let mut script = self.script(FORGET, owner, name);
        self.remote.ask_and_wait(script.arg(owner).arg(KEPT_S))
    }

    /// A script with the key of the entry, and that of how often this owner's was forgotten.
    fn script(&self, text: &str, owner: &str, name: &str) -> Cmd {
        let kind = self.kind;
        let entry = match self.keyed_by {
            KeyedBy::Name => format!("{kind}:{name}"),
            KeyedBy::OwnerAndName => format!("{kind}:{owner}:{name}"),
        };
        let forgets = format!("forgets:{kind}:{owner}:{name}");
        let mut script = cmd("EVAL");
        script.arg(text).arg(2).arg(self.remote.name(&entry)).arg(self.remote.name(&forgets));
        script
    }
}
