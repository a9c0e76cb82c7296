//! Why the service could not be started.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use crate::sql;

/// Why the service could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken or not allowed.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The folder of the database or its thread could not be made.
    #[error("cannot make room for the database")]
    Room(#[from] io::Error),
    /// The database could not be opened, or its tables not made.
    #[error("cannot open the database: {0}")]
    Database(#[source] Box<dyn Error + Send + Sync>),
    /// Redis does not answer.
    #[error("cannot use Redis: {0}")]
    Redis(#[source] Box<dyn Error + Send + Sync>),
}

impl From<rusqlite::Error> for StartError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<postgres::Error> for StartError {
    fn from(error: postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<redis::RedisError> for StartError {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(error.into())
    }
}

impl From<sql::Error> for StartError {
    fn from(error: sql::Error) -> Self {
        Self::Database(error.into())
    }
}
