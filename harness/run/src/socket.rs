//! The one place where bytes pass between Coalmine and a target, under HTTP and WebSocket alike.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use coalmine_core::plan::HttpVersion;
#[cfg(unix)]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

use crate::allow::Origin;
use crate::ledger::Metered;
use crate::tcp::Tcp;
use crate::tls;

/// A byte stream to a target, or through a pipe in memory to one in this process and to the self-test's forger. What is read and written is
/// what the two say to each other, without the wrapping of TLS.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(Tcp),
    /// One that a budget watches.
    Metered(Box<Metered>),
    Tls(Box<TlsStream<TcpStream>>),
    Memory(DuplexStream),
}

/// No connection came about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The other side, or the way to it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other side is not whom it should be, or does not speak what it should: another try would not help.
    #[error("{0}")]
    Tls(String),
}

impl Socket {
    /// Opens a connection of its own, on which this version is spoken.
    pub(crate) async fn connect(origin: &Origin, version: HttpVersion, window: Window) -> Result<Self, ConnectError> {
        if let Some(dial) = &origin.dial {
            return Ok(Self::Memory(dial.dial()));
        }
        let addresses = origin.addresses().await?;
        let stream = match window {
            Window::Usual => TcpStream::connect(addresses).await?,
            Window::Small => small_window(addresses).await?,
        };
        stream.set_nodelay(true)?;
        match &origin.tls {
            None => Ok(Self::Tcp(Tcp(Arc::new(stream)))),
            Some(tls) => tls::connect(tls, stream, version).await.map(|stream| Self::Tls(Box::new(stream))),
        }
    }

    /// Whether what is said on it is encrypted on its way.
    pub(crate) fn is_encrypted(&self) -> bool {
        match self {
            Self::Metered(metered) => metered.is_encrypted(),
            Self::Tls(_) => true,
            Self::Tcp(_) | Self::Memory(_) => false,
        }
    }

    /// What lies under it, where that is a connection of TCP.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(tcp) => Some(&tcp.0),
            Self::Metered(metered) => metered.tcp(),
            Self::Tls(stream) => Some(stream.get_ref().0),
            Self::Memory(_) => None,
        }
    }

    /// The same, to be written to by others, where there is nothing between that would have to know.
    pub(crate) fn shared_tcp(&self) -> Option<&Arc<TcpStream>> {
        match self {
            Self::Tcp(tcp) => Some(&tcp.0),
            Self::Metered(_) | Self::Tls(_) | Self::Memory(_) => None,
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

async fn small_window(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failure = io::Error::other("it has no address");
    for address in addresses {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_recv_buffer_size(WINDOW_BYTES_MIN)?;
        take_small_segments(&socket)?;
        match socket.connect(*address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The other side's system sets memory aside for so many segments before it makes the sender wait: with those of loopback that would be
/// megabytes.
#[cfg(unix)]
const SEGMENT_BYTES_MAX: u32 = 536;

#[cfg(unix)]
fn take_small_segments(socket: &TcpSocket) -> io::Result<()> {
    SockRef::from(socket).set_tcp_mss(SEGMENT_BYTES_MAX)
}

/// Elsewhere it cannot be said.
#[cfg(not(unix))]
fn take_small_segments(_: &TcpSocket) -> io::Result<()> {
    Ok(())
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Metered(metered) => Pin::new(metered.as_mut()).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf).map(without_farewell),
            Self::Memory(pipe) => Pin::new(pipe).poll_read(cx, buf),
        }
    }
}

/// Many servers close a connection without the farewell that TLS asks for. Without TLS there is none either, and HTTP and
/// WebSocket know by themselves whether something is missing.
fn without_farewell(read: io::Result<()>) -> io::Result<()> {
    read.or_else(|error| if error.kind() == io::ErrorKind::UnexpectedEof { Ok(()) } else { Err(error) })
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Metered(metered) => Pin::new(metered.as_mut()).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Memory(pipe) => Pin::new(pipe).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Metered(metered) => Pin::new(metered.as_mut()).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Memory(pipe) => Pin::new(pipe).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Metered(metered) => Pin::new(metered.as_mut()).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Memory(pipe) => Pin::new(pipe).poll_shutdown(cx),
        }
    }
}
