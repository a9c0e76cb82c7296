//! The job queue, whose workers keep a key while they work.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{Between, Job, JobQueue, Pick};
use crate::sync::SyncTypes;
use std::sync::PoisonError;

/// Jobs, and the state of the two workers that do them.
pub trait Queue: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// Adds a job, known by its number.
    fn push(&self, job: usize, key: Option<Canary>);

    /// The next job for `worker`, 0 or 1, whose state is made ready.
    fn take(&self, worker: usize) -> Option<usize>;

    /// The key that code sees which runs on `worker`.
    fn key(&self, worker: usize) -> Option<Canary>;

    /// The job of `worker` is done.
    fn finish(&self, worker: usize);
}

const TOGETHER: &str = "both workers did jobs";
const A_READ: &str = "a job of A had its own key";
const B_READ: &str = "a job of B had its own key";
const KEYLESS: &str = "a job without a key was done after one with a key";
const TWICE: &str = "twice";
const LOST: &str = "lost";
const BORROWED: &str = "borrowed";

/// What it is about.
pub static QUEUE: Pattern = Pattern {
    name: "queue",
    risk: "a job is done with the key of the last one",
    witnesses: &[TOGETHER, A_READ, B_READ, KEYLESS],
    flaws: &["leads.queue-context", "agents.timeout-bleed"],
};

/// Explores a queue: two workers and three jobs of two tenants, one of which brings no key.
///
/// # Errors
///
/// Where a job sees another tenant's key, or a key that it did not bring; where a job is done twice or never.
pub fn check_queue<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: Queue<Sync: Explorer> + Default,
{
    play(&QUEUE, short_name::<P>(), P::default, scene, bounds)
}

/// Whose the jobs are, and whether they bring a key.
const JOBS: [(Tenant, bool); 3] = [(Tenant::A, true), (Tenant::B, false), (Tenant::B, true)];

/// Which worker did which job.
type Done = std::sync::Mutex<Vec<(usize, usize)>>;

fn scene<P: Queue<Sync: Explorer>>(stage: &Stage<P::Sync>, queue: &Arc<P>) {
    for (number, (tenant, has_key)) in JOBS.into_iter().enumerate() {
        queue.push(number, has_key.then(|| stage.actor("main", tenant).canary()));
    }
    let done = Arc::new(Done::default());
    for (worker, who) in ["worker 1", "worker 2"].into_iter().enumerate() {
        let (shared, done) = (Arc::clone(queue), Arc::clone(&done));
        stage.enter(who, Tenant::A, move |me| {
            let mut had_key = false;
            while let Some(job) = shared.take(worker) {
                works(me, &*shared, worker, job, had_key);
                had_key |= JOBS[job].1;
                done.lock().unwrap_or_else(PoisonError::into_inner).push((worker, job));
            }
        });
    }
    stage.clear();
    let me = stage.actor("main", Tenant::A);
    let done = done.lock().unwrap_or_else(PoisonError::into_inner);
    let times = |wanted: usize| done.iter().filter(|(_, job)| *job == wanted).count();
    if !done.is_empty() {
        me.expects((0..JOBS.len()).all(|job| times(job) <= 1), TWICE, "a job was done twice");
        me.expects((0..JOBS.len()).all(|job| times(job) >= 1), LOST, "a job was never done");
    }
    if (0..2).all(|wanted| done.iter().any(|(worker, _)| *worker == wanted)) {
        me.witnesses(TOGETHER);
    }
}

fn works<P: Queue>(me: &Actor, queue: &P, worker: usize, job: usize, had_key: bool) {
    let (tenant, has_key) = JOBS[job];
    let me = me.acting_for(tenant);
    me.does(if tenant == Tenant::A { "begins a job of A" } else { "begins a job of B" });
    match queue.key(worker) {
        Some(key) if me.receives("uses the key", key) => {
            me.expects(has_key, BORROWED, "this job brought no key");
            me.witnesses(if tenant == Tenant::A { A_READ } else { B_READ });
        }
        None if has_key => me.misses("the key of the job is not there"),
        None if had_key => me.witnesses(KEYLESS),
        None | Some(_) => {}
    }
    queue.finish(worker);
}

impl<S: SyncTypes> Queue for JobQueue<usize, Canary, S> {
    type Sync = S;

    fn push(&self, job: usize, key: Option<Canary>) {
        self.push(Job { task: job, key });
    }

    fn take(&self, worker: usize) -> Option<usize> {
        self.take(worker)
    }

    fn key(&self, worker: usize) -> Option<Canary> {
        self.key(worker)
    }

    fn finish(&self, worker: usize) {
        self.finish(worker);
    }
}

impl<S: SyncTypes> Queue for Hollow<S> {
    type Sync = S;

    fn push(&self, _: usize, _: Option<Canary>) {}

    fn take(&self, _: usize) -> Option<usize> {
        None
    }

    fn key(&self, _: usize) -> Option<Canary> {
        None
    }

    fn finish(&self, _: usize) {}
}

pub(crate) const ENTRIES: &[Entry] =
    &[Entry::right(), Entry::guilty("key-kept", LEAK), Entry::guilty("done-twice", TWICE), Entry::hollow()];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (between, pick) = match name {
        RIGHT => (Between::Clear, Pick::AtOnce),
        "key-kept" => (Between::Keep, Pick::AtOnce),
        "done-twice" => (Between::Clear, Pick::LookThenRemove),
        _ => return play(&QUEUE, name, Hollow::<E>::new, scene, bounds),
    };
    play(&QUEUE, name, move || JobQueue::<usize, Canary, E>::new(between, pick, 2), scene, bounds)
}
