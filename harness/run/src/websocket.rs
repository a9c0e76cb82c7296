//! A WebSocket that one principal has open: a task reads and observes every frame, and lays the events into an inbox.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use coalmine_core::history::{Channel, EventFrame, Opcode, Receipt};
use coalmine_core::perturb::Pace;
use coalmine_core::plan::OpId;
use coalmine_core::step::{BINARY, MESSAGE};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::inbox::{Closed, Event, Mailbox};
use crate::observe::{Lens, Observer, Own};
use crate::onlooker::{Letter, Onlooker};
use crate::valve::{Valve, Valved};
use coalmine_core::Plan;
use coalmine_core::principal::Principal;

/// A longer message ends the connection.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Of a longer message, a step that waits for bytes in it looks at the beginning; a longer binary message is not read as JSON.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// How long the peer may take to answer a close frame.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);

pub(crate) type Stream = WebSocketStream<Valved>;

/// Small buffers: with the library's defaults a thousand idle sockets would hold 130 MiB.
pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

/// The principal's end.
pub(crate) struct WebSocket {
    sink: SplitSink<Stream, Message>,
    mailbox: Arc<Mailbox>,
    reader: JoinHandle<()>,
    valve: Arc<Valve>,
    pings: u64,
    /// How it is stalled, by the operation that opened it.
    stalled: Option<(OpId, Pace)>,
}

/// Everything that reading messages needs.
pub(crate) struct Reading {
    pub(crate) plan: Arc<Plan>,
    pub(crate) lens: Arc<Lens>,
    pub(crate) receiver: Principal,
    /// Types that the scenario names. Others are not written down: they are the target's text and may hold anything.
    pub(crate) known_types: Arc<BTreeSet<String>>,
    pub(crate) onlooker: Option<Arc<dyn Onlooker>>,
    /// Whether a step waits for events by their bytes.
    pub(crate) keeps_bytes: bool,
}

impl WebSocket {
    /// Begins to read; `on_frame` is called for each message and for the close frame, in order.
    pub(crate) fn start(stream: Stream, reading: Reading, on_frame: impl FnMut(EventFrame) + Send + 'static) -> Self {
        let valve = Arc::clone(stream.get_ref().valve());
        let (sink, source) = stream.split();
        let mailbox = Arc::new(Mailbox::default());
        let reader = tokio::spawn(read_frames(source, reading, Arc::clone(&mailbox), on_frame));
        Self { sink, mailbox, reader, valve, pings: 0, stalled: None }
    }

    /// The same, of an operation that stalls it.
    pub(crate) fn stalled(mut self, op: OpId, pace: Pace) -> Self {
        self.stalled = (pace != Pace::Full).then_some((op, pace));
        self
    }

    /// How it is stalled, if that goes on.
    pub(crate) fn stall(&self) -> Option<(OpId, Pace)> {
        self.stalled
    }

    /// It is stalled no longer, or it was told what came of it.
    pub(crate) fn end_stall(&mut self) {
        self.stalled = None;
    }

    pub(crate) async fn send(&mut self, message: Message) -> Result<(), String> {
        self.sink.send(message).await.map_err(|error| error.to_string())
    }

    /// Sends a ping; its number comes back with the pong.
    pub(crate) async fn ping(&mut self) -> Result<u64, String> {
        self.pings += 1;
        self.send(Message::Ping(self.pings.to_be_bytes().to_vec().into())).await?;
        Ok(self.pings)
    }

    /// Where its bytes can be held up.
    pub(crate) fn valve(&self) -> &Arc<Valve> {
        &self.valve
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Sends a close frame and reads on until the peer has answered it or [`CLOSE_WAIT_MAX`] has passed.
    pub(crate) async fn close(mut self, code: Option<u16>) -> Result<(), String> {
        self.valve.thaw();
        if let Some(code) = code {
            let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::default() };
            self.send(Message::Close(Some(frame))).await?;
        }
        self.sink.close().await.map_err(|error| error.to_string())?;
        let ended = tokio::time::timeout(CLOSE_WAIT_MAX, &mut self.reader).await;
        ended.map(|_| ()).map_err(|_| "the close frame was not answered".to_owned())
    }

    /// Drops the connection without a word, and waits until it is dropped.
    pub(crate) async fn hang_up(mut self) {
        self.reader.abort();
        // It ends with the news of its own abortion.
        let _ = (&mut self.reader).await;
    }
}

/// Dropping it hangs up.
impl Drop for WebSocket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read_frames(
    mut source: SplitStream<Stream>,
    reading: Reading,
    mailbox: Arc<Mailbox>,
    mut on_frame: impl FnMut(EventFrame),
) {
    let mut index = 0;
    let why = loop {
        match source.next().await {
            Some(Ok(message)) => {
                note_control(&message, &mailbox);
                if let Some((frame, event)) = reading.observe(index, &message) {
                    on_frame(frame);
                    index += 1;
                    if let Some(event) = event {
                        mailbox.push(event);
                    }
                }
            }
            Some(Err(Error::ConnectionClosed)) | None => break "the WebSocket was closed".to_owned(),
            Some(Err(error)) => break format!("the WebSocket broke: {error}"),
        }
    };
    mailbox.end(why);
}

/// A code of no close frame: it had none (RFC 6455, section 7.4.1).
const NO_CODE: u16 = 1005;

fn note_control(message: &Message, mailbox: &Mailbox) {
    match message {
        Message::Pong(payload) => {
            if let Ok(number) = <[u8; 8]>::try_from(payload.as_ref()) {
                mailbox.set_pong(u64::from_be_bytes(number));
            }
        }
        Message::Close(close) => {
            let said = |close: &CloseFrame| Closed { code: close.code.into(), reason: close.reason.to_string() };
            mailbox.set_closed(close.as_ref().map_or(Closed { code: NO_CODE, reason: String::new() }, said));
        }
        _ => {}
    }
}

impl Reading {
    /// The frame's facts, and the event that it is, if it is one.
    fn observe(&self, index: u32, message: &Message) -> Option<(EventFrame, Option<Event>)> {
        let (opcode, channel, bytes): (_, _, &[u8]) = match message {
            Message::Text(text) => (Opcode::Text, Channel::TextFrame, text.as_bytes()),
            Message::Binary(bytes) => (Opcode::Binary, Channel::BinaryFrame, bytes),
            Message::Close(Some(close)) => (Opcode::Close, Channel::CloseReason, close.reason.as_bytes()),
            Message::Close(None) => (Opcode::Close, Channel::CloseReason, &[]),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return None,
        };
        let wants_json = !self.known_types.is_empty();
        let mut observer = Observer::new(&self.plan, &self.lens, &self.receiver, Own::All, wants_json);
        observer.whole(channel, bytes);
        if let Some(json) = self.json_of(opcode, bytes) {
            observer.message_data(json);
        }
        let (receipt, json) = observer.finish();
        self.show(channel, bytes, &receipt);
        let event = self.message(opcode, json, bytes);
        let event_type = event.as_ref().and_then(|event| self.known_type(event));
        Some((EventFrame { index, opcode, bytes: bytes.len() as u64, event_type, receipt }, event))
    }

    pub(crate) fn show(&self, channel: Channel, bytes: &[u8], receipt: &Receipt) {
        if let Some(onlooker) = &self.onlooker {
            onlooker.hear(&self.receiver, channel, Letter::frame(bytes), receipt);
        }
    }

    /// The part of a message that is JSON, if it is any.
    fn json_of<'b>(&self, opcode: Opcode, bytes: &'b [u8]) -> Option<&'b [u8]> {
        match opcode {
            Opcode::Text => {
                let part = self.plan.event_part.as_ref().and_then(|regex| {
                    let found = self.lens.paths.regex(regex).captures(std::str::from_utf8(bytes).ok()?)?;
                    Some(found.get(1).or(found.get(0))?.range())
                });
                Some(part.map_or(bytes, |range| &bytes[range]))
            }
            Opcode::Binary if bytes.len() <= KEPT_BYTES_MAX => Some(bytes),
            _ => None,
        }
    }

    /// A message in which no type is found has one only where a step waits for such.
    fn message(&self, opcode: Opcode, json: Option<Value>, bytes: &[u8]) -> Option<Event> {
        let untyped = match opcode {
            Opcode::Text => MESSAGE,
            Opcode::Binary => BINARY,
            _ => return None,
        };
        let kind = json.as_ref().and_then(|json| self.kind_of(json));
        let kind = kind.or_else(|| self.known_types.contains(untyped).then(|| untyped.to_owned()))?;
        let json = json.unwrap_or_else(|| Value::from(String::from_utf8_lossy(bytes)));
        Some(Event { kind, json, bytes: self.kept(bytes), fields: None })
    }

    /// The beginning of what came, where a step wants to look into it.
    fn kept(&self, bytes: &[u8]) -> Option<Box<[u8]>> {
        self.keeps_bytes.then(|| bytes[..bytes.len().min(KEPT_BYTES_MAX)].into())
    }

    /// The event of a stream, where a type that stands in it outweighs the one that it was sent with.
    pub(crate) fn event_of(&self, json: Value, sent_as: &str, bytes: &[u8]) -> Event {
        let kind = self.kind_of(&json).unwrap_or_else(|| sent_as.to_owned());
        Event { kind, json, bytes: self.kept(bytes), fields: None }
    }

    /// The event's type, if the scenario names it.
    pub(crate) fn known_type(&self, event: &Event) -> Option<String> {
        self.known_types.contains(&event.kind).then(|| event.kind.clone())
    }

    fn kind_of(&self, json: &Value) -> Option<String> {
        let path = self.lens.paths.get(self.plan.event_type.as_ref()?);
        match path.query(json).first()? {
            Value::String(kind) => Some(kind.clone()),
            kind @ (Value::Number(_) | Value::Bool(_)) => Some(kind.to_string()),
            _ => None,
        }
    }
}
