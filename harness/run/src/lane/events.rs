//! Messages on an open WebSocket or event stream: sending, and waiting for events.

use std::sync::Arc;
use std::time::Duration;

use coalmine_core::history::{Answer, Happening, Shaken};
use coalmine_core::perturb::{Cut, Perturbation, Point};
use coalmine_core::plan::Op;
use coalmine_core::step::{About, Payload, Receive, SocketSlot, Step};
use coalmine_core::template::{Fill, Unfilled, plain};
use hyper::HeaderMap;
use serde_json::Value;
use serde_json_path::JsonPath;
use tokio_tungstenite::tungstenite::Message;

use super::capture::Caught;
use super::shake::Hub;
use super::{Lane, ended_without_answer, limit};
use crate::due::Unsent;
use crate::inbox::{Event, Inbox, Mailbox};
use crate::onlooker::{Letter, Scene};
use crate::valve::Unit;

/// Once the last event of the list is here, earlier ones that are missing may take this much longer.
const STRAGGLERS_WAIT_MAX: Duration = Duration::from_secs(1);
/// Events on a WebSocket that was stalled may take this long.
const STALLED_WAIT_MAX: Duration = Duration::from_secs(2);
/// Events that are to come before a hang-up may take this long.
const GIVE_UP_WAIT_MAX: Duration = Duration::from_secs(2);

impl Lane {
    pub(super) async fn send(
        &mut self,
        op: &Op,
        step: &Step,
        slot: SocketSlot,
        payload: &Payload,
    ) -> Result<Happening, Unsent> {
        let message = fill_message(payload, &self.values(op)).map_err(|unfilled| self.unfilled(op, unfilled))?;
        self.lines.websocket(slot)?;
        if let Err(withheld) = self.admit().await {
            return Ok(withheld);
        }
        self.show(op, || Scene::Sends(Letter::frame(&message.clone().into_data())));
        self.await_start(op).await;
        let ticket = self.ticket.take();
        self.invoke(op.id, None);
        let round = self.round.clone();
        let socket = self.lines.websocket(slot)?;
        let valve = Arc::clone(socket.valve());
        let is_held = ticket.is_some();
        let sending = async {
            socket.send(message).await?;
            if is_held {
                // For the library it is sent when its last byte is in the valve.
                valve.sent().await;
            }
            Ok(())
        };
        let hub = Hub { ticket, engine: &round.engine, recorder: &round.recorder, lines: vec![] };
        let (watched, _) = Self::watch(op, hub, (&valve, Unit::Write, limit(step)), sending).await;
        let outcome = watched.or_why(|| format!("not sent within {:?}", limit(step)));
        Ok(ended_without_answer(outcome))
    }

    pub(super) async fn receive(&mut self, op: &Op, step: &Step, receive: &Receive) -> Result<Happening, Unsent> {
        let about = self.about(op, receive.about.as_ref())?;
        let about = about.as_ref().map(|(path, equals)| (path, equals.clone()));
        let contains = self.contains(op, receive.contains.as_ref())?;
        let mailbox = self.lines.mailbox(receive.socket)?;
        self.invoke(op.id, None);
        self.begin_to_hear(receive.socket).await;
        let any_order = receive.any_order;
        let mut awaited = Awaited { types: &receive.events, any_order, about, contains, arrived: vec![], last: None };
        if let Some(cut) = op.manner.cut {
            return Ok(self.give_up(op, cut, receive.socket, &mut awaited, &mailbox).await);
        }
        // Of a WebSocket that was stalled, nothing is expected.
        let limit = if op.purpose.is_flow() { limit(step) } else { limit(step).min(STALLED_WAIT_MAX) };
        let outcome = tokio::time::timeout(limit, awaited.wait(&mailbox)).await;
        self.account_for_silence(receive.socket);
        let broken = outcome.unwrap_or_else(|_| Err(format!("after {limit:?}")));
        let mut answer = Answer { arrived: awaited.arrived.clone(), ..Answer::default() };
        if !awaited.is_complete() {
            let why = format!("{} missing: {}", awaited.missing(), broken.err().unwrap_or_default());
            return Ok(Happening::Info { answer, why });
        }
        if !any_order && !answer.arrived.is_sorted() {
            return Ok(Happening::Fail { answer, why: "the events came out of order".to_owned() });
        }
        let captured =
            self.capture(op, step, Caught::event(awaited.last.as_ref(), &HeaderMap::new()), &mut answer.receipt);
        Ok(match captured {
            Ok(()) => Happening::Ok(answer),
            Err(why) => Happening::Fail { answer, why },
        })
    }
}

impl Lane {
    /// Hangs up once so many of the events have come, or when no more come for a while.
    async fn give_up(
        &mut self,
        op: &Op,
        cut: Cut,
        slot: SocketSlot,
        awaited: &mut Awaited<'_>,
        mailbox: &Mailbox,
    ) -> Happening {
        let wanted = match cut.at {
            Point::Frames { count } => usize::from(count),
            _ => 0,
        };
        let come = awaited.collect(mailbox, |awaited| awaited.arrived.len() >= wanted);
        let reached = matches!(tokio::time::timeout(GIVE_UP_WAIT_MAX, come).await, Ok(Ok(())));
        let reached = reached && !awaited.is_complete();
        let answer = Answer { arrived: awaited.arrived.clone(), ..Answer::default() };
        if let Ok(line) = self.lines.take(slot) {
            line.give_up(cut.by).await;
        }
        let shaken = Shaken::new(Perturbation::Cancel, reached);
        self.round.recorder.event(op.id, Happening::Perturbed(shaken));
        Happening::Info { answer, why: "it was given up on purpose".to_owned() }
    }

    /// The condition on what is waited for, its template filled.
    pub(super) fn about(&self, op: &Op, about: Option<&About>) -> Result<Option<(JsonPath, String)>, Unsent> {
        let Some(about) = about else { return Ok(None) };
        let equals = about.equals.fill(&self.values(op)).map_err(|unfilled| self.unfilled(op, unfilled))?;
        Ok(Some((self.round.lens.paths.get(&about.path).clone(), equals)))
    }
}

impl Lane {
    /// The bytes that must stand in what is waited for; none where nothing is said about them.
    fn contains(&self, op: &Op, contains: Option<&Payload>) -> Result<Vec<u8>, Unsent> {
        let Some(payload) = contains else { return Ok(vec![]) };
        let message = fill_message(payload, &self.values(op)).map_err(|unfilled| self.unfilled(op, unfilled))?;
        Ok(message.into_data().to_vec())
    }
}

/// Events that a step waits for.
struct Awaited<'a> {
    types: &'a [String],
    any_order: bool,
    about: Option<(&'a JsonPath, String)>,
    contains: Vec<u8>,
    arrived: Vec<u16>,
    last: Option<Value>,
}

impl Awaited<'_> {
    async fn wait(&mut self, mailbox: &Mailbox) -> Result<(), String> {
        let any_order = self.any_order;
        self.collect(mailbox, |awaited| awaited.is_complete() || !any_order && awaited.last_type_arrived()).await?;
        if self.is_complete() {
            return Ok(());
        }
        let stragglers = self.collect(mailbox, Awaited::is_complete);
        let outcome = tokio::time::timeout(STRAGGLERS_WAIT_MAX, stragglers).await;
        outcome.unwrap_or_else(|_| Err("though the last event came".to_owned()))
    }

    async fn collect(&mut self, mailbox: &Mailbox, enough: impl Fn(&Self) -> bool) -> Result<(), String> {
        let take = |inbox: &mut Inbox| {
            for event in inbox.take_where(|event| self.accept(event)) {
                self.last = Some(event.json);
            }
            enough(self)
        };
        mailbox.wait(take).await
    }

    /// Counts the event for the first place of its type that is still open.
    fn accept(&mut self, event: &Event) -> bool {
        if !self.about.as_ref().is_none_or(|(path, equals)| holds(path, equals, &event.json)) {
            return false;
        }
        let bytes = event.bytes.as_deref().unwrap_or_default();
        if !self.contains.is_empty() && !bytes.windows(self.contains.len()).any(|part| part == self.contains) {
            return false;
        }
        let open = (0u16..).zip(self.types).find(|(index, kind)| **kind == event.kind && !self.arrived.contains(index));
        if let Some((index, _)) = open {
            self.arrived.push(index);
        }
        open.is_some()
    }

    fn is_complete(&self) -> bool {
        self.arrived.len() == self.types.len()
    }

    fn last_type_arrived(&self) -> bool {
        self.arrived.iter().any(|index| usize::from(*index) + 1 == self.types.len())
    }

    fn missing(&self) -> String {
        let missing = (0u16..).zip(self.types).filter(|(index, _)| !self.arrived.contains(index));
        missing.map(|(_, kind)| format!("`{kind}`")).collect::<Vec<_>>().join(", ")
    }
}

pub(super) fn holds(path: &JsonPath, equals: &str, json: &Value) -> bool {
    path.query(json).all().into_iter().any(|value| plain(value) == equals)
}

fn fill_message(payload: &Payload, values: &impl Fill) -> Result<Message, Unfilled> {
    Ok(match payload {
        Payload::Json(tree) => Message::text(tree.fill(values)?.to_string()),
        Payload::Text(template) => Message::text(template.fill(values)?),
        Payload::Binary(template) => Message::binary(template.fill(values)?.into_bytes()),
        Payload::Bytes(bytes) => Message::binary(bytes.fill(values)),
        Payload::Form(_) | Payload::Multipart(_) => {
            unreachable!("the scenario's parser lets no form be sent on a WebSocket")
        }
    })
}
