//! HTTP/2: one connection for each principal, for requests and event streams at once, in clear and behind TLS.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use coalmine_core::history::Happening;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::support::{Coalmine, Run};
use crate::trial::Build;
use crate::wire::{Authority, Server, Speaks, endings};
use crate::{json_rpc_sse, websocket_runs};

fn over_http2(scenario: &str, more: &str) -> String {
    format!("{scenario}\ntarget: {{url: http://127.0.0.1:1, http: 2, {more}}}\n")
}

fn gate(scenario: &str, url: &str) -> Run {
    Coalmine::new().scenario(scenario).gate(url)
}

/// How often a perturbation hit its point.
fn reached(run: &Run, kind: &str) -> u64 {
    let report = run.json();
    let all = report["verdict"]["coverage"]["perturbations"].as_array().unwrap();
    all.iter().find(|one| one["kind"] == kind).map_or(0, |one| one["reached"].as_u64().unwrap())
}

#[test]
fn leaks_are_found_over_http2_in_clear_with_one_connection_a_principal() {
    let scenario = over_http2(include_str!("json_rpc_sse.yaml"), "");
    let server = Server::start(json_rpc_sse::service(Build::Twin), None);
    let twin = gate(&scenario, &server.url("http"));
    assert_eq!(twin.code, 0, "{twin}");
    // What it asks for are streams, at which nothing is shaken: six tenants, and one connection that asked whether anybody is there.
    assert_eq!(server.accepted(), 7, "{twin}");
    let flawed = gate(&scenario, &Server::start(json_rpc_sse::service(Build::Flawed), None).url("http"));
    assert_eq!((flawed.code, flawed.kinds()), (1, vec!["foreign-canary".to_owned()]), "{flawed}");
}

#[test]
fn tls_agrees_on_http2_for_requests_and_on_http1_for_websockets() {
    let authority = Authority::new();
    let config = authority.certify("127.0.0.1").config(&Speaks::Http2, None);
    let server = Server::start(websocket_runs::service(Build::Twin), Some(config));
    let scenario = over_http2(include_str!("websocket_runs.yaml"), "tls: {ca: ca.pem}");
    let coalmine = Coalmine::new().scenario(&scenario);
    std::fs::write(coalmine.path().join("ca.pem"), authority.pem()).unwrap();
    let run = coalmine.gate(&server.url("https"));
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn a_target_that_does_not_agree_on_http2_is_untestable() {
    for speaks in [Speaks::Http1, Speaks::Anything] {
        let authority = Authority::new();
        let config = authority.certify("127.0.0.1").config(&speaks, None);
        let server = Server::start(websocket_runs::service(Build::Twin), Some(config));
        let scenario = over_http2(include_str!("websocket_runs.yaml"), "tls: {ca: ca.pem}");
        let coalmine = Coalmine::new().scenario(&scenario);
        std::fs::write(coalmine.path().join("ca.pem"), authority.pem()).unwrap();
        let run = coalmine.gate(&server.url("https"));
        assert!(run.code == 3 && run.stdout.contains("does not agree to speak HTTP/2"), "{run}");
    }
}

const TRAILERS: &str = "
coalmine: 1
name: trailers
tenants: 4
canaries: {note: text}
flows:
  notes:
    repeat: 16
    steps:
      - {id: write, post: /notes, text: \"{{canary.note}}\", headers: {te: trailers}, sees: note}
";

type Last = Arc<Mutex<String>>;

/// The note comes back in the body, and the last one of anybody in a trailer.
async fn write(State((build, last)): State<(Build, Last)>, note: String) -> Response {
    let other = std::mem::replace(&mut *last.lock().unwrap(), note.clone());
    let mut fields = HeaderMap::new();
    let shown = if build == Build::Flawed { other } else { note.clone() };
    fields.insert("x-checked", shown.parse().unwrap());
    let frames = [Frame::data(Bytes::from(note)), Frame::trailers(fields)].map(Ok::<_, Infallible>);
    Response::new(Body::new(StreamBody::new(stream::iter(frames))))
}

#[test]
fn a_leak_in_a_trailer_is_found() {
    let run = |build| {
        let router = Router::new().route("/notes", post(write)).route("/", get(|| async {}));
        let server = Server::start(router.with_state((build, Last::default())), None);
        gate(&over_http2(TRAILERS, ""), &server.url("http"))
    };
    let (twin, flawed) = (run(Build::Twin), run(Build::Flawed));
    assert_eq!(twin.code, 0, "{twin}");
    assert_eq!((flawed.code, flawed.kinds()), (1, vec!["foreign-canary".to_owned()]), "{flawed}");
    assert!(flawed.stdout.contains("trailer"), "{flawed}");
    for kind in ["race", "cancel"] {
        assert!(reached(&twin, kind) > 0, "{kind}: {twin}");
    }
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// A frame on the connection (stream 0) or on the first request's stream (1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).unwrap();
    [&[0, 0, len, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A server that answers the first request of a connection with these frames and then says nothing more.
fn scripted(frames: Vec<u8>) -> (Runtime, String) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let frames = frames.clone();
            tokio::spawn(async move {
                stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
                stream.read_exact(&mut [0; PREFACE_BYTES]).await?;
                while read_frame(&mut stream).await? != HEADERS {}
                stream.write_all(&frames).await?;
                while read_frame(&mut stream).await.is_ok() {}
                std::io::Result::Ok(())
            });
        }
    });
    (runtime, url)
}

/// `PRI * HTTP/2.0` and what follows it.
const PREFACE_BYTES: usize = 24;

/// Reads a frame and says of what kind it is.
async fn read_frame(stream: &mut TcpStream) -> std::io::Result<u8> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    stream.read_exact(&mut vec![0; len as usize]).await?;
    Ok(head[3])
}

const ONE: &str = "
coalmine: 1
name: one
tenants: 2
canaries: {}
flows:
  one: {steps: [{id: ask, get: /}]}
";

fn only_ending(url: &str) -> Happening {
    let coalmine = Coalmine::new().scenario(&over_http2(ONE, ""));
    // Of a second request on the connection the server would say nothing.
    coalmine.gate_with(url, &["--perturb", "off"]);
    endings(&coalmine, "ask").remove(0)
}

#[test]
fn a_stream_that_is_reset_may_have_happened_and_says_why() {
    let internal_error = [0, 0, 0, 2];
    let (_runtime, url) = scripted(frame(RST_STREAM, 0, 1, &internal_error));
    let ending = only_ending(&url);
    assert!(matches!(&ending, Happening::Info { why, .. } if why.contains("unexpected internal error")), "{ending:?}");
}

#[test]
fn an_answer_that_is_reset_in_the_middle_is_kept_as_far_as_it_came() {
    let (end_of_fields, status_200) = (4, 0x88);
    let head = frame(HEADERS, end_of_fields, 1, &[status_200]);
    let enhance_your_calm = [0, 0, 0, 11];
    let frames = [head, frame(0, 0, 1, b"half of it"), frame(RST_STREAM, 0, 1, &enhance_your_calm)].concat();
    let (_runtime, url) = scripted(frames);
    let ending = only_ending(&url);
    let Happening::Info { answer, why } = &ending else { panic!("{ending:?}") };
    assert!(answer.status == Some(200) && why.contains("excessive load"), "{ending:?}");
}

#[test]
fn a_connection_that_goes_away_says_why() {
    let inadequate_security = [0, 0, 0, 0, 0, 0, 0, 12];
    let (_runtime, url) = scripted(frame(GOAWAY, 0, 0, &inadequate_security));
    let ending = only_ending(&url);
    assert!(matches!(&ending, Happening::Info { why, .. } if why.contains("security")), "{ending:?}");
}
