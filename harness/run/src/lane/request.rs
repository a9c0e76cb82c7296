//! Requests and WebSocket handshakes: fill, send, observe, classify.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use coalmine_core::history::{Answer, Channel, Happening, Hop, NotDue, Receipt};
use coalmine_core::perturb::Forgery;
use coalmine_core::plan::{Compression, HttpVersion, Op, Purpose};
use coalmine_core::step::{Action, Open, Payload, Request, Step};
use coalmine_core::template::{Fill, Segment, Template, Unfilled, plain};
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::header::{ACCEPT_ENCODING, CONTENT_TYPE, COOKIE, ETAG, HOST, HeaderName, HeaderValue, IF_NONE_MATCH};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Error as WebSocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::capture::Caught;
use super::line::Line;
use super::path::fill_path;
use super::shake::Hub;
use super::stalled::{stall, window};
use super::{Lane, kept, limit};
use crate::allow::Place;
use crate::board::Values;
use crate::caching::caching;
use crate::due::Unsent;
use crate::forgery::forged_cookie;
use crate::jar::{Jar, cookie_field};
use crate::leaf::leaves;
use crate::multipart;
use crate::observe::{Observer, Own};
use crate::onlooker::{Letter, Scene};
use crate::outline::outline;
use crate::poison::spoil;
use crate::valve::Unit;
use crate::websocket::{Stream, WebSocket, config};

/// A request with all holes filled.
pub(super) type Built = hyper::Request<Full<Bytes>>;

/// What can be read back, in the order of browsers.
const ACCEPTED: &str = "gzip, deflate, br, zstd";

/// What has come back for a request so far, and from where.
pub(super) struct Received {
    pub(super) place: Place,
    pub(super) answer: Answer,
    pub(super) headers: HeaderMap,
    pub(super) hops: Vec<Hop>,
}

/// A request could not be made of the scenario's templates.
pub(super) enum Unsendable {
    Unfilled(Unfilled),
    Malformed(String),
    /// There is no credential that can be changed.
    Unforgeable,
}

/// What came of a request.
pub(super) struct Exchanged {
    pub(super) answer: Answer,
    /// Why there is no whole answer.
    pub(super) outcome: Result<(), String>,
    headers: HeaderMap,
    pub(super) json: Option<Value>,
    body: Vec<u8>,
    /// There was no connection, so that nothing was sent.
    refused: bool,
}

impl Exchanged {
    fn unconnected(why: String) -> Self {
        let (answer, headers) = (Answer::default(), HeaderMap::new());
        Self { answer, outcome: Err(why), headers, json: None, body: vec![], refused: true }
    }
}

impl From<Unfilled> for Unsendable {
    fn from(unfilled: Unfilled) -> Self {
        Self::Unfilled(unfilled)
    }
}

impl Lane {
    pub(super) async fn request(&mut self, op: &Op, step: &Step, request: &Request) -> Result<Happening, Unsent> {
        if let Some(until) = Self::until(op, step) {
            return self.poll(op, step, request, until).await;
        }
        // What cannot be filled costs nothing.
        self.build(op, request).map_err(|error| self.unsendable(op, error))?;
        if let Err(withheld) = self.admit().await {
            return Ok(withheld);
        }
        let exchanged = self.exchange(op, step, request, (true, limit(step))).await?;
        Ok(self.classify(op, step, request, exchanged))
    }

    /// Sends the request once, within a time, and looks at its answer. The first time, it says that the operation begins.
    pub(super) async fn exchange(
        &mut self,
        op: &Op,
        step: &Step,
        request: &Request,
        (is_first, limit): (bool, Duration),
    ) -> Result<Exchanged, Unsent> {
        let (place, built) = self.build(op, request).map_err(|error| self.unsendable(op, error))?;
        self.show(op, || Scene::Sends(Letter::request(&built, &place.url())));
        self.await_start(op).await;
        let mut carrier = match self.carrier(&op.manner, &place.origin).await {
            Ok(carrier) => carrier,
            Err(why) => {
                if is_first {
                    self.invoke(op.id, None);
                }
                return Ok(Exchanged::unconnected(why));
            }
        };
        let ticket = self.ticket.take();
        self.note_contents(&op.manner);
        let _flooding = self.note_flood(&op.manner);
        if is_first {
            self.invoke(op.id, Some(carrier.connection().id));
        }
        let began = Instant::now();
        let (round, principal) = (self.round.clone(), self.principal.clone());
        let controls = self.controls(op, step);
        let own = kept(&round, op, step, &controls);
        let wants_json = self.is_watched()
            || matches!(op.purpose, Purpose::Twin { .. })
            || step.until.is_some()
            || !step.expects.is_empty()
            || !(step.captures.is_empty() && step.models.is_empty() && step.echoes.is_empty());
        let observer = Observer::new(&round.plan, &round.lens, &principal, own, wants_json);
        let mut observer = observer.measuring(self.measured_id(op));
        let mut received = Received::new(place);
        let again = (request.follow > 0).then(|| built.clone());
        let connection = carrier.connection();
        let valve = Arc::clone(connection.valve());
        let exchange = connection.exchange(built, &mut observer, &mut received.answer, &mut received.headers);
        let lines = op.manner.freeze.map_or(vec![], |_| self.lines.valves());
        let hub = Hub { ticket, engine: &round.engine, recorder: &round.recorder, lines };
        let (watched, marks) = Self::watch(op, hub, (&valve, Unit::Request, limit), exchange).await;
        received.answer.sent_us = marks.sent_after(began);
        let outcome = watched.or_why(|| format!("no whole answer within {limit:?}"));
        let left = limit.saturating_sub(began.elapsed());
        let sent = (op, request, left);
        let outcome = self.or_resend(outcome, sent, &mut carrier, &mut observer, &mut received).await;
        let is_whole = outcome.is_ok() && op.manner.cut.is_none();
        if is_whole {
            self.round.engine.answered(op, &received.answer);
            if !marks.is_early() || carrier.connection().carries_many() {
                self.keep(&received.place.origin, carrier);
            }
        } else {
            self.abandon(&op.manner, carrier);
        }
        let outcome = match again.filter(|_| is_whole) {
            Some(again) => {
                let left = limit.saturating_sub(began.elapsed());
                self.follow((op, request, left), again, &mut observer, &mut received).await
            }
            None => outcome,
        };
        Ok(self.received(op, request, observer, received, outcome))
    }

    /// What has come, looked at to its end.
    fn received(
        &mut self,
        op: &Op,
        request: &Request,
        observer: Observer<'_>,
        received: Received,
        outcome: Result<(), String>,
    ) -> Exchanged {
        let Received { place, mut answer, headers, hops } = received;
        let digest_key = &self.round.lens.digest_key;
        answer.hops = hops.into();
        if matches!(request.method.as_str(), "GET" | "HEAD") {
            answer.caching = caching(digest_key, &headers).map(Box::new);
        }
        answer.outline = observer.measured().map(|measured| outline(digest_key, &headers, measured));
        answer.shape = observer.shape();
        let (receipt, json, body) = observer.finish_with_body();
        answer.receipt = receipt;
        if let (Purpose::Twin { .. }, Some(status)) = (op.purpose, answer.status) {
            let (detector, seed) = (&self.round.lens.detector, self.round.plan.seed);
            answer.leaves = leaves(detector, seed, (status, &headers), json.as_ref(), &body);
        }
        self.show_answer(op, &answer, &headers, &body);
        self.drop_echo(op, &mut answer.receipt);
        // Whoever refuses a credential may take its cookies back.
        if op.manner.forge.is_none() {
            self.keep_cookies(&place, &headers);
        }
        Exchanged { answer, outcome, headers, json, body, refused: false }
    }

    pub(super) fn classify(&self, op: &Op, step: &Step, request: &Request, exchanged: Exchanged) -> Happening {
        let Exchanged { mut answer, outcome, headers, json, body, refused: no_connection } = exchanged;
        let status = answer.status.unwrap_or_default();
        let is_whole = outcome.is_ok() && request.accepts(status);
        let caught =
            Caught { json: json.as_ref(), headers: &headers, body: &body, status: answer.status, closed: None };
        let unexpected = if is_whole { self.unexpected(op, step, json.as_ref()) } else { None };
        let is_expected = is_whole && unexpected.is_none();
        answer.receipt.compared = self.compared(op, step, is_expected.then_some(caught));
        if let Err(why) = outcome {
            return if no_connection { Happening::Fail { answer, why } } else { Happening::Info { answer, why } };
        }
        let not_modified = matches!(op.purpose, Purpose::Revalidate { .. }) && status == 304;
        if not_modified {
            return Happening::Ok(answer);
        }
        if !request.accepts(status) {
            return refused(answer, status);
        }
        if let Some(why) = unexpected {
            return Happening::Fail { answer, why };
        }
        self.keep_etag(op, step, &headers);
        match self.capture(op, step, caught, &mut answer.receipt) {
            Ok(()) => Happening::Ok(answer),
            Err(why) => Happening::Fail { answer, why },
        }
    }

    /// The id that the operation asks for, where its answer must look like that of an unknown one.
    fn measured_id(&self, op: &Op) -> Option<String> {
        let (Purpose::Probe { object, .. } | Purpose::Unknown { object, .. }) = op.purpose else { return None };
        let rule = self.round.plan.objects.get(usize::from(object)).filter(|rule| rule.indistinguishable)?;
        self.values(op).variable(rule.id).map(|id| plain(&id).into_owned())
    }

    /// A try at an id that holds a canary of its owner, such as a client-chosen one, sends that canary. That it comes back, in
    /// a refusal that quotes the path, shows nothing.
    fn drop_echo(&self, op: &Op, receipt: &mut Receipt) {
        let (Purpose::Probe { object, .. } | Purpose::Timed { object, .. }) = op.purpose else { return };
        let id =
            self.round.plan.objects.get(usize::from(object)).and_then(|object| self.values(op).variable(object.id));
        let sent = id.map(|id| self.round.lens.detector.scan(plain(&id).as_bytes())).unwrap_or_default();
        receipt.seen.retain(|seen| sent.iter().all(|echo| echo.found != seen.sighting.found));
    }

    pub(super) fn build(&self, op: &Op, request: &Request) -> Result<(Place, Built), Unsendable> {
        let values = self.values(op);
        let mut place = fill_path(&request.path, &self.round.destinations, &values)?;
        let body = request.body.as_ref().map(|body| encode(body, &values)).transpose()?;
        let (content_type, mut bytes) = body.unwrap_or_default();
        if let Some(poison) = op.manner.poison {
            let is_secret = |text: &str| !self.round.lens.detector.scan(text.as_bytes()).is_empty();
            (place.path, bytes) = spoil(poison, (place.path, bytes), is_secret);
        }
        let builder = hyper::Request::builder().method(request.method.as_str()).uri(place.path.as_str());
        let mut built = builder.body(Full::new(bytes)).map_err(|error| Unsendable::Malformed(error.to_string()))?;
        let headers = built.headers_mut();
        let host = HeaderValue::from_str(&place.origin.authority);
        headers.insert(HOST, host.map_err(|error| Unsendable::Malformed(error.to_string()))?);
        if !content_type.is_empty() {
            let content_type = HeaderValue::from_str(&content_type).expect("our own content types are header values");
            headers.insert(CONTENT_TYPE, content_type);
        }
        if self.round.plan.target.compression == Compression::On {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
        }
        fill_headers(headers, &request.headers, &values)?;
        self.fill_validator(op, headers)?;
        self.fill_cookies(headers, &place, &request.cookies, &values)?;
        Ok((place, built))
    }

    /// The ETag that somebody else was given by the same step.
    fn fill_validator(&self, op: &Op, headers: &mut HeaderMap) -> Result<(), Unsendable> {
        let Purpose::Revalidate { other } = op.purpose else { return Ok(()) };
        let etag = self.round.board.etag(other, op.step);
        let none = || Unsendable::Malformed("the other was given no ETag".to_owned());
        headers.insert(IF_NONE_MATCH, etag.ok_or_else(none)?);
        Ok(())
    }

    /// Keeps the ETag of an answer for others who ask with it.
    fn keep_etag(&self, op: &Op, step: &Step, headers: &HeaderMap) {
        if let Some(etag) = headers.get(ETAG).filter(|_| step.revalidated && op.purpose.is_flow()) {
            self.round.board.keep_etag(op.scope, op.step, etag.clone());
        }
    }

    /// A header field `cookie` that the step writes itself stands as it is.
    pub(super) fn fill_cookies(
        &self,
        headers: &mut HeaderMap,
        place: &Place,
        templates: &[(String, Template)],
        values: &Values<'_>,
    ) -> Result<(), Unsendable> {
        if headers.contains_key(COOKIE) {
            return Ok(());
        }
        let own = templates.iter().map(|(name, value)| Ok((name.clone(), value.fill(values)?)));
        let own = own.collect::<Result<Vec<_>, Unfilled>>()?;
        let kept = self.jar().map_or(vec![], |jar| jar.of(place));
        let kept = match values.op.manner.forge {
            // The jar may hold what is good.
            None if self.round.board.shows_what_was(values.op) => vec![],
            None => kept,
            Some(how) => self.forged_cookies(how, kept, place, values.op)?,
        };
        if let Some(field) = cookie_field(own, kept).map_err(Unsendable::Malformed)? {
            headers.insert(COOKIE, field);
        }
        Ok(())
    }

    /// Each cookie of the jar as nobody was given it. None goes as it is: it may be a credential that is good.
    fn forged_cookies(
        &self,
        how: Forgery,
        kept: Vec<(String, String)>,
        place: &Place,
        op: &Op,
    ) -> Result<Vec<(String, String)>, Unsendable> {
        let forged = kept.into_iter().filter_map(|(name, own)| {
            let other = self.round.jars.of_another(self.principal.tenant, &name, place);
            let value = forged_cookie(how, &own, other.as_deref())?;
            Some((name, value))
        });
        let forged: Vec<_> = forged.collect();
        if forged.is_empty() && !self.shows_capture(op) { Err(Unsendable::Unforgeable) } else { Ok(forged) }
    }

    /// Whether the request shows a value that the session captured.
    fn shows_capture(&self, op: &Op) -> bool {
        let plan = &self.round.plan;
        let Action::Request(request) = &plan.step(op.step).action else { return false };
        let mut shows = false;
        request.each_hole(&mut |hole| {
            shows |= matches!(hole, Segment::Variable(variable) if plan.credentials.contains(variable));
        });
        shows
    }

    fn jar(&self) -> Option<MutexGuard<'_, Jar>> {
        Some(self.jar.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn keep_cookies(&self, place: &Place, headers: &HeaderMap) {
        if let Some(mut jar) = self.jar() {
            jar.keep(place, headers);
        }
    }

    pub(super) fn unsendable(&self, op: &Op, error: Unsendable) -> Unsent {
        match error {
            Unsendable::Unfilled(unfilled) => self.unfilled(op, unfilled),
            Unsendable::Malformed(why) => Unsent::Skipped(format!("it cannot be sent: {why}")),
            Unsendable::Unforgeable => Unsent::NotDue(NotDue::Value),
        }
    }

    /// Opens a WebSocket. Its end is recorded before the first frame is read, so that frames come after it.
    pub(super) async fn open(&mut self, op: &Op, step: &Step, open: &Open) -> Result<Happening, Unsent> {
        let (place, request) = self.build_handshake(op, open).map_err(|error| self.unsendable(op, error))?;
        if let Err(withheld) = self.admit().await {
            return Ok(withheld);
        }
        self.show(op, || Scene::Sends(Letter::handshake(&request, &place.url())));
        self.invoke(op.id, Some(self.round.connections.next()));
        let opened = async {
            let socket = self.connect(&place.origin, HttpVersion::Http1, window(op.manner.pace)).await;
            let socket = socket.map_err(|why| Happening::Fail { answer: Answer::default(), why })?;
            let handshake = tokio_tungstenite::client_async_with_config(request, socket, Some(config()));
            handshake.await.map_err(|error| self.handshake_failed(op, error))
        };
        let outcome = tokio::time::timeout(limit(step), opened).await;
        let (stream, response) = match outcome {
            Ok(Ok(opened)) => opened,
            Ok(Err(ended)) => return Ok(ended),
            Err(_) => {
                let why = format!("no handshake within {:?}", limit(step));
                return Ok(Happening::Info { answer: Answer::default(), why });
            }
        };
        self.keep_cookies(&place, response.headers());
        let mut answer = self.observe_handshake(response.status().as_u16(), response.headers(), None);
        self.show_answer(op, &answer, response.headers(), &[]);
        Ok(match self.capture(op, step, Caught::event(None, response.headers()), &mut answer.receipt) {
            Err(why) => Happening::Fail { answer, why },
            Ok(()) => {
                self.start_reading(op, open, stream);
                Happening::Ok(answer)
            }
        })
    }

    fn start_reading(&mut self, op: &Op, open: &Open, stream: Stream) {
        let (recorder, id) = (self.round.recorder.clone(), op.id);
        stall(stream.get_ref().valve(), op.manner.pace);
        let socket = WebSocket::start(stream, self.reading(), move |frame| recorder.event(id, Happening::Frame(frame)));
        let socket = socket.stalled(op.id, op.manner.pace);
        self.lines.add(op.scope, open.socket, Line::WebSocket(socket), open.keep);
    }

    fn build_handshake(&self, op: &Op, open: &Open) -> Result<(Place, hyper::Request<()>), Unsendable> {
        let malformed = |error: String| Unsendable::Malformed(error);
        let place = fill_path(&open.path, &self.round.destinations, &self.values(op))?;
        // The URL only names the host: the connection is made already.
        let url = format!("ws://{}{}", place.origin.authority, place.path);
        let mut request = url.into_client_request().map_err(|error| malformed(error.to_string()))?;
        fill_headers(request.headers_mut(), &open.headers, &self.values(op))?;
        self.fill_cookies(request.headers_mut(), &place, &open.cookies, &self.values(op))?;
        if !open.subprotocols.is_empty() {
            let offer =
                HeaderValue::from_str(&open.subprotocols.join(", ")).map_err(|error| malformed(error.to_string()))?;
            request.headers_mut().insert("sec-websocket-protocol", offer);
        }
        Ok((place, request))
    }

    fn handshake_failed(&self, op: &Op, error: WebSocketError) -> Happening {
        match error {
            WebSocketError::Http(response) => {
                let status = response.status().as_u16();
                let body = response.body().as_deref();
                let answer = self.observe_handshake(status, response.headers(), body);
                self.show_answer(op, &answer, response.headers(), body.unwrap_or_default());
                refused(answer, status)
            }
            other => Happening::Info { answer: Answer::default(), why: format!("the handshake failed: {other}") },
        }
    }

    fn observe_handshake(&self, status: u16, headers: &HeaderMap, body: Option<&[u8]>) -> Answer {
        let mut observer = Observer::new(&self.round.plan, &self.round.lens, &self.principal, Own::All, false);
        observer.fields(Channel::Header, headers);
        observer.body(body.unwrap_or_default());
        let (receipt, _) = observer.finish();
        let body_bytes = body.map_or(0, |body| body.len() as u64);
        Answer { status: Some(status), body_bytes, receipt, ..Answer::default() }
    }
}

/// A server's error may hide that it happened; any other status that is not accepted says that it did not.
pub(super) fn refused(answer: Answer, status: u16) -> Happening {
    let why = format!("status {status}");
    if status >= 500 { Happening::Info { answer, why } } else { Happening::Fail { answer, why } }
}

fn fill_headers(
    headers: &mut HeaderMap,
    templates: &[(String, Template)],
    values: &impl Fill,
) -> Result<(), Unsendable> {
    for (name, template) in templates {
        let malformed = |what: &str| Unsendable::Malformed(format!("{what} of the header `{name}` is not allowed"));
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed("the name"))?;
        let value = HeaderValue::from_str(&template.fill(values)?).map_err(|_| malformed("the value"))?;
        headers.insert(parsed, value);
    }
    Ok(())
}

/// Content type and bytes of a body.
fn encode(body: &Payload, values: &impl Fill) -> Result<(String, Bytes), Unfilled> {
    let (content_type, bytes) = match body {
        Payload::Json(tree) => ("application/json", tree.fill(values)?.to_string().into()),
        Payload::Text(template) => ("text/plain; charset=utf-8", template.fill(values)?.into()),
        Payload::Binary(template) => ("application/octet-stream", template.fill(values)?.into()),
        Payload::Bytes(bytes) => ("application/octet-stream", bytes.fill(values).into()),
        Payload::Form(fields) => ("application/x-www-form-urlencoded", form(fields, values)?.into()),
        Payload::Multipart(parts) => return Ok((multipart::content_type(), multipart::encode(parts, values)?.into())),
    };
    Ok((content_type.to_owned(), bytes))
}

fn form(fields: &[(String, Template)], values: &impl Fill) -> Result<String, Unfilled> {
    let mut serializer = form_urlencoded::Serializer::new(String::new());
    for (name, template) in fields {
        serializer.append_pair(name, &template.fill(values)?);
    }
    Ok(serializer.finish())
}
