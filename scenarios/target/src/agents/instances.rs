//! Agents by name, each with the instructions of its user. Home of `agents.instance-by-name`.

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
pub(super) struct Instructions {
    instructions: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Instructed {
    agent: String,
    user_id: String,
    instructions: String,
}

pub(super) async fn instruct(
    State(service): State<App>,
    caller: Caller,
    Place(agent): Place<String>,
    Input(Instructions { instructions }): Input<Instructions>,
) -> Result<Json<Instructed>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let instructed = Instructed { agent, user_id, instructions };
    let wing = App::clone(&service);
    let stored = service
        .store
        .run(move |db| {
            store(db, &instructed)?;
            // Here and not after the await, which is never reached when the client hangs up.
            wing.agents.instances.forget(&instructed.user_id, &instructed.agent);
            Ok(instructed)
        })
        .await?;
    Ok(Json(stored))
}

fn store(db: &Connection, instructed: &Instructed) -> sql::Result<usize> {
    let Instructed { agent, user_id, instructions } = instructed;
    db.prepare_cached(
        "INSERT INTO instructions (user_id, agent, text) VALUES (?1, ?2, ?3)
         ON CONFLICT (user_id, agent) DO UPDATE SET text = excluded.text",
    )?
    .execute(params![user_id, agent, instructions])
}

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Place(agent): Place<String>,
) -> Result<Json<Instructed>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let found = service
        .store
        .run(move |db| {
            let text = instructions_of(db, &user_id, &agent)?;
            Ok(text.map(|instructions| Instructed { agent, user_id, instructions }))
        })
        .await?;
    found.map(Json).ok_or(Refusal::NotFound)
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Question {
    question: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Reply {
    agent: String,
    question: String,
    answer: String,
}

pub(super) async fn ask(
    State(service): State<App>,
    caller: Caller,
    Place(agent): Place<String>,
    Input(Question { question }): Input<Question>,
) -> Result<Json<Reply>, Refusal> {
    let instructions = instance(&service, &caller.identity.user_id, &agent).await?;
    let answer = format!("As I was told to \"{instructions}\", I answer \"{question}\".");
    Ok(Json(Reply { agent, question, answer }))
}

/// The instance that answers: the one that was made before, or a new one made with the user's instructions. Which
/// instances are the same is for the key of the cache to say.
async fn instance(service: &App, user_id: &String, agent: &String) -> Result<String, Refusal> {
    let instances = &service.agents.instances;
    let slip = match instances.look_up(user_id, agent).await? {
        Found::Hit(instructions) => return Ok(instructions),
        Found::Miss(slip) => slip,
    };
    let (user, name) = (user_id.clone(), agent.clone());
    let found = service.store.run(move |db| instructions_of(db, &user, &name)).await?;
    let instructions = found.ok_or(Refusal::NotFound)?;
    instances.fill(slip, user_id, agent, instructions.clone()).await?;
    Ok(instructions)
}

fn instructions_of(db: &Connection, user_id: &str, agent: &str) -> sql::Result<Option<String>> {
    db.prepare_cached("SELECT text FROM instructions WHERE user_id = ?1 AND agent = ?2")?
        .query_row([user_id, agent], |row| row.get(0))
        .optional()
}
