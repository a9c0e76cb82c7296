//! A private PostgreSQL and a private Redis, from the programs of this machine: on free ports of loopback, with their data in a temporary
//! folder, stopped and removed when they are no longer wanted. Or those that somebody else runs.
//!
//! Nothing survives the process that has started a server, however that process ends: a shell [keeps](self) each server, and stops it
//! at the end of a pipe whose other end nobody but the process holds. As root, servers run under an account without privileges, for
//! PostgreSQL refuses root.
//!
//! ```no_run
//! use coalmine_servers::{Elsewhere, Servers};
//!
//! let servers = Servers::start(Elsewhere::default())?;
//! println!("{} {}", servers.database_url(), servers.redis_url());
//! # Ok::<(), coalmine_servers::ServerError>(())
//! ```
//!
//! Tests that need them ask [`shared`], which says so where there are none.

#[cfg(unix)]
mod account;
mod error;
#[cfg(unix)]
mod keeper;
#[cfg(not(unix))]
#[path = "nowhere.rs"]
mod keeper;
mod postgres;
mod program;
mod redis;
mod secret;
mod servers;
mod tests_only;

pub use error::ServerError;
pub use postgres::Postgres;
pub use redis::Redis;
pub use servers::{Elsewhere, Servers};
pub use tests_only::shared;
