//! A private Redis.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::error::ServerError;
use crate::keeper::{Kept, Room};
use crate::postgres::TRIES;
use crate::{program, secret};

const PROGRAM: &str = "redis-server";
const PACKAGE: &str = "redis-server";
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A Redis that lives as long as this value.
pub struct Redis {
    url: String,
    _kept: Kept,
}

impl Redis {
    /// Starts one, and waits until it answers.
    pub fn start() -> Result<Self, ServerError> {
        let bin = program::folder_of(&[PROGRAM], PACKAGE)?;
        let mut tried = Self::try_start(&bin);
        for _ in 1..TRIES {
            match tried {
                Err(ServerError::Failed { .. }) => tried = Self::try_start(&bin),
                _ => break,
            }
        }
        tried
    }

    fn try_start(bin: &Path) -> Result<Self, ServerError> {
        let (room, password, port) = (Room::new()?, secret::fresh()?, free_port()?);
        room.write("redis.conf", &configuration(port, &password))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let is_ready = |_: &Path| answers(address, &password).unwrap_or(false);
        let script = "exec \"$1/redis-server\" redis.conf";
        let kept = room.keep(PROGRAM, script, &[&bin.to_string_lossy()], is_ready)?;
        Ok(Self { url: format!("redis://:{password}@{address}"), _kept: kept })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// In a file and not on the command line, which everybody on the machine can read.
fn configuration(port: u16, password: &str) -> String {
    format!("bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave \"\"\nappendonly no\nmaxmemory 256mb\n")
}

/// Whether what listens there knows the password: it may be somebody else's.
fn answers(address: SocketAddr, password: &str) -> io::Result<bool> {
    const WELCOME: &[u8] = b"+OK\r\n";
    let mut socket = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
    socket.set_read_timeout(Some(ANSWER_MAX))?;
    write!(socket, "AUTH {password}\r\n")?;
    let mut answer = [0; WELCOME.len()];
    socket.read_exact(&mut answer)?;
    Ok(answer == WELCOME)
}

/// A port of loopback that nobody listens on just now.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
