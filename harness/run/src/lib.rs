//! A Plan and a target become a History.
//!
//! The only crate with sockets, clocks and tasks. [`run_round`] carries out one plan against a target and writes what
//! happened through a [`Recorder`]; it judges nothing. Every byte that comes back passes an observer while it streams,
//! which notes the canaries in it; bodies are not kept.
//!
//! What two tenants share must be the target's doing: each principal has connections of its own, a request is sent once
//! and never repeated, and no cookie or pool is common to two principals.

mod allow;
mod board;
mod caching;
mod collision;
mod content;
mod dial;
mod due;
mod engine;
mod event_stream;
mod exchange;
mod forgery;
mod function;
mod gate;
mod inbox;
mod jar;
mod lane;
mod leaf;
mod ledger;
mod logs;
mod multipart;
mod observe;
mod odd;
mod onlooker;
mod outgoing;
mod outline;
mod page;
mod passes;
mod paths;
mod poison;
mod postgres;
mod progress;
mod queue;
mod ready;
mod recorder;
mod redis;
mod round;
mod secrets;
mod self_test;
mod shape;
mod socket;
mod stillness;
mod stop;
mod store;
mod sync;
mod tcp;
mod tls;
mod unknown;
mod valve;
mod webhook;
mod websocket;

pub use allow::{AddressError, Destinations};
pub use dial::Dial;
pub use function::computed;
pub use lane::captured;
pub use onlooker::{Letter, Onlooker, Scene};
pub use paths::PathError;
pub use progress::{Leftover, Progress};
pub use recorder::{Recorder, RecorderError};
pub use round::{RunError, run_round};
pub use secrets::Secrets;
pub use stop::Stop;
pub use tls::{Certificates, CertificatesError};
