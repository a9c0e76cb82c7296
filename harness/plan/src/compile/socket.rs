//! WebSockets: opening, sending; and, on event streams as well, waiting and closing.

use coalmine_core::step::{About, Action, BINARY, Closing, MESSAGE, Open, Payload, Receive, SocketSlot, Wire};
use coalmine_core::template::Template;

use super::Compiler;
use super::room::Socket;
use super::settings::json_path;
use super::words::Planting;
use crate::document::{BinaryText, Content, Entries, OneOrMore, OrderText, StepText};
use crate::span::{Span, Spanned};
use crate::suggestion;

const SOCKET_DEFAULT: &str = "socket";

impl Compiler<'_> {
    pub(super) fn open(&mut self, path: &Spanned<String>, step: &StepText) -> Action {
        let path_template = self.path(path, step.query.as_ref());
        let headers = self.headers(step.headers.as_ref());
        let cookies = self.cookies(step.cookies.as_ref());
        let name = step.named.clone().unwrap_or_else(|| path.with(SOCKET_DEFAULT.to_owned()));
        self.check_name(&name, "WebSocket");
        let socket = self.opened(&name, Wire::WebSocket);
        let offered = step.subprotocols.iter().flat_map(|offered| &offered.value);
        let subprotocols = offered.map(|name| self.fixed(name)).collect();
        let keep = step.keep.as_ref().is_some_and(|keep| keep.value);
        Action::Open(Open { socket, path: path_template, headers, cookies, subprotocols, keep })
    }

    pub(super) fn opened(&mut self, name: &Spanned<String>, wire: Wire) -> SocketSlot {
        let known = self.room.sockets.iter_mut().position(|socket| socket.name == name.value);
        let Some(at) = known else {
            let slot = self.slot(self.room.sockets.len(), name.span);
            let (name, span, depth) = (name.value.clone(), name.span, self.nest.depth);
            self.room.sockets.push(Socket { name, span, wire, is_open: true, depth, used_by: self.nest.group() });
            return SocketSlot(slot);
        };
        if self.room.sockets[at].is_open {
            let help = "close it first, or give this one another name with `as`".to_owned();
            let message = format!("the {} `{}` is open already", noun(self.room.sockets[at].wire), name.value);
            self.problems.absent(name.span, message, Some(help));
        }
        if self.room.sockets[at].wire != wire {
            let message = format!("`{}` was the name of the {} before", name.value, noun(self.room.sockets[at].wire));
            self.problems.add(name.span, message, Some("give this one another name with `as`".to_owned()));
        }
        let (span, depth, used_by) = (name.span, self.nest.depth, self.nest.group());
        let known = &mut self.room.sockets[at];
        (known.is_open, known.span, known.depth, known.used_by) = (true, span, depth, used_by);
        SocketSlot(self.slot(at, name.span))
    }

    pub(super) fn send(&mut self, content: &Spanned<Content>, step: &StepText) -> Action {
        let socket = self.sending(step.on.as_ref(), content.span);
        let payload = match &content.value {
            Content::Text(text) => Payload::Text(self.template(&content.with(text.clone()))),
            _ => Payload::Json(self.tree(content)),
        };
        Action::Send { socket, payload }
    }

    pub(super) fn send_binary(&mut self, written: &Spanned<BinaryText>, step: &StepText) -> Action {
        let socket = self.sending(step.on.as_ref(), written.span);
        Action::Send { socket, payload: self.binary_payload(written) }
    }

    pub(super) fn receive(&mut self, events: &Spanned<OneOrMore>, step: &StepText) -> Action {
        let names = events.value.as_slice();
        if names.is_empty() {
            self.problems.add(events.span, "no event is waited for here", None);
        }
        let (socket, wire) = self.socket(step.on.as_ref(), events.span);
        let needs_type = |name: &Spanned<String>| ![MESSAGE, BINARY].contains(&name.as_str());
        if !self.has_event_type && wire == Wire::WebSocket && names.iter().any(needs_type) {
            let help = "say where an event's type stands: `events: {type: $.type}`; or wait for a `message`".to_owned();
            self.problems.absent(events.span, "the types of events are not known", Some(help));
        }
        let about = step.about.as_ref().and_then(|about| self.about(about));
        let contains = step.contains.as_ref().map(|bytes| self.contained(bytes));
        if let Some(step_name) = &step.confirmed_by {
            self.confirmations.push((self.next_step(step_name.span), self.room.flow, step_name.clone()));
        }
        let times = usize::from(self.count(step.count.as_ref()));
        let names: Vec<String> = names.iter().map(|name| self.fixed(name)).collect();
        let events = std::iter::repeat_n(names, times).flatten().collect();
        let any_order = step.order.as_ref().is_some_and(|order| order.value == OrderText::Any);
        Action::Receive(Receive { socket, wire, events, about, contains, any_order, confirmed_by: None })
    }

    pub(super) fn about(&mut self, written: &Spanned<Entries<Spanned<String>>>) -> Option<About> {
        let [(path, value)] = written.value.0.as_slice() else {
            self.problems.add(written.span, "`about` is one JSONPath with one value", None);
            return None;
        };
        let equals: Template = self.template_with(value, Planting::Refused, str::to_owned);
        Some(About { path: json_path(path, self.problems), equals })
    }

    pub(super) fn close(&mut self, manner: &Spanned<Closing>, step: &StepText) -> Action {
        let (socket, wire) = self.socket(step.on.as_ref(), manner.span);
        self.closed(socket, manner.span);
        let code = step.code.as_ref().map(|code| self.own_code(code, manner.value, wire));
        Action::Close { socket, wire, manner: manner.value, code }
    }

    pub(super) fn closed(&mut self, socket: SocketSlot, span: Span) {
        let depth = self.nest.depth;
        let Some(closed) = self.room.sockets.get_mut(usize::from(socket.0)) else { return };
        closed.is_open = false;
        if closed.depth < depth {
            let message = format!("the {} `{}` was opened outside of this block", noun(closed.wire), closed.name);
            self.problems.add(span, message, Some("close it after the block".to_owned()));
        }
    }

    /// The WebSocket on which a step sends.
    pub(super) fn sending(&mut self, on: Option<&Spanned<String>>, at: Span) -> SocketSlot {
        let (socket, wire) = self.socket(on, at);
        if wire == Wire::EventStream {
            let help = "a client speaks only once on it: as the body of the step that opens it".to_owned();
            self.problems.absent(on.map_or(at, |name| name.span), "nothing can be sent on an event stream", Some(help));
        }
        socket
    }

    /// The WebSocket or stream that a step means: the one that it names, or the only one of the flow.
    fn socket(&mut self, on: Option<&Spanned<String>>, at: Span) -> (SocketSlot, Wire) {
        let (slot, wire) = self.known_socket(on, at);
        let group = self.nest.group();
        if let Some(socket) = self.room.sockets.get_mut(usize::from(slot.0)).filter(|_| group.is_some()) {
            let (before, group) = (std::mem::replace(&mut socket.used_by, group), group.unwrap_or_default());
            if before.is_some_and(|(parallel, number)| parallel == group.0 && number != group.1) {
                let message = format!("another group uses the {} `{}` at the same time", noun(wire), socket.name);
                self.problems.add(on.map_or(at, |name| name.span), message, None);
            }
        }
        (slot, wire)
    }

    fn known_socket(&self, on: Option<&Spanned<String>>, at: Span) -> (SocketSlot, Wire) {
        let span = on.map_or(at, |name| name.span);
        let is_meant = |socket: &Socket| on.is_none_or(|name| name.value == socket.name);
        let mut meant = self.room.sockets.iter().enumerate().filter(|(_, socket)| is_meant(socket));
        let Some((slot, socket)) = meant.next() else {
            self.no_socket(on, span);
            return (SocketSlot(0), Wire::WebSocket);
        };
        if meant.next().is_some() {
            let names: Vec<&str> = self.room.sockets.iter().map(|socket| socket.name.as_str()).collect();
            let help = format!("say which one with `on`: {}", suggestion::listed(&names));
            let all_sockets = self.room.sockets.iter().all(|socket| socket.wire == Wire::WebSocket);
            let nouns = if all_sockets { "WebSockets" } else { "WebSockets and event streams" };
            self.problems.absent(span, format!("this flow has several {nouns}"), Some(help));
        } else if !socket.is_open {
            self.problems.absent(span, format!("the {} `{}` is closed by now", noun(socket.wire), socket.name), None);
        }
        (SocketSlot(self.slot(slot, span)), socket.wire)
    }

    fn no_socket(&self, on: Option<&Spanned<String>>, span: Span) {
        let names = self.room.sockets.iter().map(|socket| socket.name.as_str());
        let (message, help) = match on {
            Some(name) => {
                let message = format!("no step before this one opens a WebSocket or an event stream `{}`", name.value);
                (message, suggestion::help(name.as_str(), names))
            }
            None => ("no step before this one opens a WebSocket or an event stream".to_owned(), None),
        };
        let open = || "open one with `websocket: /path` or `sse: /path`".to_owned();
        self.problems.absent(span, message, help.or_else(|| Some(open())));
    }
}

fn noun(wire: Wire) -> &'static str {
    match wire {
        Wire::WebSocket => "WebSocket",
        Wire::EventStream => "event stream",
    }
}
