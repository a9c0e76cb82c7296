//! The flaws of the finance wing.

use super::{Card, Expected, Wing};

pub(super) const CACHE_KEY: Card = Card {
    id: "finance.cache-key",
    wing: Wing::Finance,
    mechanism: "the cache of monthly summaries is keyed by the month alone, not by user and month",
    trigger: "a second user reads the summary of the same month",
    source: "a finance dashboard's review of its cache layer",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], route: "GET /finance/summary" },
};
