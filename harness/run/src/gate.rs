//! A gate: operations of several tenants that are let go together.
//!
//! It is a synchronous state machine: whoever makes the gate full gets all members back and lets them go in one loop. Nobody is
//! woken in between, so that the spread of the releases is that of the loop. loom checks it (`models` below).

use crate::sync::Mutex;

/// What the plan wants to meet here, and who has come.
pub(crate) struct Gate<M> {
    state: Mutex<State<M>>,
}

struct State<M> {
    /// Still to come.
    awaited: u16,
    arrived: Vec<M>,
    is_open: bool,
}

/// What an arrival brings about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival<M> {
    /// Others are still to come; the member waits in the gate.
    Waits,
    /// The gate is open now: these are to be let go, the one that came last among them.
    Opens(Vec<M>),
    /// The gate was opened without it; it goes alone.
    Late(M),
}

impl<M> Gate<M> {
    /// For so many members.
    pub(crate) fn new(members: u16) -> Self {
        Self { state: Mutex::new(State { awaited: members, arrived: vec![], is_open: false }) }
    }

    /// A member is ready.
    pub(crate) fn arrive(&self, member: M) -> Arrival<M> {
        let mut state = self.lock();
        if state.is_open {
            return Arrival::Late(member);
        }
        state.arrived.push(member);
        state.awaited = state.awaited.saturating_sub(1);
        state.open_if_full().map_or(Arrival::Waits, Arrival::Opens)
    }

    /// One that is awaited will not come. Those that come back are to be let go.
    pub(crate) fn withdraw(&self) -> Vec<M> {
        let mut state = self.lock();
        state.awaited = state.awaited.saturating_sub(1);
        state.open_if_full().unwrap_or_default()
    }

    /// Nobody waits any longer. Those that come back are to be let go.
    pub(crate) fn force(&self) -> Vec<M> {
        let mut state = self.lock();
        state.is_open = true;
        std::mem::take(&mut state.arrived)
    }

    fn lock(&self) -> crate::sync::MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<M> State<M> {
    fn open_if_full(&mut self) -> Option<Vec<M>> {
        if self.awaited > 0 || self.is_open {
            return None;
        }
        self.is_open = true;
        Some(std::mem::take(&mut self.arrived))
    }
}

#[cfg(all(test, not(coalmine_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_last_to_arrive_gets_all() {
        let gate = Gate::new(3);
        assert_eq!(gate.arrive('a'), Arrival::Waits);
        assert_eq!(gate.arrive('b'), Arrival::Waits);
        assert_eq!(gate.arrive('c'), Arrival::Opens(vec!['a', 'b', 'c']));
        assert!(gate.force().is_empty());
    }

    #[test]
    fn one_that_will_not_come_holds_nobody() {
        let gate = Gate::new(2);
        assert_eq!(gate.arrive('a'), Arrival::Waits);
        assert_eq!(gate.withdraw(), ['a']);
        let gate = Gate::new(2);
        assert!(gate.withdraw().is_empty());
        assert_eq!(gate.arrive('a'), Arrival::Opens(vec!['a']));
    }

    #[test]
    fn who_comes_after_it_was_forced_goes_alone() {
        let gate = Gate::new(2);
        assert_eq!(gate.arrive('a'), Arrival::Waits);
        assert_eq!(gate.force(), ['a']);
        assert_eq!(gate.arrive('b'), Arrival::Late('b'));
    }
}

#[cfg(all(test, coalmine_loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// Everyone who arrives is let go exactly once, whatever the others do.
    fn all_go_once(members: u16, others: fn(&Gate<u16>) -> Vec<u16>) {
        crate::sync::explore(move || {
            let gate = Arc::new(Gate::new(members));
            let threads: Vec<_> = (0..2)
                .map(|number| {
                    let gate = Arc::clone(&gate);
                    thread::spawn(move || match gate.arrive(number) {
                        Arrival::Waits => vec![],
                        Arrival::Opens(all) => all,
                        Arrival::Late(alone) => vec![alone],
                    })
                })
                .collect();
            let mut gone = others(&gate);
            gone.extend(threads.into_iter().flat_map(|thread| thread.join().expect("no member panics")));
            gone.sort_unstable();
            assert_eq!(gone, [0, 1]);
        });
    }

    #[test]
    fn no_release_is_lost_when_two_arrive() {
        all_go_once(2, |_| vec![]);
    }

    #[test]
    fn no_release_is_lost_when_one_withdraws() {
        all_go_once(3, Gate::withdraw);
    }

    #[test]
    fn no_release_is_lost_when_somebody_loses_patience() {
        all_go_once(3, Gate::force);
    }
}
