//! The agents wing: threads, runs that think for a while, their events over WebSocket and as a
//! stream, agents with instructions, what they
//! remember, and data that they make up once it is approved.

mod announcement;
mod desk;
mod event;
mod instances;
mod journal;
mod listener;
mod memory;
mod missions;
mod outlet;
mod runs;
mod socket;
mod state;
mod stream;
mod synthetic;
mod threads;

use std::net::SocketAddr;
use std::sync::Arc;

use coalmine_models::{
    AgentStates, Backlog, ContextSlot, EventRouter, Fanout, GiveBack, Inherit, KeyedBy, SlotScope, StateScope, Unplug,
    Update,
};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::document::{Routes, get, post, put, schema_of, schema_to};
use crate::flaw::Flaw;
use crate::remote::Remote;
use crate::shelf::Shelf;
use announcement::Outbox;
pub(crate) use announcement::tune_in;
use desk::{Desks, Unfinished};
use journal::Journal;
use listener::Logout;
use memory::Lines;
pub(crate) use memory::listen;
use missions::Missions;
use outlet::{Outlet, WhenFull};
use state::RunState;
use synthetic::{Approvals, PendingBy};

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
        result TEXT,
        context TEXT REFERENCES threads (id)
    );
    CREATE INDEX IF NOT EXISTS runs_of_thread ON runs (thread_id);
    CREATE TABLE IF NOT EXISTS instructions (
        user_id TEXT NOT NULL,
        agent TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (user_id, agent)
    );
    CREATE TABLE IF NOT EXISTS facts (
        thread_id TEXT NOT NULL REFERENCES threads (id),
        text TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS facts_of_thread ON facts (thread_id);
    CREATE TABLE IF NOT EXISTS synthetic (
        id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL,
        workload TEXT NOT NULL,
        description TEXT NOT NULL,
        status TEXT NOT NULL
    );
";

const INSTANCES_MAX: usize = 4096;

/// What the wing keeps in memory.
pub(crate) struct Wing {
    /// What runs work on.
    states: AgentStates<RunState>,
    /// Agents by user and name: the instructions that each was made with.
    instances: Shelf<String>,
    /// Sockets by user, runs by id.
    router: EventRouter<String, String, Arc<Outlet>>,
    /// Events that were told, for those who come back.
    journal: Journal,
    /// Where events wait for Redis, where there is one.
    outbox: Outbox,
    /// What becomes of a reader that is too slow.
    when_full: WhenFull,
    /// What connections do when their session ends.
    logout: Logout,
    /// One permit for each run under way.
    runs: Arc<Semaphore>,
    /// Where runs write their drafts.
    desks: Desks,
    /// The thread that a run's findings belong to, looked up when it ends.
    current_thread: ContextSlot<String>,
    /// The thread that a run has learned from, looked up when it ends.
    context_thread: ContextSlot<String>,
    /// What waits to be approved.
    approvals: Approvals,
    /// Runs that start children.
    missions: Missions,
    /// Connections to what agents remember.
    memories: Lines,
}

impl Wing {
    pub(crate) fn new(config: &Config, memories: SocketAddr, remote: Option<&Arc<Remote>>) -> Self {
        let flaws = &config.flaws;
        let scope = flaws.pick(Flaw::AgentsSharedState, StateScope::Process, StateScope::Run);
        let keyed_by = flaws.pick(Flaw::AgentsInstanceByName, KeyedBy::Name, KeyedBy::OwnerAndName);
        let fanout = flaws.pick(Flaw::AgentsWsBroadcast, Fanout::Everyone, Fanout::Route);
        let unplug = flaws.pick(Flaw::AgentsWsStaleRoute, Unplug::KeepRoutes, Unplug::ClearRoutes);
        let unfinished = flaws.pick(Flaw::AgentsTimeoutBleed, Unfinished::Stays, Unfinished::IsCleared);
        let merged_into = flaws.pick(Flaw::AgentsMerge, SlotScope::Process, SlotScope::Request);
        let echoes = flaws.pick(Flaw::AgentsThreadEcho, SlotScope::Process, SlotScope::Request);
        let pending_by = flaws.pick(Flaw::AgentsApprovalMix, PendingBy::Workload, PendingBy::Run);
        let inherit = flaws.pick(Flaw::AgentsChildSharesParent, Inherit::Share, Inherit::Copy);
        let give_back = flaws.pick(Flaw::AgentsPoolDesync, GiveBack::AsItIs, GiveBack::ReplaceUnclean);
        Self {
            states: AgentStates::new(scope, Update::UnderLock),
            instances: Shelf::new("instance", keyed_by, INSTANCES_MAX, remote),
            router: EventRouter::new(fanout, unplug, config.sockets_max),
            journal: Journal::new(flaws.pick(Flaw::AgentsWsReplay, Backlog::Everyones, Backlog::Owners)),
            outbox: Outbox::new(),
            when_full: flaws.pick(Flaw::AgentsWsLostEvent, WhenFull::Empty, WhenFull::End),
            logout: flaws.pick(Flaw::HttpLogout, Logout::IsIgnored, Logout::EndsConnections),
            runs: Arc::new(Semaphore::new(config.runs_max)),
            desks: Desks::new(unfinished),
            current_thread: ContextSlot::new(merged_into),
            context_thread: ContextSlot::new(echoes),
            approvals: Approvals::new(pending_by),
            missions: Missions::new(inherit),
            memories: Lines::new(memories, give_back),
        }
    }
}

/// Schemas of what goes over the WebSocket and the stream.
pub(crate) fn messages() -> [(&'static str, Value); 3] {
    [
        ("Event", schema_to::<event::Event<'_>>()),
        ("Failure", schema_to::<socket::Failure>()),
        ("Command", schema_of::<socket::Command>()),
    ]
}

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/agents/threads", post(threads::create).get(threads::list))
        .route("/agents/threads/{id}", get(threads::read))
        .route("/agents/threads/{id}/facts", get(threads::facts))
        .route("/agents/threads/{id}/runs", post(runs::create))
        .route("/agents/runs/{id}", get(runs::read))
        .route("/agents/instances/{name}/instructions", put(instances::instruct).get(instances::read))
        .route("/agents/instances/{name}/ask", post(instances::ask))
        .route("/agents/memories/{name}", put(memory::keep).get(memory::recall))
        .route("/agents/synthetic", post(synthetic::propose))
        .route("/agents/synthetic/{id}", get(synthetic::read))
        .route("/agents/synthetic/{id}/approve", post(synthetic::approve))
        .route("/agents/missions", post(missions::begin))
        .route("/agents/missions/{id}/tasks", post(missions::delegate))
        .route("/agents/missions/{id}/tasks/{task}", get(missions::read))
        .route("/agents/events", get(socket::connect))
        .route("/agents/stream", get(stream::open))
}
