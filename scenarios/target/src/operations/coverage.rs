//! Coverage: remarks on who covers which shift, found by their words through an index. Home of `ops.search-index`.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Created;
use crate::caller::Caller;
use crate::input::{Input, Params};
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Connection, Row, params};

/// A remark is found by its first words, in the order of the alphabet.
const WORDS_MAX: usize = 64;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    shift: String,
    remark: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Entry {
    id: i64,
    tenant_id: String,
    shift: String,
    remark: String,
}

impl Entry {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { id: row.get(0)?, tenant_id: row.get(1)?, shift: row.get(2)?, remark: row.get(3)? })
    }
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { shift, remark }): Input<Draft>,
) -> Result<Created<Entry>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let insertion = service.store.run(move |db| {
        let entry = db.prepare_cached(ADD)?.query_row(params![tenant_id, shift, remark], Entry::from_row)?;
        index(db, &entry)?;
        Ok(entry)
    });
    Ok(Created(insertion.await?))
}

const ADD: &str = "INSERT INTO coverage (tenant_id, shift, remark) VALUES (?1, ?2, ?3)
    RETURNING id, tenant_id, shift, remark";

fn index(db: &Connection, entry: &Entry) -> sql::Result<()> {
    let mut insert =
        db.prepare_cached("INSERT INTO coverage_words (word, tenant_id, coverage_id) VALUES (?1, ?2, ?3)")?;
    for word in words(&entry.remark).into_iter().take(WORDS_MAX) {
        insert.execute(params![word, entry.tenant_id, entry.id])?;
    }
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Wanted {
    q: String,
}

/// The remarks that hold all words of the query.
pub(super) async fn search(
    State(service): State<App>,
    caller: Caller,
    Params(Wanted { q }): Params<Wanted>,
) -> Result<Json<Vec<Entry>>, Refusal> {
    service.diagnostics.note(&caller.identity.user_id, format!("searched coverage for {q:?}"));
    let narrowed_to = service.operations.index_filter.tenant(&caller.identity.tenant_id);
    Ok(Json(service.store.run(move |db| found(db, &words(&q), narrowed_to)).await?))
}

/// The index is asked for the longest word, what it knows is looked through for the others.
fn found(db: &Connection, words_wanted: &BTreeSet<String>, tenant_id: Option<String>) -> sql::Result<Vec<Entry>> {
    let Some(rarest) = words_wanted.iter().max_by_key(|word| word.len()) else { return Ok(vec![]) };
    let mut query = db.prepare_cached(LOOK_UP)?;
    let entries = query.query_map(params![rarest, tenant_id, ROWS_MAX], Entry::from_row)?;
    let holds_all = |entry: &Entry| words_wanted.is_subset(&words(&entry.remark));
    entries.filter(|entry| entry.as_ref().map_or(true, holds_all)).collect()
}

const LOOK_UP: &str = "SELECT id, coverage.tenant_id, shift, remark FROM coverage
    JOIN coverage_words ON coverage_id = id
    WHERE word = ?1 AND (?2 IS NULL OR coverage_words.tenant_id = ?2) ORDER BY id DESC LIMIT ?3";

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_in_small_letters_each_once() {
        assert_eq!(Vec::from_iter(words("Night, night! shift-4")), ["4", "night", "shift"]);
    }
}
