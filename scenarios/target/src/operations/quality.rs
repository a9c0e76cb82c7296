//! Quality: what inspections have found. Home of `ops.date-range-bypass` and `ops.export-all`.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sheet::{self, Sheet};
use crate::answer::Created;
use crate::caller::Caller;
use crate::input::{Input, Params};
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Connection, Row, params};

/// How the list treats a range of days.
#[derive(Clone, Copy)]
pub(super) enum Range {
    /// Guilty: with a query of its own, whose author forgot the tenant.
    InsteadOfTheTenant,
    /// Right: as a further condition.
    WithinTheTenant,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    /// Such as `2026-01-31`.
    day: String,
    part: String,
    finding: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Inspection {
    id: i64,
    tenant_id: String,
    day: String,
    part: String,
    finding: String,
}

impl Inspection {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { id: row.get(0)?, tenant_id: row.get(1)?, day: row.get(2)?, part: row.get(3)?, finding: row.get(4)? })
    }
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { day, part, finding }): Input<Draft>,
) -> Result<Created<Inspection>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let insertion = service
        .store
        .run(move |db| db.prepare_cached(ADD)?.query_row(params![tenant_id, day, part, finding], Inspection::from_row));
    Ok(Created(insertion.await?))
}

const ADD: &str = "INSERT INTO inspections (tenant_id, day, part, finding) VALUES (?1, ?2, ?3, ?4)
    RETURNING id, tenant_id, day, part, finding";

/// The first and the last day of a range, either of which may be missing.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Days {
    from: Option<String>,
    to: Option<String>,
}

pub(super) async fn list(
    State(service): State<App>,
    caller: Caller,
    Params(Days { from, to }): Params<Days>,
) -> Result<Json<Vec<Inspection>>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let (range, has_range) = (service.operations.day_range, from.is_some() || to.is_some());
    let narrowed_to = match range {
        Range::InsteadOfTheTenant if has_range => None,
        Range::InsteadOfTheTenant | Range::WithinTheTenant => Some(tenant_id),
    };
    Ok(Json(service.store.run(move |db| newest(db, narrowed_to, from, to)).await?))
}

/// What an export is written as.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Csv,
    Xlsx,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Wanted {
    format: Format,
}

pub(super) async fn export(
    State(service): State<App>,
    caller: Caller,
    Params(Wanted { format }): Params<Wanted>,
) -> Result<Sheet, Refusal> {
    let narrowed_to = service.operations.export_filter.tenant(&caller.identity.tenant_id);
    let inspections = service.store.run(move |db| newest(db, narrowed_to, None, None)).await?;
    let head = ["day", "part", "finding"].map(|name| service.config.names.word(name).to_owned());
    let rows = inspections.into_iter().map(|Inspection { day, part, finding, .. }| [day, part, finding]);
    let rows: Vec<_> = [head].into_iter().chain(rows).collect();
    Ok(match format {
        Format::Csv => Sheet::Csv(sheet::csv(&rows)),
        Format::Xlsx => Sheet::Xlsx(sheet::xlsx(&rows)?),
    })
}

/// Of a tenant, or of everybody.
fn newest(
    db: &Connection,
    tenant_id: Option<String>,
    from: Option<String>,
    to: Option<String>,
) -> sql::Result<Vec<Inspection>> {
    let rows = params![tenant_id, from.unwrap_or_default(), to.unwrap_or(LAST_DAY.to_owned()), ROWS_MAX];
    db.prepare_cached(LIST)?.query_map(rows, Inspection::from_row)?.collect()
}

/// Comes after every day.
const LAST_DAY: &str = "9999-99-99";

const LIST: &str = "SELECT id, tenant_id, day, part, finding FROM inspections
    WHERE (?1 IS NULL OR tenant_id = ?1) AND day >= ?2 AND day <= ?3 ORDER BY id DESC LIMIT ?4";
