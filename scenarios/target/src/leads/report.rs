//! Reports on a topic, written by workers.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::office::{self, Assignment};
use super::turns;
use super::webhook::Receiver;
use crate::answer::Accepted;
use crate::caller::Caller;
use crate::input::{Input, Place};
use crate::refusal::Refusal;
use crate::service::App;
use crate::sql::{self, Connection, OptionalExtension, params};

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    topic: String,
    letterhead: Option<String>,
    /// The URL to tell when it is done.
    notify: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Queued {
    report_id: String,
    #[schemars(extend("enum" = STATUSES))]
    status: &'static str,
}

/// What becomes of a report.
const STATUSES: [&str; 3] = ["queued", "done", "failed"];

/// A report that was accepted is written even when the client has hung up meanwhile.
pub(super) async fn order(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { topic, letterhead, notify }): Input<Draft>,
) -> Result<Accepted<Queued>, Refusal> {
    let notify = notify.map(|url| Receiver::parse(&url)).transpose()?;
    let place = service.leads.turns.queue_up(&caller.identity.tenant_id)?;
    let report_id = service.config.names.fresh_id("report");
    let assignment = Assignment { report_id, caller: caller.identity.clone(), topic, letterhead, notify };
    let accepted = tokio::spawn(accept(App::clone(&service), assignment, place));
    let queued = accepted.await.map_err(|_| Refusal::Fault)??;
    Ok(Accepted(queued))
}

async fn accept(service: App, assignment: Assignment, place: turns::Place) -> Result<Queued, Refusal> {
    let Assignment { report_id, caller, topic, .. } = &assignment;
    let (id, tenant_id, topic) = (report_id.clone(), caller.tenant_id.clone(), topic.clone());
    let insertion = service.store.run(move |db| {
        db.prepare_cached("INSERT INTO reports (id, tenant_id, topic, status) VALUES (?1, ?2, ?3, 'queued')")?
            .execute(params![id, tenant_id, topic])
    });
    insertion.await?;
    let queued = Queued { report_id: report_id.clone(), status: "queued" };
    tokio::spawn(office::hand_in(service, assignment, place));
    Ok(queued)
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    #[serde(rename = "report_id")]
    id: String,
    tenant_id: String,
    topic: String,
    #[schemars(extend("enum" = STATUSES))]
    status: String,
    heading: Option<String>,
    letterhead: Option<String>,
    text: Option<String>,
}

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<String>,
) -> Result<Json<Report>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let report = service.store.run(move |db| report_of(db, &id, &tenant_id)).await?;
    report.map(Json).ok_or(Refusal::NotFound)
}

fn report_of(db: &Connection, id: &str, tenant_id: &str) -> sql::Result<Option<Report>> {
    db.prepare_cached(
        "SELECT id, tenant_id, topic, status, heading, letterhead, text FROM reports WHERE id = ?1 AND tenant_id = ?2",
    )?
    .query_row([id, tenant_id], |row| {
        Ok(Report {
            id: row.get(0)?,
            tenant_id: row.get(1)?,
            topic: row.get(2)?,
            status: row.get(3)?,
            heading: row.get(4)?,
            letterhead: row.get(5)?,
            text: row.get(6)?,
        })
    })
    .optional()
}
