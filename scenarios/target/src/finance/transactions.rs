//! Transactions of a user. Home of `http.idempotency-key`.

use axum::Json;
use axum::extract::State;
use coalmine_models::KeyedBy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Created;
use crate::caller::Caller;
use crate::input::{IdempotencyKey, Input, Params};
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Connection, OptionalExtension, Row, params};

/// A month, such as `2026-01`.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Period {
    pub(super) month: String,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    pub(super) month: String,
    pub(super) description: String,
    /// In cents.
    pub(super) amount: i64,
}

#[derive(Serialize, Hash, JsonSchema)]
pub(super) struct Transaction {
    id: i64,
    user_id: String,
    month: String,
    description: String,
    amount: i64,
}

impl Transaction {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            month: row.get(2)?,
            description: row.get(3)?,
            amount: row.get(4)?,
        })
    }
}

/// A request that is sent again with its key does nothing again, and gets the same answer.
pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Input(draft): Input<Draft>,
) -> Result<Created<Transaction>, Refusal> {
    if !is_month(&draft.month) {
        return Err(Refusal::BadRequest("month must look like 2026-01"));
    }
    let user_id = caller.identity.user_id.clone();
    let wing = App::clone(&service);
    let transaction = service
        .store
        .run(move |db| {
            let transaction = match key {
                Some(key) => insert_once(db, wing.finance.booked_by, &key, user_id, draft)?,
                None => insert(db, user_id, draft)?,
            };
            // Here and not after the await, which is never reached when the client hangs up.
            let Transaction { user_id, month, description, .. } = &transaction;
            wing.finance.forget(user_id, month);
            wing.finance.suggestions.learn(user_id, description);
            Ok(transaction)
        })
        .await?;
    Ok(Created(transaction))
}

pub(super) async fn list(
    State(service): State<App>,
    caller: Caller,
    Params(Period { month }): Params<Period>,
) -> Result<Json<Vec<Transaction>>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    Ok(Json(service.store.run(move |db| newest(db, &user_id, &month)).await?))
}

pub(super) fn is_month(text: &str) -> bool {
    let digits = |part: &str, len| part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(year, month)| digits(year, 4) && digits(month, 2))
}

/// Inserts, unless that was done under this key before: whose key it is, is for `booked_by` to say.
fn insert_once(
    db: &Connection,
    booked_by: KeyedBy,
    key: &str,
    user_id: String,
    draft: Draft,
) -> sql::Result<Transaction> {
    let owner = match booked_by {
        KeyedBy::Name => String::new(),
        KeyedBy::OwnerAndName => user_id.clone(),
    };
    let before = db.prepare_cached(BOOKED)?.query_row([&owner, key], Transaction::from_row).optional()?;
    if let Some(transaction) = before {
        return Ok(transaction);
    }
    let transaction = insert(db, user_id, draft)?;
    db.prepare_cached("INSERT INTO booked (owner, key, transaction_id) VALUES (?1, ?2, ?3)")?.execute(params![
        owner,
        key,
        transaction.id
    ])?;
    Ok(transaction)
}

const BOOKED: &str = "SELECT id, user_id, month, description, amount FROM transactions
    JOIN booked ON transaction_id = id WHERE owner = ?1 AND key = ?2";

pub(super) fn insert(db: &Connection, user_id: String, draft: Draft) -> sql::Result<Transaction> {
    let Draft { month, description, amount } = draft;
    db.prepare_cached("INSERT INTO transactions (user_id, month, description, amount) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![user_id, month, description, amount])?;
    let id = db.last_insert_rowid()?;
    Ok(Transaction { id, user_id, month, description, amount })
}

pub(super) fn newest(db: &Connection, user_id: &str, month: &str) -> sql::Result<Vec<Transaction>> {
    db.prepare_cached(
        "SELECT id, user_id, month, description, amount FROM transactions
         WHERE user_id = ?1 AND month = ?2 ORDER BY id DESC LIMIT ?3",
    )?
    .query_map(params![user_id, month, ROWS_MAX], Transaction::from_row)?
    .collect()
}

#[cfg(test)]
mod tests {
    use super::is_month;

    #[test]
    fn month_is_a_year_and_two_digits() {
        assert!(is_month("2026-01"));
        for wrong in ["2026", "2026-1", "26-01", "2026-0x", "2026-01-01", ""] {
            assert!(!is_month(wrong), "{wrong}");
        }
    }
}
