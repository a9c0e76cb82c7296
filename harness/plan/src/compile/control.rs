//! Pings and closing of WebSockets, and what proves that an event is lost.

use coalmine_core::step::{Action, Closing, Wire};

use super::{Compiler, Place};
use crate::document::{Codes, StepText};
use crate::span::Spanned;
use crate::suggestion;

impl Compiler<'_> {
    pub(super) fn ping(&mut self, name: &Spanned<String>) -> Action {
        Action::Ping { socket: self.sending(Some(name), name.span) }
    }

    pub(super) fn await_close(&mut self, codes: &Spanned<Codes>, step: &StepText) -> Action {
        let socket = self.sending(step.on.as_ref(), codes.span);
        self.closed(socket, codes.span);
        if codes.value.as_slice().is_empty() {
            self.problems.add(codes.span, "no code is expected here", None);
        }
        Action::AwaitClose { socket, codes: codes.value.as_slice().iter().map(|code| self.code(code)).collect() }
    }

    fn code(&self, written: &Spanned<u32>) -> u16 {
        let code = u16::try_from(written.value).ok().filter(|code| (1000..5000).contains(code));
        code.unwrap_or_else(|| {
            let help = "a code is a number from 1000 to 4999; 1005 stands for a close frame without one".to_owned();
            self.problems.add(written.span, format!("{} is not a close code", written.value), Some(help));
            0
        })
    }

    /// The code of our own close frame; some may not be sent (RFC 6455, section 7.4.1).
    pub(super) fn own_code(&self, written: &Spanned<u32>, manner: Closing, wire: Wire) -> u16 {
        if manner == Closing::HangUp || wire == Wire::EventStream {
            let help = "only `close: handshake` of a WebSocket sends a close frame".to_owned();
            self.problems.add(written.span, "no code is sent here", Some(help));
        }
        let code = self.code(written);
        if matches!(code, 1004..=1006 | 1015..=2999) {
            let help = "take 1000, or one of your own from 3000 to 4999".to_owned();
            self.problems.add(written.span, format!("the code {code} may not be sent"), Some(help));
        }
        code
    }

    /// Finds the steps that confirm that all events were sent.
    pub(super) fn resolve_confirmations(&mut self) {
        for (receive, flow, name) in std::mem::take(&mut self.confirmations) {
            let is_later = |place: &Place| place.flow == flow && place.step > receive && !place.in_cleanup;
            let found = self.places.get(name.as_str()).copied();
            let Some(place) = found.filter(is_later) else {
                let later = self.places.iter().filter(|(_, place)| is_later(place));
                let help = suggestion::help(name.as_str(), later.map(|(name, _)| name.as_str()));
                let message = format!("no later step of this flow is called `{}`", name.value);
                self.problems.absent(name.span, message, help);
                continue;
            };
            let is_request = |action: &Action| matches!(action, Action::Request(_));
            if !self.steps.get(usize::from(place.step.0)).is_some_and(|step| is_request(&step.action)) {
                let message = format!("the step `{}` is not a request", name.value);
                self.problems.absent(name.span, message, None);
            }
            if let Some(step) = self.steps.get_mut(usize::from(receive.0))
                && let Action::Receive(receive) = &mut step.action
            {
                receive.confirmed_by = Some(place.step);
            }
        }
    }
}
