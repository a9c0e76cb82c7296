//! Loads under way: who asks for what is being loaded waits for it. Home of `finance.single-flight`.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use coalmine_models::KeyedBy;
use tokio::sync::OnceCell;

use crate::lock::hold;

/// By owner, unless they are merged, and name.
type Key = (Option<String>, String);
type Flight<V> = Arc<OnceCell<V>>;

/// Loads that are in the air. One that has landed is forgotten.
pub(super) struct Flights<V> {
    keyed_by: KeyedBy,
    in_the_air: Mutex<HashMap<Key, Flight<V>>>,
}

impl<V: Clone> Flights<V> {
    pub(super) fn new(keyed_by: KeyedBy) -> Self {
        Self { keyed_by, in_the_air: Mutex::new(HashMap::new()) }
    }

    /// What `owner` gets to see under `name`: what somebody is loading just now, or what `load` gives. When the one who
    /// loads goes away, the next one does it.
    pub(super) async fn load<E>(
        &self,
        owner: &str,
        name: &str,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        let passenger = self.board(self.key(owner, name));
        passenger.flight.get_or_try_init(|| load).await.cloned()
    }

    /// Whoever asks from now on shall not get what was loaded before now.
    pub(super) fn forget(&self, owner: &str, name: &str) {
        hold(&self.in_the_air).remove(&self.key(owner, name));
    }

    fn key(&self, owner: &str, name: &str) -> Key {
        match self.keyed_by {
            KeyedBy::Name => (None, name.to_owned()),
            KeyedBy::OwnerAndName => (Some(owner.to_owned()), name.to_owned()),
        }
    }

    fn board(&self, key: Key) -> Passenger<'_, V> {
        let flight = Arc::clone(hold(&self.in_the_air).entry(key.clone()).or_default());
        Passenger { flights: self, key, flight }
    }
}

/// One who waits for a flight. It is forgotten with the first who has arrived, or the last who has given up.
struct Passenger<'a, V> {
    flights: &'a Flights<V>,
    key: Key,
    flight: Flight<V>,
}

impl<V> Drop for Passenger<'_, V> {
    fn drop(&mut self) {
        /// The passenger's own, and the one in the map.
        const NOBODY_ELSE: usize = 2;
        let mut in_the_air = hold(&self.flights.in_the_air);
        let is_this = in_the_air.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
        let is_over = self.flight.initialized() || Arc::strong_count(&self.flight) <= NOBODY_ELSE;
        if is_this && is_over {
            in_the_air.remove(&self.key);
        } else {
            // Under the lock, so that the last one sees that it is the last.
            self.flight = Flight::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::oneshot;

    use super::*;

    async fn joined(keyed_by: KeyedBy) -> (Result<&'static str, ()>, Result<&'static str, ()>) {
        let flights = Flights::new(keyed_by);
        let (land, landed) = oneshot::channel::<()>();
        let first = flights.load("a", "x", async { landed.await.map(|()| "of a").map_err(drop) });
        let second = flights.load("b", "x", async { Ok("of b") });
        let answers = tokio::join!(first, second, async { land.send(()).unwrap() });
        assert!(hold(&flights.in_the_air).is_empty());
        (answers.0, answers.1)
    }

    #[tokio::test]
    async fn load_by_name_joins_another_owners() {
        assert_eq!(joined(KeyedBy::Name).await, (Ok("of a"), Ok("of a")));
    }

    #[tokio::test]
    async fn load_by_owner_and_name_joins_the_owners_own_only() {
        assert_eq!(joined(KeyedBy::OwnerAndName).await, (Ok("of a"), Ok("of b")));
    }

    #[tokio::test]
    async fn load_that_is_given_up_is_done_by_the_next_and_leaves_nothing() {
        let flights = Flights::new(KeyedBy::OwnerAndName);
        tokio::select! {
            biased;
            _ = flights.load("a", "x", pending::<Result<&str, ()>>()) => unreachable!("it never lands"),
            () = ready(()) => {}
        }
        assert!(hold(&flights.in_the_air).is_empty());
        assert_eq!(flights.load("a", "x", ready(Ok::<_, ()>("new"))).await, Ok("new"));
    }

    #[tokio::test]
    async fn load_that_is_forgotten_is_not_joined() {
        let flights = Flights::new(KeyedBy::OwnerAndName);
        let (land, landed) = oneshot::channel::<()>();
        let old = flights.load("a", "x", async { landed.await.map(|()| "old").map_err(drop) });
        let new = async {
            flights.forget("a", "x");
            let new = flights.load("a", "x", ready(Ok::<_, ()>("new"))).await;
            land.send(()).unwrap();
            new
        };
        assert_eq!(tokio::join!(old, new), (Ok("old"), Ok("new")));
    }
}
