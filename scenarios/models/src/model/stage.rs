//! Where a scene is played.

use std::cell::RefCell;
use std::sync::Arc;

use super::canary::{Canary, Tenant};
use super::explorer::Explorer;
use super::failure::MISSED;
use super::tape::Tape;

/// Where a scene is played: it brings actors on, each a thread of its own, and waits for them.
pub struct Stage<E: Explorer> {
    tape: Arc<Tape>,
    on: RefCell<Vec<E::Handle>>,
}

/// Somebody who acts for a tenant, on a thread of its own.
#[derive(Clone)]
pub struct Actor {
    who: &'static str,
    tenant: Tenant,
    tape: Arc<Tape>,
}

impl<E: Explorer> Stage<E> {
    pub(super) fn new(tape: Arc<Tape>) -> Self {
        Self { tape, on: RefCell::new(Vec::new()) }
    }

    /// Somebody who acts here, before the others come or after they have gone.
    pub fn actor(&self, who: &'static str, tenant: Tenant) -> Actor {
        self.tape.main_acts_as(who);
        Actor { who, tenant, tape: Arc::clone(&self.tape) }
    }

    /// Brings on somebody who acts at the same time as all others. Loom allows four.
    pub fn enter(&self, who: &'static str, tenant: Tenant, work: impl FnOnce(&Actor) + Send + 'static) {
        let actor = Actor { who, tenant, tape: Arc::clone(&self.tape) };
        self.tape.cast(who);
        self.on.borrow_mut().push(E::spawn(who, Box::new(move || work(&actor))));
    }

    /// Waits until all have gone.
    pub fn clear(&self) {
        // The borrow must not last while others run.
        let on = self.on.take();
        on.into_iter().for_each(E::join);
    }
}

impl Actor {
    /// For whom it acts.
    pub fn tenant(&self) -> Tenant {
        self.tenant
    }

    /// A fresh secret of its tenant.
    pub fn canary(&self) -> Canary {
        self.tape.canary(self.tenant)
    }

    /// Writes down what it is about to do.
    pub fn does(&self, what: &'static str) {
        self.tape.does(self.who, what);
    }

    /// Is given a canary. Another tenant's is a leak. Says whether it is its own.
    pub fn receives(&self, what: &'static str, canary: Canary) -> bool {
        self.tape.receives(self.who, self.tenant, what, canary);
        canary.owner() == self.tenant
    }

    /// Finds that what is its own is not there.
    pub fn misses(&self, what: &'static str) {
        self.tape.breaks(self.who, MISSED, what);
    }

    /// Does what others may do at the same time, and sees `witness` when one does.
    pub fn together<R>(&self, witness: &str, work: impl FnOnce() -> R) -> R {
        if self.tape.begins() {
            self.witnesses(witness);
        }
        let result = work();
        self.tape.ends();
        result
    }

    /// The same, acting for another tenant from now on.
    #[must_use]
    pub fn acting_for(&self, tenant: Tenant) -> Self {
        Self { tenant, ..self.clone() }
    }

    /// Finds a promise of the pattern broken.
    pub fn breaks(&self, invariant: &'static str, what: &'static str) {
        self.tape.breaks(self.who, invariant, what);
    }

    /// Finds a promise of the pattern broken unless `kept`.
    pub fn expects(&self, kept: bool, invariant: &'static str, what: &'static str) {
        if !kept {
            self.breaks(invariant, what);
        }
    }

    /// Has seen what makes a pass mean something.
    pub fn witnesses(&self, name: &str) {
        self.tape.witness(name);
    }
}
