//! The data structures that leak tenants' data, guilty and right.
//!
//! Each module is one pattern that multi-tenant services are built from, with an enum that says which way it is built.
//! One variant is the bug as it is found in the field, the other its repair; everything else is the same code, so that the
//! lines that matter stand beside each other.
//!
//! | pattern | guilty | right |
//! | --- | --- | --- |
//! | [`AgentStates`] | [`StateScope::Process`] | [`StateScope::Run`] |
//! | [`ContextSlot`] | [`SlotScope::Process`] | [`SlotScope::Request`] |
//! | [`Cache`] | [`KeyedBy::Name`] | [`KeyedBy::OwnerAndName`] |
//! | [`EventRouter`], to whom | [`Fanout::Everyone`] | [`Fanout::Route`] |
//! | [`EventRouter`], after a drop | [`Unplug::KeepRoutes`] | [`Unplug::ClearRoutes`] |
//!
//! All of them are synchronous and hold a lock only inside a call: an await can never happen under it.

mod cache;
mod router;
mod slot;
mod states;
mod sync;

pub use cache::{Cache, KeyedBy, Lookup, Ticket};
pub use router::{EventRouter, Fanout, Seat, Unplug};
pub use slot::{ContextSlot, SlotScope};
pub use states::{AgentState, AgentStates, StateScope};
