//! Tables in a schema of PostgreSQL, made by an administrator for a role that may read and write them, and that owns none of them: policies
//! do not hold for who owns a table, nor for who may do everything.

use std::time::Duration;

use postgres::{Config, NoTls};

use super::SCHEMAS;
use crate::error::StartError;
use crate::id;
use crate::sql::{self, Session};

const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A schema of its own and the role of the same name, both removed with it.
pub(super) struct Room {
    admin: Config,
    /// Letters, digits and underscores.
    name: String,
    password: String,
}

impl Room {
    /// Makes role, schema, tables and policies. `url` is for somebody who may make them.
    pub(super) fn furnish(url: &str, policies: &str) -> Result<Self, StartError> {
        let mut admin: Config = url.parse()?;
        admin.connect_timeout(CONNECT_MAX).application_name("coalmine-target");
        let mut client = admin.connect(NoTls)?;
        let room = Self { admin, name: id::fresh("coalmine").replace('-', "_"), password: id::fresh("password") };
        client.batch_execute(&room.migration(policies))?;
        Ok(room)
    }

    /// What its schema and its role are called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The connection of the application, which shows nobody's rows to begin with where policies hold.
    pub(super) fn connect(&self) -> Result<Session, StartError> {
        let mut application = self.admin.clone();
        application.user(&self.name).password(&self.password);
        Ok(Session::new(application.connect(NoTls)?))
    }

    fn migration(&self, policies: &str) -> String {
        let Self { name, password, .. } = self;
        let tables: String = SCHEMAS.into_iter().map(sql::schema).collect();
        format!(
            "CREATE ROLE {name} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD '{password}';
             ALTER ROLE {name} SET search_path = {name};
             CREATE SCHEMA {name};
             SET search_path = {name};
             {tables}
             {policies}
             GRANT USAGE ON SCHEMA {name} TO {name};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {name};
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA {name} TO {name};"
        )
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let name = &self.name;
        if let Ok(mut client) = self.admin.connect(NoTls) {
            // What cannot be removed now has lost its server.
            let _ = client.batch_execute(&format!("DROP SCHEMA {name} CASCADE; DROP ROLE {name};"));
        }
    }
}
