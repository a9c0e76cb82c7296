//! Attendance: who was there on which day, page by page. Home of `ops.cursor`.

use axum::Json;
use axum::extract::State;
use data_encoding::BASE64URL_NOPAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Created;
use crate::caller::Caller;
use crate::input::{Input, Params};
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Connection, Row, params};

/// Whom a cursor is believed that it belongs to.
#[derive(Clone, Copy)]
pub(super) enum Trust {
    /// Guilty: the tenant that stands in it.
    Cursor,
    /// Right: the caller, and nobody else's cursor leads anywhere.
    Caller,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    day: String,
    worker: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Presence {
    id: i64,
    day: String,
    worker: String,
}

impl Presence {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { id: row.get(0)?, day: row.get(1)?, worker: row.get(2)? })
    }
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { day, worker }): Input<Draft>,
) -> Result<Created<Presence>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let insertion = service
        .store
        .run(move |db| db.prepare_cached(ADD)?.query_row(params![tenant_id, day, worker], Presence::from_row));
    Ok(Created(insertion.await?))
}

const ADD: &str = "INSERT INTO attendance (tenant_id, day, worker) VALUES (?1, ?2, ?3) RETURNING id, day, worker";

/// Where to go on.
struct Cursor {
    tenant_id: String,
    /// Rows with smaller ids are still to come.
    before: i64,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Wanted {
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Page {
    entries: Vec<Presence>,
    /// Leads to the next page, where there may be one.
    next: Option<String>,
}

pub(super) async fn list(
    State(service): State<App>,
    caller: Caller,
    Params(Wanted { limit, cursor }): Params<Wanted>,
) -> Result<Json<Page>, Refusal> {
    let limit = limit.unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX);
    let cursor = match cursor {
        None => Cursor { tenant_id: caller.identity.tenant_id.clone(), before: i64::MAX },
        Some(text) => Cursor::read(&text).ok_or(Refusal::NotFound)?,
    };
    match service.operations.trust {
        Trust::Caller if cursor.tenant_id != caller.identity.tenant_id => Err(Refusal::NotFound),
        Trust::Caller | Trust::Cursor => Ok(Json(service.store.run(move |db| page(db, cursor, limit)).await?)),
    }
}

fn page(db: &Connection, Cursor { tenant_id, before }: Cursor, limit: u32) -> sql::Result<Page> {
    let entries: Vec<Presence> = db
        .prepare_cached(PAGE)?
        .query_map(params![tenant_id, before, limit], Presence::from_row)?
        .collect::<sql::Result<_>>()?;
    let is_full = entries.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let last = entries.last().filter(|_| is_full);
    let next = last.map(|last| Cursor { tenant_id, before: last.id }.write());
    Ok(Page { entries, next })
}

const PAGE: &str = "SELECT id, day, worker FROM attendance
    WHERE tenant_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

impl Cursor {
    fn write(&self) -> String {
        BASE64URL_NOPAD.encode(format!("{} {}", self.before, self.tenant_id).as_bytes())
    }

    fn read(text: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()?;
        let (before, tenant_id) = text.split_once(' ')?;
        Some(Self { tenant_id: tenant_id.to_owned(), before: before.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn cursor_is_read_as_it_was_written() {
        let cursor = Cursor { tenant_id: "tenant-1".to_owned(), before: 17 };
        let read = Cursor::read(&cursor.write()).unwrap();
        assert_eq!((read.tenant_id.as_str(), read.before), ("tenant-1", 17));
    }

    #[test]
    fn text_that_is_no_cursor_is_none() {
        for text in ["", "?", "MTc", "YWJjIHQ"] {
            assert!(Cursor::read(text).is_none(), "{text}");
        }
    }
}
