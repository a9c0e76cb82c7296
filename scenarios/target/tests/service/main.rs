//! The service over real sockets: what it does, what each flaw leaks, and that no twin does.

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
mod runs;
mod storage;
mod wire;

use coalmine_target::Storage;

/// In memory, so that a test need not wait until files are removed.
fn storage() -> Storage {
    Storage::Memory
}
