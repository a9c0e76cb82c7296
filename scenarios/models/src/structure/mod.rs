//! One file a structure, guilty and right.

mod buffers;
mod cache;
mod context;
mod drain;
mod flight;
mod idempotency;
mod lazy;
mod limiter;
mod pool;
mod queue;
mod registry;
mod router;
mod slot;
mod states;
mod stream;
mod tokens;

pub use buffers::{Buffers, Keep, Reuse};
pub use cache::{Cache, Fill, KeyedBy, Lookup, Ticket};
pub use context::{Context, Inherit};
pub use drain::{Accept, Drain, Leftovers};
pub use flight::{Crash, Flights, TakeOff};
pub use idempotency::{Answer, Failed, Idempotency, Reserve};
pub use lazy::{CellOf, LazyCells, Make};
pub use limiter::{BudgetOf, Count, Limiter};
pub use pool::{Connection, ConnectionPool, GiveBack, Take};
pub use queue::{Between, Job, JobQueue, Pick};
pub use registry::{Ask, Registry, SessionId};
pub use router::{EventRouter, Fanout, Seat, Unplug};
pub use slot::{ContextSlot, SlotScope};
pub use states::{AgentState, AgentStates, StateScope, Update};
pub use stream::{Backlog, EventStream, Outlet, Reconnect};
pub use tokens::{Revoke, TokenCache, TokenKey};
