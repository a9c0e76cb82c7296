//! Coalmine's vocabulary: the plain data that crosses its seams.
//!
//! Five stages hand each other five values, in one direction:
//!
//! ```text
//! Scenario --(plan)--> Plan --(run)--> History --(judge)--> Verdict --(report)--> files, terminal
//! ```
//!
//! The scenario is text and belongs to the plan crate. The other four values live here, together with the small nouns they
//! are made of. This crate opens no file and no socket and reads no clock: [`history`] writes to and reads from whatever
//! `std::io` value its caller brings.

pub mod bound;
pub mod budget;
pub mod case;
pub mod condition;
pub mod diagnosis;
pub mod earlier;
pub mod fit;
pub mod function;
pub mod history;
pub mod model;
pub mod perturb;
pub mod plan;
pub mod principal;
pub mod property;
pub mod report;
pub mod script;
pub mod seed;
pub mod selector;
pub mod sharing;
pub mod sought;
pub mod step;
pub mod template;
pub mod turns;
pub mod verdict;
pub mod worth;

pub use budget::Budget;
pub use plan::Plan;
pub use principal::{Principal, PrincipalId, Scope, TenantId};
pub use report::Report;
pub use script::Script;
pub use seed::Seed;
pub use verdict::{Outcome, Verdict};
