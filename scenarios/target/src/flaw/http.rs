//! The flaws that belong to no wing.

use super::{Card, Expected, Wing};

pub(super) const AUTH_BY_CONNECTION: Card = Card {
    id: "http.auth-by-connection",
    wing: Wing::Http,
    mechanism: "who is asking is kept for each TCP connection, not for each request",
    trigger: "requests of two tenants on one connection, as a gateway sends them",
    source: "servers that authenticate connections, behind proxies that share them",
    is_race: false,
    expected: Expected {
        oracles: &["identity-echo", "foreign-canary"],
        also: &[
            "wrong-credential",
            "misrouted-event",
            "access",
            "session-after-logout",
            "wrong-aggregate",
            "response-mix-up",
        ],
        route: "GET /me",
    },
};

pub(super) const BUFFER_REUSE: Card = Card {
    id: "http.buffer-reuse",
    wing: Wing::Http,
    mechanism: "answers are written into a pooled buffer that is not cleared, so that the tail of an older answer remains",
    trigger: "a short answer after a long one",
    source: "a content delivery network's memory in its pages, 2017",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /operations/downtime/export" },
};

pub(super) const IDEMPOTENCY_KEY: Card = Card {
    id: "http.idempotency-key",
    wing: Wing::Http,
    mechanism: "answers are kept by idempotency key alone, not by user and key",
    trigger: "two tenants choose the same key",
    source: "payment services whose keys are chosen by their clients",
    is_race: false,
    expected: Expected {
        oracles: &["identity-echo", "foreign-canary"],
        also: &[],
        route: "POST /finance/transactions",
    },
};

pub(super) const LOGOUT: Card = Card {
    id: "http.logout",
    wing: Wing::Http,
    mechanism: "a WebSocket asks for the token once, when it is opened, and stays open when the session ends",
    trigger: "logout while a WebSocket of the session is open",
    source: "services that check tokens at the handshake",
    is_race: false,
    expected: Expected { oracles: &["session-after-logout"], also: &[], route: "GET /agents/events" },
};

pub(super) const ERROR_ECHO: Card = Card {
    id: "http.error-echo",
    wing: Wing::Http,
    mechanism: "the page for unknown addresses shows the last request that the process has answered, for debugging",
    trigger: "an unknown address, asked for after another tenant's request",
    source: "debug pages that were left on",
    is_race: true,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /support" },
};

pub(super) const TOKEN_PREFIX: Card = Card {
    id: "http.token-prefix",
    wing: Wing::Http,
    mechanism: "tokens that were verified are remembered by their first characters, which tokens of one tenant have in common",
    trigger: "two users of one tenant",
    source: "caches of tokens that save memory",
    is_race: false,
    expected: Expected {
        oracles: &["identity-echo"],
        also: &["foreign-canary", "misrouted-event", "wrong-credential", "forged-credential", "role"],
        route: "GET /me",
    },
};

pub(super) const ENCODED_EXPORT: Card = Card {
    id: "http.encoded-export",
    wing: Wing::Http,
    mechanism: "the packed part of an export is made of everybody's rows, while what stands beside it is the caller's",
    trigger: "export after another tenant has written",
    source: "exports that are tested by their file name and size",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /finance/export" },
};

pub(super) const LOG_ENDPOINT: Card = Card {
    id: "http.log-endpoint",
    wing: Wing::Http,
    mechanism: "a page of log lines, meant for operators, shows everybody's to everybody",
    trigger: "reading the log after another tenant's request",
    source: "diagnostics pages behind no more than a login",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /diagnostics/log" },
};

pub(super) const ID_REUSE: Card = Card {
    id: "http.id-reuse",
    wing: Wing::Http,
    mechanism: "what is deleted is kept for its next owner, who gets its id and what was left in it",
    trigger: "delete, then another tenant's create",
    source: "slabs, row ids and file handles that are given out again",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "POST /me/pads" },
};
