//! What happens in one interleaving, and what was seen in all of them. No model checker sees the tape, so it adds nothing to
//! explore.

use std::cell::RefCell;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::canary::{Canary, Tenant};
use super::explored::Witness;
use super::failure::{LEAK, MISSED};
use super::pattern::Pattern;
use super::step::{Deed, Note, Step, readable};

/// A tape that runs away is cut, so that a model that never ends does not fill the memory.
const NOTES_MAX: usize = 10_000;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Tape>>> = const { RefCell::new(None) };
}

/// The tape of an exploration.
pub(crate) struct Tape {
    pattern: &'static Pattern,
    reel: Mutex<Reel>,
}

#[derive(Default)]
struct Reel {
    iteration: u64,
    cast: Vec<&'static str>,
    /// As whom the main thread acts.
    main: Option<&'static str>,
    notes: Vec<Note>,
    /// Actors who are at something that others may be at as well.
    busy: u32,
    broken: Option<Broken>,
    worst: Option<Finding>,
    serial: u32,
    seen_now: Vec<bool>,
    seen: Vec<u64>,
}

#[derive(Clone)]
struct Broken {
    invariant: &'static str,
    what: String,
}

/// An interleaving that went wrong.
#[derive(Clone)]
pub(super) struct Finding {
    pub(super) invariant: &'static str,
    pub(super) what: String,
    pub(super) iteration: u64,
    pub(super) steps: Vec<Step>,
}

impl Tape {
    pub(super) fn new(pattern: &'static Pattern) -> Arc<Self> {
        let count = pattern.witnesses.len();
        let reel = Reel { seen_now: vec![false; count], seen: vec![0; count], ..Reel::default() };
        Arc::new(Self { pattern, reel: Mutex::new(reel) })
    }

    /// Makes it the tape of this thread of the operating system, on which a model checker runs all threads of a model.
    pub(super) fn while_current<R>(self: &Arc<Self>, work: impl FnOnce() -> R) -> R {
        let before = CURRENT.replace(Some(Arc::clone(self)));
        let result = work();
        CURRENT.replace(before);
        result
    }

    pub(crate) fn with_current(work: impl FnOnce(&Self)) {
        // The borrow ends before the work, which may switch to another thread of the model.
        if let Some(tape) = CURRENT.with_borrow(Option::clone) {
            work(&tape);
        }
    }

    /// An interleaving begins.
    pub(super) fn rewind(&self) {
        let reel = &mut *self.reel();
        reel.iteration += 1;
        reel.broken = None;
        reel.busy = 0;
        reel.cast.clear();
        reel.main = None;
        reel.notes.clear();
        reel.serial = 0;
    }

    /// An interleaving is over. A leak outweighs every other broken promise, and the first of a kind the later ones. Says
    /// whether nothing worse can come.
    pub(super) fn settle(&self) -> bool {
        let reel = &mut *self.reel();
        reel.count();
        let outweighed =
            |broken: &Broken| reel.worst.as_ref().is_none_or(|worst| rank(broken.invariant) > rank(worst.invariant));
        if let Some(Broken { invariant, what }) = reel.broken.take_if(|broken| outweighed(broken)) {
            let steps = readable(&reel.notes);
            reel.worst = Some(Finding { invariant, what, iteration: reel.iteration, steps });
        }
        reel.worst.as_ref().is_some_and(|worst| worst.invariant == LEAK)
    }

    pub(super) fn iteration(&self) -> u64 {
        self.reel().iteration
    }

    /// The worst that went wrong.
    pub(super) fn worst(&self) -> Option<Finding> {
        self.reel().worst.clone()
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        readable(&self.reel().notes)
    }

    pub(super) fn witnesses(&self) -> Vec<Witness> {
        let reel = self.reel();
        let named = self.pattern.witnesses.iter().zip(&reel.seen);
        named.map(|(name, iterations)| Witness { name: (*name).to_owned(), iterations: *iterations }).collect()
    }

    pub(super) fn cast(&self, who: &'static str) {
        self.reel().cast.push(who);
    }

    pub(super) fn main_acts_as(&self, who: &'static str) {
        self.reel().main = Some(who);
    }

    pub(super) fn canary(&self, owner: Tenant) -> Canary {
        let mut reel = self.reel();
        reel.serial += 1;
        Canary::new(owner, reel.serial)
    }

    pub(super) fn does(&self, who: &'static str, what: &'static str) {
        self.reel().note(who, Deed::Does(what));
    }

    pub(crate) fn lock_taken(&self, who: Option<&str>, place: &'static Location<'static>) {
        let reel = &mut *self.reel();
        let found = reel.cast.iter().find(|name| Some(**name) == who).copied();
        reel.note(found.or(reel.main).unwrap_or("main"), Deed::Locks(place));
    }

    /// What a tenant is given. Whether it may be is decided here and nowhere else.
    pub(super) fn receives(&self, who: &'static str, tenant: Tenant, what: &'static str, canary: Canary) {
        let reel = &mut *self.reel();
        let owner = canary.owner();
        reel.note(who, Deed::Receives(what, owner));
        if owner != tenant {
            reel.breaks(LEAK, || format!("tenant {tenant} receives a canary of tenant {owner} ({what})"));
        }
    }

    pub(super) fn breaks(&self, who: &'static str, invariant: &'static str, what: &'static str) {
        let reel = &mut *self.reel();
        reel.note(who, Deed::Breaks(what));
        reel.breaks(invariant, || what.to_owned());
    }

    /// Begins what others may be at as well; says whether one of them is.
    pub(super) fn begins(&self) -> bool {
        let mut reel = self.reel();
        reel.busy += 1;
        reel.busy > 1
    }

    pub(super) fn ends(&self) {
        self.reel().busy -= 1;
    }

    pub(super) fn witness(&self, name: &str) {
        let number = self.pattern.witnesses.iter().position(|witness| *witness == name);
        let number = number.expect("a scene names the witnesses of its pattern only");
        self.reel().seen_now[number] = true;
    }

    /// A panic of the code under test leaves the tape as it is.
    fn reel(&self) -> MutexGuard<'_, Reel> {
        self.reel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reel {
    fn count(&mut self) {
        for (now, all) in self.seen_now.iter_mut().zip(&mut self.seen) {
            *all += u64::from(std::mem::take(now));
        }
    }

    fn note(&mut self, who: &'static str, deed: Deed) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(Note { who, deed, crossed: false });
        }
    }

    /// The first counts, for what follows from it would only confuse; but a leak outweighs the rest.
    fn breaks(&mut self, invariant: &'static str, what: impl FnOnce() -> String) {
        if self.broken.as_ref().is_none_or(|broken| rank(invariant) > rank(broken.invariant)) {
            self.broken = Some(Broken { invariant, what: what() });
            self.notes.iter_mut().for_each(|note| note.crossed = false);
            if let Some(last) = self.notes.last_mut() {
                last.crossed = true;
            }
        }
    }
}

fn rank(invariant: &str) -> u8 {
    match invariant {
        LEAK => 2,
        MISSED => 0,
        _ => 1,
    }
}
