//! Campaigns of a tenant: whom leads are written to, and how. They are read as leads are.

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

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    name: String,
    pitch: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Campaign {
    id: i64,
    tenant_id: String,
    name: String,
    pitch: String,
}

impl Campaign {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { id: row.get(0)?, tenant_id: row.get(1)?, name: row.get(2)?, pitch: row.get(3)? })
    }
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { name, pitch }): Input<Draft>,
) -> Result<Created<Campaign>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let insertion = service.store.run(move |db| {
        db.within_tenant(&tenant_id, |db| {
            db.prepare_cached(ADD)?.query_row(params![tenant_id, name, pitch], Campaign::from_row)
        })
    });
    Ok(Created(insertion.await?))
}

const ADD: &str = "INSERT INTO campaigns (tenant_id, name, pitch) VALUES (?1, ?2, ?3)
    RETURNING id, tenant_id, name, pitch";

pub(super) async fn list(State(service): State<App>, caller: Caller) -> Result<Json<Vec<Campaign>>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let campaigns = service
        .leads
        .sessions
        .ask(tenant_id, |db| db.prepare_cached(LIST)?.query_map([ROWS_MAX], Campaign::from_row)?.collect());
    Ok(Json(campaigns.await?))
}

const LIST: &str = "SELECT id, tenant_id, name, pitch FROM my_campaigns ORDER BY id DESC LIMIT ?1";
