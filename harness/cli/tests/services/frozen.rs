//! Requests that lack their last byte while others go on, and get it in another order than they came: what arrives, a bare server says.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::support::Coalmine;

const SCENARIO: &str = "
coalmine: 1
name: frozen
tenants: 8
canaries: {note: text}
flows:
  notes:
    repeat: 12
    steps:
      - {id: write, post: /notes, text: \"{{canary.note}}\", sees: note}
perturb: {swizzle: 40%, race: off, react: off, delay: off, cancel: off, share: off, reconnect: off, stall: off, retry: off}
";

/// What came on a connection, in the order of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// All of a request but its last byte.
    Most(usize),
    Last(usize),
}

type Seen = Arc<Mutex<Vec<Came>>>;

fn serve(seen: &Seen) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::clone(seen);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let seen = Arc::clone(&seen);
            // Guests come and go as they like.
            std::thread::spawn(move || converse(stream?, number, &seen));
        }
    });
    url
}

fn converse(mut stream: TcpStream, number: usize, seen: &Seen) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(length) = head(&mut reader)? {
        let mut body = vec![0; length];
        if let Some((last, most)) = body.split_last_mut() {
            reader.read_exact(most)?;
            seen.lock().unwrap().push(Came::Most(number));
            reader.read_exact(std::slice::from_mut(last))?;
            seen.lock().unwrap().push(Came::Last(number));
        }
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")?;
        stream.write_all(&body)?;
    }
    Ok(())
}

/// Reads the head of a request; how long its body is.
fn head(reader: &mut impl BufRead) -> io::Result<Option<usize>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some(("content-length", value)) = line.split_once(':') {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            return Ok(Some(length));
        }
    }
}

/// Requests that were whole before others of which most had come earlier.
fn overtakings(seen: &[Came]) -> usize {
    let (mut waiting, mut count) = (BTreeMap::new(), 0);
    for (at, came) in seen.iter().enumerate() {
        match came {
            Came::Most(number) => {
                waiting.insert(*number, at);
            }
            Came::Last(number) => {
                let since = waiting.remove(number).unwrap();
                count += usize::from(waiting.values().any(|other| *other < since));
            }
        }
    }
    count
}

#[test]
fn requests_stand_still_before_their_last_byte_and_thaw_in_another_order() {
    let seen = Seen::default();
    let run = Coalmine::new().scenario(SCENARIO).gate(&serve(&seen));
    assert_eq!(run.code, 0, "{run}");
    let report = run.json();
    let all = report["verdict"]["coverage"]["perturbations"].as_array().unwrap();
    let reached = all.iter().find(|one| one["kind"] == "swizzle").map_or(0, |one| one["reached"].as_u64().unwrap());
    let overtaken = overtakings(&seen.lock().unwrap());
    assert!(reached > 3 && overtaken as u64 >= reached / 2, "{reached} {overtaken}: {run}");
}
