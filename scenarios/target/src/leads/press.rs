//! The press: prints the headings of reports, one at a time. Home of `leads.crash-spreads`.

use std::sync::Mutex;

use crate::refusal::Refusal;

/// When a heading is cut to its length.
#[derive(Clone, Copy)]
pub(super) enum Cut {
    /// Guilty: with the press in hand. Who fails then leaves it locked up for everybody.
    AtThePress,
    /// Right: before.
    Beforehand,
}

const HEADING_BYTES_MAX: usize = 61;

pub(super) struct Press {
    cut: Cut,
    in_use: Mutex<()>,
}

impl Press {
    pub(super) fn new(cut: Cut) -> Self {
        Self { cut, in_use: Mutex::new(()) }
    }

    /// Makes a heading of a topic. Panics where the end would fall into the middle of a character: a job that does so must fail
    /// alone.
    pub(super) fn heading(&self, topic: &str) -> Result<String, Refusal> {
        let mut heading = topic.to_owned();
        if matches!(self.cut, Cut::Beforehand) {
            cut(&mut heading);
        }
        let _press = self.in_use.lock().map_err(|_| Refusal::Fault)?;
        if matches!(self.cut, Cut::AtThePress) {
            cut(&mut heading);
        }
        Ok(heading.to_uppercase())
    }
}

/// Panics as [`String::truncate`] does, but without words on stderr: the panic is one of the service's own making.
fn cut(heading: &mut String) {
    if heading.len() > HEADING_BYTES_MAX && !heading.is_char_boundary(HEADING_BYTES_MAX) {
        std::panic::resume_unwind(Box::new("the heading ends in the middle of a character"));
    }
    heading.truncate(HEADING_BYTES_MAX);
}
