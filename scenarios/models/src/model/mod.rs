//! The engine: plays a scene under a model checker, with tenants that carry canaries, and says what that proved.

mod bounds;
mod canary;
mod child;
mod explored;
mod explorer;
mod failure;
mod limits;
mod loom;
mod pattern;
mod saved;
#[cfg(feature = "shuttle")]
mod shuttle;
mod stage;
mod step;
mod tape;

pub use bounds::{Bounds, Extent, Sampling, Schedule};
pub use canary::{Canary, Tenant};
pub use child::Child;
pub(crate) use child::Request;
pub use explored::{Explored, Witness};
pub use explorer::{Explorer, explore};
pub(crate) use failure::{DEADLOCK, LEAK, MISSED};
pub use failure::{Failure, Violation};
pub use pattern::Pattern;
pub use saved::{Saved, SavedError};
pub use stage::{Actor, Stage};
pub use step::Step;
pub(crate) use tape::Tape;
