//! The flaws of the leads wing.

use super::{Card, Expected, Wing};

pub(super) const SESSION_SETTING: Card = Card {
    id: "leads.session-setting",
    wing: Wing::Leads,
    mechanism: "the tenant is set on a pooled database session that is given back before the query, which may run on another",
    trigger: "requests of two tenants share the pool at the same time",
    source: "row-level security behind a pool that lends connections for single statements",
    is_race: true,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /leads" },
};

pub(super) const API_KEY_SHARED: Card = Card {
    id: "leads.api-key-shared",
    wing: Wing::Leads,
    mechanism: "workers keep the API key of the job that began last in one place, and read it when the job is done",
    trigger: "jobs of two tenants overlap",
    source: "a lead platform's requirement that agents of users share no API key",
    is_race: true,
    expected: Expected { oracles: &["wrong-credential"], also: &[], route: "POST /leads/reports" },
};

pub(super) const QUEUE_CONTEXT: Card = Card {
    id: "leads.queue-context",
    wing: Wing::Leads,
    mechanism: "a worker keeps the letterhead of its last job, and uses it for a job that brings none",
    trigger: "a report without a letterhead on a worker that had one with a letterhead before",
    source: "a lead platform's job queue",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /leads/reports/{id}" },
};

pub(super) const CRASH_SPREADS: Card = Card {
    id: "leads.crash-spreads",
    wing: Wing::Leads,
    mechanism: "a job that panics holds a lock of all jobs, which is poisoned from then on",
    trigger: "a report whose topic has a long character across the 61st byte",
    source: "a lead platform's requirement that one user's crash stops nobody else",
    is_race: false,
    expected: Expected { oracles: &["fault-propagation"], also: &[], route: "GET /leads/reports/{id}" },
};

pub(super) const NOISY_NEIGHBOUR: Card = Card {
    id: "leads.noisy-neighbour",
    wing: Wing::Leads,
    mechanism: "one permit serves the jobs of all tenants, one after another",
    trigger: "one tenant asks for many reports at once",
    source: "a lead platform's requirement that users share no resources",
    is_race: false,
    expected: Expected { oracles: &["noisy-neighbour"], also: &[], route: "GET /leads/reports/{id}" },
};

pub(super) const RLS_MISSING: Card = Card {
    id: "leads.rls-missing",
    wing: Wing::Leads,
    mechanism: "one table has no policy by which sessions of the database show a tenant its own rows, and queries rely on it",
    trigger: "list after another tenant has written",
    source: "a lead platform's repair of row-level security",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /leads/campaigns" },
};

pub(super) const CONFIG_CACHE: Card = Card {
    id: "leads.config-cache",
    wing: Wing::Leads,
    mechanism: "configurations of agents are cached by the agent's name, not by user and name",
    trigger: "a second user of an agent of the same name",
    source: "a lead platform's user_agent_configs",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /leads/agents/{name}" },
};
