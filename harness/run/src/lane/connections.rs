//! The connections that a session keeps open for its requests: one to each origin.

use std::sync::Arc;

use coalmine_core::history::ConnectionId;
use coalmine_core::plan::HttpVersion;

use super::Lane;
use crate::allow::Origin;
use crate::exchange::Connection;
use crate::socket::Window;

/// Beyond it, the one that was used longest ago is closed.
const CONNECTIONS_MAX: usize = 8;

impl Lane {
    /// A connection to it. One that was closed meanwhile is replaced before anything is sent on it.
    pub(super) async fn own_connection(&mut self, to: &Arc<Origin>) -> Result<Connection, String> {
        if let Some(mut connection) = self.take_connection(to)
            && connection.is_usable().await
        {
            return Ok(self.lend(to, connection));
        }
        let connection = self.open_connection(self.round.connections.next(), to, Window::Usual).await?;
        Ok(self.lend(to, connection))
    }

    pub(super) fn take_connection(&mut self, to: &Origin) -> Option<Connection> {
        let place = self.connections.iter().position(|(open, _)| open.is(to))?;
        Some(self.connections.remove(place).1)
    }

    /// A connection for requests, in the version of HTTP that the plan wants.
    pub(super) async fn open_connection(
        &self,
        id: ConnectionId,
        to: &Origin,
        window: Window,
    ) -> Result<Connection, String> {
        let version = self.round.plan.target.http;
        let socket = self.connect(to, version, window).await?;
        Connection::handshake(id, socket, version).await
    }

    /// One of HTTP/2 on which the last frames of requests wait for each other.
    pub(super) async fn open_bundle(&self, to: &Origin) -> Result<Connection, String> {
        let socket = self.connect(to, HttpVersion::Http2, Window::Usual).await?;
        socket.valve().bundle();
        Connection::handshake(self.round.connections.next(), socket, HttpVersion::Http2).await
    }

    /// One on which several requests may be in flight stays here for others.
    pub(super) fn lend(&mut self, to: &Arc<Origin>, connection: Connection) -> Connection {
        let Some(shared) = connection.share() else { return connection };
        self.put(to, connection);
        shared
    }

    /// It has carried a whole answer, and may carry another request.
    pub(super) fn keep_connection(&mut self, to: &Arc<Origin>, connection: Connection) {
        if connection.share().is_none() {
            self.put(to, connection);
        }
    }

    fn put(&mut self, to: &Arc<Origin>, connection: Connection) {
        if self.connections.len() == CONNECTIONS_MAX {
            self.connections.remove(0);
        }
        self.connections.push((Arc::clone(to), connection));
    }
}
