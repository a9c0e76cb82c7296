//! Holds: parts that must not be shipped. Home of `ops.get-by-id`, `ops.update-by-id`, `ops.delete-by-id` and
//! `ops.forbidden-not-missing`.

use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Created;
use crate::caller::Caller;
use crate::input::{Input, Place};
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, OptionalExtension, Row, params};

/// Whether it is asked whose a row is that is named by its id.
#[derive(Clone, Copy)]
pub(super) enum Ownership {
    /// Guilty: an id is taken for a permission.
    Unchecked,
    /// Right: another tenant's row is not there.
    Checked,
}

/// What each way to a hold asks.
#[derive(Clone, Copy)]
pub(super) struct Checks {
    pub(super) read: Ownership,
    pub(super) change: Ownership,
    pub(super) remove: Ownership,
    /// What others are told: not there, as of an id that nobody has. With `ops.forbidden-not-missing`, forbidden.
    pub(super) refusal: Refusal,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    part: String,
    quantity: i64,
    reason: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Hold {
    id: i64,
    tenant_id: String,
    part: String,
    quantity: i64,
    reason: String,
}

impl Hold {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            tenant_id: row.get(1)?,
            part: row.get(2)?,
            quantity: row.get(3)?,
            reason: row.get(4)?,
        })
    }
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { part, quantity, reason }): Input<Draft>,
) -> Result<Created<Hold>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let hold = service
        .store
        .run(move |db| {
            db.prepare_cached("INSERT INTO holds (tenant_id, part, quantity, reason) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![tenant_id, part, quantity, reason])?;
            let id = db.last_insert_rowid()?;
            Ok(Hold { id, tenant_id, part, quantity, reason })
        })
        .await?;
    Ok(Created(hold))
}

pub(super) async fn list(State(service): State<App>, caller: Caller) -> Result<Json<Vec<Hold>>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let holds = service
        .store
        .run(move |db| db.prepare_cached(LIST)?.query_map(params![tenant_id, ROWS_MAX], Hold::from_row)?.collect())
        .await?;
    Ok(Json(holds))
}

const LIST: &str = "SELECT id, tenant_id, part, quantity, reason FROM holds
    WHERE tenant_id = ?1 ORDER BY id DESC LIMIT ?2";

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<i64>,
) -> Result<Json<Hold>, Refusal> {
    admit(&service, &caller, id, service.operations.holds.read).await.map(Json)
}

/// The hold of an id, if the caller may come to it.
async fn admit(service: &App, caller: &Caller, id: i64, ownership: Ownership) -> Result<Hold, Refusal> {
    let finding = service.store.run(move |db| db.prepare_cached(BY_ID)?.query_row([id], Hold::from_row).optional());
    let hold = finding.await?.ok_or(Refusal::NotFound)?;
    match ownership {
        Ownership::Checked if hold.tenant_id != caller.identity.tenant_id => Err(service.operations.holds.refusal),
        Ownership::Checked | Ownership::Unchecked => Ok(hold),
    }
}

const BY_ID: &str = "SELECT id, tenant_id, part, quantity, reason FROM holds WHERE id = ?1";

pub(super) async fn change(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<i64>,
    Input(Draft { part, quantity, reason }): Input<Draft>,
) -> Result<Json<Hold>, Refusal> {
    admit(&service, &caller, id, service.operations.holds.change).await?;
    let changing = service.store.run(move |db| {
        db.prepare_cached(CHANGE)?.query_row(params![id, part, quantity, reason], Hold::from_row).optional()
    });
    changing.await?.map(Json).ok_or(Refusal::NotFound)
}

const CHANGE: &str = "UPDATE holds SET part = ?2, quantity = ?3, reason = ?4 WHERE id = ?1
    RETURNING id, tenant_id, part, quantity, reason";

pub(super) async fn remove(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<i64>,
) -> Result<NoContent, Refusal> {
    admit(&service, &caller, id, service.operations.holds.remove).await?;
    let removing = service.store.run(move |db| db.prepare_cached("DELETE FROM holds WHERE id = ?1")?.execute([id]));
    match removing.await? {
        0 => Err(Refusal::NotFound),
        _ => Ok(NoContent),
    }
}
