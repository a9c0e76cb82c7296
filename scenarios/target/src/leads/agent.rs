//! The agent of a user: which model it asks, and with which API key. The key is never shown again.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::input::Input;
use crate::refusal::Refusal;
use crate::service::App;
use crate::sql::{self, Connection, OptionalExtension, params};

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    model: String,
    api_key: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Agent {
    user_id: String,
    model: String,
}

pub(super) async fn configure(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { model, api_key }): Input<Draft>,
) -> Result<Json<Agent>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let stored = service.store.run(move |db| {
        db.prepare_cached(
            "INSERT INTO lead_agents (user_id, model, api_key) VALUES (?1, ?2, ?3)
             ON CONFLICT (user_id) DO UPDATE SET model = excluded.model, api_key = excluded.api_key",
        )?
        .execute(params![user_id, model, api_key])?;
        Ok(Agent { user_id, model })
    });
    Ok(Json(stored.await?))
}

pub(super) async fn read(State(service): State<App>, caller: Caller) -> Result<Json<Agent>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let found = service.store.run(move |db| {
        db.prepare_cached("SELECT user_id, model FROM lead_agents WHERE user_id = ?1")?
            .query_row([user_id], |row| Ok(Agent { user_id: row.get(0)?, model: row.get(1)? }))
            .optional()
    });
    found.await?.map(Json).ok_or(Refusal::NotFound)
}

/// The API key of a user who has given one.
pub(super) fn api_key_of(db: &Connection, user_id: &str) -> sql::Result<Option<String>> {
    db.prepare_cached("SELECT api_key FROM lead_agents WHERE user_id = ?1")?
        .query_row([user_id], |row| row.get(0))
        .optional()
}
