//! Values that are kept of an answer.

use coalmine_core::selector::Selector;
use coalmine_core::step::{Capture, CaptureFrom, Which};

use super::Compiler;
use super::settings::json_path;
use crate::document::{CaptureFromText, CaptureText, Either, StepText};
use crate::span::{Span, Spanned};
use crate::suggestion;

/// A regular expression may compile to this many bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

impl Compiler<'_> {
    pub(super) fn captures(&mut self, step: &StepText, is_event: bool) -> Vec<Capture> {
        let written = step.capture.iter().flat_map(|capture| &capture.value.0);
        let mut captures = vec![];
        for (name, from) in written {
            if let Some((from, which)) = self.capture_from(name, from, is_event) {
                let for_all_of = self.once_for;
                captures.push(Capture { variable: self.variable(name), from, which, for_all_of });
            }
        }
        captures
    }

    fn capture_from(
        &self,
        name: &Spanned<String>,
        written: &CaptureFromText,
        is_event: bool,
    ) -> Option<(CaptureFrom, Which)> {
        let text = match written {
            Either::Short(path) => return Some((CaptureFrom::Json(json_path(path, self.problems)), Which::First)),
            Either::Long(text) => text,
        };
        let places = places(text);
        let names = places.map(|(name, _)| name);
        let mut written = places.into_iter().filter_map(|(key, span)| span.map(|span| (key, span)));
        let Some((key, span)) = written.next() else {
            let help = format!("say where it stands: {}", suggestion::listed(&names));
            self.problems.absent(name.span, format!("nothing says what `{}` is", name.value), Some(help));
            return None;
        };
        if let Some((_, second)) = written.next() {
            self.problems.add(second, "a value is captured from one place", None);
        }
        if is_event && key != "json" {
            let message = if key == "header" { "an event has no headers" } else { "of an event only JSON is captured" };
            self.problems.add(span, message, None);
            return None;
        }
        self.check_fit(text, key);
        Some((
            self.place_of(text)?,
            if text.all.as_ref().is_some_and(|all| all.value) { Which::All } else { Which::First },
        ))
    }

    fn check_fit(&self, text: &CaptureText, key: &str) {
        if let Some(attribute) = text.attribute.as_ref().filter(|_| key != "css") {
            self.problems.add(attribute.span, format!("`attribute` does not fit `{key}`"), None);
        }
        if let Some(all) = text.all.as_ref().filter(|_| !["json", "regex", "css"].contains(&key)) {
            self.problems.add(all.span, format!("there is one `{key}`, so `all` does not fit it"), None);
        }
    }

    fn place_of(&self, text: &CaptureText) -> Option<CaptureFrom> {
        if let Some(path) = &text.json {
            return Some(CaptureFrom::Json(json_path(path, self.problems)));
        }
        if let Some(header) = &text.header {
            return Some(CaptureFrom::Header(self.header_name(header)));
        }
        if let Some(cookie) = &text.cookie {
            return Some(CaptureFrom::Cookie(cookie.value.clone()));
        }
        if let Some(regex) = &text.regex {
            return Some(CaptureFrom::Regex(self.regex(regex)));
        }
        if let Some(selector) = &text.css {
            let attribute = text.attribute.as_ref().map(|name| name.value.to_ascii_lowercase());
            return Some(CaptureFrom::Css { selector: self.selector(selector), attribute });
        }
        if text.answer.is_some() {
            return Some(CaptureFrom::Status);
        }
        text.body.as_ref().map(|_| CaptureFrom::Body)
    }

    fn regex(&self, written: &Spanned<String>) -> String {
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
fn places(text: &CaptureText) -> [(&'static str, Option<Span>); 7] {
    [
        ("json", text.json.as_ref().map(|it| it.span)),
        ("header", text.header.as_ref().map(|it| it.span)),
        ("cookie", text.cookie.as_ref().map(|it| it.span)),
        ("regex", text.regex.as_ref().map(|it| it.span)),
        ("css", text.css.as_ref().map(|it| it.span)),
        ("body", text.body.as_ref().map(|it| it.span)),
        ("answer", text.answer.as_ref().map(|it| it.span)),
    ]
}
