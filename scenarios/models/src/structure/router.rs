//! The router of events: which sockets hear what a run has to say.
//!
//! Sockets sit in numbered slots, and the next socket that comes gets the first that is free. A run has a route, the slots of its
//! owner's sockets; the route lives as long as the run and grows when the owner opens another socket.

use std::collections::HashMap;
use std::hash::Hash;

use crate::sync::{Mutex, Std, SyncTypes};

/// Who hears an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fanout {
    /// Guilty: every socket, whoever owns the run.
    Everyone,
    /// Right: the sockets on the run's route.
    Route,
}

/// What becomes of the routes through a slot when its socket drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplug {
    /// Guilty: they stay, and lead to whoever takes the slot next.
    KeepRoutes,
    /// Guilty: they are cleared after the slot is free, when it may have been taken.
    FreeThenClear,
    /// Guilty: they end, so that an owner who comes back hears nothing more.
    EndRoutes,
    /// Right: they are cleared before the slot is free.
    ClearRoutes,
}

/// A place that a socket holds. It is given back once, by [`EventRouter::unplug`].
#[derive(Debug)]
pub struct Seat {
    slot: usize,
}

/// Routes events of runs (`R`), which belong to owners (`W`), to outlets (`O`), the sending ends of sockets.
pub struct EventRouter<W: Send, R: Send, O: Send, S: SyncTypes = Std> {
    fanout: Fanout,
    unplug: Unplug,
    seats_max: usize,
    inner: S::Mutex<Inner<W, R, O>>,
}

struct Inner<W, R, O> {
    seats: Vec<Option<Occupant<W, O>>>,
    routes: HashMap<R, Route<W>>,
}

struct Occupant<W, O> {
    owner: W,
    outlet: O,
}

struct Route<W> {
    owner: W,
    slots: Vec<usize>,
}

impl<W, R, O, S> EventRouter<W, R, O, S>
where
    W: Clone + Eq + Send,
    R: Eq + Hash + Send,
    O: Clone + Send,
    S: SyncTypes,
{
    /// A router with no sockets, for at most `seats_max` of them.
    pub fn new(fanout: Fanout, unplug: Unplug, seats_max: usize) -> Self {
        Self { fanout, unplug, seats_max, inner: S::Mutex::new(Inner { seats: Vec::new(), routes: HashMap::new() }) }
    }

    /// Gives a socket the first slot that is free, or a new one. The owner's runs are heard there from now on. `None` when
    /// every seat is taken.
    pub fn plug(&self, owner: &W, outlet: O) -> Option<Seat> {
        let mut inner = self.inner.lock();
        let slot = match inner.seats.iter().position(Option::is_none) {
            Some(slot) => slot,
            None if inner.seats.len() < self.seats_max => {
                inner.seats.push(None);
                inner.seats.len() - 1
            }
            None => return None,
        };
        inner.seats[slot] = Some(Occupant { owner: owner.clone(), outlet });
        for route in inner.routes.values_mut().filter(|route| route.owner == *owner) {
            if !route.slots.contains(&slot) {
                route.slots.push(slot);
            }
        }
        Some(Seat { slot })
    }

    /// Frees the slot of a socket that dropped.
    #[expect(clippy::needless_pass_by_value, reason = "a seat is given back once")]
    pub fn unplug(&self, seat: Seat) {
        let mut inner = self.inner.lock();
        match self.unplug {
            Unplug::KeepRoutes => {}
            Unplug::FreeThenClear => {
                inner.seats[seat.slot] = None;
                drop(inner);
                self.inner.lock().clear_routes(seat.slot);
                return;
            }
            Unplug::EndRoutes => inner.routes.retain(|_, route| !route.slots.contains(&seat.slot)),
            Unplug::ClearRoutes => inner.clear_routes(seat.slot),
        }
        inner.seats[seat.slot] = None;
    }

    /// Lays the route of a run that begins: the slots in which its owner sits.
    pub fn open_route(&self, run: R, owner: &W) {
        let mut inner = self.inner.lock();
        let slots = inner.slots_of(owner);
        inner.routes.insert(run, Route { owner: owner.clone(), slots });
    }

    /// Takes the route of a run away.
    pub fn close_route(&self, run: &R) {
        self.inner.lock().routes.remove(run);
    }

    /// The outlets that an event of `run` goes to, in the order of their slots or of their coming.
    pub fn outlets(&self, run: &R) -> Vec<O> {
        let inner = self.inner.lock();
        match self.fanout {
            Fanout::Everyone => inner.seats.iter().flatten().map(|seat| seat.outlet.clone()).collect(),
            Fanout::Route => inner.on_route(run),
        }
    }
}

impl<W: Eq, R: Eq + Hash, O: Clone> Inner<W, R, O> {
    fn slots_of(&self, owner: &W) -> Vec<usize> {
        let taken = self.seats.iter().enumerate();
        taken.filter_map(|(slot, seat)| seat.as_ref().filter(|seat| seat.owner == *owner).map(|_| slot)).collect()
    }

    fn clear_routes(&mut self, slot: usize) {
        for route in self.routes.values_mut() {
            route.slots.retain(|other| *other != slot);
        }
    }

    fn on_route(&self, run: &R) -> Vec<O> {
        let Some(route) = self.routes.get(run) else {
            return Vec::new();
        };
        let seats = route.slots.iter().filter_map(|slot| self.seats[*slot].as_ref());
        seats.map(|seat| seat.outlet.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Router = EventRouter<&'static str, u64, &'static str>;

    fn right() -> Router {
        Router::new(Fanout::Route, Unplug::ClearRoutes, 8)
    }

    #[test]
    fn everyone_hears_a_run_only_when_guilty() {
        for (fanout, heard) in [(Fanout::Everyone, vec!["a1", "b1"]), (Fanout::Route, vec!["a1"])] {
            let router = Router::new(fanout, Unplug::ClearRoutes, 8);
            let _seats = (router.plug(&"a", "a1"), router.plug(&"b", "b1"));
            router.open_route(1, &"a");
            assert_eq!(router.outlets(&1), heard);
        }
    }

    #[test]
    fn next_socket_inherits_the_route_only_when_guilty() {
        for (unplug, heard) in [(Unplug::KeepRoutes, vec!["b1"]), (Unplug::ClearRoutes, vec![])] {
            let router = Router::new(Fanout::Route, unplug, 8);
            let seat = router.plug(&"a", "a1").unwrap();
            router.open_route(1, &"a");
            router.unplug(seat);
            assert_eq!(router.outlets(&1), Vec::<&str>::new(), "a free slot leads nowhere");
            let _seat = router.plug(&"b", "b1");
            assert_eq!(router.outlets(&1), heard);
        }
    }

    #[test]
    fn owner_who_reconnects_hears_the_rest_of_its_run_once() {
        for unplug in [Unplug::KeepRoutes, Unplug::ClearRoutes] {
            let router = Router::new(Fanout::Route, unplug, 8);
            let seat = router.plug(&"a", "a1").unwrap();
            router.open_route(1, &"a");
            router.unplug(seat);
            let _seat = router.plug(&"a", "a2");
            assert_eq!(router.outlets(&1), ["a2"]);
        }
    }

    #[test]
    fn route_ends_with_its_run() {
        let router = right();
        let _seat = router.plug(&"a", "a1");
        router.open_route(1, &"a");
        router.close_route(&1);
        assert_eq!(router.outlets(&1), Vec::<&str>::new());
    }

    #[test]
    fn seats_are_bounded_and_given_out_again() {
        let router = Router::new(Fanout::Route, Unplug::ClearRoutes, 1);
        let seat = router.plug(&"a", "a1").unwrap();
        assert!(router.plug(&"b", "b1").is_none());
        router.unplug(seat);
        assert!(router.plug(&"b", "b1").is_some());
    }
}
