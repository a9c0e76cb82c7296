//! Key figures, summed up over a tenant's downtime. Home of `ops.aggregate-unfiltered`.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::service::App;
use crate::sql::{self, Connection, params};

#[derive(Serialize, JsonSchema)]
pub(super) struct Figures {
    tenant_id: String,
    stops: i64,
    minutes: i64,
}

pub(super) async fn read(State(service): State<App>, caller: Caller) -> Result<Json<Figures>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let narrowed_to = service.operations.kpi_filter.tenant(&tenant_id);
    let (stops, minutes) = service.store.run(move |db| totals(db, narrowed_to)).await?;
    Ok(Json(Figures { tenant_id, stops, minutes }))
}

/// Of a tenant, or of everybody.
fn totals(db: &Connection, tenant_id: Option<String>) -> sql::Result<(i64, i64)> {
    db.prepare_cached(
        "SELECT count(*), cast(coalesce(sum(minutes), 0) AS BIGINT) FROM downtime
         WHERE ?1 IS NULL OR tenant_id = ?1",
    )?
    .query_row(params![tenant_id], |row| Ok((row.get(0)?, row.get(1)?)))
}
