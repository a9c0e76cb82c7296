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

mod catalogue;
mod model;
mod pattern;
mod structure;
pub mod sync;

pub use catalogue::{Expected, Mark, Model, catalogue, explore_all, run_as_child};
pub use model::{
    Actor, Bounds, Canary, Child, Explored, Explorer, Extent, Failure, Pattern, Sampling, Saved, SavedError, Schedule,
    Stage, Step, Tenant, Violation, Witness, explore,
};
pub use pattern::{
    BUFFERS, BufferPool, CACHE, CHILDREN, Children, DRAIN, FLIGHT, IDEMPOTENCY, Idempotent, LAZY, LIMITER, Lazy,
    Mailbox, POOL, Pool, QUEUE, Queue, REGISTRY, ROUTER, RateLimit, Router, RunStates, SLOT, STATES, STREAM, Sessions,
    Shutdown, SingleFlight, Slot, Stream, TOKENS, TenantCache, Tokens, Wire, check_buffers, check_cache,
    check_children, check_drain, check_flight, check_idempotency, check_lazy, check_limiter, check_pool, check_queue,
    check_registry, check_router, check_slot, check_states, check_stream, check_tokens,
};
pub use structure::{
    Accept, AgentState, AgentStates, Answer, Ask, Backlog, Between, BudgetOf, Buffers, Cache, CellOf, Connection,
    ConnectionPool, Context, ContextSlot, Count, Crash, Drain, EventRouter, EventStream, Failed, Fanout, Fill, Flights,
    GiveBack, Idempotency, Inherit, Job, JobQueue, Keep, KeyedBy, LazyCells, Leftovers, Limiter, Lookup, Make, Outlet,
    Pick, Reconnect, Registry, Reserve, Reuse, Revoke, Seat, SessionId, SlotScope, StateScope, Take, TakeOff, Ticket,
    TokenCache, TokenKey, Unplug, Update,
};
#[cfg(feature = "shuttle")]
pub use sync::Shuttle;
pub use sync::{Loom, Std};
