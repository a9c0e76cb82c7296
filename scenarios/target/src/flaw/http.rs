//! The flaws that belong to no wing.

use super::{Card, Expected, Need, Wing};

pub(super) const AUTH_BY_CONNECTION: Card = Card {
    id: "http.auth-by-connection",
    wing: Wing::Http,
    mechanism: "who is asking is kept for each TCP connection, not for each request",
    trigger: "requests of two tenants on one connection, as a gateway sends them",
    source: "servers that authenticate connections, behind proxies that share them",
    is_race: false,
    needs: Some(Need::Share),
    expected: Expected { oracles: &["identity-echo", "foreign-canary"], route: "GET /me" },
};

pub(super) const BUFFER_REUSE: Card = Card {
    id: "http.buffer-reuse",
    wing: Wing::Http,
    mechanism: "answers are written into a pooled buffer that is not cleared, so that the tail of an older answer remains",
    trigger: "a short answer after a long one",
    source: "a content delivery network's memory in its pages, 2017",
    is_race: false,
    needs: None,
    expected: Expected { oracles: &["foreign-canary"], route: "GET /operations/downtime/export" },
};

pub(super) const IDEMPOTENCY_KEY: Card = Card {
    id: "http.idempotency-key",
    wing: Wing::Http,
    mechanism: "answers are kept by idempotency key alone, not by user and key",
    trigger: "two tenants choose the same key",
    source: "payment services whose keys are chosen by their clients",
    is_race: false,
    needs: None,
    expected: Expected { oracles: &["identity-echo", "foreign-canary"], route: "POST /finance/transactions" },
};
