//! A queue of jobs, and what a worker keeps while it does one.

use std::collections::VecDeque;

use crate::sync::{Mutex, Std, SyncTypes};

/// What a worker does with its state between jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// Guilty: nothing, so that a job that brings no key uses the last one's.
    Keep,
    /// Right: clears it.
    Clear,
}

/// How a worker takes a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Guilty: looks at it under one lock, removes it under the next.
    LookThenRemove,
    /// Right: both under one lock.
    AtOnce,
}

/// Something to do, with a key if it brings one.
#[derive(Clone, Copy, Debug)]
pub struct Job<T, K> {
    /// What is to be done.
    pub task: T,
    /// The key to do it with.
    pub key: Option<K>,
}

/// Jobs, and the state of those who do them.
pub struct JobQueue<T: Send, K: Send, S: SyncTypes = Std> {
    between: Between,
    pick: Pick,
    jobs: S::Mutex<VecDeque<Job<T, K>>>,
    keys: Vec<S::Mutex<Option<K>>>,
}

impl<T: Clone + Send, K: Clone + Send, S: SyncTypes> JobQueue<T, K, S> {
    /// An empty queue for so many workers.
    pub fn new(between: Between, pick: Pick, workers: usize) -> Self {
        let keys = (0..workers).map(|_| S::Mutex::new(None)).collect();
        Self { between, pick, jobs: S::Mutex::new(VecDeque::new()), keys }
    }

    /// Adds a job.
    pub fn push(&self, job: Job<T, K>) {
        self.jobs.lock().push_back(job);
    }

    /// The next job for `worker`, whose state is made ready.
    pub fn take(&self, worker: usize) -> Option<T> {
        let Job { task, key } = match self.pick {
            Pick::LookThenRemove => {
                let found = self.jobs.lock().front().cloned();
                self.jobs.lock().pop_front();
                found
            }
            Pick::AtOnce => self.jobs.lock().pop_front(),
        }?;
        if key.is_some() {
            *self.keys[worker].lock() = key;
        }
        Some(task)
    }

    /// The key that code sees which runs on `worker`.
    pub fn key(&self, worker: usize) -> Option<K> {
        self.keys[worker].lock().clone()
    }

    /// The job of `worker` is done.
    pub fn finish(&self, worker: usize) {
        if self.between == Between::Clear {
            *self.keys[worker].lock() = None;
        }
    }
}
