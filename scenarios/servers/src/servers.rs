//! Both servers.

use crate::error::ServerError;
use crate::postgres::Postgres;
use crate::redis::Redis;

/// Servers that somebody else runs. What is not named is started.
#[derive(Clone, Default)]
pub struct Elsewhere {
    /// `postgres://` with a user that may create roles and schemas.
    pub database_url: Option<String>,
    /// `redis://`
    pub redis_url: Option<String>,
}

/// A PostgreSQL and a Redis, there as long as this value.
pub struct Servers {
    database: Place<Postgres>,
    redis: Place<Redis>,
}

enum Place<T> {
    Elsewhere(String),
    Here(T),
}

impl Servers {
    /// Starts what is not elsewhere.
    pub fn start(elsewhere: Elsewhere) -> Result<Self, ServerError> {
        Ok(Self {
            database: Place::of(elsewhere.database_url, Postgres::start)?,
            redis: Place::of(elsewhere.redis_url, Redis::start)?,
        })
    }

    /// Where PostgreSQL is. It may hold a password.
    pub fn database_url(&self) -> &str {
        match &self.database {
            Place::Elsewhere(url) => url,
            Place::Here(postgres) => postgres.url(),
        }
    }

    /// Where Redis is. It may hold a password.
    pub fn redis_url(&self) -> &str {
        match &self.redis {
            Place::Elsewhere(url) => url,
            Place::Here(redis) => redis.url(),
        }
    }
}

impl<T> Place<T> {
    fn of(url: Option<String>, start: impl Fn() -> Result<T, ServerError>) -> Result<Self, ServerError> {
        match url {
            Some(url) => Ok(Self::Elsewhere(url)),
            None => start().map(Self::Here),
        }
    }
}
