//! A stream of events for each owner, with what a dropped socket has missed.

use std::collections::HashMap;
use std::hash::Hash;

use crate::sync::{Mutex, Std, SyncTypes};

/// Takes events without waiting.
pub trait Outlet<E>: Send {
    /// Hands one over.
    fn deliver(&self, event: E);
}

/// Whose events are kept for those who come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backlog {
    /// Guilty: all in one list.
    Everyones,
    /// Right: a list for each owner.
    Owners,
}

/// How a socket that comes back gets what it has missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// Guilty: it is told, and then joins. What happens between is lost.
    ReplayThenJoin,
    /// Guilty: it joins, and then is told. What happens between comes twice.
    JoinThenReplay,
    /// Right: nothing can happen between.
    AtOnce,
}

/// Events of owners, for one socket each.
pub struct EventStream<W: Send, E: Send, O: Send, S: SyncTypes = Std> {
    backlog: Backlog,
    reconnect: Reconnect,
    inner: S::Mutex<Inner<W, E, O>>,
}

struct Inner<W, E, O> {
    events: HashMap<Option<W>, Vec<E>>,
    outlets: HashMap<W, O>,
}

impl<W, E, O, S> EventStream<W, E, O, S>
where
    W: Clone + Eq + Hash + Send,
    E: Clone + Send,
    O: Outlet<E>,
    S: SyncTypes,
{
    /// No events, no sockets.
    pub fn new(backlog: Backlog, reconnect: Reconnect) -> Self {
        let inner = Inner { events: HashMap::new(), outlets: HashMap::new() };
        Self { backlog, reconnect, inner: S::Mutex::new(inner) }
    }

    /// Keeps an event, and delivers it if its owner is connected.
    pub fn publish(&self, owner: &W, event: E) {
        let mut inner = self.inner.lock();
        inner.events.entry(self.list(owner)).or_default().push(event.clone());
        if let Some(outlet) = inner.outlets.get(owner) {
            outlet.deliver(event);
        }
    }

    /// Connects a socket that has seen the first `seen` events of its owner.
    pub fn connect(&self, owner: &W, seen: usize, outlet: O) {
        let mut inner = self.inner.lock();
        match self.reconnect {
            Reconnect::ReplayThenJoin => {
                self.replay(&inner, owner, seen, &outlet);
                drop(inner);
                self.inner.lock().outlets.insert(owner.clone(), outlet);
            }
            Reconnect::JoinThenReplay => {
                inner.outlets.insert(owner.clone(), outlet);
                drop(inner);
                let inner = self.inner.lock();
                if let Some(outlet) = inner.outlets.get(owner) {
                    self.replay(&inner, owner, seen, outlet);
                }
            }
            Reconnect::AtOnce => {
                self.replay(&inner, owner, seen, &outlet);
                inner.outlets.insert(owner.clone(), outlet);
            }
        }
    }

    /// The socket of `owner` drops.
    pub fn disconnect(&self, owner: &W) {
        self.inner.lock().outlets.remove(owner);
    }

    fn replay(&self, inner: &Inner<W, E, O>, owner: &W, seen: usize, outlet: &O) {
        let events = inner.events.get(&self.list(owner)).into_iter().flatten();
        events.skip(seen).for_each(|event| outlet.deliver(event.clone()));
    }

    fn list(&self, owner: &W) -> Option<W> {
        match self.backlog {
            Backlog::Everyones => None,
            Backlog::Owners => Some(owner.clone()),
        }
    }
}
