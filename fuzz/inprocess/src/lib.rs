//! Fuzzes a tower or axum service within the process of the fuzzer: no socket lies between, so libFuzzer's counters see the service itself.
//!
//! A trial is a round of Coalmine: bytes become a script of the scenario, the script a plan, the plan is carried out by `coalmine-run` over
//! connections in memory, and its history is judged. What leaks is the crash, and its input is what libFuzzer keeps.
//!
//! ```
//! use axum::{Router, routing::get};
//! use coalmine_inprocess::{App, Harness};
//!
//! const SCENARIO: &str = r#"
//! coalmine: 1
//! name: hello
//! tenants: 3
//! canaries: {word: text}
//! auth: {send: {headers: {x-tenant: "{{tenant.name}}"}}}
//! flows:
//!   hello: {steps: [{id: say, get: /say, query: {word: "{{canary.word}}"}}]}
//! "#;
//!
//! async fn service() -> App {
//!     App::new(Router::new().route("/say", get(|| async { "hello" })))
//! }
//!
//! // static HARNESS: LazyLock<Harness> = LazyLock::new(|| Harness::new(SCENARIO, service).unwrap());
//! // fuzz_target!(|bytes: &[u8]| { HARNESS.trial(bytes); });
//! let harness = Harness::new(SCENARIO, service)?;
//! assert!(harness.trial(b"what libFuzzer says"));
//! # Ok::<(), coalmine_inprocess::HarnessError>(())
//! ```
//!
//! - **A service for each trial.** The closure is called once in each, on a runtime that ends with the trial: what the service holds, and what it
//!   has begun in the background, ends with it. So the same bytes do the same, and a crash can be played again by itself. Where making a service is
//!   dear, the closure may give clones of one that stays: see [`Harness::at_a_service_that_stays`].
//! - **One thread.** Tasks of the client and of the service take turns on it, so that what happens between two points where they wait happens at
//!   once, and counters change with the input alone. Races that need two processors are for `coalmine fuzz`.
//! - **What of a scenario is played**: one to three of its flows, by three tenants at most, once each, with what shakes them but slow readers and
//!   floods. Oracles of times say nothing here.
//! - **Webhooks** come over a socket of loopback, as the service sends them; a round that waits for some takes a quarter of a second longer.
//! - **After a find** the search goes on where `COALMINE_KNOWN` names a file of what is known: with libFuzzer's `-fork=1 -ignore_crashes=1`, or with
//!   `COALMINE_FINDINGS=collect` in one process. See [`Harness::as_the_environment_says`].

mod app;
mod draw;
mod findings;
mod harness;

pub use app::App;
pub use findings::Reaction;
pub use harness::{Harness, HarnessError};
