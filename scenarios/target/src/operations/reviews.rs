//! Reviews of the staff, which its leaders write and read. Home of `ops.role-escalation`.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::accounts::Role;
use crate::answer::Created;
use crate::caller::Caller;
use crate::input::Input;
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Row, params};

/// For whom a page is that only leaders find a link to.
#[derive(Clone, Copy)]
pub(super) enum Readers {
    /// Guilty: for everybody of the tenant who knows its address.
    Anyone,
    /// Right: for leaders.
    Leaders,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    text: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Review {
    id: i64,
    tenant_id: String,
    text: String,
}

impl Review {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { id: row.get(0)?, tenant_id: row.get(1)?, text: row.get(2)? })
    }
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { text }): Input<Draft>,
) -> Result<Created<Review>, Refusal> {
    leaders_only(&service, &caller).await?;
    let tenant_id = caller.identity.tenant_id.clone();
    let insertion =
        service.store.run(move |db| db.prepare_cached(ADD)?.query_row(params![tenant_id, text], Review::from_row));
    Ok(Created(insertion.await?))
}

const ADD: &str = "INSERT INTO reviews (tenant_id, text) VALUES (?1, ?2) RETURNING id, tenant_id, text";

pub(super) async fn list(State(service): State<App>, caller: Caller) -> Result<Json<Vec<Review>>, Refusal> {
    match service.operations.review_readers {
        Readers::Anyone => {}
        Readers::Leaders => leaders_only(&service, &caller).await?,
    }
    let tenant_id = caller.identity.tenant_id.clone();
    let listing = service
        .store
        .run(move |db| db.prepare_cached(LIST)?.query_map(params![tenant_id, ROWS_MAX], Review::from_row)?.collect());
    Ok(Json(listing.await?))
}

const LIST: &str = "SELECT id, tenant_id, text FROM reviews WHERE tenant_id = ?1 ORDER BY id DESC LIMIT ?2";

async fn leaders_only(service: &App, caller: &Caller) -> Result<(), Refusal> {
    match Role::of(service, &caller.identity.user_id).await? {
        Role::Leader | Role::Admin | Role::SuperAdmin => Ok(()),
        Role::Operator => Err(Refusal::Forbidden),
    }
}
