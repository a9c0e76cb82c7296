//! A session of SQLite.

use rusqlite::types::Value;
use rusqlite::{Connection, Statement, params_from_iter};

use super::error::Result;

/// Which tenant's rows the views of this session show.
const SETTING: &str = "
    CREATE TEMP TABLE setting (tenant_id TEXT);
    INSERT INTO setting VALUES (NULL);
";

const STATEMENTS_MAX: usize = 64;

pub(crate) struct Lite {
    pub(super) connection: Connection,
}

impl Lite {
    /// Makes a session of a connection, with views of its own.
    pub(crate) fn new(connection: Connection, views: &str) -> Result<Self> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.execute_batch(SETTING)?;
        connection.execute_batch(views)?;
        Ok(Self { connection })
    }

    pub(super) fn set_tenant(&self, tenant_id: Option<&str>) -> Result<()> {
        self.connection.prepare_cached("UPDATE setting SET tenant_id = ?1")?.execute([tenant_id])?;
        Ok(())
    }
}

pub(super) fn rows(statement: &mut Statement<'_>, params: Vec<Value>) -> Result<Vec<Vec<Value>>> {
    let columns = statement.column_count();
    let mut rows = statement.query(params_from_iter(params))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?);
    }
    Ok(found)
}
