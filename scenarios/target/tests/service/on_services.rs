//! The same tests as on embedded storage, on PostgreSQL and Redis.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod agents;
mod books;
mod client;
mod connections;
mod document;
mod events;
mod finance;
mod leads;
mod load;
mod memories;
mod operations;
mod pads;
mod plant;
mod replay;
mod rooms;
mod runs;
mod wire;

use coalmine_target::Storage;

/// Where the machine has no servers, and it is allowed to do without, these tests say so and run on what there is.
fn storage() -> Storage {
    coalmine_servers::shared().map_or(Storage::Memory, |servers| Storage::Services {
        database_url: servers.database_url().to_owned(),
        redis_url: servers.redis_url().to_owned(),
    })
}

#[test]
fn all_that_is_tested_on_embedded_storage_is_tested_on_services() {
    let modules = |source: &'static str| source.lines().filter(|line| line.starts_with("mod "));
    let here: Vec<_> = modules(include_str!("on_services.rs")).collect();
    let missing: Vec<_> = modules(include_str!("main.rs")).filter(|module| !here.contains(module)).collect();
    assert_eq!(missing, ["mod storage;"]);
}
