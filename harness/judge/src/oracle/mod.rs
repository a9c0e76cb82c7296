//! The oracles: each asks one question of the history. One oracle a file.

mod access;
mod existence;
mod foreign_canary;
mod identity_echo;
mod misrouted_event;
mod missing_event;
mod role;
mod wrong_credential;

use coalmine_core::history::Event;
use coalmine_core::verdict::{OracleId, Shortfall};

use crate::lead::Lead;
use crate::round::Round;

/// One question, asked while the history goes by.
///
/// An event whose identities cannot be judged yet reaches the oracles at the end of its round, just before
/// [`Oracle::end`]; so the order of their calls is not quite the order of [`Event::seq`].
pub(crate) trait Oracle {
    /// Which question.
    fn id(&self) -> OracleId;

    /// Something happened to an operation of the round.
    fn event(&mut self, round: &Round, event: &Event);

    /// The round is over, or the history is.
    fn end(&mut self, _round: &Round) {}

    /// The answer, once the history is over.
    fn answer(&mut self) -> Testimony;
}

/// What an oracle has to say.
#[derive(Default)]
pub(crate) struct Testimony {
    pub(crate) leads: Vec<Lead>,
    pub(crate) shortfalls: Vec<Shortfall>,
    pub(crate) notes: Vec<String>,
}

/// All oracles, worst first.
pub(crate) fn all() -> Vec<Box<dyn Oracle>> {
    vec![
        Box::new(foreign_canary::ForeignCanary::default()),
        Box::new(access::Access::default()),
        Box::new(misrouted_event::MisroutedEvent::default()),
        Box::new(identity_echo::IdentityEcho::default()),
        Box::new(role::Role::default()),
        Box::new(existence::Existence::default()),
        Box::new(wrong_credential::WrongCredential::default()),
        Box::new(missing_event::MissingEvent::default()),
    ]
}
