//! The pool, checked. This is all that it takes.

use coalmine_models::{Bounds, Connection, Explored, Failure, Loom, Pool, Wire, check_pool};
use coalmine_models_example::BackendPool;

struct Unchecked(BackendPool<Wire<Loom>, Loom>);

impl Default for Unchecked {
    fn default() -> Self {
        Self(BackendPool::new(1, false, Wire::open))
    }
}

impl Pool for Unchecked {
    type Sync = Loom;

    fn capacity(&self) -> usize {
        self.0.size()
    }

    fn acquire(&self) -> Option<Wire<Loom>> {
        self.0.checkout()
    }

    fn give_back(&self, wire: Wire<Loom>) {
        self.0.checkin(wire, |wire| !wire.has_unread(), Wire::open);
    }
}

#[test]
fn the_bug_in_the_pool_is_found() {
    let failure = check_pool::<Unchecked>(Bounds::default()).expect_err("a cancelled request leaves its answer behind");
    let violation = failure.violation().expect("it is a violation");
    assert_eq!(violation.invariant, "leak", "{failure}");
    assert!(violation.steps.len() <= 30 && violation.steps.iter().any(|step| step.crossed), "{failure}");
    assert!(violation.replay.is_some(), "{failure}");
}

#[test]
fn the_repaired_pool_passes() -> Result<(), Failure> {
    let explored: Explored = check_pool::<Checked>(Bounds::default())?;
    assert!(explored.complete && explored.iterations > 1, "{explored:?}");
    Ok(())
}

struct Checked(Unchecked);

impl Default for Checked {
    fn default() -> Self {
        Self(Unchecked(BackendPool::new(1, true, Wire::open)))
    }
}

impl Pool for Checked {
    type Sync = Loom;

    fn capacity(&self) -> usize {
        self.0.capacity()
    }

    fn acquire(&self) -> Option<Wire<Loom>> {
        self.0.acquire()
    }

    fn give_back(&self, wire: Wire<Loom>) {
        self.0.give_back(wire);
    }
}
