//! The floating pool: workers who stand in where somebody is missing. Home of `ops.nullable-owner`.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Created;
use crate::caller::Caller;
use crate::input::Input;
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Row, params};

/// Whose a worker is who was assigned to no line.
#[derive(Clone, Copy)]
pub(super) enum Unassigned {
    /// Guilty: nobody's. And what is nobody's, everybody may see.
    BelongsToNobody,
    /// Right: of the tenant that wrote it down.
    BelongsToTheWriter,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    name: String,
    line: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Worker {
    id: i64,
    name: String,
    line: Option<String>,
}

impl Worker {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { id: row.get(0)?, name: row.get(1)?, line: row.get(2)? })
    }
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { name, line }): Input<Draft>,
) -> Result<Created<Worker>, Refusal> {
    let owner = match service.operations.unassigned {
        Unassigned::BelongsToNobody if line.is_none() => None,
        Unassigned::BelongsToNobody | Unassigned::BelongsToTheWriter => Some(caller.identity.tenant_id.clone()),
    };
    let insertion =
        service.store.run(move |db| db.prepare_cached(ADD)?.query_row(params![owner, name, line], Worker::from_row));
    Ok(Created(insertion.await?))
}

const ADD: &str = "INSERT INTO pool (tenant_id, name, line) VALUES (?1, ?2, ?3) RETURNING id, name, line";

/// Those of the tenant, and those who are nobody's: of whom there are none, where each is written down with its owner.
pub(super) async fn list(State(service): State<App>, caller: Caller) -> Result<Json<Vec<Worker>>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let workers = service
        .store
        .run(move |db| db.prepare_cached(LIST)?.query_map(params![tenant_id, ROWS_MAX], Worker::from_row)?.collect());
    Ok(Json(workers.await?))
}

const LIST: &str = "SELECT id, name, line FROM pool
    WHERE tenant_id = ?1 OR tenant_id IS NULL ORDER BY id DESC LIMIT ?2";
