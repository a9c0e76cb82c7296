//! Values on their way into a statement, and out of a row.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, ToSqlOutput, Value, ValueRef};

use super::error::Result;

/// What a statement is given for `?1`, `?2` and so on.
pub(crate) trait Params {
    fn values(&self) -> Result<Vec<Value>>;
}

impl Params for &[&dyn ToSql] {
    fn values(&self) -> Result<Vec<Value>> {
        self.iter().map(|param| owned(*param)).collect()
    }
}

impl<T: ToSql, const N: usize> Params for [T; N] {
    fn values(&self) -> Result<Vec<Value>> {
        self.iter().map(|param| owned(param)).collect()
    }
}

fn owned(param: &dyn ToSql) -> Result<Value> {
    Ok(match param.to_sql()? {
        ToSqlOutput::Borrowed(value) => Value::try_from(value)?,
        ToSqlOutput::Owned(value) => value,
        _ => Value::Null,
    })
}

/// A row of an answer.
pub(crate) struct Row<'a> {
    values: &'a [Value],
}

impl<'a> Row<'a> {
    pub(super) fn new(values: &'a [Value]) -> Self {
        Self { values }
    }

    /// The column of that number, the first being 0.
    pub(crate) fn get<T: FromSql>(&self, column: usize) -> Result<T> {
        let value = self.values.get(column).map_or(ValueRef::Null, ValueRef::from);
        Ok(T::column_result(value)?)
    }
}
