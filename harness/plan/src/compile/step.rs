//! One step: which action it is, which keys fit it, what it captures and sees.

use coalmine_core::step::{Action, Closing, Step, StepId};
use coalmine_core::template::{CanaryRef, VariableRef};

use super::settings::duration_ms;
use super::{Compiler, Place};
use crate::document::{Codes, Content, OneOrMore, StepText};
use crate::span::{Span, Spanned};
use crate::suggestion;

const TIME_LIMIT_DEFAULT_MS: u64 = 30_000;

/// What a step says that it does.
enum Verb<'a> {
    Request(String, &'a Spanned<String>),
    AnyRequest(&'a Spanned<String>),
    Open(&'a Spanned<String>),
    Subscribe(&'a Spanned<String>),
    Send(&'a Spanned<Content>),
    SendBinary(&'a Spanned<String>),
    Receive(&'a Spanned<OneOrMore>),
    Ping(&'a Spanned<String>),
    AwaitClose(&'a Spanned<Codes>),
    AwaitWebhook(&'a Spanned<String>),
    Close(&'a Spanned<Closing>),
}

const ACTIONS: [&str; 17] = [
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
];

impl Compiler<'_> {
    /// The number of the step that is being compiled.
    pub(super) fn next_step(&self, span: Span) -> StepId {
        StepId(self.slot(self.steps.len(), span))
    }

    pub(super) fn step(&mut self, written: &Spanned<StepText>) -> StepId {
        let step = &written.value;
        let id = self.next_step(written.span);
        self.place(&step.id, id);
        let verbs = verbs(step);
        if let Some((_, second, _)) = verbs.get(1) {
            let names: Vec<&str> = verbs.iter().map(|(name, ..)| *name).collect();
            let message = format!("a step does one thing; this one has {}", suggestion::listed(&names));
            self.problems.add(*second, message, Some("make a step of each".to_owned()));
        }
        let Some((name, _, verb)) = verbs.first() else {
            let help = format!("add one of {}", suggestion::listed(&ACTIONS));
            self.problems.absent(step.id.span, format!("the step `{}` does nothing", step.id.value), Some(help));
            return id;
        };
        self.check_keys(step, name, verb);
        self.check_visit(step, verb.is_request());
        let action = self.action(step, verb);
        if step.writes.as_ref().map_or_else(|| self.seems_to_write(&action), |writes| writes.value) {
            self.writes.insert(id);
        }
        let is_event = matches!(action, Action::Receive(_) | Action::AwaitWebhook(_));
        let step = Step {
            name: step.id.value.clone(),
            flow: self.room.name.clone(),
            line: self.problems.line(written.span),
            action,
            sees: self.sees(step),
            public: self.public(step),
            allowed: self.allowed(step),
            captures: self.captures(step, is_event),
            time_limit_ms: step.within.as_ref().map_or(TIME_LIMIT_DEFAULT_MS, |it| duration_ms(it, self.problems)),
        };
        self.steps.push(step);
        id
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
        let place = Place { step, flow: self.room.flow, in_cleanup: self.in_cleanup, span: name.span };
        if let Some(first) = self.places.get(name.as_str()) {
            let line = self.problems.line(first.span);
            let message = format!("there are two steps `{}`; the first is in line {line}", name.value);
            let help = "reports name a step by its id, so it is unique in the scenario".to_owned();
            self.problems.add(name.span, message, Some(help));
        } else {
            self.places.insert(name.value.clone(), place);
        }
    }

    fn action(&mut self, step: &StepText, verb: &Verb<'_>) -> Action {
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
            Verb::Close(manner) => self.close(manner, step),
        }
    }

    /// Keys that mean nothing for the action are mistakes of the one who wrote them.
    fn check_keys(&self, step: &StepText, action: &str, verb: &Verb<'_>) {
        let fitting = verb.keys();
        for (key, span) in keys(step) {
            if !fitting.contains(&key) {
                let help = format!("beside `{action}` there may be {}", suggestion::listed(fitting));
                self.problems.add(span, format!("`{key}` does not fit `{action}`"), Some(help));
            }
        }
    }

    fn sees(&self, step: &StepText) -> Vec<CanaryRef> {
        let written = step.sees.iter().flat_map(|sees| sees.value.as_slice());
        written.filter_map(|name| self.seen(name)).collect()
    }

    pub(super) fn seen(&self, name: &Spanned<String>) -> Option<CanaryRef> {
        let session = self.session.as_ref().and_then(|session| session.canary(name.as_str()));
        let found = session.or_else(|| self.room.canary(name.as_str()));
        if found.is_none() && self.canaries.contains_key(name.as_str()) {
            let message = format!("the canary `{}` is not sent by this step or one before it", name.value);
            self.problems.absent(name.span, message, None);
        } else if found.is_none() {
            let help = suggestion::help(name.as_str(), self.canaries.keys().map(String::as_str));
            self.problems.absent(name.span, format!("there is no canary `{}`", name.value), help);
        }
        found
    }

    pub(super) fn variable(&mut self, name: &Spanned<String>) -> VariableRef {
        self.check_name(name, "variable");
        if let Some(known) = self.room.variable(name.as_str()) {
            return known;
        }
        let slot = self.slot(self.room.variables.len(), name.span);
        self.room.variables.push(name.value.clone());
        VariableRef { level: self.room.level, slot }
    }
}

impl Verb<'_> {
    fn is_request(&self) -> bool {
        matches!(self, Self::Request(..) | Self::AnyRequest(_))
    }

    fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Request(..) | Self::AnyRequest(_) => &[
                "json",
                "form",
                "text",
                "binary",
                "multipart",
                "headers",
                "cookies",
                "query",
                "expect",
                "capture",
                "sees",
                "public",
                "allowed",
                "writes",
                "within",
            ],
            Self::Open(_) => &["as", "headers", "cookies", "query", "subprotocols", "keep", "within"],
            Self::Subscribe(_) => &[
                "as",
                "json",
                "form",
                "text",
                "binary",
                "multipart",
                "headers",
                "cookies",
                "query",
                "resume",
                "keep",
                "last_event_id",
                "expect",
                "writes",
                "within",
            ],
            Self::Send(_) | Self::SendBinary(_) => &["on", "writes", "within"],
            Self::AwaitClose(_) => &["on", "within"],
            Self::Close(_) => &["on", "code", "within"],
            Self::Ping(_) => &["within"],
            Self::AwaitWebhook(_) => &["count", "about", "capture", "sees", "within"],
            Self::Receive(_) => &["on", "count", "order", "about", "confirmed_by", "capture", "sees", "within"],
        }
    }
}

fn verbs(step: &StepText) -> Vec<(&'static str, Span, Verb<'_>)> {
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
    verbs.extend(step.close.as_ref().map(|it| ("close", it.span, Verb::Close(it))));
    verbs
}

/// The keys of a step that are written besides its id and its action.
fn keys(step: &StepText) -> impl Iterator<Item = (&'static str, Span)> {
    let keys = [
        ("json", step.json.as_ref().map(|it| it.span)),
        ("form", step.form.as_ref().map(|it| it.span)),
        ("text", step.text.as_ref().map(|it| it.span)),
        ("binary", step.binary.as_ref().map(|it| it.span)),
        ("multipart", step.multipart.as_ref().map(|it| it.span)),
        ("headers", step.headers.as_ref().map(|it| it.span)),
        ("cookies", step.cookies.as_ref().map(|it| it.span)),
        ("query", step.query.as_ref().map(|it| it.span)),
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
        ("expect", step.expect.as_ref().map(|it| it.span)),
        ("capture", step.capture.as_ref().map(|it| it.span)),
        ("sees", step.sees.as_ref().map(|it| it.span)),
        ("public", step.public.as_ref().map(|it| it.span)),
        ("allowed", step.allowed.as_ref().map(|it| it.span)),
        ("writes", step.writes.as_ref().map(|it| it.span)),
        ("within", step.within.as_ref().map(|it| it.span)),
    ];
    keys.into_iter().filter_map(|(key, span)| span.map(|span| (key, span)))
}
