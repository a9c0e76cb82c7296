//! What a database says instead of an answer.

use rusqlite::types::FromSqlError;

pub(crate) type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such row")]
    NoRow,
    #[error("SQLite has failed")]
    Sqlite(#[from] rusqlite::Error),
    #[error("PostgreSQL has failed")]
    Postgres(#[from] postgres::Error),
    #[error("a column is not what it was taken for")]
    Column(#[from] FromSqlError),
}

/// A row that need not be there.
pub(crate) trait OptionalExtension<T> {
    fn optional(self) -> Result<Option<T>>;
}

impl<T> OptionalExtension<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(Error::NoRow) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
