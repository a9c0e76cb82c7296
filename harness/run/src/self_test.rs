//! Shows the detector a forged leak, in every run, so that a silent detector cannot pass for a silent target.
//!
//! A forger behind a pipe in memory plays the target: it answers with canaries of a ghost, an owner that no plan has, in
//! every channel. The answer goes through the same socket, connection, observer and frame reader as real traffic. Nothing
//! of it is ever sent to the target.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use coalmine_canary::{CanaryId, Found, Minter, Owner, Serial, Shape};
use coalmine_core::Plan;
use coalmine_core::history::{Answer, Channel, EventFrame, Happening, Receipt};
use coalmine_core::plan::{HttpVersion, OpId};
use coalmine_core::principal::{Principal, PrincipalId, TenantId};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Full;
use hyper::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, frame::coding::CloseCode};

use crate::event_stream::EventStream;
use crate::exchange::{Connection, ConnectionIds};
use crate::observe::{Lens, Observer, Own};
use crate::recorder::Recorder;
use crate::socket::Socket;
use crate::valve::Valved;
use crate::webhook::{Hook, Hooks, Receiver, Sink};
use crate::websocket::{Reading, Stream, WebSocket, config};

/// An owner that no plan has.
const GHOST: Owner = Owner(u32::MAX);
const PIPE_BYTES: usize = 64 << 10;

/// Forges a leak in each channel that the plan uses, and records which were found.
pub(crate) async fn run(plan: &Arc<Plan>, lens: &Arc<Lens>, minter: &Minter, recorder: &Recorder) {
    let mut receipts = vec![forge_http(plan, lens, minter).await];
    if plan.uses(Channel::TextFrame) {
        receipts.extend(forge_websocket(plan, lens, minter).await);
    }
    if plan.uses(Channel::SseEvent) {
        receipts.extend(forge_event_stream(plan, lens, minter).await);
    }
    if plan.uses(Channel::Webhook) {
        receipts.extend(forge_webhook(plan, lens, minter).await);
    }
    if plan.uses(Channel::Store) {
        receipts.push(forge_store(plan, lens, minter));
    }
    for channel in Channel::ALL.into_iter().filter(|channel| plan.uses(*channel)) {
        let found = receipts.iter().any(|receipt| shows_ghost(receipt, channel));
        recorder.event(OpId(u32::MAX), Happening::SelfTest { channel, found });
    }
}

fn ghost_id(channel: Channel) -> CanaryId {
    CanaryId { owner: GHOST, serial: Serial(channel as u32), shape: Shape::Token }
}

fn ghost_canary(minter: &Minter, channel: Channel) -> String {
    let id = ghost_id(channel);
    minter.mint(id.owner, id.serial, id.shape).map(|canary| canary.expose().to_owned()).unwrap_or_default()
}

/// Each channel has a canary of its own, and it must be seen in that channel.
fn shows_ghost(receipt: &Receipt, channel: Channel) -> bool {
    receipt.seen.iter().any(|seen| {
        let forged = matches!(seen.sighting.found, Found::Canary { id, .. } if id == ghost_id(channel));
        forged && seen.channel == channel
    })
}

fn witness() -> Principal {
    let id = PrincipalId(u32::MAX - 1);
    Principal { id, tenant: TenantId(u32::MAX - 1), user: 0, session: 0, role: None, attributes: vec![] }
}

async fn forge_http(plan: &Plan, lens: &Lens, minter: &Minter) -> Receipt {
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    let script = http_script(minter);
    let forger = tokio::spawn(play_http(far, script));
    let witness = witness();
    let mut observer = Observer::new(plan, lens, &witness, Own::All, false);
    let request = hyper::Request::builder().uri("/").header("host", "forger").body(Full::new(Bytes::new()));
    let socket = Valved::new(Socket::Memory(near));
    let connection = Connection::handshake(ConnectionIds::default().next(), socket, HttpVersion::Http1).await;
    if let (Ok(mut connection), Ok(request)) = (connection, request) {
        let (mut answer, mut headers) = (Answer::default(), HeaderMap::new());
        // A failed exchange shows as forged leaks that were not found.
        let _ = connection.exchange(request, &mut observer, &mut answer, &mut headers).await;
    }
    forger.abort();
    observer.finish().0
}

/// An answer in two chunks, the canary of the body cut between them.
fn http_script(minter: &Minter) -> Vec<Vec<u8>> {
    let canary = |channel| ghost_canary(minter, channel);
    let head = format!(
        "HTTP/1.1 200 {}\r\nx-forged: {}\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\n\r\n",
        canary(Channel::StatusLine),
        canary(Channel::Header)
    );
    let body = canary(Channel::Body);
    let (left, right) = body.split_at(body.len() / 2);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let end = format!("0\r\nx-end: {}\r\n\r\n", canary(Channel::Trailer));
    [head, chunk(left), chunk(right), end].map(String::into_bytes).to_vec()
}

/// An event that never ends, its canary cut between two chunks. Nobody waits for it: it has to be found all the same.
async fn forge_event_stream(plan: &Arc<Plan>, lens: &Arc<Lens>, minter: &Minter) -> Vec<Receipt> {
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    let canary = ghost_canary(minter, Channel::SseEvent);
    let (left, right) = canary.split_at(canary.len() / 2);
    let chunk = |text: String| format!("{:x}\r\n{text}\r\n", text.len()).into_bytes();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let script = vec![
        head.as_bytes().to_vec(),
        chunk(format!(": a comment\n\ndata: {left}")),
        chunk(right.to_owned()),
        b"0\r\n\r\n".to_vec(),
    ];
    let forger = tokio::spawn(play_http(far, script));
    let receipts = read_event_stream(near, plan, lens).await;
    forger.abort();
    receipts
}

async fn read_event_stream(pipe: DuplexStream, plan: &Arc<Plan>, lens: &Arc<Lens>) -> Vec<Receipt> {
    let reading = Reading {
        plan: plan.clone(),
        lens: lens.clone(),
        receiver: witness(),
        known_types: Arc::default(),
        keeps_bytes: false,
        onlooker: None,
    };
    let witness = witness();
    let mut observer = Observer::new(plan, lens, &witness, Own::All, false);
    let (mut answer, mut headers) = (Answer::default(), HeaderMap::new());
    let request = hyper::Request::builder().uri("/").header("host", "forger").body(Full::new(Bytes::new()));
    let socket = Valved::new(Socket::Memory(pipe));
    let connection = Connection::handshake(ConnectionIds::default().next(), socket, HttpVersion::Http1).await;
    let (Ok(mut connection), Ok(request)) = (connection, request) else { return vec![] };
    let Ok(body) = connection.begin(request, &mut observer, &mut answer, &mut headers).await else { return vec![] };
    let frames: Arc<Mutex<Vec<EventFrame>>> = Arc::default();
    let collected = Arc::clone(&frames);
    let stream = EventStream::start(connection, (body, None), reading, vec![], move |frame| {
        collected.lock().unwrap_or_else(PoisonError::into_inner).push(frame);
    });
    // The forger ends it; nothing is waited for but the end.
    let _ = stream.mailbox().wait(|_| false).await;
    let frames = std::mem::take(&mut *frames.lock().unwrap_or_else(PoisonError::into_inner));
    frames.into_iter().map(|frame| frame.receipt).collect()
}

/// A value of a store, shown as a search shows it.
fn forge_store(plan: &Plan, lens: &Lens, minter: &Minter) -> Receipt {
    let receiver = witness();
    let mut observer = Observer::new(plan, lens, &receiver, Own::All, false);
    observer.stored("forged", ghost_canary(minter, Channel::Store).as_bytes());
    observer.finish().0
}

/// A webhook whose body is cut in the middle of its canary.
async fn forge_webhook(plan: &Arc<Plan>, lens: &Arc<Lens>, minter: &Minter) -> Vec<Receipt> {
    let (near, mut far) = tokio::io::duplex(PIPE_BYTES);
    let mut hooks = Hooks::default();
    hooks.add("forged".to_owned(), Hook::new(witness(), OpId(u32::MAX)));
    let receipts: Arc<Mutex<Vec<Receipt>>> = Arc::default();
    let collected = Arc::clone(&receipts);
    let sink = move |_, frame: EventFrame| {
        collected.lock().unwrap_or_else(PoisonError::into_inner).push(frame.receipt);
    };
    let sink = Mutex::new(Some(Box::new(sink) as Sink));
    let receiver = Receiver { plan: plan.clone(), lens: lens.clone(), hooks: Arc::new(hooks), sink, onlooker: None };
    let canary = ghost_canary(minter, Channel::Webhook);
    let (left, right) = canary.split_at(canary.len() / 2);
    let head = format!("POST /forged HTTP/1.1\r\nhost: forger\r\ncontent-length: {}\r\n\r\n", canary.len());
    let send = async {
        for part in [&head, left, right] {
            far.write_all(part.as_bytes()).await?;
            far.flush().await?;
            tokio::task::yield_now().await;
        }
        far.read_u8().await?;
        drop(far);
        Ok::<_, std::io::Error>(())
    };
    // A failed exchange shows as a forged leak that was not found.
    let _ = tokio::join!(receiver.serve(Socket::Memory(near)), send);
    drop(receiver);
    std::mem::take(&mut *receipts.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn play_http(mut pipe: DuplexStream, script: Vec<Vec<u8>>) -> std::io::Result<()> {
    // The request fits into one read of the pipe; an answer that came too early would be no answer.
    pipe.read_u8().await?;
    for part in script {
        pipe.write_all(&part).await?;
        pipe.flush().await?;
    }
    Ok(())
}

async fn forge_websocket(plan: &Arc<Plan>, lens: &Arc<Lens>, minter: &Minter) -> Vec<Receipt> {
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    let messages = [Channel::TextFrame, Channel::BinaryFrame, Channel::CloseReason]
        .map(|channel| message(channel, ghost_canary(minter, channel)));
    let forger = tokio::spawn(play_websocket(far, messages));
    let stream = Stream::from_raw_socket(Valved::new(Socket::Memory(near)), Role::Client, Some(config())).await;
    let known_types = Arc::default();
    let reading = Reading {
        plan: plan.clone(),
        lens: lens.clone(),
        receiver: witness(),
        known_types,
        onlooker: None,
        keeps_bytes: false,
    };
    let frames: Arc<Mutex<Vec<EventFrame>>> = Arc::default();
    let collected = Arc::clone(&frames);
    let socket = WebSocket::start(stream, reading, move |frame| {
        collected.lock().unwrap_or_else(PoisonError::into_inner).push(frame);
    });
    // The forger closes; nothing is waited for but the end.
    let _ = socket.mailbox().wait(|_| false).await;
    forger.abort();
    let frames = std::mem::take(&mut *frames.lock().unwrap_or_else(PoisonError::into_inner));
    frames.into_iter().map(|frame| frame.receipt).collect()
}

fn message(channel: Channel, canary: String) -> Message {
    match channel {
        Channel::BinaryFrame => Message::binary(canary.into_bytes()),
        Channel::CloseReason => Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: canary.into() })),
        _ => Message::text(canary),
    }
}

async fn play_websocket(pipe: DuplexStream, messages: [Message; 3]) {
    let mut stream = tokio_tungstenite::WebSocketStream::from_raw_socket(pipe, Role::Server, None).await;
    for message in messages {
        if stream.send(message).await.is_err() {
            return;
        }
    }
    // Wait for the answer to the close frame, as a server does.
    while let Some(Ok(_)) = stream.next().await {}
}
