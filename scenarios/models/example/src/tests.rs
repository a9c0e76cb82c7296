use coalmine_models::sync::SyncTypes;
use coalmine_models::{Bounds, Connection, Failure, Loom, Pool, Wire, check_pool};

use crate::{Backend, BackendPool};

impl Backend for Wire<Loom> {
    fn connect() -> Self {
        Self::open()
    }

    fn is_clean(&self) -> bool {
        !self.has_unread()
    }
}

struct Checked<const CHECKS: bool>(BackendPool<Wire<Loom>, Loom>);

impl<const CHECKS: bool> Default for Checked<CHECKS> {
    fn default() -> Self {
        Self(BackendPool::new(1, CHECKS))
    }
}

impl<const CHECKS: bool> Pool for Checked<CHECKS> {
    type Sync = Loom;

    fn capacity(&self) -> usize {
        self.0.size()
    }

    fn acquire(&self) -> Option<Wire<Loom>> {
        self.0.checkout()
    }

    fn give_back(&self, wire: Wire<Loom>) {
        self.0.checkin(wire);
    }
}

#[test]
fn pool_that_checks_keeps_tenants_apart() -> Result<(), Failure> {
    let explored = check_pool::<Checked<true>>(Bounds::default())?;
    assert!(explored.complete);
    Ok(())
}

#[test]
fn pool_that_does_not_check_leaks() {
    let failure = check_pool::<Checked<false>>(Bounds::default()).expect_err("a cancelled request leaves its answer");
    let violation = failure.violation().expect("it is a violation");
    assert_eq!(violation.invariant, "leak", "{failure}");
    assert!(violation.steps.len() <= 30 && violation.steps.iter().any(|step| step.crossed), "{failure}");
    assert!(violation.replay.is_some(), "{failure}");
}

/// The same code is what the service runs.
#[test]
fn pool_over_std_lends_what_it_has() {
    struct Line;

    impl Backend for Line {
        fn connect() -> Self {
            Self
        }

        fn is_clean(&self) -> bool {
            true
        }
    }

    fn lends<S: SyncTypes>(pool: &BackendPool<Line, S>) -> bool {
        pool.checkout().is_some() && pool.checkout().is_none()
    }

    assert!(lends(&BackendPool::<Line>::new(1, true)));
}

/// The guide shows what is compiled here.
#[test]
fn code_of_the_guide_is_the_code_of_this_file() {
    let guide = include_str!("../../README.md");
    let here = include_str!("tests.rs");
    let blocks: Vec<_> = guide.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        assert!(here.contains(block.trim()), "the guide shows what is not here:\n{block}");
    }
}
