//! The crate from outside: what is minted is found, and nothing else.

mod bounds;
mod chains;
mod chunks;
mod containers;
mod fields;
mod forms;
mod others;
mod recall;
mod silence;
mod table;
mod weak;
