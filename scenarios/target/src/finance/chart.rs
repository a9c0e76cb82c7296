//! The chart of a month, which takes a while to draw.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::transactions::Period;
use crate::caller::Caller;
use crate::input::Params;
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Connection, params};

#[derive(Clone, Serialize, JsonSchema)]
pub(super) struct Chart {
    month: String,
    bars: Vec<Bar>,
}

#[derive(Clone, Serialize, JsonSchema)]
struct Bar {
    label: String,
    amount: i64,
}

/// Who asks while a chart is being drawn gets that one. Which charts are the same is for the key to say.
pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Params(Period { month }): Params<Period>,
) -> Result<Json<Chart>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let drawn = draw(&service, user_id.clone(), month.clone());
    service.finance.charts.load(&user_id, &month, drawn).await.map(Json)
}

async fn draw(service: &App, user_id: String, month: String) -> Result<Chart, Refusal> {
    let chart = service.store.run(move |db| chart_of(db, &user_id, month)).await?;
    tokio::time::sleep(service.config.chart_latency).await;
    Ok(chart)
}

fn chart_of(db: &Connection, user_id: &str, month: String) -> sql::Result<Chart> {
    let bars = db
        .prepare_cached(
            "SELECT description, amount FROM transactions WHERE user_id = ?1 AND month = ?2 ORDER BY id DESC LIMIT ?3",
        )?
        .query_map(params![user_id, month, ROWS_MAX], |row| Ok(Bar { label: row.get(0)?, amount: row.get(1)? }))?
        .collect::<sql::Result<_>>()?;
    Ok(Chart { month, bars })
}
