//! Connections to the server of memories, lent by a pool. Home of `agents.pool-desync`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use coalmine_models::{Connection, ConnectionPool, GiveBack, Take};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};

use super::backend::{LINE_BYTES_MAX, Reply, Request, line_of};
use crate::refusal::Refusal;

const LINES_MAX: usize = 4;

/// A connection, made when it is first used. Clones are the same connection.
#[derive(Clone, Default)]
struct Line {
    /// Requests whose answer nobody has read.
    unread: Arc<AtomicUsize>,
    /// One at a time asks, for a line is lent to one.
    socket: Arc<Mutex<Option<BufReader<TcpStream>>>>,
}

impl Connection for Line {
    fn open() -> Self {
        Self::default()
    }

    fn has_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed) > 0
    }
}

impl Line {
    /// Asks, on a connection that is made if there is none. One that fails is made anew the next time.
    async fn ask(&self, address: SocketAddr, request: &Request) -> io::Result<Reply> {
        let mut place = self.socket.lock().await;
        let socket = match &mut *place {
            Some(socket) => socket,
            nothing => nothing.insert(connect(address).await?),
        };
        let reply = self.exchange(socket, request).await;
        if reply.is_err() {
            *place = None;
            self.unread.store(0, Ordering::Relaxed);
        }
        reply
    }

    /// Sends a request and reads the next answer. Who gives up between leaves the answer unread.
    async fn exchange(&self, socket: &mut BufReader<TcpStream>, request: &Request) -> io::Result<Reply> {
        self.unread.fetch_add(1, Ordering::Relaxed);
        socket.write_all(&line_of(request)?).await?;
        let mut answer = Vec::new();
        socket.take(LINE_BYTES_MAX).read_until(b'\n', &mut answer).await?;
        self.unread.fetch_sub(1, Ordering::Relaxed);
        Ok(serde_json::from_slice(&answer)?)
    }
}

async fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(BufReader::new(socket))
}

/// The pool, which lends a line for one request.
pub(crate) struct Lines {
    address: SocketAddr,
    pool: ConnectionPool<Line>,
    free: Semaphore,
}

impl Lines {
    pub(crate) fn new(address: SocketAddr, give_back: GiveBack) -> Self {
        let pool = ConnectionPool::new(give_back, Take::AtOnce, LINES_MAX);
        Self { address, pool, free: Semaphore::new(LINES_MAX) }
    }

    pub(super) async fn ask(&self, request: Request) -> Result<Reply, Refusal> {
        let _permit = self.free.acquire().await.map_err(|_| Refusal::Fault)?;
        let loan = Loan { pool: &self.pool, line: self.pool.acquire().ok_or(Refusal::Fault)? };
        loan.line.ask(self.address, &request).await.map_err(|_| Refusal::Fault)
    }
}

/// A line that is lent. It is given back however the loan ends, also where the request is dropped on the way because its client
/// has hung up. Whether it may then be lent as it is, is for the pool to say.
struct Loan<'a> {
    pool: &'a ConnectionPool<Line>,
    line: Line,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.pool.give_back(self.line.clone());
    }
}
