//! How the service is started.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::flaw::FlawSet;
use crate::names::Names;

/// What a user has to say to become a super admin, where the service is started with nothing else: it holds no data but tests'.
pub const PLATFORM_KEY: &str = "key-of-the-platform";

/// How the service is started. The default is the twin of every flaw, on a free loopback port.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The flaws that are switched on.
    pub flaws: FlawSet,
    /// The names that it is known by.
    pub names: Names,
    /// Where the data lives.
    pub storage: Storage,
    /// How long one call of the simulated model takes. A run makes four.
    pub model_latency: Duration,
    /// How long the simulated directory takes that `GET /me` asks.
    pub directory_latency: Duration,
    /// How long the server of memories takes for an answer.
    pub memory_latency: Duration,
    /// How far away the pool of database sessions is, there and back.
    pub pooler_latency: Duration,
    /// How long a chart takes to draw.
    pub chart_latency: Duration,
    /// How long an upload is looked through before it is stored.
    pub inspection_latency: Duration,
    /// What a user has to say to become a super admin.
    pub platform_key: String,
    /// How many WebSockets may be open at once. Further ones get 503.
    pub sockets_max: usize,
    /// How many runs may be under way at once. Further ones get 503.
    pub runs_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            flaws: FlawSet::none(),
            names: Names::default(),
            storage: Storage::TemporaryFile,
            model_latency: Duration::from_millis(10),
            directory_latency: Duration::from_millis(5),
            memory_latency: Duration::from_millis(5),
            pooler_latency: Duration::from_millis(5),
            chart_latency: Duration::from_millis(25),
            inspection_latency: Duration::from_millis(10),
            platform_key: PLATFORM_KEY.to_owned(),
            sockets_max: 8192,
            runs_max: 8192,
        }
    }
}

/// Where the data lives.
#[derive(Clone, PartialEq, Eq)]
pub enum Storage {
    /// A database file in a temporary folder, removed when the service stops.
    TemporaryFile,
    /// Memory only.
    Memory,
    /// A database file that stays.
    File(PathBuf),
    /// A schema of PostgreSQL and names of Redis, removed when the service stops.
    Services {
        /// `postgres://`, for somebody who may make roles and schemas. The service itself uses a role that it makes.
        database_url: String,
        /// `redis://`
        redis_url: String,
    },
}

/// Without the passwords that are in URLs.
impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TemporaryFile => f.write_str("TemporaryFile"),
            Self::Memory => f.write_str("Memory"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Services { .. } => f.write_str("Services"),
        }
    }
}
