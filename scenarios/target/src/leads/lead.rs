//! Leads of a tenant. They are read through sessions that show the tenant's own.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Created;
use crate::caller::Caller;
use crate::input::{Input, Place};
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, OptionalExtension, Row, params};

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    name: String,
    contact: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Lead {
    id: i64,
    tenant_id: String,
    name: String,
    contact: String,
}

impl Lead {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { id: row.get(0)?, tenant_id: row.get(1)?, name: row.get(2)?, contact: row.get(3)? })
    }
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { name, contact }): Input<Draft>,
) -> Result<Created<Lead>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let insertion = service.store.run(move |db| {
        let id = db.within_tenant(&tenant_id, |db| {
            db.prepare_cached("INSERT INTO leads (tenant_id, name, contact) VALUES (?1, ?2, ?3)")?
                .execute(params![tenant_id, name, contact])?;
            db.last_insert_rowid()
        })?;
        Ok(Lead { id, tenant_id, name, contact })
    });
    Ok(Created(insertion.await?))
}

pub(super) async fn list(State(service): State<App>, caller: Caller) -> Result<Json<Vec<Lead>>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let leads = service.leads.sessions.ask(tenant_id, |db| {
        db.prepare_cached("SELECT id, tenant_id, name, contact FROM my_leads ORDER BY id DESC LIMIT ?1")?
            .query_map([ROWS_MAX], Lead::from_row)?
            .collect()
    });
    Ok(Json(leads.await?))
}

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<i64>,
) -> Result<Json<Lead>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let lead = service.leads.sessions.ask(tenant_id, move |db| {
        db.prepare_cached("SELECT id, tenant_id, name, contact FROM my_leads WHERE id = ?1")?
            .query_row([id], Lead::from_row)
            .optional()
    });
    lead.await?.map(Json).ok_or(Refusal::NotFound)
}
