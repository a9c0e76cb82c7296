//! The one place where bytes pass between Coalmine and a target, under HTTP and WebSocket alike.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

use crate::allow::Address;
use crate::ledger::Metered;
use crate::tcp::Tcp;

/// A byte stream to a target, or to the self-test's forger, which sits behind a pipe in memory.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(Tcp),
    /// One that a budget watches.
    Metered(Box<Metered>),
    Memory(DuplexStream),
}

impl Socket {
    /// Opens a connection of its own.
    pub(crate) async fn connect(address: &Address, window: Window) -> io::Result<Self> {
        let stream = match window {
            Window::Usual => TcpStream::connect(address.socket).await?,
            Window::Small => small_window(address).await?,
        };
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(Tcp(Arc::new(stream))))
    }

    /// What lies under it, where that is a connection of TCP.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(tcp) => Some(&tcp.0),
            Self::Metered(metered) => metered.tcp(),
            Self::Memory(_) => None,
        }
    }

    /// The same, to be written to by others, where there is nothing between that would have to know.
    pub(crate) fn shared_tcp(&self) -> Option<&Arc<TcpStream>> {
        match self {
            Self::Tcp(tcp) => Some(&tcp.0),
            Self::Metered(_) | Self::Memory(_) => None,
        }
    }
}

/// How much the system takes of an answer before somebody reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    Usual,
    /// As little as it can be.
    Small,
}

/// The system makes more of it: Linux twice as much, and not less than about 2 KiB.
const WINDOW_BYTES_MIN: u32 = 2048;

async fn small_window(address: &Address) -> io::Result<TcpStream> {
    let socket = if address.socket.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_recv_buffer_size(WINDOW_BYTES_MIN)?;
    socket.connect(address.socket).await
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Metered(metered) => Pin::new(metered.as_mut()).poll_read(cx, buf),
            Self::Memory(pipe) => Pin::new(pipe).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Metered(metered) => Pin::new(metered.as_mut()).poll_write(cx, bytes),
            Self::Memory(pipe) => Pin::new(pipe).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Metered(metered) => Pin::new(metered.as_mut()).poll_flush(cx),
            Self::Memory(pipe) => Pin::new(pipe).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Metered(metered) => Pin::new(metered.as_mut()).poll_shutdown(cx),
            Self::Memory(pipe) => Pin::new(pipe).poll_shutdown(cx),
        }
    }
}
