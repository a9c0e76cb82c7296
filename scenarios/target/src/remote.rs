//! Redis, as far as the service uses it: caches, events on their way to sockets, and a queue of jobs. All names begin with the service's own.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::Stream;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Connection, FromRedisValue, RedisError, cmd};

use crate::lock::hold;
use crate::refusal::Refusal;

/// Who waits longer has lost Redis.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Names that are looked at in one step when all are removed.
const STEP: usize = 512;

/// Connections to Redis. What was stored is removed with the last clone of [`Names`].
pub(crate) struct Remote {
    names: Names,
    /// Many ask on it at once.
    shared: MultiplexedConnection,
    /// For the threads of the database, one after another.
    blocking: Mutex<Connection>,
    client: Client,
}

/// Where Redis is, and what the names of a service begin with.
#[derive(Clone)]
pub(crate) struct Names {
    pub(crate) client: Client,
    pub(crate) prefix: String,
}

impl Names {
    pub(crate) fn new(url: &str, prefix: String) -> Result<Self, RedisError> {
        Ok(Self { client: Client::open(url)?, prefix })
    }

    /// Removes all that was stored under the names of the service, and waits for that.
    pub(crate) fn forget_all(&self) -> Result<(), RedisError> {
        let mut connection = self.client.get_connection_with_timeout(ANSWER_MAX)?;
        let pattern = format!("{}:*", self.prefix);
        let mut cursor = 0_u64;
        loop {
            let step =
                cmd("SCAN").arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(STEP).query(&mut connection)?;
            let (next, names): (u64, Vec<String>) = step;
            if !names.is_empty() {
                cmd("DEL").arg(names).exec(&mut connection)?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}

impl Remote {
    pub(crate) async fn connect(names: Names) -> Result<Self, RedisError> {
        let client = names.client.clone();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_MAX));
        let shared = client.get_multiplexed_async_connection_with_config(&config).await?;
        let blocking = client.get_connection_with_timeout(ANSWER_MAX)?;
        blocking.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(Self { names, shared, blocking: Mutex::new(blocking), client })
    }

    /// The service's own name for something.
    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}:{rest}", self.names.prefix)
    }

    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Refusal> {
        Ok(command.query_async(&mut self.shared.clone()).await?)
    }

    /// Asks from a thread that may wait.
    pub(crate) fn ask_and_wait<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Refusal> {
        Ok(command.query(&mut *hold(&self.blocking))?)
    }

    /// A connection of one's own, for a command that lasts.
    pub(crate) async fn patient(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// What is published on a channel from now on.
    pub(crate) async fn subscribe(&self, channel: &str) -> Result<impl Stream<Item = Vec<u8>> + use<>, RedisError> {
        use futures_util::StreamExt;
        let mut subscription = self.client.get_async_pubsub().await?;
        subscription.subscribe(channel).await?;
        Ok(subscription.into_on_message().map(|message| message.get_payload_bytes().to_vec()))
    }
}
