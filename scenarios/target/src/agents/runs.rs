//! Runs: an agent at work on a prompt, in the background. Home of `agents.shared-state`, `agents.merge`
//! and `agents.thread-echo`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::announcement::Announcement;
use super::desk::Desk;
use super::event::{Detail, Kind};
use crate::answer::Accepted;
use crate::caller::Caller;
use crate::input::{Input, Place};
use crate::refusal::Refusal;
use crate::service::App;
use crate::sql::{self, Connection, OptionalExtension, params};
use crate::token::Identity;

/// What is asked of which agent.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Request {
    agent: String,
    prompt: String,
    /// What it is stopped after.
    #[serde(default)]
    time_limit_ms: Option<u64>,
}

/// What a run can be.
pub(super) const STATUSES: [&str; 3] = ["running", "completed", "timed_out"];

const TIME_LIMIT_MAX: Duration = Duration::from_secs(60);

impl Request {
    fn time_limit(&self) -> Duration {
        self.time_limit_ms.map_or(TIME_LIMIT_MAX, Duration::from_millis).min(TIME_LIMIT_MAX)
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Begun {
    run_id: String,
    thread_id: String,
    #[schemars(extend("enum" = STATUSES))]
    status: &'static str,
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Place(thread_id): Place<String>,
    Input(request): Input<Request>,
) -> Result<Accepted<Begun>, Refusal> {
    let accepted = begin(&service, &caller.identity, thread_id, request).await?;
    Ok(Accepted(accepted))
}

/// Records a run in a thread of the user, and sets it going. A run that was recorded is set going even when the client
/// has hung up meanwhile.
pub(super) async fn begin(
    service: &App,
    identity: &Identity,
    thread_id: String,
    request: Request,
) -> Result<Begun, Refusal> {
    let slots = Arc::clone(&service.agents.runs);
    let permit = slots.try_acquire_owned().map_err(|_| Refusal::Busy)?;
    let (service, user_id) = (App::clone(service), identity.user_id.clone());
    let begun = tokio::spawn(async move {
        let id = service.config.names.fresh_id("run");
        let insertion = move |db: &Connection| insert(db, id, (user_id, thread_id), request);
        let run = service.store.run(insertion).await?.ok_or(Refusal::NotFound)?;
        let begun = Begun { run_id: run.id.clone(), thread_id: run.thread_id.clone(), status: "running" };
        tokio::spawn(Worker::new(service, run, permit).work());
        Ok(begun)
    });
    begun.await.map_err(|_| Refusal::Fault)?
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    run_id: String,
    thread_id: String,
    user_id: String,
    agent: String,
    prompt: String,
    #[schemars(extend("enum" = STATUSES))]
    status: String,
    result: Option<String>,
    /// The thread that the run has learned from, once it has ended.
    context: Option<Context>,
}

#[derive(Serialize, JsonSchema)]
struct Context {
    thread_id: String,
    title: String,
}

impl Context {
    fn from_columns(thread_id: Option<String>, title: Option<String>) -> Option<Self> {
        Some(Self { thread_id: thread_id?, title: title? })
    }
}

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<String>,
) -> Result<Json<Report>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let report = service.store.run(move |db| report_of(db, &id, &user_id)).await?;
    report.map(Json).ok_or(Refusal::NotFound)
}

struct Run {
    id: String,
    thread_id: String,
    user_id: String,
    agent: String,
    prompt: String,
    time_limit: Duration,
}

/// A run under way.
struct Worker {
    service: App,
    run: Run,
    /// Names the run where the current thread is asked for.
    number: u64,
    seq: u64,
    /// Its route is closed with its last event.
    has_told_all: bool,
    _permit: OwnedSemaphorePermit,
}

impl Worker {
    fn new(service: App, run: Run, permit: OwnedSemaphorePermit) -> Self {
        let number = service.next_request();
        service.agents.router.open_route(run.id.clone(), &run.user_id);
        service.agents.current_thread.enter(number, run.thread_id.clone());
        service.agents.context_thread.enter(number, run.thread_id.clone());
        Self { service, run, number, seq: 0, has_told_all: false, _permit: permit }
    }

    /// A run that exceeds its time is stopped where it is, and its draft with it.
    async fn work(mut self) {
        let result = timeout(self.run.time_limit, self.think()).await;
        let status = if result.is_ok() { "completed" } else { "timed_out" };
        self.save(status, result.ok()).await;
        let ended = Detail::Ended { status: status.to_owned(), prompt: self.run.prompt.clone() };
        self.tell(Kind::AgentCompleted, ended);
        self.has_told_all = true;
    }

    /// Four of the five events, each followed by a call of the model. The state is shared with every other run, or with
    /// none.
    async fn think(&mut self) -> String {
        let mut desk = Desk::sit_down(&self.service);
        let state = self.service.agents.states.open();
        state.with(|state| state.begin(&self.run.prompt));
        let (agent, prompt) = (self.run.agent.clone(), self.run.prompt.clone());
        let tool = || Detail::Tool { tool: "search".to_owned(), input: prompt.clone() };
        self.tell(Kind::AgentStarted, Detail::Started { agent, prompt: prompt.clone() });
        self.call_model().await;
        self.tell(Kind::AgentThinking, Detail::Thought { text: format!("considering {prompt}") });
        desk.write(format!("Considered {}.", self.run.prompt));
        self.call_model().await;
        self.tell(Kind::ToolExecuting, tool());
        self.call_model().await;
        state.with(|state| {
            let found = format!("{} found something for {}", self.run.agent, state.request());
            state.observe(found);
        });
        self.tell(Kind::ToolCompleted, tool());
        self.call_model().await;
        desk.write(state.with(|state| state.conclude()));
        desk.finish()
    }

    async fn call_model(&self) {
        tokio::time::sleep(self.service.config.model_latency).await;
    }

    fn tell(&mut self, kind: Kind, data: Detail) {
        self.seq += 1;
        let Run { id, thread_id, user_id, .. } = &self.run;
        let (run_id, thread_id, user_id) = (id.clone(), thread_id.clone(), user_id.clone());
        Announcement { kind, run_id, thread_id, user_id, seq: self.seq, data }.announce(&self.service);
    }

    /// The result is stored before it is told that the run has completed, so that who hears that can read it.
    /// What was learned goes into the current thread: the run's own, unless `agents.merge` has made it that of the run that began
    /// last.
    async fn save(&self, status: &'static str, result: Option<String>) {
        let id = self.run.id.clone();
        let thread_id = self.service.agents.current_thread.current(self.number);
        let context = self.service.agents.context_thread.current(self.number);
        let fact = format!("{} has looked into {}", self.run.agent, self.run.prompt);
        let saved = self.service.store.run(move |db| {
            db.prepare_cached("INSERT INTO facts (thread_id, text) VALUES (?1, ?2)")?
                .execute(params![thread_id, fact])?;
            db.prepare_cached("UPDATE runs SET status = ?2, result = ?3, context = ?4 WHERE id = ?1")?
                .execute(params![id, status, result, context])
        });
        // Fails only where the service is being stopped.
        let _ = saved.await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.has_told_all {
            self.service.agents.router.close_route(&self.run.id);
        }
        self.service.agents.current_thread.leave(self.number);
        self.service.agents.context_thread.leave(self.number);
    }
}

fn insert(
    db: &Connection,
    id: String,
    (user_id, thread_id): (String, String),
    request: Request,
) -> sql::Result<Option<Run>> {
    let time_limit = request.time_limit();
    let Request { agent, prompt, .. } = request;
    let added = db
        .prepare_cached(
            "INSERT INTO runs (id, thread_id, user_id, agent, prompt, status)
             SELECT ?1, id, user_id, ?4, ?5, 'running' FROM threads WHERE id = ?2 AND user_id = ?3",
        )?
        .execute(params![id, thread_id, user_id, agent, prompt])?;
    Ok((added == 1).then_some(Run { id, thread_id, user_id, agent, prompt, time_limit }))
}

fn report_of(db: &Connection, id: &str, user_id: &str) -> sql::Result<Option<Report>> {
    db.prepare_cached(
        "SELECT runs.id, thread_id, runs.user_id, agent, prompt, status, result, context, title FROM runs
         LEFT JOIN threads ON threads.id = context WHERE runs.id = ?1 AND runs.user_id = ?2",
    )?
    .query_row([id, user_id], |row| {
        Ok(Report {
            run_id: row.get(0)?,
            thread_id: row.get(1)?,
            user_id: row.get(2)?,
            agent: row.get(3)?,
            prompt: row.get(4)?,
            status: row.get(5)?,
            result: row.get(6)?,
            context: Context::from_columns(row.get(7)?, row.get(8)?),
        })
    })
    .optional()
}
