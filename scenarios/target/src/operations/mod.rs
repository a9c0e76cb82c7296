//! The operations wing: what a plant holds back, when its machines stood still, what inspections have found, who was there and
//! who stands in. Rows belong to a tenant.

mod attendance;
mod clients;
mod coverage;
mod downtime;
mod export;
mod filter;
mod holds;
mod kpi;
mod pool;
mod quality;
mod reviews;
mod sheet;

use coalmine_models::{Buffers, Keep, Reuse};

use crate::document::{Routes, get, post};
use crate::flaw::{Flaw, FlawSet};
use crate::refusal::Refusal;
use attendance::Trust;
use filter::Filter;
use holds::{Checks, Ownership};
use pool::Unassigned;
use quality::Range;
use reviews::Readers;

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
    CREATE TABLE IF NOT EXISTS inspections (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_id TEXT NOT NULL,
        day TEXT NOT NULL,
        part TEXT NOT NULL,
        finding TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS inspections_of_tenant ON inspections (tenant_id);
    CREATE TABLE IF NOT EXISTS pool (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_id TEXT,
        name TEXT NOT NULL,
        line TEXT
    );
    CREATE INDEX IF NOT EXISTS pool_of_tenant ON pool (tenant_id);
    CREATE TABLE IF NOT EXISTS coverage (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_id TEXT NOT NULL,
        shift TEXT NOT NULL,
        remark TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS coverage_words (
        word TEXT NOT NULL,
        tenant_id TEXT NOT NULL,
        coverage_id INTEGER NOT NULL REFERENCES coverage (id)
    );
    CREATE INDEX IF NOT EXISTS coverage_of_word ON coverage_words (word, tenant_id);
    CREATE TABLE IF NOT EXISTS reviews (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_id TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS reviews_of_tenant ON reviews (tenant_id);
    CREATE TABLE IF NOT EXISTS attendance (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_id TEXT NOT NULL,
        day TEXT NOT NULL,
        worker TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS attendance_of_tenant ON attendance (tenant_id);
";

/// How the wing treats what belongs to tenants.
pub(crate) struct Wing {
    holds: Checks,
    downtime_filter: Filter,
    kpi_filter: Filter,
    day_range: Range,
    export_filter: Filter,
    unassigned: Unassigned,
    index_filter: Filter,
    trust: Trust,
    review_readers: Readers,
    /// What exports are written into.
    buffers: Buffers<u8>,
}

const IDLE_BUFFERS_MAX: usize = 8;

impl Wing {
    pub(crate) fn new(flaws: &FlawSet) -> Self {
        let ownership = |flaw| flaws.pick(flaw, Ownership::Unchecked, Ownership::Checked);
        let filter = |flaw| flaws.pick(flaw, Filter::Nothing, Filter::Tenant);
        Self {
            holds: Checks {
                read: ownership(Flaw::OpsGetById),
                change: ownership(Flaw::OpsUpdateById),
                remove: ownership(Flaw::OpsDeleteById),
                refusal: flaws.pick(Flaw::OpsForbiddenNotMissing, Refusal::Forbidden, Refusal::NotFound),
            },
            downtime_filter: filter(Flaw::OpsListUnfiltered),
            kpi_filter: filter(Flaw::OpsAggregateUnfiltered),
            day_range: flaws.pick(Flaw::OpsDateRangeBypass, Range::InsteadOfTheTenant, Range::WithinTheTenant),
            export_filter: filter(Flaw::OpsExportAll),
            unassigned: flaws.pick(Flaw::OpsNullableOwner, Unassigned::BelongsToNobody, Unassigned::BelongsToTheWriter),
            index_filter: filter(Flaw::OpsSearchIndex),
            trust: flaws.pick(Flaw::OpsCursor, Trust::Cursor, Trust::Caller),
            review_readers: flaws.pick(Flaw::OpsRoleEscalation, Readers::Anyone, Readers::Leaders),
            buffers: Buffers::new(
                flaws.pick(Flaw::HttpBufferReuse, Reuse::AsItIs, Reuse::Cleared),
                Keep::AtOnce,
                IDLE_BUFFERS_MAX,
            ),
        }
    }
}

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/operations/holds", post(holds::create).get(holds::list))
        .route("/operations/holds/{id}", get(holds::read).put(holds::change).delete(holds::remove))
        .route("/operations/downtime", post(downtime::create).get(downtime::list))
        .route("/operations/downtime/export", get(export::download))
        .route("/operations/clients", get(clients::list))
        .route("/operations/kpi", get(kpi::read))
        .route("/operations/quality", post(quality::create).get(quality::list))
        .route("/operations/quality/export", get(quality::export))
        .route("/operations/reviews", post(reviews::create).get(reviews::list))
        .route("/operations/pool", post(pool::create).get(pool::list))
        .route("/operations/coverage", post(coverage::create))
        .route("/operations/search", get(coverage::search))
        .route("/operations/attendance", post(attendance::create).get(attendance::list))
}
