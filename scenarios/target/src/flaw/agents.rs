//! The flaws of the agents wing.

use super::{Card, Expected, Wing};

pub(super) const SHARED_STATE: Card = Card {
    id: "agents.shared-state",
    wing: Wing::Agents,
    mechanism: "one agent state object serves every run, so that a run's result is built from what another put there",
    trigger: "runs of two tenants overlap",
    source: "an agent platform whose DeepAgentState warned that multiple users may see each other's data",
    is_race: true,
    expected: Expected { oracles: &["foreign-canary"], route: "GET /agents/runs/{id}" },
};

pub(super) const CONTEXT_SLOT: Card = Card {
    id: "agents.context-slot",
    wing: Wing::Agents,
    mechanism: "a process-wide current user is set when a request is let in, and read again after an await",
    trigger: "any request of another tenant while GET /me waits",
    source: "an agent platform's report of user context bleeding between concurrent executions",
    is_race: true,
    expected: Expected { oracles: &["identity-echo", "foreign-canary"], route: "GET /me" },
};

pub(super) const INSTANCE_BY_NAME: Card = Card {
    id: "agents.instance-by-name",
    wing: Wing::Agents,
    mechanism: "agent instances are cached by name, not by user and name, and keep their first user's instructions",
    trigger: "a second user asks an agent of the same name",
    source: "an agent platform's factory of agents",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], route: "POST /agents/instances/{name}/ask" },
};

pub(super) const WS_BROADCAST: Card = Card {
    id: "agents.ws-broadcast",
    wing: Wing::Agents,
    mechanism: "an event goes to every socket that is subscribed to its type, whoever owns the run",
    trigger: "any run while another tenant is connected",
    source: "an agent platform's tests of WebSocket isolation",
    is_race: false,
    expected: Expected { oracles: &["misrouted-event"], route: "GET /agents/events" },
};

pub(super) const WS_STALE_ROUTE: Card = Card {
    id: "agents.ws-stale-route",
    wing: Wing::Agents,
    mechanism: "a run's route keeps the slot of a dropped socket, and the next socket takes that slot",
    trigger: "a socket drops before its run ends, and another tenant connects",
    source: "an agent platform's tests of WebSocket isolation",
    is_race: false,
    expected: Expected { oracles: &["misrouted-event"], route: "GET /agents/events" },
};
