//! One file a pattern: what a structure must be able to do, the scene that is played with it, and the built-in structures that
//! go through it.

mod hollow;

pub(crate) mod buffers;
pub(crate) mod cache;
pub(crate) mod children;
pub(crate) mod drain;
pub(crate) mod flight;
pub(crate) mod idempotency;
pub(crate) mod lazy;
pub(crate) mod limiter;
pub(crate) mod pool;
pub(crate) mod queue;
pub(crate) mod registry;
pub(crate) mod router;
pub(crate) mod slot;
pub(crate) mod states;
pub(crate) mod stream;
pub(crate) mod tokens;

use std::sync::Arc;

pub use buffers::{BUFFERS, BufferPool, check_buffers};
pub use cache::{CACHE, TenantCache, check_cache};
pub use children::{CHILDREN, Children, check_children};
pub use drain::{DRAIN, Shutdown, check_drain};
pub use flight::{FLIGHT, SingleFlight, check_flight};
pub use idempotency::{IDEMPOTENCY, Idempotent, check_idempotency};
pub use lazy::{LAZY, Lazy, check_lazy};
pub use limiter::{LIMITER, RateLimit, check_limiter};
pub use pool::{POOL, Pool, Wire, check_pool};
pub use queue::{QUEUE, Queue, check_queue};
pub use registry::{REGISTRY, Sessions, check_registry};
pub use router::{Mailbox, ROUTER, Router, check_router};
pub use slot::{SLOT, Slot, check_slot};
pub use states::{RunStates, STATES, check_states};
pub use stream::{STREAM, Stream, check_stream};
pub use tokens::{TOKENS, Tokens, check_tokens};

use crate::model::{Explored, Explorer, Failure, Pattern, Stage, explore};

/// Plays `scene` with a fresh structure in each interleaving.
fn play<P: 'static, E: Explorer>(
    pattern: &'static Pattern,
    name: &str,
    make: impl Fn() -> P + Send + Sync + 'static,
    scene: fn(&Stage<E>, &Arc<P>),
    bounds: E::Bounds,
) -> Result<Explored, Failure> {
    explore::<E>(pattern, name, bounds, move |stage| scene(stage, &Arc::new(make())))
}

/// The name of a type, without its module and its parameters.
fn short_name<P>() -> &'static str {
    let name = std::any::type_name::<P>();
    let plain = name.split('<').next().unwrap_or(name);
    plain.rsplit("::").next().unwrap_or(plain)
}
