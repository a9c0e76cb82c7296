//! The agents wing: threads, runs that think for a while, their events over WebSocket, and agents with instructions.

mod event;
mod instances;
mod outlet;
mod runs;
mod socket;
mod state;
mod threads;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use coalmine_models::{AgentStates, Cache, EventRouter, Fanout, Fill, KeyedBy, StateScope, Unplug, Update};
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::flaw::Flaw;
use crate::service::App;
use outlet::Outlet;
use state::RunState;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS threads (
        id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL,
        title TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS threads_of_user ON threads (user_id);
    CREATE TABLE IF NOT EXISTS runs (
        id TEXT PRIMARY KEY,
        thread_id TEXT NOT NULL REFERENCES threads (id),
        user_id TEXT NOT NULL,
        agent TEXT NOT NULL,
        prompt TEXT NOT NULL,
        status TEXT NOT NULL,
        result TEXT
    );
    CREATE INDEX IF NOT EXISTS runs_of_thread ON runs (thread_id);
    CREATE TABLE IF NOT EXISTS instructions (
        user_id TEXT NOT NULL,
        agent TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (user_id, agent)
    );
";

const INSTANCES_MAX: usize = 4096;

/// What the wing keeps in memory.
pub(crate) struct Wing {
    /// What runs work on.
    states: AgentStates<RunState>,
    /// Agents by user and name: the instructions that each was made with.
    instances: Cache<String, String, String>,
    /// Sockets by user, runs by id.
    router: EventRouter<String, String, Arc<Outlet>>,
    /// One permit for each run under way.
    runs: Arc<Semaphore>,
}

impl Wing {
    pub(crate) fn new(config: &Config) -> Self {
        let flaws = &config.flaws;
        let scope = flaws.pick(Flaw::AgentsSharedState, StateScope::Process, StateScope::Run);
        let keyed_by = flaws.pick(Flaw::AgentsInstanceByName, KeyedBy::Name, KeyedBy::OwnerAndName);
        let fanout = flaws.pick(Flaw::AgentsWsBroadcast, Fanout::Everyone, Fanout::Route);
        let unplug = flaws.pick(Flaw::AgentsWsStaleRoute, Unplug::KeepRoutes, Unplug::ClearRoutes);
        Self {
            states: AgentStates::new(scope, Update::UnderLock),
            instances: Cache::new(keyed_by, Fill::UnlessForgotten, INSTANCES_MAX),
            router: EventRouter::new(fanout, unplug, config.sockets_max),
            runs: Arc::new(Semaphore::new(config.runs_max)),
        }
    }
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/agents/threads", post(threads::create).get(threads::list))
        .route("/agents/threads/{id}", get(threads::read))
        .route("/agents/threads/{id}/runs", post(runs::create))
        .route("/agents/runs/{id}", get(runs::read))
        .route("/agents/instances/{name}/instructions", put(instances::instruct).get(instances::read))
        .route("/agents/instances/{name}/ask", post(instances::ask))
        .route("/agents/events", get(socket::connect))
}
