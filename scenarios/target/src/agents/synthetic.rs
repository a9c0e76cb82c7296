//! Synthetic data: rows made up after a description, once its user has approved. Home of `agents.approval-mix`.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::id;
use crate::input::{Input, Place};
use crate::lock::hold;
use crate::refusal::Refusal;
use crate::service::App;

/// What a pending approval is found by.
#[derive(Clone, Copy)]
pub(super) enum PendingBy {
    /// Guilty: the type of workload, of which others may have one pending as well.
    Workload,
    /// Right: the run.
    Run,
}

/// Runs that wait for their approval. Further ones than this are refused.
pub(super) struct Approvals {
    by: PendingBy,
    pending: Mutex<HashMap<String, Pending>>,
}

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
        Self { by, pending: Mutex::default() }
    }

    fn ask(&self, pending: Pending) -> Result<(), Refusal> {
        let mut all = hold(&self.pending);
        if all.len() >= PENDING_MAX {
            return Err(Refusal::Busy);
        }
        all.insert(self.key(&pending.id, &pending.workload), pending);
        Ok(())
    }

    fn take(&self, id: &str, workload: &str) -> Option<Pending> {
        hold(&self.pending).remove(&self.key(id, workload))
    }

    fn key(&self, id: &str, workload: &str) -> String {
        match self.by {
            PendingBy::Workload => workload.to_owned(),
            PendingBy::Run => id.to_owned(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Draft {
    workload: String,
    description: String,
}

#[derive(Serialize)]
pub(super) struct Synthetic {
    id: String,
    user_id: String,
    workload: String,
    description: String,
    /// `pending` or `approved`.
    status: String,
}

pub(super) async fn propose(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { workload, description }): Input<Draft>,
) -> Result<(StatusCode, Json<Synthetic>), Refusal> {
    let (id, user_id) = (id::fresh("synthetic"), caller.identity.user_id.clone());
    let pending = Pending { id: id.clone(), workload: workload.clone(), description: description.clone() };
    let proposed = Synthetic { id, user_id, workload, description, status: "pending".to_owned() };
    let stored = service.store.run(move |db| insert(db, &proposed).map(|_| proposed)).await?;
    service.agents.approvals.ask(pending)?;
    Ok((StatusCode::ACCEPTED, Json(stored)))
}

fn insert(db: &Connection, proposed: &Synthetic) -> rusqlite::Result<usize> {
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

fn synthetic_of(db: &Connection, id: &str, user_id: &str) -> rusqlite::Result<Option<Synthetic>> {
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

#[derive(Serialize)]
pub(super) struct Made {
    workload: String,
    rows: Vec<String>,
}

/// Approves a run of the caller's own. What is carried out then is what was pending for it.
pub(super) async fn approve(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<String>,
) -> Result<Json<Made>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let mine = service.store.run(move |db| synthetic_of(db, &id, &user_id)).await?.ok_or(Refusal::NotFound)?;
    let pending = service.agents.approvals.take(&mine.id, &mine.workload);
    let Pending { id, workload, description } = pending.ok_or(Refusal::Conflict("no approval is pending"))?;
    let mark = move |db: &Connection| {
        db.prepare_cached("UPDATE synthetic SET status = 'approved' WHERE id = ?1")?.execute([id])
    };
    service.store.run(mark).await?;
    let rows = (1..=ROWS).map(|number| format!("{number}: made up after {description}")).collect();
    Ok(Json(Made { workload, rows }))
}
