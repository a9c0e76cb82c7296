//! A fault in an oracle is no pass, and takes no other oracle with it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use coalmine_core::history::Event;
use coalmine_core::verdict::{OracleId, Shortfall, ShortfallKind};

use crate::oracle::{Oracle, Testimony};
use crate::round::Round;

/// An oracle that is asked no more once it has panicked.
pub(crate) struct Guarded {
    oracle: Box<dyn Oracle>,
    fault: Option<String>,
    left_out: bool,
}

impl Guarded {
    /// The oracle, unharmed so far.
    pub(crate) fn new(oracle: Box<dyn Oracle>) -> Self {
        Self { oracle, fault: None, left_out: false }
    }

    /// Tells the oracle of an event.
    pub(crate) fn event(&mut self, round: &Round, event: &Event) {
        if round.asks(self.oracle.id()) {
            self.call(|oracle| oracle.event(round, event));
        }
    }

    /// Tells the oracle that the round is over.
    pub(crate) fn end(&mut self, round: &Round) {
        if round.asks(self.oracle.id()) {
            self.call(|oracle| oracle.end(round));
        } else {
            self.left_out = true;
        }
    }

    /// What the oracle has to say, with its name if it was asked in every round; of one that panicked, only that it did.
    pub(crate) fn answer(mut self) -> (Option<OracleId>, Testimony) {
        let id = self.oracle.id();
        match self.call(|oracle| oracle.answer()) {
            Some(answer) => ((!self.left_out).then_some(id), answer),
            None => (None, fault_of(id.name(), &self.fault.unwrap_or_default())),
        }
    }

    fn call<T>(&mut self, ask: impl FnOnce(&mut dyn Oracle) -> T) -> Option<T> {
        if self.fault.is_some() {
            return None;
        }
        let oracle = self.oracle.as_mut();
        // A panicked oracle is never called again, so that nobody sees its broken state.
        let result = catch_unwind(AssertUnwindSafe(|| ask(oracle)));
        result.map_err(|panic| self.fault = Some(words(panic.as_ref()))).ok()
    }
}

fn fault_of(oracle: &str, what: &str) -> Testimony {
    let message = format!("the oracle {oracle} failed: {what}");
    let shortfall = Shortfall { kind: ShortfallKind::OracleFault, operation: None, message };
    Testimony { shortfalls: vec![shortfall], ..Testimony::default() }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
