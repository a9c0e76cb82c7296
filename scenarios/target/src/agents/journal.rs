//! The journal: the events that were told last, for sockets and streams that come back. Home of `agents.ws-replay`.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::extract::ws::Utf8Bytes;
use coalmine_models::Backlog;

use super::event::Kind;
use super::outlet::Outlet;
use crate::lock::hold;

const ENTRIES_MAX: usize = 16_384;
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Who has missed more than this hears the oldest of it.
const REPLAYED_MAX: usize = 128;

/// An event as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// Counts all events of the process.
    pub(super) id: u64,
    pub(super) kind: Kind,
    pub(super) text: Utf8Bytes,
}

pub(super) struct Journal {
    replays: Backlog,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    last_id: u64,
    bytes: usize,
    /// With whose they are, the oldest first.
    entries: VecDeque<(String, Told)>,
}

impl Journal {
    pub(super) fn new(replays: Backlog) -> Self {
        Self { replays, book: Mutex::default() }
    }

    /// Writes an event down and tells it, so that who joins meanwhile hears it once.
    pub(super) fn tell(
        &self,
        owner: &str,
        kind: Kind,
        text: impl FnOnce(u64) -> Utf8Bytes,
        deliver: impl FnOnce(&Told),
    ) {
        let mut book = hold(&self.book);
        book.last_id += 1;
        let told = Told { id: book.last_id, kind, text: text(book.last_id) };
        deliver(&told);
        book.write(owner.to_owned(), told);
    }

    /// Hands over what `owner` has missed since `last_id`, and lets it join, so that nothing is lost between.
    pub(super) fn join<T>(&self, owner: &str, last_id: Option<u64>, outlet: &Outlet, join: impl FnOnce() -> T) -> T {
        let book = hold(&self.book);
        if let Some(last_id) = last_id {
            let missed = book.since(last_id).filter(|(whose, _)| match self.replays {
                Backlog::Everyones => true,
                Backlog::Owners => whose == owner,
            });
            missed.take(REPLAYED_MAX).for_each(|(_, told)| outlet.offer(told));
        }
        join()
    }
}

impl Book {
    fn write(&mut self, owner: String, told: Told) {
        self.bytes += told.text.len();
        self.entries.push_back((owner, told));
        while self.entries.len() > ENTRIES_MAX || self.bytes > BYTES_MAX {
            let oldest = self.entries.pop_front();
            self.bytes -= oldest.map_or(self.bytes, |(_, told)| told.text.len());
        }
    }

    fn since(&self, id: u64) -> impl Iterator<Item = &(String, Told)> {
        let first = self.entries.partition_point(|(_, told)| told.id <= id);
        self.entries.range(first..)
    }
}
