//! Sessions of the database, lent by a pooler some way off for one errand each. In each, a setting says which tenant's rows the
//! views show. Home of `leads.session-setting`.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::lock::hold;
use crate::refusal::Refusal;
use crate::sql::{self, Connection};
use crate::store::Store;

/// What each session of SQLite knows besides the tables that all have in common. Its setting is a row of a table.
pub(crate) const SESSION: &str = "
    CREATE TEMP VIEW my_leads AS
        SELECT id, tenant_id, name, contact FROM main.leads
        WHERE tenant_id = (SELECT tenant_id FROM setting);
    CREATE TEMP VIEW my_campaigns AS
        SELECT id, tenant_id, name, pitch FROM main.campaigns
        WHERE tenant_id = (SELECT tenant_id FROM setting);
";

/// The same in PostgreSQL, where the table itself shows a tenant its own, and takes nobody else's. A view asks with the rights of who made
/// it, unless it is told otherwise.
pub(crate) const POLICIES: &str = "
    ALTER TABLE leads ENABLE ROW LEVEL SECURITY;
    CREATE POLICY leads_of_tenant ON leads USING (tenant_id = current_setting('app.tenant', true));
    CREATE VIEW my_leads WITH (security_invoker = true) AS SELECT id, tenant_id, name, contact FROM leads;
    CREATE VIEW my_campaigns AS
        SELECT id, tenant_id, name, pitch FROM campaigns WHERE tenant_id = current_setting('app.tenant', true);
";

/// When a session learns whose rows it may show.
#[derive(Clone, Copy)]
pub(super) enum Setting {
    /// Guilty: on a loan of its own before the query's, which may get another session, and it stays afterwards.
    BeforeTheLoan,
    /// Right: together with the query, and it goes with it.
    WithinTheLoan,
}

pub(super) struct Sessions {
    setting: Setting,
    latency: Duration,
    idle: Mutex<Vec<Store>>,
    free: Semaphore,
}

impl Sessions {
    pub(super) fn new(setting: Setting, latency: Duration, sessions: Vec<Store>) -> Self {
        let free = Semaphore::new(sessions.len());
        Self { setting, latency, idle: Mutex::new(sessions), free }
    }

    /// Asks for what a tenant may see.
    pub(super) async fn ask<T, F>(&self, tenant_id: String, query: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> sql::Result<T> + Send + 'static,
    {
        match self.setting {
            Setting::BeforeTheLoan => {
                self.lend(move |db| db.set_tenant(&tenant_id)).await?;
                self.lend(query).await
            }
            Setting::WithinTheLoan => self.lend(move |db| db.within_tenant(&tenant_id, query)).await,
        }
    }

    /// Lends the session that was given back last. The answer is on its way back to us when the session is free again.
    async fn lend<T, F>(&self, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> sql::Result<T> + Send + 'static,
    {
        let permit = self.free.acquire().await.map_err(|_| Refusal::Fault)?;
        let session = hold(&self.idle).pop().ok_or(Refusal::Fault)?;
        let loan = Loan { idle: &self.idle, session };
        let answer = loan.session.run(work).await;
        drop((loan, permit));
        tokio::time::sleep(self.latency).await;
        answer
    }
}

/// A session that is lent. It is given back also where the request is dropped on the way; what it was told to do before, it does
/// before what the next one tells it.
struct Loan<'a> {
    idle: &'a Mutex<Vec<Store>>,
    session: Store,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        hold(self.idle).push(self.session.clone());
    }
}
