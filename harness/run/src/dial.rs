//! Connections that lead nowhere outside this process.

use std::fmt;

use tokio::io::DuplexStream;

/// Opens connections to a service in this process, in the place of sockets.
///
/// What is called a reset is here no more than the end of the stream.
pub trait Dial: fmt::Debug + Send + Sync {
    /// The near end of a new connection. Somebody serves its far end.
    fn dial(&self) -> DuplexStream;
}
