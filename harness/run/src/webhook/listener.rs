//! The socket on which webhooks come in.

use std::io;
use std::sync::{Arc, PoisonError};

use coalmine_core::plan::Webhooks;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::Receiver;
use crate::socket::Socket;
use crate::tcp::Tcp;

/// Connections that may be open at the same time; others wait until one is closed.
const CONNECTIONS_MAX: usize = 256;

/// It listens, and nobody answers yet.
pub(crate) struct Listener(std::net::TcpListener);

/// It answers, until it is dropped or closed.
pub(crate) struct Serving {
    receiver: Arc<Receiver>,
    accepting: JoinHandle<()>,
}

impl Listener {
    pub(crate) fn bind(webhooks: &Webhooks) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(&webhooks.listen)?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// What stands before the paths of the URLs.
    pub(crate) fn base_url(&self, webhooks: &Webhooks) -> io::Result<String> {
        let own = || self.0.local_addr().map(|address| format!("http://{address}"));
        webhooks.public_url.clone().map_or_else(own, Ok)
    }

    pub(crate) fn serve(self, receiver: Receiver) -> io::Result<Serving> {
        let listener = TcpListener::from_std(self.0)?;
        let receiver = Arc::new(receiver);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&receiver)));
        Ok(Serving { receiver, accepting })
    }
}

impl Serving {
    /// From now on nothing is noted any more.
    pub(crate) fn close(self) {
        drop(self);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.receiver.sink.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, receiver: Arc<Receiver>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        // A connection that was gone before it was accepted is no reason to stop.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let receiver = Arc::clone(&receiver);
        connections.spawn(async move {
            receiver.serve(Socket::Tcp(Tcp(Arc::new(stream)))).await;
            drop(permit);
        });
    }
}
