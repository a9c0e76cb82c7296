//! The finance wing: transactions, their monthly summaries and charts.

mod chart;
mod flight;
mod summary;
mod transactions;

use axum::Router;
use axum::routing::{get, post};
use coalmine_models::{Cache, Fill, KeyedBy};

use crate::flaw::{Flaw, FlawSet};
use crate::service::App;
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
    summaries: Cache<String, String, Summary>,
    /// Charts that are being drawn, by user and month.
    charts: Flights<Chart>,
    /// What idempotency keys are kept by.
    booked_by: KeyedBy,
}

impl Wing {
    pub(crate) fn new(flaws: &FlawSet) -> Self {
        let keyed_by = |flaw| flaws.pick(flaw, KeyedBy::Name, KeyedBy::OwnerAndName);
        Self {
            summaries: Cache::new(keyed_by(Flaw::FinanceCacheKey), Fill::UnlessForgotten, SUMMARIES_MAX),
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
