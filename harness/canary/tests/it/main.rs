//! The crate from outside: what is minted is found, and nothing else.

mod bounds;
mod chunks;
mod forms;
mod recall;
mod weak;
