//! Requests: paths, queries, headers, bodies.

use coalmine_core::function::Function;
use coalmine_core::step::{Action, AnswerTest, Payload, Request, is_idempotency_key};
use coalmine_core::template::{Segment, Template, percent_encode};

use super::transport::check_address;
use super::until::STATUS;
use super::words::Planting;
use super::{Compiler, Sends, Stretch};
use crate::document::{Either, Entries, StepText};
use crate::hole::Piece;
use crate::span::{Span, Spanned};

/// Browsers give up at as many.
const FOLLOW_MAX: u8 = 20;

/// Header fields that follow from the message itself.
const OWN_HEADERS: [&str; 4] = ["connection", "content-length", "transfer-encoding", "upgrade"];

impl Compiler<'_> {
    pub(super) fn request(&mut self, method: String, path: &Spanned<String>, step: &StepText) -> Request {
        let path = self.path(path, step.query.as_ref());
        let mut headers = self.headers(step.headers.as_ref());
        let keys = headers.iter_mut().filter(|(name, _)| is_idempotency_key(name));
        keys.for_each(|(_, value)| make_chosen(value));
        let cookies = self.cookies(step.cookies.as_ref());
        let body = self.body(step);
        Request { method, path, headers, cookies, body, statuses: self.statuses(step), follow: self.follow(step) }
    }

    /// Method and path of `PURGE /x`.
    pub(super) fn method_and_path(&self, written: &Spanned<String>) -> (String, Spanned<String>) {
        let (method, path) = written.value.split_once(' ').unwrap_or((written.as_str(), ""));
        if method.is_empty() || path.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
            let help = "write a method in capitals, a blank and a path: `PURGE /x`".to_owned();
            self.problems.add(written.span, format!("`{}` is not a request", written.value), Some(help));
            return (String::new(), written.with("/".to_owned()));
        }
        (method.to_owned(), written.with(path.trim_start().to_owned()))
    }

    pub(super) fn path(
        &mut self,
        path: &Spanned<String>,
        query: Option<&Spanned<Entries<Spanned<String>>>>,
    ) -> Template {
        self.check_path(path);
        let mut template = self.template(path);
        let mut has_query = template.segments.iter().any(|s| matches!(s, Segment::Text(text) if text.contains('?')));
        let own = query.map_or(vec![], |query| self.query_fields(&query.value, Planting::Allowed));
        for (name, value) in self.with_session(own, |sends| &sends.query) {
            let lead = format!("{}{name}=", if has_query { '&' } else { '?' });
            has_query = true;
            append(&mut template, Template::text(lead));
            append(&mut template, value);
        }
        template
    }

    fn check_path(&self, path: &Spanned<String>) {
        if ["http://", "https://", "ws://", "wss://"].iter().any(|scheme| path.value.starts_with(scheme)) {
            let host = crate::hole::split(&path.value).unwrap_or_default();
            if let Some(Piece::Text(text)) = host.first() {
                check_address(text, path.span, &self.hosts, self.problems);
            }
        } else if !path.value.starts_with('/') && !path.value.starts_with("{{") {
            let help =
                "a path begins with `/`; host and port are the target's, unless a whole URL is written".to_owned();
            self.problems.add(path.span, "this is not a path", Some(help));
            return;
        }
        for piece in crate::hole::split(&path.value).unwrap_or_default() {
            let Piece::Text(text) = piece else { continue };
            if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic() || "\"#<>\\^`{|}".contains(*c)) {
                let wrong = String::from(wrong);
                let help = format!("write it as `{}`", percent_encode(&wrong));
                let place = self.problems.locate(&wrong, path.span);
                self.problems.add(place, format!("`{}` cannot stand in a path", wrong.escape_debug()), Some(help));
            }
        }
    }

    /// Header fields of a step, and after them those of the session that it does not have itself.
    pub(super) fn headers(&mut self, written: Option<&Spanned<Entries<Spanned<String>>>>) -> Vec<(String, Template)> {
        let headers = written.map_or(vec![], |written| self.header_fields(&written.value, Planting::Allowed));
        self.with_session(headers, |sends| &sends.headers)
    }

    /// Cookies of a step, and after them those of the session that it does not have itself.
    pub(super) fn cookies(&mut self, written: Option<&Spanned<Entries<Spanned<String>>>>) -> Vec<(String, Template)> {
        let cookies = written.map_or(vec![], |written| self.cookie_fields(&written.value, Planting::Allowed));
        self.with_session(cookies, |sends| &sends.cookies)
    }

    fn with_session(
        &self,
        mut own: Vec<(String, Template)>,
        of: impl Fn(&Sends) -> &Vec<(String, Template)>,
    ) -> Vec<(String, Template)> {
        // The session has nothing to send while it is made; at its end it has.
        if self.session.is_some() || self.once_for.is_some() || self.stretch == Stretch::Logout {
            for (name, value) in of(&self.sends) {
                if own.iter().all(|(own, _)| own != name) {
                    own.push((name.clone(), value.clone()));
                }
            }
        }
        own
    }

    /// Names and values of a query, both percent-encoded but for the holes.
    pub(super) fn query_fields(
        &mut self,
        written: &Entries<Spanned<String>>,
        planting: Planting,
    ) -> Vec<(String, Template)> {
        let fields = written.0.iter();
        let field = |(name, value): &(Spanned<String>, Spanned<String>)| {
            (percent_encode(&self.fixed(name)), self.template_with(value, planting, percent_encode))
        };
        fields.map(field).collect()
    }

    pub(super) fn cookie_fields(
        &mut self,
        written: &Entries<Spanned<String>>,
        planting: Planting,
    ) -> Vec<(String, Template)> {
        let mut cookies = vec![];
        for (name, value) in &written.0 {
            if name.value.is_empty() || !name.value.bytes().all(is_token) {
                self.problems.add(name.span, format!("`{}` is not the name of a cookie", name.value), None);
            }
            if value.value.chars().any(|c| c.is_control() || (c == ';' && !value.value.contains("{{"))) {
                self.problems.add(value.span, "a cookie's value has no `;` and no control characters", None);
            }
            cookies.push((name.value.clone(), self.template_with(value, planting, str::to_owned)));
        }
        cookies
    }

    pub(super) fn header_fields(
        &mut self,
        written: &Entries<Spanned<String>>,
        planting: Planting,
    ) -> Vec<(String, Template)> {
        let mut headers: Vec<(String, Template)> = vec![];
        for (name, value) in &written.0 {
            let field = self.header_name(name);
            if value.value.chars().any(char::is_control) {
                self.problems.add(value.span, "a header's value is one line without control characters", None);
            }
            if headers.iter().any(|(before, _)| *before == field) {
                self.problems.add(name.span, format!("the header `{field}` stands here twice"), None);
            }
            headers.push((field, self.template_with(value, planting, str::to_owned)));
        }
        headers
    }

    pub(super) fn header_name(&self, written: &Spanned<String>) -> String {
        let name = written.value.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) {
            self.problems.add(written.span, format!("`{}` is not the name of a header", written.value), None);
        } else if OWN_HEADERS.contains(&name.as_str()) || name.starts_with("sec-websocket-") {
            self.problems.add(written.span, format!("the header `{name}` follows from the message itself"), None);
        }
        name
    }

    fn body(&mut self, step: &StepText) -> Option<Payload> {
        let written: [Option<Span>; 5] = [
            step.json.as_ref().map(|body| body.span),
            step.form.as_ref().map(|body| body.span),
            step.text.as_ref().map(|body| body.span),
            step.binary.as_ref().map(|body| body.span),
            step.multipart.as_ref().map(|body| body.span),
        ];
        if let Some(second) = written.into_iter().flatten().nth(1) {
            let help = "take one of `json`, `form`, `text`, `binary` and `multipart`".to_owned();
            self.problems.add(second, "a request has one body", Some(help));
        }
        if let Some(json) = &step.json {
            return Some(Payload::Json(self.tree(json)));
        }
        if let Some(form) = &step.form {
            let fields = form.value.0.iter().map(|(name, value)| (self.fixed(name), self.template(value)));
            return Some(Payload::Form(fields.collect()));
        }
        if let Some(parts) = &step.multipart {
            return Some(Payload::Multipart(self.multipart(&parts.value)));
        }
        if let Some(text) = &step.text {
            return Some(Payload::Text(self.template(text)));
        }
        step.binary.as_ref().map(|binary| self.binary_payload(binary))
    }

    fn follow(&self, step: &StepText) -> u8 {
        let Some(written) = &step.follow else { return 0 };
        u8::try_from(written.value).ok().filter(|count| (1..=FOLLOW_MAX).contains(count)).unwrap_or_else(|| {
            let help = format!("write how many redirects are followed at most, 1 to {FOLLOW_MAX}");
            self.problems.add(written.span, format!("{} redirects cannot be followed", written.value), Some(help));
            0
        })
    }

    fn statuses(&self, step: &StepText) -> Vec<u16> {
        let entries = match step.expect.as_ref().map(|expect| &expect.value) {
            None => return vec![],
            Some(Either::Short(status)) => return vec![self.status(status)],
            Some(Either::Long(entries)) => &entries.0,
        };
        let written = entries.iter().find(|(name, _)| name.value == STATUS);
        let wanted = written.and_then(|(_, value)| self.status_test(value, self.wanted(value)?));
        match wanted {
            Some(AnswerTest::Status(statuses)) => statuses,
            _ => vec![],
        }
    }

    /// What must stand in an answer of the expected status.
    pub(super) fn expects(&mut self, step: &StepText, action: &Action) -> Vec<AnswerTest> {
        let Some(expect) = &step.expect else { return vec![] };
        let Either::Long(entries) = &expect.value else { return vec![] };
        if entries.0.is_empty() {
            let help = "leave `expect` out for any 2xx".to_owned();
            self.problems.add(expect.span, "nothing is expected here", Some(help));
        }
        let in_it: Vec<_> = entries.0.iter().filter(|(name, _)| name.value != STATUS).collect();
        if let Some((name, _)) = in_it.first().filter(|_| matches!(action, Action::Subscribe(_))) {
            let help = "wait for what it brings with `receive`".to_owned();
            self.problems.add(name.span, "of a stream only the status is expected", Some(help));
        }
        in_it.into_iter().filter_map(|(name, value)| self.answer_test(name, value)).collect()
    }

    pub(super) fn status(&self, written: &Spanned<u32>) -> u16 {
        let status = u16::try_from(written.value).ok().filter(|status| (100..600).contains(status));
        status.unwrap_or_else(|| {
            let help = "a status is a number from 100 to 599".to_owned();
            self.problems.add(written.span, format!("{} is not an HTTP status", written.value), Some(help));
            0
        })
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The client chooses an idempotency key that is its own: where tenants collide, they choose the same. Of a key that has more in it than
/// words of functions, other parts would tell them apart.
fn make_chosen(key: &mut Template) {
    if !is_word(key) {
        return;
    }
    for segment in &mut key.segments {
        if let Segment::Call { function, arguments } = segment {
            arguments.iter_mut().for_each(make_chosen);
            if *function == Function::Uuid {
                *function = Function::Chosen;
            }
        }
    }
}

fn is_word(text: &Template) -> bool {
    text.segments.iter().all(|segment| match segment {
        Segment::Text(_) | Segment::Input(_) => true,
        Segment::Call { arguments, .. } => arguments.iter().all(is_word),
        _ => false,
    })
}

fn append(template: &mut Template, more: Template) {
    for segment in more.segments {
        match (template.segments.last_mut(), segment) {
            (Some(Segment::Text(before)), Segment::Text(text)) => before.push_str(&text),
            (_, segment) => template.segments.push(segment),
        }
    }
}
