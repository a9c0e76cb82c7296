//! Desks: where workers write the drafts of their runs. Home of `agents.timeout-bleed`.

use std::mem::take;
use std::sync::Mutex;

use crate::lock::hold;
use crate::service::App;

/// What becomes of a draft that nobody has finished.
#[derive(Clone, Copy)]
pub(super) enum Unfinished {
    /// Guilty: it stays on the desk, and the next run goes on writing it.
    Stays,
    /// Right: it is thrown away.
    IsCleared,
}

/// The desks at which nobody works, the one that was left last on top. There are as many as runs were ever under way at once.
pub(super) struct Desks {
    unfinished: Unfinished,
    free: Mutex<Vec<Vec<String>>>,
}

impl Desks {
    pub(super) fn new(unfinished: Unfinished) -> Self {
        Self { unfinished, free: Mutex::default() }
    }
}

/// A desk at which a run is worked on. It is left when the run has ended, or was stopped in the middle.
pub(super) struct Desk {
    service: App,
    draft: Vec<String>,
}

impl Desk {
    pub(super) fn sit_down(service: &App) -> Self {
        let draft = hold(&service.agents.desks.free).pop().unwrap_or_default();
        Self { service: App::clone(service), draft }
    }

    pub(super) fn write(&mut self, line: String) {
        self.draft.push(line);
    }

    /// Takes the draft from the desk.
    pub(super) fn finish(&mut self) -> String {
        take(&mut self.draft).join(" ")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let desks = &self.service.agents.desks;
        match desks.unfinished {
            Unfinished::Stays => {}
            Unfinished::IsCleared => self.draft.clear(),
        }
        hold(&desks.free).push(take(&mut self.draft));
    }
}
