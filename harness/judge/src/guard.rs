//! A fault in an oracle is no pass, and takes no other oracle with it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use coalmine_core::history::Event;
use coalmine_core::verdict::{Shortfall, ShortfallKind};

use crate::oracle::{Oracle, Testimony};
use crate::round::Round;

/// An oracle that is asked no more once it has panicked.
pub(crate) struct Guarded {
    oracle: Box<dyn Oracle>,
    fault: Option<String>,
}

impl Guarded {
    /// The oracle, unharmed so far.
    pub(crate) fn new(oracle: Box<dyn Oracle>) -> Self {
        Self { oracle, fault: None }
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
        }
    }

    /// What the oracle has to say; of one that panicked, only that it did.
    pub(crate) fn answer(mut self) -> Testimony {
        let answer = self.call(|oracle| oracle.answer());
        match (answer, self.fault) {
            (Some(answer), None) => answer,
            (_, fault) => fault_of(self.oracle.id().name(), &fault.unwrap_or_default()),
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
