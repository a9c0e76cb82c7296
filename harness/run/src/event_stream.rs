//! A stream of server-sent events that one principal has open: a task looks at its bytes as they come, and lays the events
//! into an inbox.
//!
//! The bytes pass the observer before the parser, so that comments and events without an end are looked at as well. Canaries
//! are searched for within one block, which is what stands between two empty lines.

mod parser;

use std::sync::Arc;

use coalmine_core::history::{Channel, CutOff, EventFrame, Opcode, Receipt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::content::Unpacker;
use crate::exchange::{BODY_BYTES_MAX, Connection, in_words};
use crate::inbox::{Event, Mailbox};
use crate::observe::{Observer, Own};
use crate::valve::Valve;
use crate::websocket::Reading;
use parser::{Block, Parser};

/// The principal's end.
pub(crate) struct EventStream {
    mailbox: Arc<Mailbox>,
    valve: Arc<Valve>,
    reader: JoinHandle<()>,
    /// Dropping it ends the reading, and what was read of an unfinished event is still recorded.
    hang_up: oneshot::Sender<()>,
}

impl EventStream {
    /// Begins to read; `on_frame` is called for each event, and for what was recognised between and after them. What is `untaken` of
    /// the stream that this one resumes comes before all that it brings.
    pub(crate) fn start(
        connection: Connection,
        (body, unpacker): (Incoming, Option<Unpacker>),
        reading: Reading,
        untaken: Vec<Event>,
        on_frame: impl FnMut(EventFrame) + Send + 'static,
    ) -> Self {
        let (mailbox, valve) = (Arc::new(Mailbox::default()), Arc::clone(connection.valve()));
        for event in untaken {
            mailbox.push(event);
        }
        let (hang_up, hung_up) = oneshot::channel();
        let inbox = Arc::clone(&mailbox);
        let reader = tokio::spawn(async move {
            let blocks = Blocks::new(&reading, &inbox, on_frame);
            let why = read((body, unpacker), blocks, hung_up).await;
            drop(connection);
            inbox.end(why);
        });
        Self { mailbox, valve, reader, hang_up }
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Where the bytes of its connection can be held up.
    pub(crate) fn valve(&self) -> &Arc<Valve> {
        &self.valve
    }

    /// Drops the connection, and waits until it is dropped.
    pub(crate) async fn hang_up(self) {
        drop(self.hang_up);
        // A reader that panicked has hung up as well.
        let _ = self.reader.await;
    }
}

/// Reads until the stream ends or the principal hangs up; says why.
async fn read(
    (mut body, mut unpacker): (Incoming, Option<Unpacker>),
    mut blocks: Blocks<'_, impl FnMut(EventFrame)>,
    mut hung_up: oneshot::Receiver<()>,
) -> String {
    let mut bytes = 0;
    let why = loop {
        let frame = tokio::select! {
            biased;
            _ = &mut hung_up => break "the event stream was closed".to_owned(),
            frame = body.frame() => frame,
        };
        let frame = match frame {
            None => break "the event stream ended".to_owned(),
            Some(Err(error)) => break format!("the event stream broke: {}", in_words(&error)),
            Some(Ok(frame)) => frame,
        };
        if let Some(chunk) = frame.data_ref() {
            bytes += chunk.len() as u64;
            if let Err(why) = feed(&mut blocks, &mut unpacker, chunk) {
                break why;
            }
        } else if let Some(trailers) = frame.trailers_ref() {
            blocks.observer().fields(Channel::Trailer, trailers);
        }
        if bytes > BODY_BYTES_MAX {
            break format!("the event stream is longer than {BODY_BYTES_MAX} bytes");
        }
    };
    blocks.finish();
    why
}

/// Looks at the next bytes, unpacked where the stream is packed.
fn feed(
    blocks: &mut Blocks<'_, impl FnMut(EventFrame)>,
    unpacker: &mut Option<Unpacker>,
    chunk: &[u8],
) -> Result<(), String> {
    let Some(unpacker) = unpacker else {
        blocks.feed(chunk);
        return Ok(());
    };
    let mut unpacked = vec![];
    let outcome = unpacker.feed(chunk, &mut unpacked);
    blocks.feed(&unpacked);
    outcome.map_err(|reason| {
        let cut_off = CutOff::Scan { encoding: unpacker.encoding(), reason };
        blocks.observer().cut(cut_off);
        format!("the event stream could not be unpacked: {cut_off}")
    })
}

/// The blocks of a stream, one after another.
struct Blocks<'a, F> {
    reading: &'a Reading,
    mailbox: &'a Mailbox,
    on_frame: F,
    parser: Parser,
    /// Looks at the block that is coming in.
    observer: Option<Observer<'a>>,
    bytes: u64,
    index: u32,
}

impl<'a, F: FnMut(EventFrame)> Blocks<'a, F> {
    fn new(reading: &'a Reading, mailbox: &'a Mailbox, on_frame: F) -> Self {
        Self { reading, mailbox, on_frame, parser: Parser::default(), observer: None, bytes: 0, index: 0 }
    }

    fn observer(&mut self) -> &mut Observer<'a> {
        let Reading { plan, lens, receiver, .. } = self.reading;
        self.observer.get_or_insert_with(|| Observer::new(plan, lens, receiver, Own::All, true))
    }

    fn feed(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let (len, block) = self.parser.read(rest);
            let (read, unread) = rest.split_at(len);
            self.observer().message(Channel::SseEvent, read);
            self.bytes += read.len() as u64;
            rest = unread;
            if let Some(block) = block {
                self.end(block);
            }
        }
    }

    fn end(&mut self, block: Block) {
        let observer = self.observer();
        if block.is_too_long {
            observer.message_is_too_long();
        }
        if let Some(message) = &block.message {
            observer.message_data(&message.data);
        }
        let Some((receipt, json)) = self.observer.take().map(Observer::finish) else { return };
        if let Some(message) = &block.message {
            self.reading.show(Channel::SseEvent, &message.data, &receipt);
        }
        let event = block.message.map(|message| {
            let json = json.unwrap_or_else(|| Value::from(String::from_utf8_lossy(&message.data)));
            self.reading.event_of(json, &message.kind, &message.data)
        });
        self.record(Opcode::Event, receipt, event.as_ref());
        self.mailbox.deliver(event, &block.last_id);
    }

    /// The stream is over, perhaps in the middle of a block.
    fn finish(mut self) {
        if let Some((receipt, _)) = self.observer.take().map(Observer::finish) {
            self.record(Opcode::EventCut, receipt, None);
        }
    }

    /// A block that is no event, such as a comment that keeps the connection alive, is told only if something is in it.
    fn record(&mut self, opcode: Opcode, receipt: Receipt, event: Option<&Event>) {
        let bytes = std::mem::take(&mut self.bytes);
        if event.is_none() && receipt.is_empty() {
            return;
        }
        let event_type = event.and_then(|event| self.reading.known_type(event));
        (self.on_frame)(EventFrame { index: self.index, opcode, bytes, event_type, receipt });
        self.index += 1;
    }
}
