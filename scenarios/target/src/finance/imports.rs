//! Rows from the system before, which knew accounts by their email and no user ids. Home of `finance.null-owner`.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Created;
use crate::caller::Caller;
use crate::input::Input;
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Connection, Row, params};

/// When rows from before get their owner.
#[derive(Clone, Copy)]
pub(super) enum Backfill {
    /// Guilty: some day. Until then they are nobody's, and not to be missed, so that everybody is shown them.
    Later,
    /// Right: together with their import.
    AtOnce,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    description: String,
    amount: i64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Imported {
    id: i64,
    description: String,
    amount: i64,
}

impl Imported {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { id: row.get(0)?, description: row.get(1)?, amount: row.get(2)? })
    }
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(draft): Input<Draft>,
) -> Result<Created<Imported>, Refusal> {
    let (user_id, backfill) = (caller.identity.user_id.clone(), service.finance.backfill);
    let importing = service.store.run(move |db| {
        let imported = import(db, &user_id, draft)?;
        match backfill {
            Backfill::Later => {}
            Backfill::AtOnce => fill(db, imported.id)?,
        }
        Ok(imported)
    });
    Ok(Created(importing.await?))
}

fn import(db: &Connection, user_id: &str, Draft { description, amount }: Draft) -> sql::Result<Imported> {
    db.prepare_cached(
        "INSERT INTO imports (account, description, amount)
         SELECT email, ?2, ?3 FROM users WHERE id = ?1 RETURNING id, description, amount",
    )?
    .query_row(params![user_id, description, amount], Imported::from_row)
}

fn fill(db: &Connection, id: i64) -> sql::Result<()> {
    db.prepare_cached("UPDATE imports SET user_id = (SELECT id FROM users WHERE email = account) WHERE id = ?1")?
        .execute(params![id])
        .map(drop)
}

/// The caller's, and those that are not known yet whose they are.
pub(super) async fn list(State(service): State<App>, caller: Caller) -> Result<Json<Vec<Imported>>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let listing = service
        .store
        .run(move |db| db.prepare_cached(LIST)?.query_map(params![user_id, ROWS_MAX], Imported::from_row)?.collect());
    Ok(Json(listing.await?))
}

const LIST: &str = "SELECT id, description, amount FROM imports
    WHERE user_id = ?1 OR user_id IS NULL ORDER BY id DESC LIMIT ?2";
