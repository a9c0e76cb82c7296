//! The office: a queue of jobs, and workers who write reports. Home of `leads.queue-context` and `leads.api-key-shared`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use coalmine_models::{Between, ContextSlot, Job, JobQueue, Pick, SlotScope};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::agent::api_key_of;
use super::post::{self, Letter};
use super::turns::{Place, Turn};
use super::webhook::{API_KEY, Receiver};
use crate::error::StartError;
use crate::lock::hold;
use crate::refusal::Refusal;
use crate::server::stopped;
use crate::service::App;
use crate::sql::params;
use crate::token::Identity;

const WORKERS: usize = 6;

/// A report to be written.
pub(super) struct Assignment {
    pub(super) report_id: String,
    pub(super) caller: Identity,
    pub(super) topic: String,
    pub(super) letterhead: Option<String>,
    pub(super) notify: Option<Receiver>,
}

/// An assignment whose turn has come.
struct Task {
    assignment: Assignment,
    /// Names the job where its API key is asked for.
    number: u64,
    _turn: Turn,
}

pub(super) struct Office {
    /// Each worker has the letterhead of its job beside it. The queue is no longer than there are turns.
    queue: JobQueue<Arc<Task>, String>,
    ready: Semaphore,
    /// Workers who wait for a job.
    idle: Semaphore,
    /// Jobs whose numbers are in Redis, where there is one.
    posted: Mutex<HashMap<u64, Arc<Task>>>,
    /// The API key of each job's user.
    api_keys: ContextSlot<Option<String>>,
}

impl Office {
    pub(super) fn new(between: Between, api_keys: SlotScope) -> Self {
        Self {
            queue: JobQueue::new(between, Pick::AtOnce, WORKERS),
            ready: Semaphore::new(0),
            idle: Semaphore::new(0),
            posted: Mutex::default(),
            api_keys: ContextSlot::new(api_keys),
        }
    }

    /// Waits for a job.
    async fn take(&self, worker: usize) -> Option<Arc<Task>> {
        self.idle.add_permits(1);
        self.ready.acquire().await.ok()?.forget();
        self.queue.take(worker)
    }

    /// Hands out the job of a letter. One that was handed out before is not known any more.
    pub(super) fn receive(&self, Letter { number, key }: Letter) {
        if let Some(task) = hold(&self.posted).remove(&number) {
            self.hand_out(Job { task, key });
        }
    }

    /// Waits until a worker has nothing to do. Each time a worker waits for a job counts once.
    pub(super) async fn idle_worker(&self) {
        // It fails only when it is closed, which nobody does.
        if let Ok(permit) = self.idle.acquire().await {
            permit.forget();
        }
    }

    fn hand_out(&self, job: Job<Arc<Task>, String>) {
        self.queue.push(job);
        self.ready.add_permits(1);
    }
}

/// What whoever ordered a report is told when it is done.
#[derive(Serialize, JsonSchema)]
pub(super) struct Notice<'a> {
    report_id: &'a str,
    topic: &'a str,
}

/// Puts a job into the queue when its turn has come.
pub(super) async fn hand_in(service: App, mut assignment: Assignment, place: Place) {
    let Ok(turn) = place.turn().await else { return };
    let key = assignment.letterhead.take();
    let office = &service.leads.office;
    let number = service.next_request();
    let task = Arc::new(Task { assignment, number, _turn: turn });
    match &service.remote {
        None => office.hand_out(Job { task, key }),
        Some(remote) => {
            hold(&office.posted).insert(number, task);
            post::send(remote, &Letter { number, key }).await;
        }
    }
}

/// Lets the workers begin. They go home when the service stops.
pub(crate) async fn open(service: &App) -> Result<(), StartError> {
    if let Some(remote) = &service.remote {
        post::deliver(service, remote).await?;
    }
    for worker in 0..WORKERS {
        let service = App::clone(service);
        tokio::spawn(async move {
            let stopping = stopped(service.stopping.clone());
            tokio::select! {
                () = stopping => {}
                () = work(&service, worker) => {}
            }
        });
    }
    Ok(())
}

/// One job after another. A job that panics fails, and the worker goes on.
async fn work(service: &App, worker: usize) {
    let office = &service.leads.office;
    while let Some(task) = office.take(worker).await {
        let (job, shared) = (Arc::clone(&task), App::clone(service));
        let writing = tokio::spawn(async move { write(&shared, worker, &job).await });
        if !matches!(writing.await, Ok(Ok(()))) {
            give_up(service, &task.assignment).await;
        }
        office.api_keys.leave(task.number);
        office.queue.finish(worker);
    }
}

/// Asks the model, prints, stores, tells. The key is looked up again when the model is done, by the number of the job.
async fn write(service: &App, worker: usize, task: &Task) -> Result<(), Refusal> {
    let (office, assignment) = (&service.leads.office, &task.assignment);
    let user_id = assignment.caller.user_id.clone();
    let api_key = service.store.run(move |db| api_key_of(db, &user_id)).await?;
    office.api_keys.enter(task.number, api_key);
    tokio::time::sleep(service.config.model_latency).await;
    let heading = service.leads.press.heading(&assignment.topic)?;
    save(service, assignment, heading, office.queue.key(worker)).await?;
    let api_key = office.api_keys.current(task.number).flatten();
    if let Some(receiver) = &assignment.notify {
        let Assignment { report_id, topic, .. } = assignment;
        let names = &service.config.names;
        let body = names.json(&Notice { report_id, topic }).map_err(|_| Refusal::Fault)?;
        receiver.tell(api_key.as_deref().map(|key| (names.word(API_KEY), key)), body).await;
    }
    Ok(())
}

async fn save(
    service: &App,
    assignment: &Assignment,
    heading: String,
    letterhead: Option<String>,
) -> Result<usize, Refusal> {
    let id = assignment.report_id.clone();
    let text = format!("There is much to say about {}.", assignment.topic);
    let storing = service.store.run(move |db| {
        db.prepare_cached("UPDATE reports SET status = 'done', heading = ?2, letterhead = ?3, text = ?4 WHERE id = ?1")?
            .execute(params![id, heading, letterhead, text])
    });
    storing.await
}

async fn give_up(service: &App, assignment: &Assignment) {
    let id = assignment.report_id.clone();
    let storing = service
        .store
        .run(move |db| db.prepare_cached("UPDATE reports SET status = 'failed' WHERE id = ?1")?.execute([id]));
    // Fails only where the service is being stopped.
    let _ = storing.await;
}
