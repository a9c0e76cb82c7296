//! A private PostgreSQL.

use std::fs;
use std::path::Path;

use crate::error::ServerError;
use crate::keeper::{Kept, Room};
use crate::redis::free_port;
use crate::{program, secret};

const PROGRAM: &str = "postgres";
const PACKAGE: &str = "postgresql";
const SUPERUSER: &str = "postgres";

/// Ports that are free when they are chosen may be taken when they are used.
pub(crate) const TRIES: usize = 4;

/// Nothing needs to outlive the server, so nothing waits for the disk.
const SCRIPT: &str = r#"
bin=$1 port=$2 user=$3
"$bin/initdb" -D data -U "$user" -A scram-sha-256 --pwfile=password \
    --no-sync --no-instructions -E UTF8 --locale=C || exit 1
exec "$bin/postgres" -D data -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=32MB -c max_connections=200
"#;

/// A PostgreSQL that lives as long as this value.
pub struct Postgres {
    url: String,
    _kept: Kept,
}

impl Postgres {
    /// Starts one, and waits until it takes connections: a second, which is mostly `initdb`.
    pub fn start() -> Result<Self, ServerError> {
        let bin = program::folder_of(&["initdb", PROGRAM], PACKAGE)?;
        let mut tried = Self::try_start(&bin);
        for _ in 1..TRIES {
            match tried {
                Err(ServerError::Failed { .. }) => tried = Self::try_start(&bin),
                _ => break,
            }
        }
        tried
    }

    fn try_start(bin: &Path) -> Result<Self, ServerError> {
        let (room, password, port) = (Room::new()?, secret::fresh()?, free_port()?.to_string());
        room.write("password", &password)?;
        let url = format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres");
        let kept = room.keep(PROGRAM, SCRIPT, &[&bin.to_string_lossy(), &port, SUPERUSER], is_ready)?;
        Ok(Self { url, _kept: kept })
    }

    /// Where it is, for its superuser.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// As `pg_ctl` sees it: the server writes its state into the eighth line of a file.
fn is_ready(folder: &Path) -> bool {
    const STATE: usize = 7;
    let state = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    state.lines().nth(STATE).is_some_and(|state| state.trim() == "ready")
}
