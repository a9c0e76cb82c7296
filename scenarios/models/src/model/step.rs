//! One step of an interleaving.

use std::fmt;
use std::panic::Location;

use serde::{Deserialize, Serialize};

use super::canary::Tenant;

/// More steps than these nobody reads.
pub(super) const STEPS_MAX: usize = 30;

/// One step of an interleaving, for a person to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Who did it: the name of a thread.
    pub who: String,
    /// What.
    pub what: String,
    /// Whether it is here that it went wrong.
    pub crossed: bool,
}

/// A step as it is recorded: cheap, for it is recorded in each of many interleavings and read in one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) who: &'static str,
    pub(super) deed: Deed,
    pub(super) crossed: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Does(&'static str),
    Locks(&'static Location<'static>),
    Receives(&'static str, Tenant),
    Breaks(&'static str),
}

impl From<&Note> for Step {
    fn from(note: &Note) -> Self {
        Self { who: note.who.to_owned(), what: note.deed.to_string(), crossed: note.crossed }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Does(what) => f.write_str(what),
            Self::Locks(place) => write!(f, "  takes the lock at {}:{}", place.file(), place.line()),
            Self::Receives(what, owner) => write!(f, "{what}: a canary of {owner}"),
            Self::Breaks(what) => write!(f, "finds: {what}"),
        }
    }
}

/// The steps up to the one where it went wrong. Where they are too many, the early takings of locks go first, then the early
/// steps.
pub(super) fn readable(notes: &[Note]) -> Vec<Step> {
    let end = notes.iter().position(|note| note.crossed).map_or(notes.len(), |crossing| crossing + 1);
    let notes: Vec<_> = notes[..end].iter().filter(|note| !is_of_a_scene(note)).collect();
    let mut surplus = notes.len().saturating_sub(STEPS_MAX);
    let mut kept = Vec::new();
    for note in notes {
        let is_lock = matches!(note.deed, Deed::Locks(_));
        if is_lock && surplus > 0 {
            surplus -= 1;
        } else {
            kept.push(Step::from(note));
        }
    }
    kept.split_off(kept.len().saturating_sub(STEPS_MAX))
}

/// What stands for the world in a scene has locks of its own, of which a reader learns nothing.
fn is_of_a_scene(note: &Note) -> bool {
    let scenes = file!().strip_suffix("model/step.rs").expect("this is this file");
    match note.deed {
        Deed::Locks(place) => place.file().strip_prefix(scenes).is_some_and(|file| file.starts_with("pattern")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(deed: Deed, crossed: bool) -> Note {
        Note { who: "A", deed, crossed }
    }

    #[test]
    fn what_comes_after_the_crossing_is_left_out() {
        let notes =
            [note(Deed::Does("first"), false), note(Deed::Does("wrong"), true), note(Deed::Does("after"), false)];
        let read: Vec<_> = readable(&notes).into_iter().map(|step| step.what).collect();
        assert_eq!(read, ["first", "wrong"]);
    }

    #[test]
    fn locks_go_before_deeds_when_there_are_too_many_steps() {
        let lock = note(Deed::Locks(Location::caller()), false);
        let mut notes = vec![lock; 20];
        notes.extend([note(Deed::Does("deed"), false); 25]);
        let read = readable(&notes);
        assert_eq!(read.len(), STEPS_MAX);
        assert_eq!(read.iter().filter(|step| step.what == "deed").count(), 25);
    }
}
