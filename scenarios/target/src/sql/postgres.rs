//! A session of PostgreSQL. Which tenant's rows it shows is a setting of the session, or of one transaction; the policies of the tables ask
//! for it.

use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::error::Error as StdError;

use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Statement};
use rusqlite::types::Value;

use super::dialect;
use super::error::Result;

const STATEMENTS_MAX: usize = 256;

pub(crate) struct Session {
    /// One thread uses it, and never twice at once.
    inner: RefCell<Inner>,
}

struct Inner {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl Session {
    pub(crate) fn new(client: Client) -> Self {
        Self { inner: RefCell::new(Inner { client, statements: HashMap::new() }) }
    }

    pub(super) fn prepare_cached(&self, sql: &str) -> Result<Statement> {
        let mut inner = self.inner();
        if let Some(statement) = inner.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = inner.client.prepare(&dialect::statement(sql))?;
        if inner.statements.len() >= STATEMENTS_MAX {
            inner.statements.clear();
        }
        inner.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) fn execute(&self, statement: &Statement, values: Vec<Value>) -> Result<usize> {
        let values: Vec<_> = values.into_iter().map(Cell).collect();
        let params: Vec<_> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let changed = self.inner().client.execute(statement, &params)?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub(super) fn rows(&self, statement: &Statement, values: Vec<Value>) -> Result<Vec<Vec<Value>>> {
        let values: Vec<_> = values.into_iter().map(Cell).collect();
        let params: Vec<_> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let rows = self.inner().client.query(statement, &params)?;
        let row = |row: &postgres::Row| {
            (0..row.len()).map(|column| Ok(row.try_get::<_, Cell>(column)?.0)).collect::<Result<Vec<_>>>()
        };
        rows.iter().map(row).collect()
    }

    pub(super) fn last_insert_rowid(&self) -> Result<i64> {
        let statement = self.prepare_cached("SELECT lastval()")?;
        Ok(self.inner().client.query_one(&statement, &[])?.try_get(0)?)
    }

    /// As `SET app.tenant`: until somebody sets another.
    pub(super) fn set_tenant(&self, tenant_id: &str) -> Result<()> {
        let statement = self.prepare_cached("SELECT set_config('app.tenant', ?1, false)")?;
        self.inner().client.execute(&statement, &[&tenant_id])?;
        Ok(())
    }

    /// Begins a transaction with `SET LOCAL app.tenant`: until its end.
    pub(super) fn begin_for(&self, tenant_id: &str) -> Result<()> {
        let statement = self.prepare_cached("SELECT set_config('app.tenant', ?1, true)")?;
        let mut inner = self.inner();
        inner.client.batch_execute("BEGIN")?;
        inner.client.execute(&statement, &[&tenant_id])?;
        Ok(())
    }

    /// Ends the transaction.
    pub(super) fn end(&self, is_well: bool) -> Result<()> {
        Ok(self.inner().client.batch_execute(if is_well { "COMMIT" } else { "ROLLBACK" })?)
    }

    fn inner(&self) -> RefMut<'_, Inner> {
        self.inner.borrow_mut()
    }
}

/// A value as the server wants it: a number may be narrower there, or true and false.
#[derive(Debug)]
struct Cell(Value);

type Failure = Box<dyn StdError + Sync + Send>;

impl ToSql for Cell {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Failure> {
        match (&self.0, kind) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Integer(number), &Type::BOOL) => (*number != 0).to_sql(kind, out),
            (Value::Integer(number), &Type::INT4) => i32::try_from(*number)?.to_sql(kind, out),
            (Value::Integer(number), &Type::INT8) => number.to_sql(kind, out),
            (Value::Real(number), &Type::FLOAT8) => number.to_sql(kind, out),
            (Value::Text(text), _) => text.to_sql(kind, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(kind, out),
            (value, kind) => Err(format!("{} is no {kind}", value.data_type()).into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> std::result::Result<Self, Failure> {
        Ok(Self(match *kind {
            Type::BOOL => Value::Integer(bool::from_sql(kind, raw)?.into()),
            Type::INT4 => Value::Integer(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Value::Integer(i64::from_sql(kind, raw)?),
            Type::FLOAT8 => Value::Real(f64::from_sql(kind, raw)?),
            Type::BYTEA => Value::Blob(Vec::from_sql(kind, raw)?),
            _ => Value::Text(String::from_sql(kind, raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Failure> {
        Ok(Self(Value::Null))
    }

    fn accepts(kind: &Type) -> bool {
        let numbers = [Type::BOOL, Type::INT4, Type::INT8, Type::FLOAT8, Type::BYTEA];
        numbers.contains(kind) || <String as FromSql>::accepts(kind)
    }
}
