//! The same tests as on embedded storage, on `PostgreSQL`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod agents;
mod client;
mod connections;
mod events;
mod finance;
mod leads;
mod load;
mod memories;
mod operations;
mod replay;
mod rooms;
mod runs;
mod wire;

use coalmine_target::Storage;

/// Where the machine has no servers, and it is allowed to do without, these tests say so and run on what there is.
fn storage() -> Storage {
    coalmine_servers::shared()
        .map_or(Storage::Memory, |servers| Storage::Services { database_url: servers.database_url().to_owned() })
}
