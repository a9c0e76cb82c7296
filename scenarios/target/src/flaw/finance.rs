//! The flaws of the finance wing.

use super::{Card, Expected, Wing};

pub(super) const CACHE_KEY: Card = Card {
    id: "finance.cache-key",
    wing: Wing::Finance,
    mechanism: "the cache of monthly summaries is keyed by the month alone, not by user and month",
    trigger: "a second user reads the summary of the same month",
    source: "a finance dashboard's review of its cache layer",
    is_race: false,
    needs: None,
    expected: Expected { oracles: &["foreign-canary"], route: "GET /finance/summary" },
};

pub(super) const SINGLE_FLIGHT: Card = Card {
    id: "finance.single-flight",
    wing: Wing::Finance,
    mechanism: "who asks for a chart of a month that is being drawn gets that one, whoever it is drawn for",
    trigger: "two users ask for the chart of one month at the same time",
    source: "a finance dashboard's review of its cache layer",
    is_race: true,
    needs: None,
    expected: Expected { oracles: &["foreign-canary"], route: "GET /finance/chart" },
};
