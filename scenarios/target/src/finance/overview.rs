//! The first page after the login: the latest transactions, or what a new user sees instead. Home of `finance.empty-state`.

use std::sync::OnceLock;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Connection, params};

/// What somebody sees who has no transactions.
pub(super) enum EmptyState {
    /// Guilty: an example, which was taken from the first user who had some.
    ExampleOfTheFirst(OnceLock<Vec<Entry>>),
    /// Right: that there is nothing.
    Nothing,
}

#[derive(Clone, Serialize, JsonSchema)]
pub(super) struct Entry {
    description: String,
    amount: i64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Overview {
    entries: Vec<Entry>,
}

pub(super) async fn read(State(service): State<App>, caller: Caller) -> Result<Json<Overview>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let own = service.store.run(move |db| latest(db, &user_id)).await?;
    let entries = match &service.finance.empty_state {
        EmptyState::ExampleOfTheFirst(example) if own.is_empty() => example.get().cloned().unwrap_or_default(),
        EmptyState::ExampleOfTheFirst(example) => {
            example.get_or_init(|| own.clone());
            own
        }
        EmptyState::Nothing => own,
    };
    Ok(Json(Overview { entries }))
}

fn latest(db: &Connection, user_id: &str) -> sql::Result<Vec<Entry>> {
    db.prepare_cached("SELECT description, amount FROM transactions WHERE user_id = ?1 ORDER BY id DESC LIMIT ?2")?
        .query_map(params![user_id, ROWS_MAX], |row| Ok(Entry { description: row.get(0)?, amount: row.get(1)? }))?
        .collect()
}
