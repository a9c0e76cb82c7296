//! A cache of things that belong to somebody: summaries, agent instances, configurations.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};

use crate::sync::{Mutex, Std, SyncTypes};

/// What an entry is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyedBy {
    /// Guilty: the name alone, although what is stored depends on the owner as well.
    Name,
    /// Right: everything that the stored value depends on.
    OwnerAndName,
}

/// Whether a value may be stored that was loaded before its owner made the cache forget it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Guilty: what was loaded before a write is stored after it, and stays.
    Always,
    /// Right: it is thrown away.
    UnlessForgotten,
}

/// Forgets are counted in this many stripes, so that the count of them does not grow with the number of entries.
const STRIPES: usize = 256;

/// A bounded cache. When it is full, the oldest entry makes room.
pub struct Cache<O: Send, N: Send, V: Send, S: SyncTypes = Std> {
    keyed_by: KeyedBy,
    fill: Fill,
    capacity: usize,
    hasher: RandomState,
    inner: S::Mutex<Inner<O, N, V>>,
}

struct Inner<O, N, V> {
    entries: HashMap<Key<O, N>, Entry<O, V>>,
    order: VecDeque<Key<O, N>>,
    forgets: [u64; STRIPES],
}

type Key<O, N> = (Option<O>, N);

struct Entry<O, V> {
    filled_for: O,
    value: V,
}

/// What [`Cache::look_up`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup<V> {
    /// A stored value.
    Hit(V),
    /// Nothing: load it, then hand it in with this ticket.
    Miss(Ticket),
}

/// The right to fill an entry, void once its owner has made the cache forget it: a value that was loaded before a write
/// must not be stored after it.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    forgets: u64,
}

impl<O, N, V, S> Cache<O, N, V, S>
where
    O: Clone + Eq + Hash + Send,
    N: Clone + Eq + Hash + Send,
    V: Clone + Send,
    S: SyncTypes,
{
    /// An empty cache of at most `capacity` entries, at least one.
    pub fn new(keyed_by: KeyedBy, fill: Fill, capacity: usize) -> Self {
        Self {
            keyed_by,
            fill,
            capacity: capacity.max(1),
            hasher: RandomState::new(),
            inner: S::Mutex::new(Inner { entries: HashMap::new(), order: VecDeque::new(), forgets: [0; STRIPES] }),
        }
    }

    /// Finds what `owner` gets to see under `name`.
    pub fn look_up(&self, owner: &O, name: &N) -> Lookup<V> {
        let inner = self.inner.lock();
        match inner.entries.get(&self.key(owner, name)) {
            Some(entry) => Lookup::Hit(entry.value.clone()),
            None => Lookup::Miss(Ticket { forgets: inner.forgets[self.stripe(owner, name)] }),
        }
    }

    /// Stores what was loaded for `owner` after the miss that gave `ticket`. Whoever fills an entry first keeps it.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is used once")]
    pub fn fill(&self, ticket: Ticket, owner: &O, name: &N, value: V) {
        let key = self.key(owner, name);
        let mut inner = self.inner.lock();
        let is_void = match self.fill {
            Fill::Always => false,
            Fill::UnlessForgotten => inner.forgets[self.stripe(owner, name)] != ticket.forgets,
        };
        if is_void || inner.entries.contains_key(&key) {
            return;
        }
        if inner.entries.len() >= self.capacity {
            inner.evict_oldest();
        }
        inner.order.push_back(key.clone());
        inner.entries.insert(key, Entry { filled_for: owner.clone(), value });
    }

    /// Makes `owner` read afresh what it has just written. What was filled for somebody else is not this owner's to
    /// throw away.
    pub fn forget(&self, owner: &O, name: &N) {
        let key = self.key(owner, name);
        let mut inner = self.inner.lock();
        inner.forgets[self.stripe(owner, name)] += 1;
        if inner.entries.get(&key).is_some_and(|entry| entry.filled_for == *owner) {
            inner.entries.remove(&key);
            inner.order.retain(|other| *other != key);
        }
    }

    fn key(&self, owner: &O, name: &N) -> Key<O, N> {
        match self.keyed_by {
            KeyedBy::Name => (None, name.clone()),
            KeyedBy::OwnerAndName => (Some(owner.clone()), name.clone()),
        }
    }

    fn stripe(&self, owner: &O, name: &N) -> usize {
        let hash = self.hasher.hash_one((owner, name));
        usize::try_from(hash % STRIPES as u64).expect("a stripe's number is small")
    }
}

impl<O: Eq + Hash, N: Eq + Hash, V> Inner<O, N, V> {
    fn evict_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket<V: std::fmt::Debug>(lookup: Lookup<V>) -> Ticket {
        match lookup {
            Lookup::Miss(ticket) => ticket,
            Lookup::Hit(value) => panic!("expected a miss, found {value:?}"),
        }
    }

    fn filled(keyed_by: KeyedBy, capacity: usize) -> Cache<&'static str, &'static str, &'static str> {
        let cache = Cache::new(keyed_by, Fill::UnlessForgotten, capacity);
        cache.fill(ticket(cache.look_up(&"a", &"may")), &"a", &"may", "of a");
        cache
    }

    #[test]
    fn keyed_by_name_serves_one_owner_to_another() {
        let cache = filled(KeyedBy::Name, 4);
        assert_eq!(cache.look_up(&"b", &"may"), Lookup::Hit("of a"));
        cache.forget(&"b", &"may");
        assert_eq!(cache.look_up(&"b", &"may"), Lookup::Hit("of a"), "b cannot throw it away");
    }

    #[test]
    fn keyed_by_owner_and_name_serves_the_owner_only() {
        let cache = filled(KeyedBy::OwnerAndName, 4);
        assert_eq!(cache.look_up(&"a", &"may"), Lookup::Hit("of a"));
        ticket(cache.look_up(&"b", &"may"));
    }

    #[test]
    fn value_loaded_before_a_write_is_not_stored_after_it() {
        let cache = Cache::<_, _, _>::new(KeyedBy::OwnerAndName, Fill::UnlessForgotten, 4);
        let early = ticket(cache.look_up(&"a", &"may"));
        cache.forget(&"a", &"may");
        cache.fill(early, &"a", &"may", "stale");
        ticket(cache.look_up(&"a", &"may"));
    }

    #[test]
    fn full_cache_drops_its_oldest() {
        let cache = filled(KeyedBy::OwnerAndName, 1);
        cache.fill(ticket(cache.look_up(&"b", &"may")), &"b", &"may", "of b");
        ticket(cache.look_up(&"a", &"may"));
        assert_eq!(cache.look_up(&"b", &"may"), Lookup::Hit("of b"));
    }

    #[test]
    fn forgotten_entry_leaves_no_place_behind() {
        let cache = filled(KeyedBy::OwnerAndName, 2);
        for _ in 0..8 {
            cache.forget(&"a", &"may");
            cache.fill(ticket(cache.look_up(&"a", &"may")), &"a", &"may", "of a");
        }
        assert_eq!(cache.inner.lock().unwrap().order.len(), 1);
    }
}
