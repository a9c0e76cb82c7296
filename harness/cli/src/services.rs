//! Where the built-in service keeps its data: in itself, or in PostgreSQL and Redis.

use std::env;

use coalmine_servers::{Elsewhere, Servers};
use coalmine_target::Storage;

use crate::args::StorageArgs;
use crate::exit::Failed;

/// The storage that was asked for, with the servers that were started for it.
pub(crate) struct Services {
    storage: Storage,
    /// Stopped with it.
    _servers: Option<Servers>,
}

impl Services {
    /// No servers at all.
    pub(crate) fn embedded() -> Self {
        Self { storage: Storage::TemporaryFile, _servers: None }
    }

    /// Starts servers where they are wanted and nobody else runs them. It takes a second.
    pub(crate) async fn open(args: &StorageArgs) -> Result<Self, Failed> {
        let elsewhere = match args {
            StorageArgs { services: true, .. } => named_by_environment(),
            StorageArgs { database: Some(database), redis: Some(redis), .. } => {
                Elsewhere { database_url: Some(database.clone()), redis_url: Some(redis.clone()) }
            }
            _ => return Ok(Self::embedded()),
        };
        let starting = tokio::task::spawn_blocking(move || Servers::start(elsewhere)).await;
        let servers = starting.map_err(|e| Failed::fault("cannot start servers", e))?.map_err(Failed::usage)?;
        let database_url = servers.database_url().to_owned();
        let storage = Storage::Services { database_url, redis_url: servers.redis_url().to_owned() };
        Ok(Self { storage, _servers: Some(servers) })
    }

    /// Where each service that is started keeps its data, apart from the others'.
    pub(crate) fn storage(&self) -> Storage {
        self.storage.clone()
    }

    /// For people, without passwords.
    pub(crate) fn name(&self) -> &'static str {
        match self.storage {
            Storage::Services { .. } => "PostgreSQL and Redis",
            _ => "a temporary file",
        }
    }
}

fn named_by_environment() -> Elsewhere {
    let url = |name| env::var(name).ok().filter(|url| !url.is_empty());
    Elsewhere { database_url: url("DATABASE_URL"), redis_url: url("REDIS_URL") }
}
