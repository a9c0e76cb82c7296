//! The flaws of the operations wing.

use super::{Card, Expected, Wing};

pub(super) const LIST_UNFILTERED: Card = Card {
    id: "ops.list-unfiltered",
    wing: Wing::Operations,
    mechanism: "one of the list endpoints lacks the tenant filter",
    trigger: "list after another tenant has written",
    source: "a plant's operations platform, where client_id was missing from list queries",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /operations/downtime" },
};

pub(super) const GET_BY_ID: Card = Card {
    id: "ops.get-by-id",
    wing: Wing::Operations,
    mechanism: "a row is read by its id without asking whose it is",
    trigger: "read with an id of another tenant",
    source: "a plant's operations platform, whose reads by id skipped verify_client_access",
    is_race: false,
    expected: Expected { oracles: &["access"], also: &[], route: "GET /operations/holds/{id}" },
};

pub(super) const UPDATE_BY_ID: Card = Card {
    id: "ops.update-by-id",
    wing: Wing::Operations,
    mechanism: "a row is changed by its id without asking whose it is",
    trigger: "change with an id of another tenant",
    source: "a plant's operations platform, whose changes by id skipped verify_client_access",
    is_race: false,
    expected: Expected { oracles: &["access"], also: &[], route: "PUT /operations/holds/{id}" },
};

pub(super) const DELETE_BY_ID: Card = Card {
    id: "ops.delete-by-id",
    wing: Wing::Operations,
    mechanism: "a row is removed by its id without asking whose it is",
    trigger: "removal with an id of another tenant",
    source: "a plant's operations platform, whose removals by id skipped verify_client_access",
    is_race: false,
    expected: Expected { oracles: &["access"], also: &[], route: "DELETE /operations/holds/{id}" },
};

pub(super) const FORBIDDEN_NOT_MISSING: Card = Card {
    id: "ops.forbidden-not-missing",
    wing: Wing::Operations,
    mechanism: "who asks for another's id is told that it is forbidden, and who asks for an id of nobody that it is not there",
    trigger: "read with an id of another tenant, and with one that nobody has",
    source: "a plant's operations platform, which was to answer 404 to who may not see",
    is_race: false,
    expected: Expected { oracles: &["existence"], also: &[], route: "GET /operations/holds/{id}" },
};

pub(super) const AGGREGATE_UNFILTERED: Card = Card {
    id: "ops.aggregate-unfiltered",
    wing: Wing::Operations,
    mechanism: "key figures are summed up over the rows of all tenants",
    trigger: "figures after another tenant has written",
    source: "a plant's operations platform, and the boundaries of its key figures",
    is_race: false,
    expected: Expected { oracles: &["wrong-aggregate"], also: &[], route: "GET /operations/kpi" },
};

pub(super) const DATE_RANGE_BYPASS: Card = Card {
    id: "ops.date-range-bypass",
    wing: Wing::Operations,
    mechanism: "a list with a range of days has a query of its own, which lacks the tenant filter",
    trigger: "list with a range after another tenant has written",
    source: "a plant's operations platform, and its tests of ranges of days",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /operations/quality" },
};

pub(super) const EXPORT_ALL: Card = Card {
    id: "ops.export-all",
    wing: Wing::Operations,
    mechanism: "exports are written from all rows, whose lists are filtered",
    trigger: "export after another tenant has written",
    source: "a plant's operations platform, and its reports as CSV and XLSX",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /operations/quality/export" },
};

pub(super) const NULLABLE_OWNER: Card = Card {
    id: "ops.nullable-owner",
    wing: Wing::Operations,
    mechanism: "a row that is assigned to nothing has no owner, and what has no owner is shown to everybody",
    trigger: "a row is written without what would give it an owner",
    source: "a plant's operations platform, and its floating pool",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /operations/pool" },
};

pub(super) const SEARCH_INDEX: Card = Card {
    id: "ops.search-index",
    wing: Wing::Operations,
    mechanism: "the index of words is asked without a tenant",
    trigger: "a search for a word that another tenant has written as well",
    source: "a plant's operations platform, and full-text indexes built beside the tables that they are for",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /operations/search" },
};

pub(super) const CURSOR: Card = Card {
    id: "ops.cursor",
    wing: Wing::Operations,
    mechanism: "the cursor of a page carries the tenant, and is believed",
    trigger: "a cursor that was given to another tenant",
    source: "a plant's operations platform, and cursors that are read back without a check",
    is_race: false,
    expected: Expected { oracles: &["access"], also: &[], route: "GET /operations/attendance" },
};

pub(super) const ROLE_ESCALATION: Card = Card {
    id: "ops.role-escalation",
    wing: Wing::Operations,
    mechanism: "what only leaders may read is shown to whoever knows its address",
    trigger: "a user of another role asks for it",
    source: "a plant's operations platform, and its tests of roles",
    is_race: false,
    expected: Expected { oracles: &["role"], also: &[], route: "GET /operations/reviews" },
};
