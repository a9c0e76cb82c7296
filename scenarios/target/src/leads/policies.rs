//! Policies: which tables show a tenant its own rows, so that queries need not ask for them. Home of `leads.rls-missing`.

use crate::flaw::{Flaw, FlawSet};

/// Whether a table has one.
#[derive(Clone, Copy)]
enum Policy {
    /// Guilty: the table came later than the others, and was forgotten.
    Missing,
    /// Right: as all tables have.
    Tenant,
}

/// The tables that are read through `my_leads` and so on.
pub(crate) struct Policies([(&'static str, Policy); 2]);

impl Policies {
    pub(crate) fn new(flaws: &FlawSet) -> Self {
        let campaigns = flaws.pick(Flaw::LeadsRlsMissing, Policy::Missing, Policy::Tenant);
        Self([("leads", Policy::Tenant), ("campaigns", campaigns)])
    }

    /// The views of a session of SQLite, which ask its setting whose rows they show.
    pub(crate) fn views(&self) -> String {
        let view = |(table, policy): &(&str, Policy)| {
            let rows = match policy {
                Policy::Missing => "",
                Policy::Tenant => "WHERE tenant_id = (SELECT tenant_id FROM setting)",
            };
            format!("CREATE TEMP VIEW my_{table} AS SELECT * FROM main.{table} {rows};")
        };
        self.0.iter().map(view).collect()
    }

    /// The same in PostgreSQL, where the tables themselves show a tenant its own, and take nobody else's. A view asks with the rights of who
    /// made it, unless it is told otherwise.
    pub(crate) fn statements(&self) -> String {
        let statement = |(table, policy): &(&str, Policy)| {
            let policy = match policy {
                Policy::Missing => String::new(),
                Policy::Tenant => format!(
                    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
                     CREATE POLICY {table}_of_tenant ON {table} USING (tenant_id = current_setting('app.tenant', true));"
                ),
            };
            format!("{policy} CREATE VIEW my_{table} WITH (security_invoker = true) AS SELECT * FROM {table};")
        };
        self.0.iter().map(statement).collect()
    }
}
