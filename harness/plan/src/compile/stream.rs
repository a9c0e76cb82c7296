//! Streams of server-sent events.

use coalmine_core::step::{Action, Request, Subscribe, Wire};
use coalmine_core::template::Template;

use super::Compiler;
use crate::document::StepText;
use crate::span::Spanned;

const STREAM_DEFAULT: &str = "stream";
const LAST_EVENT_ID: &str = "last-event-id";

impl Compiler<'_> {
    /// `/path`, which is a GET, or a POST where there is a body; or `METHOD /path`.
    pub(super) fn subscribe(&mut self, written: &Spanned<String>, step: &StepText) -> Action {
        let (method, path) = if written.value.starts_with('/') {
            let has_body = step.json.is_some() || step.form.is_some() || step.text.is_some() || step.binary.is_some();
            (if has_body { "POST" } else { "GET" }.to_owned(), written.clone())
        } else {
            self.method_and_path(written)
        };
        let mut request = self.request(method, &path, step);
        self.last_event_id(&mut request, step);
        if request.headers.iter().all(|(name, _)| name != "accept") {
            request.headers.push(("accept".to_owned(), Template::text("text/event-stream")));
        }
        let name = step.named.clone().unwrap_or_else(|| written.with(STREAM_DEFAULT.to_owned()));
        self.check_name(&name, "event stream");
        let socket = self.opened(&name, Wire::EventStream);
        let holds = |written: Option<&Spanned<bool>>| written.is_some_and(|written| written.value);
        let (resume, keep) = (holds(step.resume.as_ref()), holds(step.keep.as_ref()));
        Action::Subscribe(Subscribe { socket, request, resume, keep })
    }

    fn last_event_id(&mut self, request: &mut Request, step: &StepText) {
        let Some(id) = &step.last_event_id else { return };
        if let Some(resume) = step.resume.as_ref().filter(|resume| resume.value) {
            let help = "`resume` sends the id of the last event that came; `last_event_id` another".to_owned();
            self.problems.add(resume.span, "an event stream goes on after one event", Some(help));
        }
        if request.headers.iter().any(|(name, _)| name == LAST_EVENT_ID) {
            self.problems.add(id.span, format!("the header `{LAST_EVENT_ID}` stands here twice"), None);
        }
        request.headers.push((LAST_EVENT_ID.to_owned(), self.template(id)));
    }
}
