//! Synthetic data: rows made up after a description, once its user has approved. Home of `agents.approval-mix`.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Accepted;
use crate::caller::Caller;
use crate::input::{Input, Place};
use crate::lock::hold;
use crate::refusal::Refusal;
use crate::service::App;
use crate::sql::{self, Connection, OptionalExtension, params};

/// What a pending approval is found by.
#[derive(Clone, Copy)]
pub(super) enum PendingBy {
    /// Guilty: the type of workload, of which others may have one pending as well.
    Workload,
    /// Right: the run.
    Run,
}

/// What waits for its approval.
pub(super) struct Approvals {
    by: PendingBy,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    pending: HashMap<String, Pending>,
    oldest_first: VecDeque<String>,
}

/// When more were proposed than this since, a proposal lapses.
const PENDING_MAX: usize = 65_536;
const ROWS: usize = 3;

/// What is done when it is approved.
#[derive(Clone)]
struct Pending {
    id: String,
    workload: String,
    description: String,
}

impl Approvals {
    pub(super) fn new(by: PendingBy) -> Self {
        Self { by, waiting: Mutex::default() }
    }

    fn ask(&self, pending: Pending) {
        let key = self.key(&pending.id, &pending.workload);
        let mut waiting = hold(&self.waiting);
        waiting.oldest_first.push_back(key.clone());
        waiting.pending.insert(key, pending);
        if waiting.oldest_first.len() > PENDING_MAX
            && let Some(oldest) = waiting.oldest_first.pop_front()
        {
            waiting.pending.remove(&oldest);
        }
    }

    fn take(&self, id: &str, workload: &str) -> Option<Pending> {
        hold(&self.waiting).pending.remove(&self.key(id, workload))
    }

    fn key(&self, id: &str, workload: &str) -> String {
        match self.by {
            PendingBy::Workload => workload.to_owned(),
            PendingBy::Run => id.to_owned(),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    workload: String,
    description: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Synthetic {
    id: String,
    user_id: String,
    workload: String,
    description: String,
    /// `pending` or `approved`.
    #[schemars(extend("enum" = ["pending", "approved"]))]
    status: String,
}

pub(super) async fn propose(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { workload, description }): Input<Draft>,
) -> Result<Accepted<Synthetic>, Refusal> {
    let (id, user_id) = (service.config.names.fresh_id("synthetic"), caller.identity.user_id.clone());
    let pending = Pending { id: id.clone(), workload: workload.clone(), description: description.clone() };
    let proposed = Synthetic { id, user_id, workload, description, status: "pending".to_owned() };
    let wing = App::clone(&service);
    let stored = service.store.run(move |db| {
        insert(db, &proposed)?;
        // Here and not after the await, which is never reached when the client hangs up.
        wing.agents.approvals.ask(pending);
        Ok(proposed)
    });
    let stored = stored.await?;
    // The model looks at what it is to do.
    tokio::time::sleep(service.config.model_latency).await;
    Ok(Accepted(stored))
}

fn insert(db: &Connection, proposed: &Synthetic) -> sql::Result<usize> {
    let Synthetic { id, user_id, workload, description, status } = proposed;
    db.prepare_cached("INSERT INTO synthetic (id, user_id, workload, description, status) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id, user_id, workload, description, status])
}

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<String>,
) -> Result<Json<Synthetic>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let found = service.store.run(move |db| synthetic_of(db, &id, &user_id)).await?;
    found.map(Json).ok_or(Refusal::NotFound)
}

fn synthetic_of(db: &Connection, id: &str, user_id: &str) -> sql::Result<Option<Synthetic>> {
    db.prepare_cached(
        "SELECT id, user_id, workload, description, status FROM synthetic WHERE id = ?1 AND user_id = ?2",
    )?
    .query_row([id, user_id], |row| {
        Ok(Synthetic {
            id: row.get(0)?,
            user_id: row.get(1)?,
            workload: row.get(2)?,
            description: row.get(3)?,
            status: row.get(4)?,
        })
    })
    .optional()
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Made {
    workload: String,
    rows: Vec<String>,
}

/// The body of an approval. It is read, so that the connection can go on: who answers before the last byte must close it.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Approval {}

/// Approves a run of the caller's own. What is carried out then is what was pending for it.
pub(super) async fn approve(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<String>,
    Input(Approval {}): Input<Approval>,
) -> Result<Json<Made>, Refusal> {
    let (user_id, wing) = (caller.identity.user_id.clone(), App::clone(&service));
    let made = service.store.run(move |db| carry_out(db, &wing, &id, &user_id));
    made.await?.map(Json)
}

fn carry_out(db: &Connection, service: &App, id: &str, user_id: &str) -> sql::Result<Result<Made, Refusal>> {
    let Some(mine) = synthetic_of(db, id, user_id)? else {
        return Ok(Err(Refusal::NotFound));
    };
    let Some(pending) = service.agents.approvals.take(&mine.id, &mine.workload) else {
        return Ok(Err(Refusal::Conflict("no approval is pending")));
    };
    let Pending { id, workload, description } = pending;
    db.prepare_cached("UPDATE synthetic SET status = 'approved' WHERE id = ?1")?.execute([id])?;
    let rows = (1..=ROWS).map(|number| format!("{number}: made up after {description}")).collect();
    Ok(Ok(Made { workload, rows }))
}
