//! The finance wing: transactions of a user, and what is made of them: summaries, charts, statements, suggestions, exports.

mod archive;
mod budgets;
mod chart;
mod explain;
mod flight;
mod imports;
mod ingest;
mod overview;
mod statement;
mod suggest;
mod summary;
mod transactions;

use std::sync::{Arc, OnceLock};

use coalmine_models::{ContextSlot, KeyedBy, SlotScope};

use crate::document::{Routes, get, post};
use crate::flaw::{Flaw, FlawSet};
use crate::remote::Remote;
use crate::shelf::Shelf;
use archive::Packed;
use budgets::{Isolation, Workers};
use chart::Chart;
use flight::Flights;
use imports::Backfill;
use overview::EmptyState;
use statement::{Keep, Version};
use suggest::Suggestions;
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
    CREATE TABLE IF NOT EXISTS imports (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        account TEXT NOT NULL,
        user_id TEXT,
        description TEXT NOT NULL,
        amount INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS imports_of_user ON imports (user_id);
    CREATE TABLE IF NOT EXISTS budgets (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        user_id TEXT NOT NULL,
        name TEXT NOT NULL,
        amount INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS budgets_of_user ON budgets (user_id);
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
    /// What caches are told of statements, and what tells one statement from another.
    keep: Keep,
    version: Version,
    /// Who uploads what is being looked through.
    uploaders: ContextSlot<String>,
    backfill: Backfill,
    empty_state: EmptyState,
    workers: Workers,
    suggestions: Suggestions,
    packed: Packed,
}

impl Wing {
    pub(crate) fn new(flaws: &FlawSet, remote: Option<&Arc<Remote>>) -> Self {
        let keyed_by = |flaw| flaws.pick(flaw, KeyedBy::Name, KeyedBy::OwnerAndName);
        Self {
            summaries: Shelf::new("summary", keyed_by(Flaw::FinanceCacheKey), SUMMARIES_MAX, remote),
            charts: Flights::new(keyed_by(Flaw::FinanceSingleFlight)),
            booked_by: keyed_by(Flaw::HttpIdempotencyKey),
            keep: flaws.pick(Flaw::FinanceCacheControl, Keep::Anyone, Keep::Caller),
            version: flaws.pick(Flaw::FinanceEtag, Version::OfThePeriod, Version::OfTheContent),
            uploaders: ContextSlot::new(flaws.pick(Flaw::FinanceIngestOwner, SlotScope::Process, SlotScope::Request)),
            backfill: flaws.pick(Flaw::FinanceNullOwner, Backfill::Later, Backfill::AtOnce),
            empty_state: flaws.pick(
                Flaw::FinanceEmptyState,
                EmptyState::ExampleOfTheFirst(OnceLock::new()),
                EmptyState::Nothing,
            ),
            workers: Workers::new(flaws.pick(Flaw::FinanceFlagOff, Isolation::Off, Isolation::On)),
            suggestions: Suggestions::new(keyed_by(Flaw::FinanceSuggest)),
            packed: flaws.pick(Flaw::HttpEncodedExport, Packed::Everybodys, Packed::Callers),
        }
    }

    /// What was made of a month is void when something is booked.
    fn forget(&self, user_id: &String, month: &String) {
        self.summaries.forget(user_id, month);
        self.charts.forget(user_id, month);
    }
}

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/finance/transactions", post(transactions::create).get(transactions::list))
        .route("/finance/summary", get(summary::read))
        .route("/finance/chart", get(chart::read))
        .route("/finance/statement", get(statement::read))
        .route("/finance/overview", get(overview::read))
        .route("/finance/ingest", post(ingest::upload))
        .route("/finance/imports", post(imports::create).get(imports::list))
        .route("/finance/budgets", post(budgets::create).get(budgets::list))
        .route("/finance/explain", get(explain::read))
        .route("/finance/suggest", get(suggest::read))
        .route("/finance/export", get(archive::read))
}
