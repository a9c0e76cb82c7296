//! The caller's own profile. Home of `agents.context-slot`.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::input::Input;
use crate::refusal::Refusal;
use crate::service::App;
use crate::sql::{self, Connection, OptionalExtension, params};

#[derive(Serialize, JsonSchema)]
pub(super) struct Profile {
    user_id: String,
    tenant_id: String,
    email: String,
    note: String,
}

/// Asks a slow directory first, as profiles do that are put together from several systems. Who the current user is, is
/// read from the slot after that wait: with `agents.context-slot` it may have become somebody else meanwhile.
pub(super) async fn read(State(service): State<App>, caller: Caller) -> Result<Json<Profile>, Refusal> {
    tokio::time::sleep(service.config.directory_latency).await;
    let current = caller.current().ok_or(Refusal::Unauthenticated)?;
    let profile = service.store.run(move |db| profile_of(db, &current.user_id)).await?;
    profile.map(Json).ok_or(Refusal::NotFound)
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Change {
    note: String,
}

pub(super) async fn change(
    State(service): State<App>,
    caller: Caller,
    Input(Change { note }): Input<Change>,
) -> Result<Json<Profile>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let profile = service
        .store
        .run(move |db| {
            db.prepare_cached("UPDATE users SET note = ?2 WHERE id = ?1")?.execute(params![user_id, note])?;
            profile_of(db, &user_id)
        })
        .await?;
    profile.map(Json).ok_or(Refusal::NotFound)
}

fn profile_of(db: &Connection, user_id: &str) -> sql::Result<Option<Profile>> {
    db.prepare_cached("SELECT id, tenant_id, email, note FROM users WHERE id = ?1")?
        .query_row([user_id], |row| {
            Ok(Profile { user_id: row.get(0)?, tenant_id: row.get(1)?, email: row.get(2)?, note: row.get(3)? })
        })
        .optional()
}
