//! The sync types of the parts that loom checks: the standard library's, or loom's under the private cfg `coalmine_loom`.

#[cfg(all(test, coalmine_loom))]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(all(test, coalmine_loom)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(not(all(test, coalmine_loom)))]
pub(crate) use tokio::sync::Notify;

/// tokio's, with a place at each call where loom may let another thread go first.
#[cfg(all(test, coalmine_loom))]
#[derive(Default)]
pub(crate) struct Notify {
    inner: tokio::sync::Notify,
    order: loom::sync::atomic::AtomicUsize,
}

#[cfg(all(test, coalmine_loom))]
impl Notify {
    pub(crate) fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        self.stand_in_line();
        self.inner.notified()
    }

    pub(crate) fn notify_waiters(&self) {
        self.stand_in_line();
        self.inner.notify_waiters();
    }

    fn stand_in_line(&self) {
        self.order.fetch_add(1, loom::sync::atomic::Ordering::AcqRel);
    }
}

/// Waits for a future on a thread of a model.
#[cfg(all(test, coalmine_loom))]
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};

    /// Whether it was woken since it was last looked at. The count of references is the standard library's: tokio clones wakers
    /// where loom must not interrupt it.
    #[derive(Default)]
    struct Bell {
        is_rung: Mutex<bool>,
        rung: Condvar,
    }

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            *self.is_rung.lock().expect("nobody panics with it") = true;
            self.rung.notify_one();
        }
    }

    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        let mut is_rung = bell.is_rung.lock().expect("nobody panics with it");
        while !*is_rung {
            is_rung = bell.rung.wait(is_rung).expect("nobody panics with it");
        }
        *is_rung = false;
    }
}

/// Plays a model in all interleavings with a bounded number of preemptions, and demands that there was more than one.
#[cfg(all(test, coalmine_loom))]
pub(crate) fn explore(model: impl Fn() + Send + Sync + 'static) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// More of them find little more, and take minutes.
    const PREEMPTIONS_MAX: usize = 2;
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS_MAX);
    // The environment must not make it less: what is cut short passes in silence.
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let count = count.load(Ordering::Relaxed);
    assert!(count > 1, "loom played the model {count} times");
    println!("{count} interleavings");
}
