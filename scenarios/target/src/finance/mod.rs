//! The finance wing: transactions and their monthly summaries.

mod summary;
mod transactions;

use axum::Router;
use axum::routing::{get, post};
use coalmine_models::{Cache, Fill, KeyedBy};

use crate::flaw::{Flaw, FlawSet};
use crate::service::App;
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
";

const SUMMARIES_MAX: usize = 4096;

/// What the wing keeps in memory.
pub(crate) struct Wing {
    /// By user and month.
    summaries: Cache<String, String, Summary>,
}

impl Wing {
    pub(crate) fn new(flaws: &FlawSet) -> Self {
        let keyed_by = flaws.pick(Flaw::FinanceCacheKey, KeyedBy::Name, KeyedBy::OwnerAndName);
        Self { summaries: Cache::new(keyed_by, Fill::UnlessForgotten, SUMMARIES_MAX) }
    }
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/finance/transactions", post(transactions::create).get(transactions::list))
        .route("/finance/summary", get(summary::read))
}
