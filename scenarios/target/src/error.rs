//! Why the service could not be started.

use std::io;
use std::net::SocketAddr;

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
    /// The database could not be opened.
    #[error("cannot open the database")]
    Database(#[from] rusqlite::Error),
}
