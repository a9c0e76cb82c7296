//! The export of a month: how much there is, and all of it as a packed table. Home of `http.encoded-export`.

use std::io::{self, Write};

use axum::Json;
use axum::extract::State;
use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use schemars::JsonSchema;
use serde::Serialize;

use super::transactions::Period;
use crate::caller::Caller;
use crate::input::Params;
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Connection, params};

/// Whose rows are packed.
#[derive(Clone, Copy)]
pub(super) enum Packed {
    /// Guilty: all of the month. What was packed, nobody looks at when it is tested.
    Everybodys,
    /// Right: the caller's, as in the rest of the answer.
    Callers,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Export {
    month: String,
    count: i64,
    /// CSV, in gzip, in base64.
    archive: String,
}

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Params(Period { month }): Params<Period>,
) -> Result<Json<Export>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let narrowed_to = match service.finance.packed {
        Packed::Everybodys => None,
        Packed::Callers => Some(user_id.clone()),
    };
    let reading = service.store.run(move |db| {
        let count = count(db, &user_id, &month)?;
        Ok((rows(db, narrowed_to, &month)?, count, month))
    });
    let (rows, count, month) = reading.await?;
    let archive = pack(["description", "amount"].map(|name| service.config.names.word(name)), &rows)
        .map_err(|_| Refusal::Fault)?;
    Ok(Json(Export { month, count, archive }))
}

fn pack(head: [&str; 2], rows: &[(String, i64)]) -> io::Result<String> {
    let mut table = csv::Writer::from_writer(GzEncoder::new(Vec::new(), Compression::fast()));
    table.write_record(head)?;
    for (description, amount) in rows {
        table.write_record([description, &amount.to_string()])?;
    }
    let mut packed = table.into_inner().map_err(csv::IntoInnerError::into_error)?;
    packed.flush()?;
    Ok(BASE64.encode(&packed.finish()?))
}

fn count(db: &Connection, user_id: &str, month: &str) -> sql::Result<i64> {
    db.prepare_cached("SELECT count(*) FROM transactions WHERE user_id = ?1 AND month = ?2")?
        .query_row([user_id, month], |row| row.get(0))
}

fn rows(db: &Connection, user_id: Option<String>, month: &str) -> sql::Result<Vec<(String, i64)>> {
    db.prepare_cached(
        "SELECT description, amount FROM transactions
         WHERE (?1 IS NULL OR user_id = ?1) AND month = ?2 ORDER BY id DESC LIMIT ?3",
    )?
    .query_map(params![user_id, month, ROWS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}
