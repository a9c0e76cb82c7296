//! Why there is no server.

use std::io;

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A program is not on this machine.
    #[error("not found: {programs}; install: apt-get install {package}")]
    Missing {
        /// What was looked for.
        programs: String,
        /// Debian's package that has it.
        package: &'static str,
    },
    /// Nothing could be prepared for it.
    #[error("cannot make room for a server")]
    Room(#[from] io::Error),
    /// It has ended, or was not ready in time.
    #[error("{program} did not start; it said: {said}")]
    Failed {
        /// The program that was started.
        program: &'static str,
        /// The last lines of what it wrote.
        said: String,
    },
    /// Servers are started with the means of Unix.
    #[error("servers can be started on Unix only")]
    NotHere,
}
