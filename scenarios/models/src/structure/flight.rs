//! Loads that fly once: whoever asks for what is being loaded waits for it.

use std::collections::HashMap;
use std::hash::Hash;

use super::KeyedBy;
use crate::sync::{Condvar, Mutex, Std, SyncTypes};

/// How a load takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeOff {
    /// Guilty: whether one is in the air is asked under one lock, and said under the next.
    LookThenGo,
    /// Right: both under one lock.
    AtOnce,
}

/// What becomes of those who wait for a load that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Guilty: nobody tells them.
    WaitForever,
    /// Right: the next of them loads.
    NextTries,
}

/// Loads values, each once.
pub struct Flights<O: Send, N: Send, V: Send, S: SyncTypes = Std> {
    keyed_by: KeyedBy,
    take_off: TakeOff,
    crash: Crash,
    keys: S::Mutex<HashMap<Key<O, N>, Flight<V>>>,
    landed: S::Condvar,
}

type Key<O, N> = (Option<O>, N);

#[derive(Clone)]
enum Flight<V> {
    InTheAir,
    Landed(V),
}

impl<O, N, V, S> Flights<O, N, V, S>
where
    O: Clone + Eq + Hash + Send,
    N: Clone + Eq + Hash + Send,
    V: Clone + Send,
    S: SyncTypes,
{
    /// Nothing is loaded.
    pub fn new(keyed_by: KeyedBy, take_off: TakeOff, crash: Crash) -> Self {
        let landed = S::Condvar::new();
        Self { keyed_by, take_off, crash, keys: S::Mutex::new(HashMap::new()), landed }
    }

    /// What `owner` gets to see under `name`: loaded before, or by somebody else just now, or here. `None` when the load fails.
    pub fn load(&self, owner: &O, name: &N, load: impl FnOnce() -> Option<V>) -> Option<V> {
        let key = match self.keyed_by {
            KeyedBy::Name => (None, name.clone()),
            KeyedBy::OwnerAndName => (Some(owner.clone()), name.clone()),
        };
        if let Some(value) = self.join(&key) {
            return Some(value);
        }
        let loaded = load();
        self.land(&key, loaded.clone());
        loaded
    }

    /// Waits for who is loading. `None` when it is for the caller to load.
    fn join(&self, key: &Key<O, N>) -> Option<V> {
        let mut flights = self.keys.lock();
        loop {
            match flights.get(key) {
                Some(Flight::Landed(value)) => return Some(value.clone()),
                Some(Flight::InTheAir) => flights = self.landed.wait(flights),
                None => break,
            }
        }
        if self.take_off == TakeOff::LookThenGo {
            drop(flights);
            flights = self.keys.lock();
        }
        flights.insert(key.clone(), Flight::InTheAir);
        None
    }

    fn land(&self, key: &Key<O, N>, loaded: Option<V>) {
        match loaded {
            Some(value) => {
                self.keys.lock().insert(key.clone(), Flight::Landed(value));
            }
            None if self.crash == Crash::WaitForever => return,
            None => {
                self.keys.lock().remove(key);
            }
        }
        self.landed.notify_all();
    }
}
