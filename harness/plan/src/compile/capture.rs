//! Values that are kept of an answer.

use coalmine_core::selector::Selector;
use coalmine_core::step::{Action, Capture, CaptureFrom, Which};
use coalmine_core::template::VariableRef;

use super::Compiler;
use super::settings::json_path;
use crate::document::{CaptureFromText, CaptureText, CloseText, Either, HolderText, StepText};
use crate::span::{Span, Spanned};
use crate::suggestion;

/// A regular expression may compile to this many bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// What a step captures from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Answer,
    Event,
    Webhook,
    Close,
}

impl Source {
    pub(super) fn of(action: &Action) -> Self {
        match action {
            Action::Receive(_) => Self::Event,
            Action::AwaitWebhook(_) => Self::Webhook,
            Action::AwaitClose { .. } => Self::Close,
            _ => Self::Answer,
        }
    }

    /// What is said of a place that it does not have.
    fn refusal(self, key: &str) -> Option<(&'static str, &'static str)> {
        const AS_TEXT: &str = "data that is no JSON is text at `$`: write `{json: $, regex: \"...\"}`";
        match (self, key) {
            (Self::Answer, "close") => Some(("an answer has no close frame", "capture it beside `expect_close`")),
            (Self::Event, "header") => Some(("an event has no headers", AS_TEXT)),
            (Self::Event, key) if key != "json" => Some(("of an event only JSON is captured", AS_TEXT)),
            (Self::Webhook, key) if !["json", "header"].contains(&key) => Some((
                "of a webhook JSON and header fields are captured",
                "a form is a map of its fields; other data that is no JSON is text at `$`",
            )),
            (Self::Close, key) if key != "close" => Some((
                "of the end of a WebSocket its code and its reason are captured",
                "write `{close: code}` or `{close: reason}`",
            )),
            _ => None,
        }
    }
}

impl Compiler<'_> {
    pub(super) fn captures(&mut self, step: &StepText, source: Source) -> Vec<Capture> {
        let written = step.capture.iter().flat_map(|capture| &capture.value.0);
        let mut captures = vec![];
        for (name, written) in written {
            let Some((from, which)) = self.capture_from(name, written, source) else { continue };
            let (variable, otherwise) = match written {
                Either::Short(_) => (self.variable(name), None),
                Either::Long(text) => (self.held(name, text), self.otherwise(text, which)),
            };
            captures.push(Capture { variable, from, which, otherwise, for_all_of: self.once_for });
        }
        captures
    }

    /// The variable of whoever has the value.
    fn held(&mut self, name: &Spanned<String>, text: &CaptureText) -> VariableRef {
        let Some(holder) = text.holder.as_ref().filter(|holder| holder.value == HolderText::Pass) else {
            return self.variable(name);
        };
        if self.outer.is_empty() {
            let help = "`for: pass` stands in a block with `repeat` or `each`".to_owned();
            self.problems.add(holder.span, "what is captured here is for the pass anyway", Some(help));
            return self.variable(name);
        }
        let inner = std::mem::replace(&mut self.room, self.outer.remove(0));
        let slot = self.variable(name).slot;
        let pass = std::mem::replace(&mut self.room, inner);
        self.outer.insert(0, pass);
        VariableRef { level: self.level(0), slot }
    }

    fn otherwise(&self, text: &CaptureText, which: Which) -> Option<String> {
        let or = text.or.as_ref()?;
        if which == Which::All {
            self.problems.add(or.span, "a list of all may be empty, so `or` does not fit it", None);
        }
        Some(self.fixed(or))
    }

    fn capture_from(
        &self,
        name: &Spanned<String>,
        written: &CaptureFromText,
        source: Source,
    ) -> Option<(CaptureFrom, Which)> {
        let text = match written {
            Either::Short(path) => {
                self.check_source(source, "json", path.span)?;
                return Some((CaptureFrom::Json(json_path(path, self.problems)), Which::First));
            }
            Either::Long(text) => text,
        };
        let places = places(text);
        let names = places.map(|(name, _)| name);
        let mut written: Vec<_> = places.into_iter().filter_map(|(key, span)| Some((key, span?))).collect();
        if written.len() > 1 {
            // Beside another place, it says which part of that is taken.
            written.retain(|(key, _)| *key != "regex");
        }
        let Some((key, span)) = written.first().copied() else {
            let help = format!("say where it stands: {}", suggestion::listed(&names));
            self.problems.absent(name.span, format!("nothing says what `{}` is", name.value), Some(help));
            return None;
        };
        if let Some((_, second)) = written.get(1) {
            let help = "only `regex` may stand beside it, and takes a part of it".to_owned();
            self.problems.add(*second, "a value is captured from one place", Some(help));
        }
        self.check_source(source, key, span)?;
        self.check_fit(text, key);
        Some((
            self.place_of(text)?,
            if text.all.as_ref().is_some_and(|all| all.value) { Which::All } else { Which::First },
        ))
    }

    fn check_source(&self, source: Source, key: &str, span: Span) -> Option<()> {
        let Some((message, help)) = source.refusal(key) else { return Some(()) };
        self.problems.add(span, message, Some(help.to_owned()));
        None
    }

    fn check_fit(&self, text: &CaptureText, key: &str) {
        if let Some(attribute) = text.attribute.as_ref().filter(|_| key != "css") {
            self.problems.add(attribute.span, format!("`attribute` does not fit `{key}`"), None);
        }
        let several = text.regex.is_some() || ["json", "css"].contains(&key);
        if let Some(all) = text.all.as_ref().filter(|_| !several) {
            self.problems.add(all.span, format!("there is one `{key}`, so `all` does not fit it"), None);
        }
    }

    fn place_of(&self, text: &CaptureText) -> Option<CaptureFrom> {
        let whole = self.whole_of(text);
        match (whole, &text.regex) {
            (Some(whole), Some(regex)) => Some(CaptureFrom::Part { whole: Box::new(whole), regex: self.regex(regex) }),
            (None, Some(regex)) => Some(CaptureFrom::Regex(self.regex(regex))),
            (whole, None) => whole,
        }
    }

    fn whole_of(&self, text: &CaptureText) -> Option<CaptureFrom> {
        if let Some(path) = &text.json {
            return Some(CaptureFrom::Json(json_path(path, self.problems)));
        }
        if let Some(header) = &text.header {
            return Some(CaptureFrom::Header(self.header_name(header)));
        }
        if let Some(cookie) = &text.cookie {
            return Some(CaptureFrom::Cookie(cookie.value.clone()));
        }
        if let Some(selector) = &text.css {
            let attribute = text.attribute.as_ref().map(|name| name.value.to_ascii_lowercase());
            return Some(CaptureFrom::Css { selector: self.selector(selector), attribute });
        }
        if text.answer.is_some() {
            return Some(CaptureFrom::Status);
        }
        let close = text.close.as_ref().map(|close| match close.value {
            CloseText::Code => CaptureFrom::CloseCode,
            CloseText::Reason => CaptureFrom::CloseReason,
        });
        close.or(text.body.as_ref().map(|_| CaptureFrom::Body))
    }

    pub(super) fn regex(&self, written: &Spanned<String>) -> String {
        let compiled = regex::RegexBuilder::new(written.as_str()).size_limit(REGEX_BYTES_MAX).build();
        if let Err(error) = compiled {
            // The last line says what is wrong; those before it draw the expression, which stands in the file.
            let why = error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let message = format!("`{}` is not a regular expression: {why}", written.value);
            self.problems.add(written.span, message, Some("write one such as `token=(\\w+)`".to_owned()));
        }
        written.value.clone()
    }

    fn selector(&self, written: &Spanned<String>) -> String {
        if let Err(error) = Selector::parse(written.as_str()) {
            let text = self.problems.locate(written.as_str(), written.span);
            let start = text.start + error.at.min(text.end - text.start);
            let place = self.problems.whole_characters(Span { start, end: text.end });
            let help = "write one such as `input[name=csrf]` or `#login .token`".to_owned();
            self.problems.add(place, format!("`{}` is not a selector: {}", written.value, error.why), Some(help));
        }
        written.value.clone()
    }
}

/// The places that a capture can name.
fn places(text: &CaptureText) -> [(&'static str, Option<Span>); 8] {
    [
        ("json", text.json.as_ref().map(|it| it.span)),
        ("header", text.header.as_ref().map(|it| it.span)),
        ("cookie", text.cookie.as_ref().map(|it| it.span)),
        ("regex", text.regex.as_ref().map(|it| it.span)),
        ("css", text.css.as_ref().map(|it| it.span)),
        ("body", text.body.as_ref().map(|it| it.span)),
        ("answer", text.answer.as_ref().map(|it| it.span)),
        ("close", text.close.as_ref().map(|it| it.span)),
    ]
}
