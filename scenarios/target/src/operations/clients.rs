//! Clients, with what each holds back: their own for its users, all of them for who runs the platform.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use crate::accounts::Role;
use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Connection, params};

#[derive(Serialize, JsonSchema)]
pub(super) struct Client {
    tenant_id: String,
    name: String,
    /// Why something is held back, the latest first.
    reasons: Vec<String>,
}

pub(super) async fn list(State(service): State<App>, caller: Caller) -> Result<Json<Vec<Client>>, Refusal> {
    let narrowed_to = match Role::of(&service, &caller.identity.user_id).await? {
        Role::SuperAdmin => None,
        Role::Leader | Role::Operator | Role::Admin => Some(caller.identity.tenant_id.clone()),
    };
    Ok(Json(service.store.run(move |db| clients(db, narrowed_to)).await?))
}

/// One, or all.
fn clients(db: &Connection, tenant_id: Option<String>) -> sql::Result<Vec<Client>> {
    let named: Vec<(String, String)> = db
        .prepare_cached("SELECT id, name FROM tenants WHERE ?1 IS NULL OR id = ?1 ORDER BY id LIMIT ?2")?
        .query_map(params![tenant_id, ROWS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<sql::Result<_>>()?;
    let client = |(tenant_id, name): (String, String)| {
        let reasons = db
            .prepare_cached("SELECT reason FROM holds WHERE tenant_id = ?1 ORDER BY id DESC LIMIT ?2")?
            .query_map(params![tenant_id, ROWS_MAX], |row| row.get(0))?
            .collect::<sql::Result<_>>()?;
        Ok(Client { tenant_id, name, reasons })
    };
    named.into_iter().map(client).collect()
}
