//! How long servers live.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use coalmine_servers::{Elsewhere, Postgres, Redis, ServerError, Servers};

/// Makes this test a process that starts servers, and says where they are.
const HOST: &str = "COALMINE_TEST_HOST";

fn address(url: &str) -> SocketAddr {
    let (_, address) = url.rsplit_once('@').unwrap();
    address.split('/').next().unwrap().parse().unwrap()
}

/// `None` where the server is not installed and need not be.
fn unless_missing<T>(started: Result<T, ServerError>) -> Option<T> {
    match started {
        Ok(server) => Some(server),
        Err(error @ ServerError::Missing { .. }) if std::env::var_os("COALMINE_REQUIRE_SERVICES").is_none() => {
            eprintln!("SKIPPED {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn postgres_speaks_its_protocol_until_it_is_dropped() {
    let Some(postgres) = unless_missing(Postgres::start()) else { return };
    let address = address(postgres.url());
    let mut socket = TcpStream::connect(address).unwrap();
    // The request for TLS, which is answered with a letter that says whether.
    socket.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    let mut answer = [0];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"N");
    drop(postgres);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn redis_asks_for_its_password_and_answers_until_it_is_dropped() {
    let Some(redis) = unless_missing(Redis::start()) else { return };
    let address = address(redis.url());
    let mut socket = BufReader::new(TcpStream::connect(address).unwrap());
    socket.get_mut().write_all(b"PING\r\n").unwrap();
    let mut answer = String::new();
    socket.read_line(&mut answer).unwrap();
    assert!(answer.starts_with("-NOAUTH"), "{answer}");
    drop(redis);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn servers_of_others_are_only_named() {
    let elsewhere =
        Elsewhere { database_url: Some("postgres://there/db".to_owned()), redis_url: Some("redis://there".to_owned()) };
    let servers = Servers::start(elsewhere).unwrap();
    assert_eq!((servers.database_url(), servers.redis_url()), ("postgres://there/db", "redis://there"));
}

/// Not a test of its own: what the next one kills.
#[test]
fn host_of_servers() {
    if std::env::var_os(HOST).is_none() {
        return;
    }
    let Some(redis) = unless_missing(Redis::start()) else { return };
    let mut stdout = std::io::stdout();
    writeln!(stdout, "\nredis at {}", address(redis.url())).unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn server_ends_with_a_process_that_was_killed() {
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "host_of_servers", "--nocapture"])
        .env(HOST, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map(Result::unwrap);
    let place = lines.find_map(|line| line.strip_prefix("redis at ").map(|place| place.parse::<SocketAddr>().unwrap()));
    let socket = place.map(|place| TcpStream::connect(place).unwrap());
    host.kill().unwrap();
    host.wait().unwrap();
    if let Some(mut socket) = socket {
        // It closes the connection when it ends, which nothing else makes it do; where it had not taken it yet, the system resets it.
        if let Err(error) = socket.read_to_end(&mut Vec::new()) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }
}
