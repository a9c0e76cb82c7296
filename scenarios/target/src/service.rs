//! The service as one value: what its wings share.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn_with_state;
use axum::{Json, Router};
use coalmine_models::{ContextSlot, SlotScope, TokenKey};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::accounts::{Discarded, Pads};
use crate::caller::AskWho;
use crate::config::Config;
use crate::debug::{self, Debug, LastRequest};
use crate::diagnostics::{self, Diagnostics, Readers};
use crate::document::{Beside, Routes, document, get, schema_to};
use crate::flaw::Flaw;
use crate::logouts::Logouts;
use crate::refusal::Error;
use crate::remote::Remote;
use crate::store::Store;
use crate::token::{Identity, PREFIX_CHARS, Tokens};
use crate::{accounts, agents, finance, leads, names, operations};

pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// A list answers with the newest rows, this many at most.
pub(crate) const ROWS_MAX: u32 = 100;

/// What handlers are given.
pub(crate) type App = Arc<Service>;

pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) store: Store,
    /// Redis, where the service uses it.
    pub(crate) remote: Option<Arc<Remote>>,
    pub(crate) tokens: Tokens,
    pub(crate) debug: Debug,
    pub(crate) last_request: LastRequest,
    pub(crate) logouts: Logouts,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) pads: Pads,
    pub(crate) ask_who: AskWho,
    pub(crate) current_user: ContextSlot<Identity>,
    pub(crate) agents: agents::Wing,
    pub(crate) operations: operations::Wing,
    pub(crate) leads: leads::Wing,
    pub(crate) finance: finance::Wing,
    pub(crate) stopping: watch::Receiver<bool>,
    /// Made when it is asked for first.
    document: OnceLock<Value>,
    requests: AtomicU64,
}

/// What the service is built upon.
pub(crate) struct Backends {
    pub(crate) store: Store,
    /// What only reads.
    pub(crate) sessions: Vec<Store>,
    pub(crate) remote: Option<Arc<Remote>>,
    /// Where the server of memories listens.
    pub(crate) memories: SocketAddr,
}

impl Service {
    pub(crate) fn new(config: Config, backends: Backends, stopping: watch::Receiver<bool>) -> Self {
        let flaws = &config.flaws;
        let Backends { store, sessions, remote, memories } = backends;
        Self {
            store,
            tokens: Tokens::new(flaws.pick(Flaw::HttpTokenPrefix, TokenKey::Prefix(PREFIX_CHARS), TokenKey::Whole)),
            debug: flaws.pick(Flaw::HttpErrorEcho, Debug::On, Debug::Off),
            last_request: LastRequest::default(),
            logouts: Logouts::new(),
            diagnostics: Diagnostics::new(flaws.pick(Flaw::HttpLogEndpoint, Readers::Everyone, Readers::TheirUser)),
            pads: Pads::new(flaws.pick(Flaw::HttpIdReuse, Discarded::IsGivenOutAgain, Discarded::IsGone)),
            ask_who: flaws.pick(Flaw::HttpAuthByConnection, AskWho::EachConnection, AskWho::EachRequest),
            current_user: ContextSlot::new(flaws.pick(Flaw::AgentsContextSlot, SlotScope::Process, SlotScope::Request)),
            agents: agents::Wing::new(&config, memories, remote.as_ref()),
            operations: operations::Wing::new(flaws),
            leads: leads::Wing::new(&config, sessions, remote.as_ref()),
            finance: finance::Wing::new(flaws, remote.as_ref()),
            remote,
            stopping,
            document: OnceLock::new(),
            requests: AtomicU64::new(1),
            config,
        }
    }

    /// A number that no other request of this process has.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }
}

/// All routes of the service.
fn routes() -> Routes {
    Routes::new()
        .route("/health", get(health))
        .route("/openapi.json", get(openapi))
        .route("/diagnostics/log", get(diagnostics::read))
        .merge(accounts::routes())
        .merge(agents::routes())
        .merge(operations::routes())
        .merge(leads::routes())
        .merge(finance::routes())
}

/// What the service says about itself.
pub(crate) fn described() -> Value {
    let named = |(name, value): (&str, Value)| (name.to_owned(), value);
    let error = ("Error", schema_to::<Error>());
    let schemas = [error].into_iter().chain(agents::messages()).map(named).collect();
    document(&routes(), Beside { schemas, webhooks: leads::webhooks().map(named).into_iter().collect() })
}

pub(crate) fn router(service: App) -> Router {
    let routes = routes()
        .into_router(&service.config.names)
        .fallback(debug::nowhere)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let routes = match service.debug {
        Debug::On => routes.layer(from_fn_with_state(App::clone(&service), debug::remember)),
        Debug::Off => routes,
    };
    let routes = if service.config.names.is_own() {
        routes
    } else {
        routes.layer(from_fn_with_state(App::clone(&service), names::rename_answer))
    };
    routes.with_state(service)
}

#[derive(Serialize, JsonSchema)]
struct Health {
    #[schemars(extend("enum" = ["ok"]))]
    status: &'static str,
}

async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

async fn openapi(State(service): State<App>) -> Json<Value> {
    let document = service.document.get_or_init(|| {
        let mut document = described();
        service.config.names.rename_schema(&mut document);
        document
    });
    Json(document.clone())
}
