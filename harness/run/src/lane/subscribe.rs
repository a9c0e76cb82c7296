//! Opening a stream of server-sent events.

use std::sync::Arc;

use coalmine_core::history::{Answer, Happening};
use coalmine_core::plan::{HttpVersion, Op};
use coalmine_core::step::{Step, Subscribe};
use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use super::capture::Caught;
use super::line::Line;
use super::request::{Built, refused};
use super::{Lane, limit};
use crate::allow::Origin;
use crate::content::Unpacker;
use crate::due::Unsent;
use crate::event_stream::EventStream;
use crate::exchange::{Connection, observe_body};
use crate::observe::{Observer, Own};
use crate::onlooker::{Letter, Scene};
use crate::socket::Window;
use crate::websocket::Reading;

static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The body of a stream, and what unpacks it.
type Packed = (Incoming, Option<Unpacker>);

/// What came before the first event.
struct Head {
    answer: Answer,
    headers: HeaderMap,
}

impl Lane {
    /// The step ends with the head of the answer. An answer that is no event stream is read like any other.
    pub(super) async fn subscribe(&mut self, op: &Op, step: &Step, subscribe: &Subscribe) -> Result<Happening, Unsent> {
        let (place, mut built) = self.build(op, &subscribe.request).map_err(|error| self.unsendable(op, error))?;
        if subscribe.resume
            && let Some(id) = self.lines.last_id(subscribe.socket)
        {
            let malformed = |_| "the id of the last event cannot stand in a header".to_owned();
            built.headers_mut().insert(&LAST_EVENT_ID, HeaderValue::from_str(id).map_err(malformed)?);
        }
        if let Err(withheld) = self.admit().await {
            return Ok(withheld);
        }
        self.show(op, || Scene::Sends(Letter::request(&built, &place.url())));
        let shared = self.shared_connection(&place.origin).await;
        let id = shared.as_ref().map_or_else(|| self.round.connections.next(), |shared| shared.id);
        self.invoke(op.id, Some(id));
        let (round, principal) = (self.round.clone(), self.principal.clone());
        let mut observer = Observer::new(&round.plan, &round.lens, &principal, Own::All, self.is_watched());
        let mut head = Head { answer: Answer::default(), headers: HeaderMap::new() };
        let opening = async {
            let mut connection = match shared {
                Some(shared) => shared,
                None => self.open_connection(id, &place.origin, Window::Usual).await?,
            };
            self.begin(&mut connection, built, subscribe, &mut observer, &mut head).await.map(|body| (connection, body))
        };
        let outcome = tokio::time::timeout(limit(step), opening).await;
        let outcome = outcome.unwrap_or_else(|_| Err(format!("no answer within {:?}", limit(step))));
        let (receipt, _, body) = observer.finish_with_body();
        head.answer.receipt = receipt;
        self.show_answer(op, &head.answer, &head.headers, &body);
        self.keep_cookies(&place, &head.headers);
        Ok(self.opened(op, step, subscribe, head, outcome))
    }

    /// Requests and streams share a connection in HTTP/2. None where a stream takes one of its own, or where none can be had:
    /// then opening one of its own will say why.
    async fn shared_connection(&mut self, origin: &Arc<Origin>) -> Option<Connection> {
        if self.round.plan.target.http == HttpVersion::Http1 {
            return None;
        }
        self.own_connection(origin).await.ok()
    }

    /// The stream, or none where the answer is another; that has been looked at whole.
    async fn begin(
        &self,
        connection: &mut Connection,
        request: Built,
        subscribe: &Subscribe,
        observer: &mut Observer<'_>,
        head: &mut Head,
    ) -> Result<Option<Incoming>, String> {
        let begun = connection.begin(request, observer, &mut head.answer, &mut head.headers).await;
        let body = begun.map_err(|broken| broken.why)?;
        if subscribe.request.accepts(head.status()) && head.is_event_stream() {
            return Ok(Some(body));
        }
        observe_body(body, observer, &mut head.answer).await.map(|()| None)
    }

    fn opened(
        &mut self,
        op: &Op,
        step: &Step,
        subscribe: &Subscribe,
        mut head: Head,
        outcome: Result<(Connection, Option<Incoming>), String>,
    ) -> Happening {
        let status = head.status();
        match outcome {
            Err(why) if head.answer.status.is_none() => Happening::Info { answer: head.answer, why },
            _ if !subscribe.request.accepts(status) => refused(head.answer, status),
            Err(why) => Happening::Info { answer: head.answer, why },
            Ok((_, None)) => Happening::Fail { answer: head.answer, why: "the answer is no event stream".to_owned() },
            Ok((connection, Some(body))) => {
                let caught = Caught::event(None, &head.headers);
                match self.capture(op, step, caught, &mut head.answer.receipt) {
                    Err(why) => Happening::Fail { answer: head.answer, why },
                    Ok(()) => {
                        let unpacker = Unpacker::of(&head.headers);
                        self.start_stream(op, subscribe, connection, (body, unpacker));
                        Happening::Ok(head.answer)
                    }
                }
            }
        }
    }

    fn start_stream(&mut self, op: &Op, subscribe: &Subscribe, connection: Connection, body: Packed) {
        let (recorder, id) = (self.round.recorder.clone(), op.id);
        let on_frame = move |frame| recorder.event(id, Happening::Frame(frame));
        let untaken = if subscribe.resume { self.lines.untaken(subscribe.socket) } else { vec![] };
        let stream = EventStream::start(connection, body, self.reading(), untaken, on_frame);
        self.lines.add(op.scope, subscribe.socket, Line::EventStream(stream), subscribe.keep);
    }

    /// What the tasks need that read for this principal.
    pub(super) fn reading(&self) -> Reading {
        Reading {
            plan: self.round.plan.clone(),
            lens: self.round.lens.clone(),
            receiver: self.principal.as_ref().clone(),
            known_types: self.round.known_types.clone(),
            onlooker: self.round.progress.onlooker().cloned(),
            keeps_bytes: self.round.keeps_bytes,
        }
    }
}

impl Head {
    fn status(&self) -> u16 {
        self.answer.status.unwrap_or_default()
    }

    fn is_event_stream(&self) -> bool {
        let written = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = written.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("text/event-stream")
    }
}
