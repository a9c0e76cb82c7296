//! Downtime: when a machine stood still, and why. Home of `ops.list-unfiltered`.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::Filter;
use crate::answer::Created;
use crate::caller::Caller;
use crate::input::Input;
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Connection, Row, ToSql, params};

/// The largest number that every reader of JSON takes for what it is.
const MINUTES_MAX: i64 = 1 << 53;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    machine: String,
    minutes: i64,
    cause: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Downtime {
    id: i64,
    tenant_id: String,
    pub(super) machine: String,
    pub(super) minutes: i64,
    pub(super) cause: String,
}

impl Downtime {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            tenant_id: row.get(1)?,
            machine: row.get(2)?,
            minutes: row.get(3)?,
            cause: row.get(4)?,
        })
    }
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { machine, minutes, cause }): Input<Draft>,
) -> Result<Created<Downtime>, Refusal> {
    if !(0..=MINUTES_MAX).contains(&minutes) {
        return Err(Refusal::BadRequest("minutes must be a number that can be summed up"));
    }
    let tenant_id = caller.identity.tenant_id.clone();
    let downtime = service
        .store
        .run(move |db| {
            db.prepare_cached("INSERT INTO downtime (tenant_id, machine, minutes, cause) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![tenant_id, machine, minutes, cause])?;
            let id = db.last_insert_rowid()?;
            Ok(Downtime { id, tenant_id, machine, minutes, cause })
        })
        .await?;
    Ok(Created(downtime))
}

pub(super) async fn list(State(service): State<App>, caller: Caller) -> Result<Json<Vec<Downtime>>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let filter = service.operations.downtime_filter;
    let rows = service
        .store
        .run(move |db| match filter {
            Filter::Nothing => newest(db, LIST_OF_EVERYONE, params![ROWS_MAX]),
            Filter::Tenant => of_tenant(db, &tenant_id),
        })
        .await?;
    Ok(Json(rows))
}

const LIST_OF_EVERYONE: &str = "SELECT id, tenant_id, machine, minutes, cause FROM downtime
    ORDER BY id DESC LIMIT ?1";
const LIST: &str = "SELECT id, tenant_id, machine, minutes, cause FROM downtime
    WHERE tenant_id = ?2 ORDER BY id DESC LIMIT ?1";

/// The newest rows of a tenant.
pub(super) fn of_tenant(db: &Connection, tenant_id: &str) -> sql::Result<Vec<Downtime>> {
    newest(db, LIST, params![ROWS_MAX, tenant_id])
}

fn newest(db: &Connection, query: &str, params: &[&dyn ToSql]) -> sql::Result<Vec<Downtime>> {
    db.prepare_cached(query)?.query_map(params, Downtime::from_row)?.collect()
}
