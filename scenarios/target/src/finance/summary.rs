//! The summary of a month, from a cache. Home of `finance.cache-key`.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::transactions::Period;
use crate::caller::Caller;
use crate::input::Params;
use crate::refusal::Refusal;
use crate::service::App;
use crate::shelf::Found;
use crate::sql::{self, Connection, OptionalExtension, Row, params};

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct Summary {
    pub(super) month: String,
    pub(super) count: i64,
    /// In cents.
    pub(super) total: i64,
    pub(super) largest: Option<Item>,
    pub(super) last: Option<Item>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct Item {
    pub(super) description: String,
    pub(super) amount: i64,
}

/// What is answered depends on the user and the month. So must the key, which `finance.cache-key` forgets.
pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Params(Period { month }): Params<Period>,
) -> Result<Json<Summary>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let summaries = &service.finance.summaries;
    let slip = match summaries.look_up(&user_id, &month).await? {
        Found::Hit(summary) => return Ok(Json(summary)),
        Found::Miss(slip) => slip,
    };
    let (user, period) = (user_id.clone(), month.clone());
    let summary = service.store.run(move |db| summarise(db, &user, period)).await?;
    summaries.fill(slip, &user_id, &month, summary.clone()).await?;
    Ok(Json(summary))
}

pub(super) fn summarise(db: &Connection, user_id: &str, month: String) -> sql::Result<Summary> {
    let (count, total) = db
        .prepare_cached(
            "SELECT count(*), cast(coalesce(sum(amount), 0) AS BIGINT) FROM transactions WHERE user_id = ?1 AND month = ?2",
        )?
        .query_row(params![user_id, month], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let largest = first(db, LARGEST, user_id, &month)?;
    let last = first(db, LAST, user_id, &month)?;
    Ok(Summary { month, count, total, largest, last })
}

const LARGEST: &str = "SELECT description, amount FROM transactions WHERE user_id = ?1 AND month = ?2
    ORDER BY amount DESC, id DESC LIMIT 1";
const LAST: &str = "SELECT description, amount FROM transactions WHERE user_id = ?1 AND month = ?2
    ORDER BY id DESC LIMIT 1";

fn first(db: &Connection, query: &str, user_id: &str, month: &str) -> sql::Result<Option<Item>> {
    let item = |row: &Row<'_>| Ok(Item { description: row.get(0)?, amount: row.get(1)? });
    db.prepare_cached(query)?.query_row([user_id, month], item).optional()
}
