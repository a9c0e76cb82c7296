//! Budgets of a user, listed by one of several workers. Home of `finance.flag-off`.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Created;
use crate::caller::Caller;
use crate::input::Input;
use crate::refusal::Refusal;
use crate::service::{App, ROWS_MAX};
use crate::sql::{self, Row, params};

/// The flag behind which the filter by user was rolled out.
#[derive(Clone, Copy)]
pub(super) enum Isolation {
    /// Guilty: as it was before.
    Off,
    /// Right: each user sees its own.
    On,
}

/// Workers of which each has read the flag when it was started. Requests go round.
pub(super) struct Workers {
    flags: [Isolation; 4],
    next: AtomicUsize,
}

impl Workers {
    /// The last worker was started with `of_the_last`, all others as they should be.
    pub(super) fn new(of_the_last: Isolation) -> Self {
        Self { flags: [Isolation::On, Isolation::On, Isolation::On, of_the_last], next: AtomicUsize::new(0) }
    }

    fn next(&self) -> Isolation {
        self.flags[self.next.fetch_add(1, Ordering::Relaxed) % self.flags.len()]
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    name: String,
    amount: i64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Budget {
    id: i64,
    name: String,
    amount: i64,
}

impl Budget {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { id: row.get(0)?, name: row.get(1)?, amount: row.get(2)? })
    }
}

pub(super) async fn create(
    State(service): State<App>,
    caller: Caller,
    Input(Draft { name, amount }): Input<Draft>,
) -> Result<Created<Budget>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let insertion = service
        .store
        .run(move |db| db.prepare_cached(ADD)?.query_row(params![user_id, name, amount], Budget::from_row));
    Ok(Created(insertion.await?))
}

const ADD: &str = "INSERT INTO budgets (user_id, name, amount) VALUES (?1, ?2, ?3) RETURNING id, name, amount";

pub(super) async fn list(State(service): State<App>, caller: Caller) -> Result<Json<Vec<Budget>>, Refusal> {
    let narrowed_to = match service.finance.workers.next() {
        Isolation::Off => None,
        Isolation::On => Some(caller.identity.user_id.clone()),
    };
    let listing = service
        .store
        .run(move |db| db.prepare_cached(LIST)?.query_map(params![narrowed_to, ROWS_MAX], Budget::from_row)?.collect());
    Ok(Json(listing.await?))
}

const LIST: &str = "SELECT id, name, amount FROM budgets
    WHERE ?1 IS NULL OR user_id = ?1 ORDER BY id DESC LIMIT ?2";
