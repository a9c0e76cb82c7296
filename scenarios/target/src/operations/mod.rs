//! The operations wing: what a plant holds back, and when its machines stood still. Rows belong to a tenant.

mod downtime;
mod export;
mod holds;

use axum::Router;
use axum::routing::{get, post};
use coalmine_models::{Buffers, Keep, Reuse};

use crate::flaw::{Flaw, FlawSet};
use crate::service::App;
use downtime::Filter;
use holds::Ownership;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS holds (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_id TEXT NOT NULL,
        part TEXT NOT NULL,
        quantity INTEGER NOT NULL,
        reason TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS holds_of_tenant ON holds (tenant_id);
    CREATE TABLE IF NOT EXISTS downtime (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_id TEXT NOT NULL,
        machine TEXT NOT NULL,
        minutes INTEGER NOT NULL,
        cause TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS downtime_of_tenant ON downtime (tenant_id);
";

/// How the wing treats what belongs to tenants.
pub(crate) struct Wing {
    hold_ownership: Ownership,
    downtime_filter: Filter,
    /// What exports are written into.
    buffers: Buffers<u8>,
}

const IDLE_BUFFERS_MAX: usize = 8;

impl Wing {
    pub(crate) fn new(flaws: &FlawSet) -> Self {
        Self {
            hold_ownership: flaws.pick(Flaw::OpsGetById, Ownership::Unchecked, Ownership::Checked),
            downtime_filter: flaws.pick(Flaw::OpsListUnfiltered, Filter::Nothing, Filter::Tenant),
            buffers: Buffers::new(
                flaws.pick(Flaw::HttpBufferReuse, Reuse::AsItIs, Reuse::Cleared),
                Keep::AtOnce,
                IDLE_BUFFERS_MAX,
            ),
        }
    }
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/operations/holds", post(holds::create).get(holds::list))
        .route("/operations/holds/{id}", get(holds::read).put(holds::change).delete(holds::remove))
        .route("/operations/downtime", post(downtime::create).get(downtime::list))
        .route("/operations/downtime/export", get(export::download))
}
