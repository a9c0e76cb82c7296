//! The flaws of the operations wing.

use super::{Card, Expected, Wing};

pub(super) const LIST_UNFILTERED: Card = Card {
    id: "ops.list-unfiltered",
    wing: Wing::Operations,
    mechanism: "one of the list endpoints lacks the tenant filter",
    trigger: "list after another tenant has written",
    source: "a plant's operations platform, where client_id was missing from list queries",
    is_race: false,
    needs: None,
    expected: Expected { oracles: &["foreign-canary"], route: "GET /operations/downtime" },
};

pub(super) const GET_BY_ID: Card = Card {
    id: "ops.get-by-id",
    wing: Wing::Operations,
    mechanism: "a row is read by its id without asking whose it is",
    trigger: "read with an id of another tenant",
    source: "a plant's operations platform, whose reads by id skipped verify_client_access",
    is_race: false,
    needs: None,
    expected: Expected { oracles: &["access"], route: "GET /operations/holds/{id}" },
};
