//! The one place where bytes pass between Coalmine and a target, under HTTP and WebSocket alike.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

use crate::allow::Address;
use crate::ledger::Metered;

/// A byte stream to a target, or to the self-test's forger, which sits behind a pipe in memory.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    /// One that a budget watches.
    Metered(Box<Metered>),
    Memory(DuplexStream),
}

impl Socket {
    /// Opens a connection of its own.
    pub(crate) async fn connect(address: &Address) -> io::Result<Self> {
        let stream = TcpStream::connect(address.socket).await?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }
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
