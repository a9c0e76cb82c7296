//! The leads wing: leads and campaigns of a tenant, agents of users with their API keys, and reports that workers write. Who orders one may be
//! told by a webhook when it is done.

mod agent;
mod campaign;
mod lead;
mod office;
mod persona;
mod policies;
mod post;
mod press;
mod report;
mod sessions;
mod turns;
mod webhook;

use std::sync::Arc;

use coalmine_models::{Between, KeyedBy, SlotScope};
use serde_json::Value;

use crate::config::Config;
use crate::document::{Routes, get, post, put};
use crate::flaw::Flaw;
use crate::remote::Remote;
use crate::shelf::Shelf;
use crate::store::Store;
use office::Office;
pub(crate) use office::open;
pub(crate) use policies::Policies;
use press::{Cut, Press};
use sessions::{Sessions, Setting};
use turns::{OneAtATime, Turns};

pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS leads (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_id TEXT NOT NULL,
        name TEXT NOT NULL,
        contact TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS leads_of_tenant ON leads (tenant_id);
    CREATE TABLE IF NOT EXISTS lead_agents (
        user_id TEXT PRIMARY KEY,
        model TEXT NOT NULL,
        api_key TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS reports (
        id TEXT PRIMARY KEY,
        tenant_id TEXT NOT NULL,
        topic TEXT NOT NULL,
        status TEXT NOT NULL,
        heading TEXT,
        letterhead TEXT,
        text TEXT
    );
    CREATE TABLE IF NOT EXISTS campaigns (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_id TEXT NOT NULL,
        name TEXT NOT NULL,
        pitch TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS campaigns_of_tenant ON campaigns (tenant_id);
    CREATE TABLE IF NOT EXISTS personas (
        user_id TEXT NOT NULL,
        agent TEXT NOT NULL,
        persona TEXT NOT NULL,
        PRIMARY KEY (user_id, agent)
    );
";

const PERSONAS_MAX: usize = 4096;

/// What the wing keeps in memory.
pub(crate) struct Wing {
    /// Sessions of the database that show a tenant its own.
    sessions: Sessions,
    /// Whose job is next.
    turns: Turns,
    /// Jobs and workers.
    office: Office,
    press: Press,
    /// By user and name of the agent.
    personas: Shelf<String>,
}

impl Wing {
    pub(crate) fn new(config: &Config, sessions: Vec<Store>, remote: Option<&Arc<Remote>>) -> Self {
        let flaws = &config.flaws;
        let setting = flaws.pick(Flaw::LeadsSessionSetting, Setting::BeforeTheLoan, Setting::WithinTheLoan);
        let one_at_a_time = flaws.pick(Flaw::LeadsNoisyNeighbour, OneAtATime::OfAll, OneAtATime::OfEachTenant);
        let between = flaws.pick(Flaw::LeadsQueueContext, Between::Keep, Between::Clear);
        let personas = flaws.pick(Flaw::LeadsConfigCache, KeyedBy::Name, KeyedBy::OwnerAndName);
        let api_keys = flaws.pick(Flaw::LeadsApiKeyShared, SlotScope::Process, SlotScope::Request);
        Self {
            sessions: Sessions::new(setting, config.pooler_latency, sessions),
            turns: Turns::new(one_at_a_time),
            office: Office::new(between, api_keys),
            press: Press::new(flaws.pick(Flaw::LeadsCrashSpreads, Cut::AtThePress, Cut::Beforehand)),
            personas: Shelf::new("persona", personas, PERSONAS_MAX, remote),
        }
    }
}

/// Requests that the wing sends to its users' own services.
pub(crate) fn webhooks() -> [(&'static str, Value); 1] {
    [("report-done", webhook::described())]
}

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/leads", post(lead::create).get(lead::list))
        .route("/leads/{id}", get(lead::read))
        .route("/leads/agent", put(agent::configure).get(agent::read))
        .route("/leads/agents/{name}", put(persona::configure).get(persona::read))
        .route("/leads/campaigns", post(campaign::create).get(campaign::list))
        .route("/leads/reports", post(report::order))
        .route("/leads/reports/{id}", get(report::read))
}
