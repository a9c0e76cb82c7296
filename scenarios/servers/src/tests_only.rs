//! Servers that the tests of a process share.

use std::env;
use std::io::{self, Write};
use std::sync::OnceLock;

use crate::error::ServerError;
use crate::servers::{Elsewhere, Servers};

/// Forbids to go on without servers.
const REQUIRED: &str = "COALMINE_REQUIRE_SERVICES";

/// The servers of this test process: those that `DATABASE_URL` and `REDIS_URL` name, or new ones. `None`, and a line on stderr that says
/// so, where a program is missing; with `COALMINE_REQUIRE_SERVICES=1` that is a panic, as any other failure always is.
///
/// They end with the process.
pub fn shared() -> Option<&'static Servers> {
    static SHARED: OnceLock<Option<Servers>> = OnceLock::new();
    let start = || {
        let url = |name| env::var(name).ok().filter(|url| !url.is_empty());
        match Servers::start(Elsewhere { database_url: url("DATABASE_URL"), redis_url: url("REDIS_URL") }) {
            Ok(servers) => Some(servers),
            Err(error @ ServerError::Missing { .. }) if !is_required() => {
                skip(&error);
                None
            }
            Err(error) => panic!("there are no servers: {error}"),
        }
    };
    SHARED.get_or_init(start).as_ref()
}

fn is_required() -> bool {
    env::var_os(REQUIRED).is_some_and(|value| value == "1")
}

/// Not with a macro, whose words the test harness would keep to itself.
fn skip(error: &ServerError) {
    let line = format!("SKIPPED tests on PostgreSQL and Redis: {error} ({REQUIRED}=1 forbids to skip)\n");
    // Nobody may be listening.
    let _ = io::stderr().write_all(line.as_bytes());
}
