//! TCP connections: how they are accepted, and what is known of one.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};

use crate::token::Identity;

/// Accepts connections that send each piece of an answer at once, without waiting for the other side's acknowledgement.
pub(crate) struct Door(pub(crate) TcpListener);

impl Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (socket, address) = Listener::accept(&mut self.0).await;
        // That it cannot be set is no harm.
        drop(socket.set_nodelay(true));
        (socket, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// What is known of a connection, for as long as it lasts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    /// Who sent the first request that named somebody.
    pub(crate) first_caller: Arc<OnceLock<Identity>>,
}

impl Connected<IncomingStream<'_, Door>> for Connection {
    fn connect_info(_: IncomingStream<'_, Door>) -> Self {
        Self::default()
    }
}
