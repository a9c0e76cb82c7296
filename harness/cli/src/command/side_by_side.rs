//! Trials beside each other, on threads of their own: making plans and judging histories take more of a processor than waiting does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use coalmine_run::Stop;
use tokio::runtime::Handle;

use crate::exit::Failed;

/// As much as a main thread has: futures of whole runs are large in a debug build.
const STACK_BYTES: usize = 8 << 20;

/// Does `work` on each item, so many at a time, and hands what came of them to `done` as soon as it is there. After the first failure, or once it is stopped, nothing more is begun, and it ends with what had begun. It keeps the thread that calls it: work of a runtime's own
/// tasks must not wait for that one.
pub(super) fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    (at_a_time, stop): (usize, &Stop),
    work: impl AsyncFn(&T) -> Result<R, Failed> + Sync,
    mut done: impl FnMut(R),
) -> Result<(), Failed> {
    let (next, runtime) = (AtomicUsize::new(0), Handle::current());
    let (sender, receiver) = channel();
    let work_on = |sender: Sender<Result<R, Failed>>| {
        while let Some(item) = at(items, &next).filter(|_| !stop.is_set()) {
            let outcome = runtime.block_on(work(item));
            if outcome.is_err() {
                next.store(items.len(), Ordering::Relaxed);
            }
            if sender.send(outcome).is_err() {
                return;
            }
        }
    };
    let work_on = &work_on;
    thread::scope(|scope| {
        for _ in 0..at_a_time.clamp(1, items.len().max(1)) {
            let sender = sender.clone();
            let worker = thread::Builder::new().stack_size(STACK_BYTES);
            worker
                .spawn_scoped(scope, move || work_on(sender))
                .map_err(|e| Failed::fault("cannot start a thread", e))?;
        }
        drop(sender);
        for outcome in receiver {
            done(outcome?);
        }
        Ok(())
    })
}

/// The next item that nobody works on.
fn at<'a, T>(items: &'a [T], next: &AtomicUsize) -> Option<&'a T> {
    items.get(next.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn they_go_on_beside_each_other_and_what_comes_of_each_is_handed_out() {
        let mut seen = vec![];
        let together = tokio::sync::Barrier::new(4);
        let work = async |item: &u32| {
            // They go on at the same time, or this would wait for ever.
            together.wait().await;
            Ok(item * 10)
        };
        side_by_side(&[1, 2, 3, 4], (4, &Stop::new()), work, |outcome| seen.push(outcome)).unwrap();
        seen.sort_unstable();
        assert_eq!(seen, [10, 20, 30, 40]);
    }

    #[tokio::test]
    async fn after_a_failure_nothing_more_is_begun() {
        let begun = AtomicUsize::new(0);
        let work = async |item: &u32| {
            begun.fetch_add(1, Ordering::Relaxed);
            if *item == 2 { Err(Failed::usage("the second")) } else { Ok(*item) }
        };
        let mut seen = vec![];
        let outcome = side_by_side(&[1, 2, 3, 4], (1, &Stop::new()), work, |outcome| seen.push(outcome));
        assert!(outcome.is_err());
        assert_eq!((seen, begun.into_inner()), (vec![1], 2));
    }
}
