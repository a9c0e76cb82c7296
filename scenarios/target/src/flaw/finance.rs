//! The flaws of the finance wing.

use super::{Card, Expected, Wing};

pub(super) const CACHE_KEY: Card = Card {
    id: "finance.cache-key",
    wing: Wing::Finance,
    mechanism: "the cache of monthly summaries is keyed by the month alone, not by user and month",
    trigger: "a second user reads the summary of the same month",
    source: "a finance dashboard's review of its cache layer",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /finance/summary" },
};

pub(super) const SINGLE_FLIGHT: Card = Card {
    id: "finance.single-flight",
    wing: Wing::Finance,
    mechanism: "who asks for a chart of a month that is being drawn gets that one, whoever it is drawn for",
    trigger: "two users ask for the chart of one month at the same time",
    source: "a finance dashboard's review of its cache layer",
    is_race: true,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /finance/chart" },
};

pub(super) const CACHE_CONTROL: Card = Card {
    id: "finance.cache-control",
    wing: Wing::Finance,
    mechanism: "statements are answered as public, so that any cache on the way may give them to others",
    trigger: "any read",
    source: "a finance dashboard's review of its response headers",
    is_race: false,
    expected: Expected { oracles: &["caching"], also: &[], route: "GET /finance/statement" },
};

pub(super) const ETAG: Card = Card {
    id: "finance.etag",
    wing: Wing::Finance,
    mechanism: "the ETag of a statement is made of its month, which all users have in common",
    trigger: "a request with the ETag that another user was given",
    source: "a finance dashboard's fear of poisoned caches",
    is_race: false,
    expected: Expected { oracles: &["caching"], also: &[], route: "GET /finance/statement" },
};

pub(super) const INGEST_OWNER: Card = Card {
    id: "finance.ingest-owner",
    wing: Wing::Finance,
    mechanism: "uploaded rows are given to the user whose upload began last",
    trigger: "two users upload at the same time",
    source: "a finance dashboard's ingest, which sets the owner",
    is_race: true,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /finance/transactions" },
};

pub(super) const NULL_OWNER: Card = Card {
    id: "finance.null-owner",
    wing: Wing::Finance,
    mechanism: "rows from before have no owner until they are backfilled, and what has no owner is shown to everybody",
    trigger: "rows of others that are not backfilled yet",
    source: "a finance dashboard's backfill of owners",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /finance/imports" },
};

pub(super) const EMPTY_STATE: Card = Card {
    id: "finance.empty-state",
    wing: Wing::Finance,
    mechanism: "a user without transactions is shown an example that was taken from whoever came first",
    trigger: "a new user, after another",
    source: "a finance dashboard's page for new users",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &["not-fresh"], route: "GET /finance/overview" },
};

pub(super) const FLAG_OFF: Card = Card {
    id: "finance.flag-off",
    wing: Wing::Finance,
    mechanism: "the feature flag for isolation is off on one of four workers",
    trigger: "requests that this worker gets",
    source: "a finance dashboard's rollout behind a feature flag",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /finance/budgets" },
};

pub(super) const SUGGEST: Card = Card {
    id: "finance.suggest",
    wing: Wing::Finance,
    mechanism: "suggestions are learned from the texts of all users together",
    trigger: "suggestions for a beginning that others have typed as well",
    source: "a finance dashboard's endpoints for machine learning",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /finance/suggest" },
};
