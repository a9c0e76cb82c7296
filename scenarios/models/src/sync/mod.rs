//! The sync types that a structure is built from, so that the same lines run over the standard library in a service, over loom
//! in a proof and over shuttle in a sample.
//!
//! What is not in [`SyncTypes`] is not seen by a model checker: a structure that is checked must share nothing by other means.
//! [`std::sync::Arc`] may be used to own things together; when its last clone goes is not explored.

mod loom;
#[cfg(feature = "shuttle")]
mod shuttle;
mod std;

use ::std::ops::DerefMut;
pub use ::std::sync::atomic::Ordering;

pub use self::loom::Loom;
#[cfg(feature = "shuttle")]
pub use self::shuttle::Shuttle;
pub use self::std::Std;

/// A family of sync types.
pub trait SyncTypes: Sized + Send + Sync + 'static {
    /// Shared data under a lock.
    type Mutex<T: Send>: Mutex<T>;
    /// Waits for what happens under a lock.
    type Condvar: Condvar<Self>;
    /// A shared number.
    type Atomic: Atomic;
}

/// What [`Mutex::lock`] gives.
pub type Guard<'a, S, T> = <<S as SyncTypes>::Mutex<T> as Mutex<T>>::Guard<'a>;

/// A lock that knows no poison: whoever panics leaves what it has done.
pub trait Mutex<T>: Send + Sync {
    /// Access to what is inside, until it is dropped.
    type Guard<'a>: DerefMut<Target = T>
    where
        Self: 'a,
        T: 'a;

    /// An open lock around `value`.
    fn new(value: T) -> Self;

    /// Waits for the lock and takes it.
    #[track_caller]
    fn lock(&self) -> Self::Guard<'_>;
}

/// A condition variable.
pub trait Condvar<S: SyncTypes>: Send + Sync {
    /// Nobody waits.
    fn new() -> Self;

    /// Lets go of the lock, waits for a call, takes the lock again. May return without a call.
    fn wait<'a, T: Send>(&self, guard: Guard<'a, S, T>) -> Guard<'a, S, T>;

    /// Wakes everybody who waits.
    fn notify_all(&self);
}

/// A shared number. Loom takes `SeqCst` for `AcqRel`, and explores no load buffering.
pub trait Atomic: Send + Sync {
    /// Begins with `value`.
    fn new(value: u64) -> Self;

    /// Reads.
    fn load(&self, order: Ordering) -> u64;

    /// Writes.
    fn store(&self, value: u64, order: Ordering);

    /// Adds, and gives what was there before.
    fn fetch_add(&self, value: u64, order: Ordering) -> u64;
}
