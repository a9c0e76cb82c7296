//! The finance wing: transactions, their monthly summaries and charts.

mod chart;
mod flight;
mod summary;
mod transactions;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use coalmine_models::KeyedBy;

use crate::flaw::{Flaw, FlawSet};
use crate::remote::Remote;
use crate::service::App;
use crate::shelf::Shelf;
use chart::Chart;
use flight::Flights;
use summary::Summary;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS transactions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        user_id TEXT NOT NULL,
        month TEXT NOT NULL,
        description TEXT NOT NULL,
        amount INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS transactions_of_user ON transactions (user_id, month);
    CREATE TABLE IF NOT EXISTS booked (
        owner TEXT NOT NULL,
        key TEXT NOT NULL,
        transaction_id INTEGER NOT NULL REFERENCES transactions (id),
        PRIMARY KEY (owner, key)
    );
";

const SUMMARIES_MAX: usize = 4096;

/// What the wing keeps in memory.
pub(crate) struct Wing {
    /// By user and month.
    summaries: Shelf<Summary>,
    /// Charts that are being drawn, by user and month.
    charts: Flights<Chart>,
    /// What idempotency keys are kept by.
    booked_by: KeyedBy,
}

impl Wing {
    pub(crate) fn new(flaws: &FlawSet, remote: Option<&Arc<Remote>>) -> Self {
        let keyed_by = |flaw| flaws.pick(flaw, KeyedBy::Name, KeyedBy::OwnerAndName);
        Self {
            summaries: Shelf::new("summary", keyed_by(Flaw::FinanceCacheKey), SUMMARIES_MAX, remote),
            charts: Flights::new(keyed_by(Flaw::FinanceSingleFlight)),
            booked_by: keyed_by(Flaw::HttpIdempotencyKey),
        }
    }
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/finance/transactions", post(transactions::create).get(transactions::list))
        .route("/finance/summary", get(summary::read))
        .route("/finance/chart", get(chart::read))
}
