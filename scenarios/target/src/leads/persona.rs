//! How the agents of a user present themselves, by their names. Home of `leads.config-cache`.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::input::{Input, Place};
use crate::refusal::Refusal;
use crate::service::App;
use crate::shelf::Found;
use crate::sql::{self, Connection, OptionalExtension, params};

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    persona: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Named {
    agent: String,
    persona: String,
}

pub(super) async fn configure(
    State(service): State<App>,
    caller: Caller,
    Place(agent): Place<String>,
    Input(Draft { persona }): Input<Draft>,
) -> Result<Json<Named>, Refusal> {
    let (user_id, wing) = (caller.identity.user_id.clone(), App::clone(&service));
    let storing = service.store.run(move |db| {
        db.prepare_cached(SET)?.execute(params![user_id, agent, persona])?;
        // Here and not after the await, which is never reached when the client hangs up.
        wing.leads.personas.forget(&user_id, &agent);
        Ok(Named { agent, persona })
    });
    Ok(Json(storing.await?))
}

const SET: &str = "INSERT INTO personas (user_id, agent, persona) VALUES (?1, ?2, ?3)
    ON CONFLICT (user_id, agent) DO UPDATE SET persona = excluded.persona";

/// What is answered depends on the user and the name. So must the key, which `leads.config-cache` forgets.
pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Place(agent): Place<String>,
) -> Result<Json<Named>, Refusal> {
    let (user_id, personas) = (caller.identity.user_id.clone(), &service.leads.personas);
    let slip = match personas.look_up(&user_id, &agent).await? {
        Found::Hit(persona) => return Ok(Json(Named { agent, persona })),
        Found::Miss(slip) => slip,
    };
    let (user, name) = (user_id.clone(), agent.clone());
    let found = service.store.run(move |db| persona_of(db, &user, &name)).await?;
    let persona = found.ok_or(Refusal::NotFound)?;
    personas.fill(slip, &user_id, &agent, persona.clone()).await?;
    Ok(Json(Named { agent, persona }))
}

fn persona_of(db: &Connection, user_id: &str, agent: &str) -> sql::Result<Option<String>> {
    db.prepare_cached("SELECT persona FROM personas WHERE user_id = ?1 AND agent = ?2")?
        .query_row([user_id, agent], |row| row.get(0))
        .optional()
}
