//! The flaws of the agents wing.

use super::{Card, Expected, Wing};

pub(super) const SHARED_STATE: Card = Card {
    id: "agents.shared-state",
    wing: Wing::Agents,
    mechanism: "one agent state object serves every run, so that a run's result is built from what another put there",
    trigger: "runs of two tenants overlap",
    source: "an agent platform whose DeepAgentState warned that multiple users may see each other's data",
    is_race: true,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /agents/runs/{id}" },
};

pub(super) const CONTEXT_SLOT: Card = Card {
    id: "agents.context-slot",
    wing: Wing::Agents,
    mechanism: "a process-wide current user is set when a request is let in, and read again after an await",
    trigger: "any request of another tenant while GET /me waits",
    source: "an agent platform's report of user context bleeding between concurrent executions",
    is_race: true,
    expected: Expected { oracles: &["identity-echo", "foreign-canary"], also: &[], route: "GET /me" },
};

pub(super) const INSTANCE_BY_NAME: Card = Card {
    id: "agents.instance-by-name",
    wing: Wing::Agents,
    mechanism: "agent instances are cached by name, not by user and name, and keep their first user's instructions",
    trigger: "a second user asks an agent of the same name",
    source: "an agent platform's factory of agents",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "POST /agents/instances/{name}/ask" },
};

pub(super) const WS_BROADCAST: Card = Card {
    id: "agents.ws-broadcast",
    wing: Wing::Agents,
    mechanism: "an event goes to every socket that is subscribed to its type, whoever owns the run",
    trigger: "any run while another tenant is connected",
    source: "an agent platform's tests of WebSocket isolation",
    is_race: false,
    expected: Expected { oracles: &["misrouted-event"], also: &[], route: "GET /agents/events" },
};

pub(super) const WS_STALE_ROUTE: Card = Card {
    id: "agents.ws-stale-route",
    wing: Wing::Agents,
    mechanism: "a run's route keeps the slot of a dropped socket, and the next socket takes that slot",
    trigger: "a socket drops before its run ends, and another tenant connects",
    source: "an agent platform's tests of WebSocket isolation",
    is_race: false,
    expected: Expected { oracles: &["misrouted-event"], also: &[], route: "GET /agents/events" },
};

pub(super) const MERGE: Card = Card {
    id: "agents.merge",
    wing: Wing::Agents,
    mechanism: "what a finished run has learned is merged into the thread of whichever run began last, not into its own",
    trigger: "another tenant's run begins before a run ends",
    source: "an agent platform's merge_from",
    is_race: true,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /agents/threads/{id}/facts" },
};

pub(super) const CHILD_SHARES_PARENT: Card = Card {
    id: "agents.child-shares-parent",
    wing: Wing::Agents,
    mechanism: "the contexts of children are the parent's own, so that a child knows what its siblings were told",
    trigger: "two children of one run",
    source: "an agent platform's child contexts",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /agents/missions/{id}/tasks/{task}" },
};

pub(super) const APPROVAL_MIX: Card = Card {
    id: "agents.approval-mix",
    wing: Wing::Agents,
    mechanism: "pending approvals are kept under the type of workload, not under the run",
    trigger: "two tenants have approvals of one type pending",
    source: "an agent platform's handler of approvals",
    is_race: true,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "POST /agents/synthetic/{id}/approve" },
};

pub(super) const POOL_DESYNC: Card = Card {
    id: "agents.pool-desync",
    wing: Wing::Agents,
    mechanism: "a cancelled request gives its backend connection back with an unread answer, which the next request takes for its own",
    trigger: "a client hangs up between its request's way to the backend and the answer",
    source: "a chat service's Redis client, 20 March 2023",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /agents/memories/{name}" },
};

pub(super) const TIMEOUT_BLEED: Card = Card {
    id: "agents.timeout-bleed",
    wing: Wing::Agents,
    mechanism: "a run that exceeds its time leaves its draft on the worker's desk, and the next run there goes on writing it",
    trigger: "a run that is too slow for its limit, then a run of another tenant",
    source: "an agent platform's timeout manager",
    is_race: false,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /agents/runs/{id}" },
};

pub(super) const WS_REPLAY: Card = Card {
    id: "agents.ws-replay",
    wing: Wing::Agents,
    mechanism: "events that a socket has missed are replayed from one buffer, whoever they were for",
    trigger: "a socket comes back with the id of its last event, after events of others",
    source: "an agent platform's tests of WebSocket isolation",
    is_race: true,
    expected: Expected { oracles: &["misrouted-event"], also: &[], route: "GET /agents/events" },
};

pub(super) const WS_LOST_EVENT: Card = Card {
    id: "agents.ws-lost-event",
    wing: Wing::Agents,
    mechanism: "when the queue of a slow socket is full, it is emptied into nothing, and the socket goes on as if it had missed nothing",
    trigger: "a client that reads more slowly than its runs have to say",
    source: "an agent platform's delivery of events",
    is_race: false,
    expected: Expected { oracles: &["missing-event"], also: &[], route: "GET /agents/events" },
};

pub(super) const THREAD_ECHO: Card = Card {
    id: "agents.thread-echo",
    wing: Wing::Agents,
    mechanism: "the context of a run is taken from the thread of whichever run began last",
    trigger: "another tenant's run begins before a run ends",
    source: "an agent platform's extraction of contexts",
    is_race: true,
    expected: Expected { oracles: &["foreign-canary"], also: &[], route: "GET /agents/runs/{id}" },
};
