//! A multi-tenant service with switchable isolation flaws: what Coalmine is measured with.
//!
//! It is a small real service: SQLite, passwords hashed with argon2, JWT, HTTP, WebSocket and server-sent events. It has wings, one module
//! each and all of one shape: a `SCHEMA`, a `routes()`, and a struct of what the wing keeps in memory. A [`Flaw`] is a
//! switch; with it off, the same code is the [twin](FlawSet::none), and leaks nothing under any load.
//!
//! A flaw is a mechanism: state is really shared, a filter really missing. Search the sources for a variant of [`Flaw`] to
//! see its one line, with the guilty choice before the right one.
//!
//! ```
//! use coalmine_target::{Config, Flaw, FlawSet, start};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let flaws = FlawSet::from_iter([Flaw::OpsGetById]);
//! let running = start(Config { flaws, ..Config::default() }).await.unwrap();
//! println!("{}", running.url());
//! running.stop().await;
//! # });
//! ```
//!
//! It is made to be attacked on loopback. Anyone may register, passwords are hashed cheaply, and there is no TLS: never
//! let it listen where others can reach it.

mod accounts;
mod agents;
mod answer;
mod arrivals;
mod caller;
mod config;
mod connection;
mod debug;
mod diagnostics;
mod document;
mod error;
mod finance;
mod flaw;
mod id;
mod in_process;
mod input;
mod leads;
mod lock;
mod logouts;
mod names;
mod operations;
mod password;
mod refusal;
mod remote;
mod server;
mod service;
mod shelf;
mod sql;
mod store;
mod token;

pub use config::{Config, PLATFORM_KEY, Storage};
pub use error::StartError;
pub use flaw::{Expected, Flaw, FlawSet, UnknownFlaw, Wing};
pub use in_process::{InProcess, in_process};
pub use names::Names;
pub use server::{Running, start};
