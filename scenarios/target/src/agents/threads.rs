//! Threads: conversations of a user, each with its runs.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::runs::STATUSES;
use crate::answer::Created;
use crate::caller::Caller;
use crate::input::{Input, Place};
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Connection, OptionalExtension, Row, params};

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    title: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Thread {
    id: String,
    user_id: String,
    title: String,
}

impl Thread {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { id: row.get(0)?, user_id: row.get(1)?, title: row.get(2)? })
    }
}

/// A thread with what was asked in it.
#[derive(Serialize, JsonSchema)]
pub(super) struct Conversation {
    #[serde(flatten)]
    thread: Thread,
    runs: Vec<Asked>,
}

#[derive(Serialize, JsonSchema)]
struct Asked {
    run_id: String,
    agent: String,
    prompt: String,
    #[schemars(extend("enum" = STATUSES))]
    status: String,
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { title }): Input<Draft>,
) -> Result<Created<Thread>, Refusal> {
    let (id, user_id) = (service.config.names.fresh_id("thread"), caller.identity.user_id.clone());
    let thread = service
        .store
        .run(move |db| {
            db.prepare_cached("INSERT INTO threads (id, user_id, title) VALUES (?1, ?2, ?3)")?
                .execute(params![id, user_id, title])?;
            Ok(Thread { id, user_id, title })
        })
        .await?;
    Ok(Created(thread))
}

pub(super) async fn list(State(service): State<App>, caller: Caller) -> Result<Json<Vec<Thread>>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let threads = service
        .store
        .run(move |db| {
            db.prepare_cached("SELECT id, user_id, title FROM threads WHERE user_id = ?1 ORDER BY rowid DESC LIMIT ?2")?
                .query_map(params![user_id, ROWS_MAX], Thread::from_row)?
                .collect()
        })
        .await?;
    Ok(Json(threads))
}

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<String>,
) -> Result<Json<Conversation>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let conversation = service.store.run(move |db| conversation_of(db, &id, &user_id)).await?;
    conversation.map(Json).ok_or(Refusal::NotFound)
}

fn conversation_of(db: &Connection, id: &str, user_id: &str) -> sql::Result<Option<Conversation>> {
    let Some(thread) = thread_of(db, id, user_id)? else {
        return Ok(None);
    };
    let runs = db
        .prepare_cached("SELECT id, agent, prompt, status FROM runs WHERE thread_id = ?1 ORDER BY rowid DESC LIMIT ?2")?
        .query_map(params![id, ROWS_MAX], |row| {
            Ok(Asked { run_id: row.get(0)?, agent: row.get(1)?, prompt: row.get(2)?, status: row.get(3)? })
        })?
        .collect::<sql::Result<_>>()?;
    Ok(Some(Conversation { thread, runs }))
}

/// What the runs of a thread have learned.
#[derive(Serialize, JsonSchema)]
pub(super) struct Facts {
    #[serde(flatten)]
    thread: Thread,
    facts: Vec<String>,
}

pub(super) async fn facts(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<String>,
) -> Result<Json<Facts>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let facts = service.store.run(move |db| facts_of(db, &id, &user_id)).await?;
    facts.map(Json).ok_or(Refusal::NotFound)
}

fn facts_of(db: &Connection, id: &str, user_id: &str) -> sql::Result<Option<Facts>> {
    let Some(thread) = thread_of(db, id, user_id)? else {
        return Ok(None);
    };
    let facts = db
        .prepare_cached("SELECT text FROM facts WHERE thread_id = ?1 ORDER BY rowid DESC LIMIT ?2")?
        .query_map(params![id, ROWS_MAX], |row| row.get(0))?
        .collect::<sql::Result<_>>()?;
    Ok(Some(Facts { thread, facts }))
}

fn thread_of(db: &Connection, id: &str, user_id: &str) -> sql::Result<Option<Thread>> {
    db.prepare_cached("SELECT id, user_id, title FROM threads WHERE id = ?1 AND user_id = ?2")?
        .query_row([id, user_id], Thread::from_row)
        .optional()
}
