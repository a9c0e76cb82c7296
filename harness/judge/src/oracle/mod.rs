//! The oracles: each asks one question of the history. One oracle a file.

mod access;
mod caching;
mod existence;
mod existence_by_time;
mod fault_propagation;
mod foreign_canary;
mod foreign_row;
mod forged_credential;
mod identity_echo;
mod interference;
mod misrouted_event;
mod missing_event;
mod noisy_neighbour;
mod not_fresh;
mod response_mix_up;
mod role;
mod secret_in_log;
mod session_after_logout;
mod unguarded_table;
mod unnamed_key;
mod wrong_aggregate;
mod wrong_credential;
mod wrong_list;

use coalmine_core::history::Event;
use coalmine_core::verdict::{OracleId, RoleCell, Shortfall};

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
    /// The role matrix, from the oracle that knows it.
    pub(crate) roles: Vec<RoleCell>,
}

impl Testimony {
    /// Takes what another oracle has to say.
    pub(crate) fn add(&mut self, other: Self) {
        self.leads.extend(other.leads);
        self.shortfalls.extend(other.shortfalls);
        self.notes.extend(other.notes);
        self.roles.extend(other.roles);
    }
}

/// All oracles, worst first.
pub(crate) fn all() -> Vec<Box<dyn Oracle>> {
    vec![
        Box::new(foreign_canary::ForeignCanary::default()),
        Box::new(access::Access::default()),
        Box::new(misrouted_event::MisroutedEvent::default()),
        Box::new(identity_echo::IdentityEcho::default()),
        Box::new(foreign_row::ForeignRow::default()),
        Box::new(not_fresh::NotFresh::default()),
        Box::new(response_mix_up::ResponseMixUp::default()),
        Box::new(role::Role::default()),
        Box::new(existence::Existence::default()),
        Box::new(wrong_credential::WrongCredential::default()),
        Box::new(session_after_logout::SessionAfterLogout::default()),
        Box::new(forged_credential::ForgedCredential::default()),
        Box::new(caching::Caching::default()),
        Box::new(unnamed_key::UnnamedKey::default()),
        Box::new(unguarded_table::UnguardedTable::default()),
        Box::new(secret_in_log::SecretInLog::default()),
        Box::new(wrong_aggregate::WrongAggregate::default()),
        Box::new(wrong_list::WrongList::default()),
        Box::new(fault_propagation::FaultPropagation::default()),
        Box::new(noisy_neighbour::NoisyNeighbour::default()),
        Box::new(missing_event::MissingEvent::default()),
        Box::new(existence_by_time::ExistenceByTime::default()),
        Box::new(interference::Interference::default()),
    ]
}
