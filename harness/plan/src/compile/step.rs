//! One step: which action it is, which keys fit it, what it captures and sees.

use coalmine_core::step::{Action, AnswerTest, Closing, Step, StepId, TurnCanary, Until};
use coalmine_core::template::{CanaryRef, VariableRef};

use super::capture::Source;
use super::settings::duration_ms;
use super::{Compiler, Place, Stretch};
use crate::document::{BinaryText, Codes, Content, OneOrMore, StepText, Switch};
use crate::span::{Span, Spanned};
use crate::suggestion;

const TIME_LIMIT_DEFAULT_MS: u64 = 30_000;

/// What a step says that it does.
pub(super) enum Verb<'a> {
    Request(String, &'a Spanned<String>),
    AnyRequest(&'a Spanned<String>),
    Open(&'a Spanned<String>),
    Subscribe(&'a Spanned<String>),
    Send(&'a Spanned<Content>),
    SendBinary(&'a Spanned<BinaryText>),
    Receive(&'a Spanned<OneOrMore>),
    Ping(&'a Spanned<String>),
    AwaitClose(&'a Spanned<Codes>),
    AwaitWebhook(&'a Spanned<String>),
    SearchPostgres(&'a Spanned<String>),
    SearchRedis(&'a Spanned<String>),
    SearchLogs(&'a Spanned<OneOrMore>),
    Close(&'a Spanned<Closing>),
    Pause(&'a Spanned<OneOrMore>),
}

const ACTIONS: [&str; 21] = [
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "head",
    "options",
    "request",
    "websocket",
    "sse",
    "send",
    "send_binary",
    "receive",
    "await_webhook",
    "ping",
    "expect_close",
    "close",
    "postgres",
    "redis",
    "logs",
    "pause",
];

impl Compiler<'_> {
    /// The number of the step that is being compiled.
    pub(super) fn next_step(&self, span: Span) -> StepId {
        StepId(self.slot(self.steps.len(), span))
    }

    pub(super) fn step(&mut self, written: &Spanned<StepText>) -> StepId {
        let step = &written.value;
        let id = self.next_step(written.span);
        let verbs = verbs(step);
        let name = self.step_name(written, verbs.iter().any(|(.., verb)| matches!(verb, Verb::Pause(_))));
        if step.id.is_some() {
            self.place(&name, id);
        }
        if let Some((_, second, _)) = verbs.get(1) {
            let names: Vec<&str> = verbs.iter().map(|(name, ..)| *name).collect();
            let message = format!("a step does one thing; this one has {}", suggestion::listed(&names));
            self.problems.add(*second, message, Some("make a step of each".to_owned()));
        }
        let Some((action_name, _, verb)) = verbs.first() else {
            let help = format!("add one of {}", suggestion::listed(&ACTIONS));
            self.problems.absent(name.span, format!("the step `{}` does nothing", name.value), Some(help));
            return id;
        };
        self.check_keys(step, action_name, verb);
        self.check_visit(step, name.span, verb.is_request() || matches!(verb, Verb::Pause(_)));
        self.check_condition(step, action_name, verb);
        let due = self.due(step);
        let mut action = self.action_with_session(id, step, verb);
        if step.writes.as_ref().map_or_else(|| self.seems_to_write(&action), |writes| writes.value) {
            self.writes.insert(id);
        }
        let until = self.until(step);
        expect_awaited(until.as_ref(), &mut action);
        let expects = self.expects(step, &action);
        let mut sees_of_turns = vec![];
        let source = Source::of(&action);
        self.claim(step, id);
        let revalidated = self.revalidated(step, &action);
        let compiled = Step {
            name: name.value,
            flow: self.room.name.clone(),
            line: self.problems.line(written.span),
            action,
            sees: self.sees(step, &mut sees_of_turns),
            sees_of_turns,
            due,
            group: self.group(),
            expects,
            until,
            public: self.public(step),
            models: vec![],
            echoes: self.echoes(step),
            revalidated,
            allowed: self.allowed(step),
            captures: self.captures(step, source),
            time_limit_ms: step.within.as_ref().map_or(TIME_LIMIT_DEFAULT_MS, |it| duration_ms(it, self.problems)),
        };
        self.steps.push(compiled);
        self.note_bare(id, step, verb);
        id
    }

    fn step_name(&self, written: &Spanned<StepText>, is_pause: bool) -> Spanned<String> {
        if let Some(id) = &written.value.id {
            return id.clone();
        }
        if !is_pause {
            let help = "name the step, as in `id: add-note`: reports and other steps call it so".to_owned();
            self.problems.misread(written.span, "`id` is missing here", Some(help));
        }
        written.with("pause".to_owned())
    }

    /// Later steps rely on it that a WebSocket or a stream is open.
    fn check_condition(&self, step: &StepText, action: &str, verb: &Verb<'_>) {
        let opens = matches!(verb, Verb::Open(_) | Verb::Subscribe(_) | Verb::AwaitClose(_) | Verb::Close(_));
        let conditions = step.when.as_ref().map(|it| it.span).or(step.unless.as_ref().map(|it| it.span));
        if let Some(span) = conditions.filter(|_| opens) {
            let help = "put it into a block, with all steps that use it: `{when: ..., steps: [...]}`".to_owned();
            self.problems.add(span, format!("a step with `{action}` has no condition of its own"), Some(help));
        }
    }

    /// By its method, where the scenario does not say. Whoever logs in changes nothing that stays.
    fn seems_to_write(&self, action: &Action) -> bool {
        let is_login = self.session.is_none() && self.once_for.is_none();
        let changes = |method: &str| !["GET", "HEAD", "OPTIONS"].contains(&method);
        match action {
            Action::Request(request) => !is_login && changes(&request.method),
            Action::Subscribe(subscribe) => !is_login && changes(&subscribe.request.method),
            Action::Send { .. } => !is_login,
            _ => false,
        }
    }

    fn place(&mut self, name: &Spanned<String>, step: StepId) {
        self.check_name(name, "step");
        let place = Place { step, flow: self.room.flow, in_cleanup: self.stretch == Stretch::Cleanup, span: name.span };
        if let Some(first) = self.places.get(name.as_str()) {
            let line = self.problems.line(first.span);
            let message = format!("there are two steps `{}`; the first is in line {line}", name.value);
            let help = "reports name a step by its id, so it is unique in the scenario".to_owned();
            self.problems.add(name.span, message, Some(help));
        } else {
            self.places.insert(name.value.clone(), place);
        }
    }

    /// The action, with what goes with every request of a session unless the step says otherwise.
    fn action_with_session(&mut self, id: StepId, step: &StepText, verb: &Verb<'_>) -> Action {
        let Some(auth) = step.auth.as_ref().filter(|auth| auth.value == Switch::Off) else {
            return self.action(step, verb);
        };
        if self.sends.is_empty() {
            let help = "it is said under `auth.send` what goes with every request".to_owned();
            self.problems.absent(auth.span, "this step carries no credentials anyway", Some(help));
        }
        self.without_auth.insert(id);
        let sends = std::mem::take(&mut self.sends);
        let action = self.action(step, verb);
        self.sends = sends;
        action
    }

    pub(super) fn action(&mut self, step: &StepText, verb: &Verb<'_>) -> Action {
        match verb {
            Verb::Request(method, path) => Action::Request(self.request(method.clone(), path, step)),
            Verb::AnyRequest(written) => {
                let (method, path) = self.method_and_path(written);
                Action::Request(self.request(method, &path, step))
            }
            Verb::Open(path) => self.open(path, step),
            Verb::Subscribe(written) => self.subscribe(written, step),
            Verb::Send(content) => self.send(content, step),
            Verb::SendBinary(text) => self.send_binary(text, step),
            Verb::Receive(events) => self.receive(events, step),
            Verb::Ping(name) => self.ping(name),
            Verb::AwaitClose(codes) => self.await_close(codes, step),
            Verb::AwaitWebhook(name) => self.await_webhook(name, step),
            Verb::SearchPostgres(address) => self.search_postgres(address, step),
            Verb::SearchRedis(address) => self.search_redis(address, step),
            Verb::SearchLogs(files) => self.search_logs(files, step),
            Verb::Close(manner) => self.close(manner, step),
            Verb::Pause(time) => self.pause(time),
        }
    }

    /// Keys that mean nothing for the action are mistakes of the one who wrote them.
    fn check_keys(&self, step: &StepText, action: &str, verb: &Verb<'_>) {
        let fitting = verb.keys();
        for (key, span) in keys(step) {
            if !fitting.contains(&key) {
                let help = format!("beside `{action}` there may be {}", suggestion::listed(&fitting));
                self.problems.add(span, format!("`{key}` does not fit `{action}`"), Some(help));
            }
        }
    }

    fn sees(&self, step: &StepText, of_turns: &mut Vec<TurnCanary>) -> Vec<CanaryRef> {
        let written = step.sees.iter().flat_map(|sees| sees.value.as_slice());
        written.filter_map(|name| self.seen(name, of_turns)).collect()
    }

    /// The canary of that name; where the turns of blocks have one each, they are added to `of_turns` instead.
    pub(super) fn seen(&self, name: &Spanned<String>, of_turns: &mut Vec<TurnCanary>) -> Option<CanaryRef> {
        let session = self.session.as_ref().and_then(|session| session.canary(name.as_str()));
        if let Some(found) = session.or_else(|| self.planted(name.as_str())) {
            return Some(found);
        }
        let before = of_turns.len();
        for (rooms, room) in self.outer.iter().chain([&self.room]).enumerate() {
            for (block, slot) in room.canary_of_turns(name.as_str()) {
                of_turns.push(TurnCanary { of: self.level(rooms), block, slot: self.slot(slot, name.span) });
            }
        }
        if of_turns.len() > before {
            return None;
        }
        if self.canaries.contains_key(name.as_str()) {
            let hidden = self.room.hides_canary(name.as_str());
            let help = hidden.then(|| "it is sent by another group, at the same time".to_owned());
            let message = format!("the canary `{}` is not sent by this step or one before it", name.value);
            self.problems.absent(name.span, message, help);
        } else {
            let help = suggestion::help(name.as_str(), self.canaries.keys().map(String::as_str));
            self.problems.absent(name.span, format!("there is no canary `{}`", name.value), help);
        }
        None
    }

    pub(super) fn variable(&mut self, name: &Spanned<String>) -> VariableRef {
        self.check_name(name, "variable");
        if let Some(known) = self.room.variable(name.as_str()) {
            return known;
        }
        if self.room.hides_variable(name.as_str()) {
            let message = format!("another group captures `{}` at the same time", name.value);
            self.problems.add(name.span, message, Some("give this one another name".to_owned()));
        }
        let slot = self.slot(self.room.variables.len(), name.span);
        self.room.variables.push(name.value.clone());
        VariableRef { level: self.room.level, slot }
    }
}

impl Verb<'_> {
    pub(super) fn is_request(&self) -> bool {
        matches!(self, Self::Request(..) | Self::AnyRequest(_))
    }

    /// The keys that may stand beside it.
    fn keys(&self) -> Vec<&'static str> {
        let own: &[&[&str]] = match self {
            Self::Request(..) | Self::AnyRequest(_) => &[&BODY, &HEAD, &ANSWER],
            Self::Open(_) => &[&["as"], &HEAD, &["subprotocols", "keep"]],
            Self::Subscribe(_) => &[&["as"], &BODY, &HEAD, &["resume", "keep", "last_event_id", "expect", "writes"]],
            Self::Send(_) | Self::SendBinary(_) => &[&["on", "writes"]],
            Self::AwaitClose(_) => &[&["on", "capture"]],
            Self::SearchPostgres(_) => &[&["set", "tables", "tenant_columns", "sees"]],
            Self::SearchRedis(_) => &[&["keys", "names", "sees"]],
            Self::SearchLogs(_) => &[&["mentions"]],
            Self::Close(_) => &[&["on", "code"]],
            Self::Ping(_) | Self::Pause(_) => &[],
            Self::AwaitWebhook(_) => &[&["count"], &AWAITED],
            Self::Receive(_) => &[&["on", "count", "order", "confirmed_by", "contains"], &AWAITED],
        };
        let within = if matches!(self, Self::Pause(_)) { &CASES[..] } else { &LIMITED_CASES };
        [&own.concat(), within].concat()
    }
}

/// What a request carries.
const BODY: [&str; 5] = ["json", "form", "text", "binary", "multipart"];
const HEAD: [&str; 4] = ["headers", "cookies", "query", "auth"];
/// What is done about the answer to a request.
const ANSWER: [&str; 16] = [
    "expect",
    "follow",
    "capture",
    "sees",
    "public",
    "lists",
    "counts",
    "sums",
    "empty_for_fresh",
    "echoes",
    "revalidate",
    "allowed",
    "until",
    "every",
    "attempts",
    "writes",
];
/// What is done about something that was waited for.
const AWAITED: [&str; 3] = ["about", "capture", "sees"];
/// Every step may have these.
const CASES: [&str; 2] = ["when", "unless"];
const LIMITED_CASES: [&str; 3] = ["when", "unless", "within"];

/// A status that is waited for is one that is expected.
fn expect_awaited(until: Option<&Until>, action: &mut Action) {
    let (Action::Request(request), Some(until)) = (action, until) else { return };
    if !request.statuses.is_empty() {
        return;
    }
    let awaited = until.tests.iter().find_map(|test| match test {
        AnswerTest::Status(statuses) => Some(statuses.clone()),
        _ => None,
    });
    request.statuses = awaited.unwrap_or_default();
}

pub(super) fn verbs(step: &StepText) -> Vec<(&'static str, Span, Verb<'_>)> {
    let methods = [
        ("get", &step.get),
        ("post", &step.post),
        ("put", &step.put),
        ("patch", &step.patch),
        ("delete", &step.delete),
        ("head", &step.head),
        ("options", &step.options),
    ];
    let mut verbs = vec![];
    for (name, written) in methods {
        if let Some(path) = written {
            verbs.push((name, path.span, Verb::Request(name.to_ascii_uppercase(), path)));
        }
    }
    verbs.extend(step.request.as_ref().map(|it| ("request", it.span, Verb::AnyRequest(it))));
    verbs.extend(step.websocket.as_ref().map(|it| ("websocket", it.span, Verb::Open(it))));
    verbs.extend(step.sse.as_ref().map(|it| ("sse", it.span, Verb::Subscribe(it))));
    verbs.extend(step.send.as_ref().map(|it| ("send", it.span, Verb::Send(it))));
    verbs.extend(step.send_binary.as_ref().map(|it| ("send_binary", it.span, Verb::SendBinary(it))));
    verbs.extend(step.receive.as_ref().map(|it| ("receive", it.span, Verb::Receive(it))));
    verbs.extend(step.ping.as_ref().map(|it| ("ping", it.span, Verb::Ping(it))));
    verbs.extend(step.expect_close.as_ref().map(|it| ("expect_close", it.span, Verb::AwaitClose(it))));
    verbs.extend(step.await_webhook.as_ref().map(|it| ("await_webhook", it.span, Verb::AwaitWebhook(it))));
    verbs.extend(step.postgres.as_ref().map(|it| ("postgres", it.span, Verb::SearchPostgres(it))));
    verbs.extend(step.redis.as_ref().map(|it| ("redis", it.span, Verb::SearchRedis(it))));
    verbs.extend(step.logs.as_ref().map(|it| ("logs", it.span, Verb::SearchLogs(it))));
    verbs.extend(step.close.as_ref().map(|it| ("close", it.span, Verb::Close(it))));
    verbs.extend(step.pause.as_ref().map(|it| ("pause", it.span, Verb::Pause(it))));
    verbs
}

/// The keys of a step that are written besides its id and its action.
pub(super) fn keys(step: &StepText) -> impl Iterator<Item = (&'static str, Span)> {
    let keys = [
        ("json", step.json.as_ref().map(|it| it.span)),
        ("form", step.form.as_ref().map(|it| it.span)),
        ("text", step.text.as_ref().map(|it| it.span)),
        ("binary", step.binary.as_ref().map(|it| it.span)),
        ("multipart", step.multipart.as_ref().map(|it| it.span)),
        ("headers", step.headers.as_ref().map(|it| it.span)),
        ("cookies", step.cookies.as_ref().map(|it| it.span)),
        ("query", step.query.as_ref().map(|it| it.span)),
        ("auth", step.auth.as_ref().map(|it| it.span)),
        ("subprotocols", step.subprotocols.as_ref().map(|it| it.span)),
        ("as", step.named.as_ref().map(|it| it.span)),
        ("resume", step.resume.as_ref().map(|it| it.span)),
        ("last_event_id", step.last_event_id.as_ref().map(|it| it.span)),
        ("on", step.on.as_ref().map(|it| it.span)),
        ("code", step.code.as_ref().map(|it| it.span)),
        ("keep", step.keep.as_ref().map(|it| it.span)),
        ("order", step.order.as_ref().map(|it| it.span)),
        ("confirmed_by", step.confirmed_by.as_ref().map(|it| it.span)),
        ("count", step.count.as_ref().map(|it| it.span)),
        ("about", step.about.as_ref().map(|it| it.span)),
        ("contains", step.contains.as_ref().map(|it| it.span)),
        ("expect", step.expect.as_ref().map(|it| it.span)),
        ("follow", step.follow.as_ref().map(|it| it.span)),
        ("capture", step.capture.as_ref().map(|it| it.span)),
        ("sees", step.sees.as_ref().map(|it| it.span)),
        ("public", step.public.as_ref().map(|it| it.span)),
        ("lists", step.lists.as_ref().map(|it| it.span)),
        ("counts", step.counts.as_ref().map(|it| it.span)),
        ("sums", step.sums.as_ref().map(|it| it.span)),
        ("empty_for_fresh", step.empty_for_fresh.as_ref().map(|it| it.span)),
        ("echoes", step.echoes.as_ref().map(|it| it.span)),
        ("revalidate", step.revalidate.as_ref().map(|it| it.span)),
        ("allowed", step.allowed.as_ref().map(|it| it.span)),
        ("writes", step.writes.as_ref().map(|it| it.span)),
        ("within", step.within.as_ref().map(|it| it.span)),
        ("at_most", step.at_most.as_ref().map(|it| it.span)),
        ("steps", step.steps.as_ref().map(|it| it.span)),
        ("cleanup", step.cleanup.as_ref().map(|it| it.span)),
        ("when", step.when.as_ref().map(|it| it.span)),
        ("unless", step.unless.as_ref().map(|it| it.span)),
        ("until", step.until.as_ref().map(|it| it.span)),
        ("every", step.every.as_ref().map(|it| it.span)),
        ("set", step.set.as_ref().map(|it| it.span)),
        ("tables", step.tables.as_ref().map(|it| it.span)),
        ("tenant_columns", step.tenant_columns.as_ref().map(|it| it.span)),
        ("keys", step.keys.as_ref().map(|it| it.span)),
        ("names", step.names.as_ref().map(|it| it.span)),
        ("mentions", step.mentions.as_ref().map(|it| it.span)),
        ("attempts", step.attempts.as_ref().map(|it| it.span)),
    ];
    keys.into_iter().filter_map(|(key, span)| span.map(|span| (key, span)))
}
