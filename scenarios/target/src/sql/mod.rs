//! SQL, spoken to SQLite or to PostgreSQL. It is SQLite's, of which the wings use what can be said to both.

mod dialect;
mod error;
mod postgres;
mod row;
mod sqlite;

use rusqlite::types::Value;
pub(crate) use rusqlite::{ToSql, params};

pub(crate) use dialect::schema;
pub(crate) use error::{Error, OptionalExtension, Result};
pub(crate) use postgres::Session;
pub(crate) use row::{Params, Row};
pub(crate) use sqlite::Lite;

/// A session of a database.
pub(crate) enum Connection {
    Sqlite(Lite),
    Postgres(Box<Session>),
}

/// A statement that a session has understood.
pub(crate) enum Statement<'a> {
    Sqlite(rusqlite::CachedStatement<'a>),
    Postgres(&'a Session, ::postgres::Statement),
}

impl Connection {
    pub(crate) fn prepare_cached(&self, sql: &str) -> Result<Statement<'_>> {
        Ok(match self {
            Self::Sqlite(lite) => Statement::Sqlite(lite.connection.prepare_cached(sql)?),
            Self::Postgres(session) => Statement::Postgres(session, session.prepare_cached(sql)?),
        })
    }

    /// The number of the row that this session has inserted last.
    pub(crate) fn last_insert_rowid(&self) -> Result<i64> {
        match self {
            Self::Sqlite(lite) => Ok(lite.connection.last_insert_rowid()),
            Self::Postgres(session) => session.last_insert_rowid(),
        }
    }

    /// From now on this session shows what a tenant may see.
    pub(crate) fn set_tenant(&self, tenant_id: &str) -> Result<()> {
        match self {
            Self::Sqlite(lite) => lite.set_tenant(Some(tenant_id)),
            Self::Postgres(session) => session.set_tenant(tenant_id),
        }
    }

    /// Does `work` while this session shows what a tenant may see, and no longer.
    pub(crate) fn within_tenant<T>(&self, tenant_id: &str, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        match self {
            Self::Sqlite(lite) => {
                lite.set_tenant(Some(tenant_id))?;
                let done = work(self);
                lite.set_tenant(None)?;
                done
            }
            Self::Postgres(session) => {
                session.begin_for(tenant_id)?;
                let done = work(self);
                session.end(done.is_ok())?;
                done
            }
        }
    }
}

impl Statement<'_> {
    /// The number of rows that it has changed.
    pub(crate) fn execute(&mut self, params: impl Params) -> Result<usize> {
        let values = params.values()?;
        match self {
            Self::Sqlite(statement) => Ok(statement.execute(rusqlite::params_from_iter(values))?),
            Self::Postgres(session, statement) => session.execute(statement, values),
        }
    }

    /// The first row.
    pub(crate) fn query_row<T>(&mut self, params: impl Params, read: impl FnOnce(&Row<'_>) -> Result<T>) -> Result<T> {
        let rows = self.rows(params)?;
        read(&Row::new(rows.first().ok_or(Error::NoRow)?))
    }

    /// All rows.
    pub(crate) fn query_map<T>(
        &mut self,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<std::vec::IntoIter<Result<T>>> {
        let mut read = read;
        let all: Vec<_> = self.rows(params)?.iter().map(|values| read(&Row::new(values))).collect();
        Ok(all.into_iter())
    }

    fn rows(&mut self, params: impl Params) -> Result<Vec<Vec<Value>>> {
        let values = params.values()?;
        match self {
            Self::Sqlite(statement) => sqlite::rows(statement, values),
            Self::Postgres(session, statement) => session.rows(statement, values),
        }
    }
}
