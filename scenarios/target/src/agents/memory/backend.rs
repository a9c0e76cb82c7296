//! What agents remember is kept by a server of its own: lines over TCP, each a request or an answer in JSON. Requests may be
//! sent before earlier ones are answered; answers come in the order of the requests.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::lock::hold;
use crate::server::stopped;

/// Longer lines end the connection.
pub(super) const LINE_BYTES_MAX: u64 = 256 * 1024;

/// When there are more texts than this, the oldest is forgotten.
const TEXTS_MAX: usize = 16_384;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    Keep { key: String, text: String },
    Recall { key: String },
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    Kept,
    Text(Option<String>),
}

#[derive(Default)]
struct Texts {
    by_key: HashMap<String, String>,
    oldest_first: VecDeque<String>,
}

impl Texts {
    fn obey(&mut self, request: Request) -> Reply {
        match request {
            Request::Recall { key } => Reply::Text(self.by_key.get(&key).cloned()),
            Request::Keep { key, text } => {
                if self.by_key.insert(key.clone(), text).is_none() {
                    self.oldest_first.push_back(key);
                }
                if self.oldest_first.len() > TEXTS_MAX
                    && let Some(oldest) = self.oldest_first.pop_front()
                {
                    self.by_key.remove(&oldest);
                }
                Reply::Kept
            }
        }
    }
}

/// Starts the server, which takes `latency` for each request, on a free port of loopback.
pub(crate) async fn listen(latency: Duration, stopping: watch::Receiver<bool>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        tokio::select! {
            () = accept(listener, latency, &stopping) => {}
            () = stopped(stopping.clone()) => {}
        }
    });
    Ok(address)
}

async fn accept(listener: TcpListener, latency: Duration, stopping: &watch::Receiver<bool>) {
    let texts = Arc::new(Mutex::new(Texts::default()));
    while let Ok((socket, _)) = listener.accept().await {
        let (texts, stopping) = (Arc::clone(&texts), stopping.clone());
        tokio::spawn(async move {
            tokio::select! {
                // A connection that breaks is no concern of the others.
                _ = serve(socket, latency, &texts) => {}
                () = stopped(stopping) => {}
            }
        });
    }
}

async fn serve(socket: TcpStream, latency: Duration, texts: &Mutex<Texts>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut socket = BufReader::new(socket);
    loop {
        let mut line = Vec::new();
        if (&mut socket).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let request = serde_json::from_slice(&line)?;
        let reply = hold(texts).obey(request);
        tokio::time::sleep(latency).await;
        socket.write_all(&line_of(&reply)?).await?;
    }
}

pub(super) fn line_of<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}
