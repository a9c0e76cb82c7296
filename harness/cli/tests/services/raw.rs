//! Servers that write their answers byte by byte as old, careless or hurried servers do: none of it may look like a leak, and what is
//! honest passes.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use coalmine_core::history::{Happening, Reader, Record};

use crate::support::{Coalmine, Run};
use crate::wire::whole_endings;

const SCENARIO: &str = "
coalmine: 1
name: raw
tenants: 4
canaries: {note: text}
flows:
  notes:
    repeat: 6
    steps:
      - {id: write, post: /notes, text: \"{{canary.note}}\"}
      - {id: ask, get: /}
";

/// A request, without its body where the server did not read it.
struct Asked {
    method: String,
    body: Vec<u8>,
    /// Bytes of the body that are still to be read.
    left: usize,
}

/// Whether a server waits for the body of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Whole,
    HeadOnly,
    /// After it has answered.
    Late,
}

/// Answers on a connection until `answer` says that it is over. Returns the address of the server, which lives as long as the test.
fn serve(reads: Reads, answer: impl Fn(&Asked) -> Answer + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            // Guests come and go as they like.
            std::thread::spawn(move || converse(stream?, reads, answer));
        }
    });
    url
}

/// What is written, and whether the connection stays open.
struct Answer {
    bytes: Vec<u8>,
    then: Then,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Stay,
    Close,
}

fn stay(bytes: impl AsRef<[u8]>) -> Answer {
    Answer { bytes: bytes.as_ref().to_vec(), then: Then::Stay }
}

fn close(bytes: impl AsRef<[u8]>) -> Answer {
    Answer { bytes: bytes.as_ref().to_vec(), then: Then::Close }
}

fn converse(mut stream: TcpStream, reads: Reads, answer: impl Fn(&Asked) -> Answer) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(asked) = ask(&mut reader, reads)? {
        let answer = answer(&asked);
        stream.write_all(&answer.bytes)?;
        if answer.then == Then::Close {
            break;
        }
        if reads == Reads::Late {
            reader.read_exact(&mut vec![0; asked.left])?;
        }
    }
    Ok(())
}

fn ask(reader: &mut impl BufRead, reads: Reads) -> io::Result<Option<Asked>> {
    let (mut line, mut length) = (String::new(), 0);
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let method = line.split(' ').next().unwrap_or_default().to_owned();
    loop {
        let mut field = String::new();
        reader.read_line(&mut field)?;
        if field.trim().is_empty() {
            break;
        }
        if let Some(("content-length", value)) = field.split_once(':') {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; if reads == Reads::Whole { length } else { 0 }];
    io::Read::read_exact(reader, &mut body)?;
    let left = length - body.len();
    Ok(Some(Asked { method, body, left }))
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn gate(url: &str) -> (Coalmine, Run) {
    // What one tenant writes on a connection that was closed without a word behind another's request is lost, and not sent twice.
    gate_scenario(&format!("{SCENARIO}perturb: {{share: off, poison: off}}\n"), url)
}

fn gate_scenario(scenario: &str, url: &str) -> (Coalmine, Run) {
    let coalmine = Coalmine::new().scenario(scenario);
    let run = coalmine.gate_with(url, &["--rounds", "3"]);
    (coalmine, run)
}

/// Nothing ends otherwise than well but what was given up on purpose.
fn assert_untroubled(coalmine: &Coalmine, run: &Run) {
    let all = ["write", "ask"].iter().flat_map(|step| whole_endings(coalmine, step));
    let troubles: Vec<_> = all.filter(|ending| !matches!(ending, Happening::Ok(_))).collect();
    assert!(troubles.is_empty(), "{troubles:?}\n{run}");
}

#[test]
fn a_server_that_answers_before_it_has_read_and_closes_troubles_nothing() {
    let url = serve(Reads::HeadOnly, |asked| if asked.method == "POST" { close(OK) } else { stay(OK) });
    let (coalmine, run) = gate(&url);
    assert_untroubled(&coalmine, &run);
}

#[test]
fn a_connection_that_is_closed_after_each_answer_without_a_word_troubles_nothing_that_reads() {
    let url = serve(Reads::Whole, |asked| if asked.method == "POST" { close(OK) } else { stay(OK) });
    let (coalmine, run) = gate(&url);
    assert_untroubled(&coalmine, &run);
}

#[test]
fn a_request_that_met_a_closed_connection_and_only_reads_goes_once_more_and_the_history_says_so() {
    let asked_before = Cell::new(false);
    let url = serve(Reads::Whole, move |asked| {
        // Nothing is said on a connection that has carried a request before.
        if asked_before.replace(true) && asked.method == "GET" { close("") } else { stay(OK) }
    });
    let coalmine = Coalmine::new().scenario(SCENARIO);
    let run = coalmine.gate_with(&url, &["--perturb", "off"]);
    assert_untroubled(&coalmine, &run);
    let records = Reader::new(File::open(coalmine.history()).unwrap()).map(Result::unwrap);
    let again =
        |record: &Record| matches!(record, Record::Event(event) if matches!(event.what, Happening::SentAgain { .. }));
    assert_eq!(records.filter(again).count(), 4 * 6, "{run}");
}

#[test]
fn behind_an_answer_that_came_before_the_last_byte_nothing_else_is_sent() {
    let methods = Arc::<Mutex<BTreeSet<String>>>::default();
    let seen = Arc::clone(&methods);
    let url = serve(Reads::Late, move |asked| {
        seen.lock().unwrap().insert(asked.method.clone());
        stay(OK)
    });
    let (coalmine, run) = gate_scenario(&format!("{SCENARIO}perturb: {{race: 60%}}\n"), &url);
    assert_untroubled(&coalmine, &run);
    // The byte that is missing would be taken from the next request.
    assert_eq!(*methods.lock().unwrap(), BTreeSet::from(["GET".to_owned(), "POST".to_owned()]), "{run}");
}

#[test]
fn interim_answers_chunks_and_trailers_are_read_past() {
    let url = serve(Reads::Whole, |asked| {
        let head =
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let (first, rest) = asked.body.split_at(asked.body.len() / 2);
        let mut bytes = head.as_bytes().to_vec();
        for chunk in [first, rest].into_iter().filter(|chunk| !chunk.is_empty()) {
            bytes.extend(format!("{:X};name=value\r\n", chunk.len()).bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\nx-sum: 1\r\n\r\n");
        stay(bytes)
    });
    let (coalmine, run) = gate_scenario(&SCENARIO.replace("canary.note}}\"}", "canary.note}}\", sees: note}"), &url);
    assert_untroubled(&coalmine, &run);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn old_servers_end_an_answer_with_the_connection() {
    let url = serve(Reads::Whole, |asked| close([b"HTTP/1.0 200 OK\r\n\r\n", &asked.body[..]].concat()));
    let (coalmine, run) = gate_scenario(&SCENARIO.replace("canary.note}}\"}", "canary.note}}\", sees: note}"), &url);
    assert_untroubled(&coalmine, &run);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn answers_without_a_body_do_not_wait_for_one() {
    for (ask, head) in [
        ("{id: ask, head: /}", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
        ("{id: ask, get: /}", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("{id: ask, get: /, expect: {status: 304}}", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"),
    ] {
        let url = serve(Reads::Whole, move |asked| stay(if asked.method == "POST" { OK } else { head }));
        let (coalmine, run) = gate_scenario(&SCENARIO.replace("{id: ask, get: /}", ask), &url);
        assert_untroubled(&coalmine, &run);
    }
}

#[test]
fn fields_of_odd_bytes_are_searched_and_break_nothing() {
    let url = serve(Reads::Whole, |asked| {
        let mut bytes = b"HTTP/1.1 200 \xff\xfe\r\nx-odd: \x80\xffcaf\xe9 ".to_vec();
        bytes.extend(&asked.body);
        bytes.extend(b"\r\ncontent-length: 0\r\n\r\n");
        stay(bytes)
    });
    let (coalmine, run) = gate_scenario(&SCENARIO.replace("canary.note}}\"}", "canary.note}}\", sees: note}"), &url);
    assert_untroubled(&coalmine, &run);
    assert_eq!(run.code, 0, "{run}");
}

/// Each answer to a read is broken so; what must be said of it.
fn assert_never_ok(bytes: &'static [u8], words: &str) {
    let url = serve(Reads::Whole, move |asked| if asked.method == "POST" { stay(OK) } else { close(bytes) });
    let (coalmine, run) = gate_scenario(SCENARIO, &url);
    let endings = whole_endings(&coalmine, "ask");
    let is_told = |ending: &Happening| matches!(ending, Happening::Info { why, .. } if why.contains(words));
    assert!(!endings.is_empty() && endings.iter().all(is_told), "{words}: {endings:?}\n{run}");
    assert_eq!(run.code, 4, "{run}");
}

#[test]
fn what_is_no_whole_answer_is_info_and_no_pass() {
    assert_never_ok(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "end of file before message length reached");
    assert_never_ok(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", "end of file before message");
    assert_never_ok(b"SSH-2.0-OpenSSH_9.6\r\n", "invalid HTTP");
    assert_never_ok(b"\x16\x03\x01\x00\x05", "invalid HTTP");
    assert_never_ok(b"", "connection closed before message completed");
}
