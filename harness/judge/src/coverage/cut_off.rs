//! What was received and could not be looked at.

use std::collections::BTreeMap;

use coalmine_core::history::Event;
use coalmine_core::verdict::{Shortfall, ShortfallKind};

use crate::round::{Round, receipt_of};

/// Different words that are kept.
const KINDS_MAX: usize = 1000;

/// Sightings that were dropped, and parts of answers that were not looked at.
#[derive(Default)]
pub(super) struct CutOff {
    dropped: BTreeMap<String, u64>,
    unread: BTreeMap<(String, String), u64>,
}

impl CutOff {
    /// Something happened to an operation.
    pub(super) fn event(&mut self, round: &Round, event: &Event) {
        let (Some(place), Some(receipt)) = (round.place(event.op), receipt_of(&event.what)) else { return };
        if receipt.seen_dropped > 0 {
            let name = round.step(place).name.clone();
            *self.dropped.entry(name).or_default() += u64::from(receipt.seen_dropped);
        }
        for words in &receipt.cut_off {
            let key = (round.step(place).name.clone(), words.clone());
            if self.unread.len() < KINDS_MAX || self.unread.contains_key(&key) {
                *self.unread.entry(key).or_default() += 1;
            }
        }
    }

    /// What may have hidden a leak.
    pub(super) fn shortfalls(&self) -> Vec<Shortfall> {
        let dropped = self.dropped.iter().map(|(operation, count)| {
            (operation, format!("`{operation}` showed too many canaries: {count} sightings were dropped"))
        });
        let unread = self.unread.iter().filter(|((_, words), _)| !is_harmless(words));
        let unread = unread.map(|((operation, words), count)| (operation, in_words(operation, words, *count)));
        let shortfall = |(operation, message): (&String, String)| Shortfall {
            kind: ShortfallKind::CutOff,
            operation: Some(operation.clone()),
            message,
        };
        dropped.chain(unread).map(shortfall).collect()
    }

    /// What has hidden no canary.
    pub(super) fn notes(&self) -> Vec<String> {
        let harmless = self.unread.iter().filter(|((_, words), _)| is_harmless(words));
        harmless.map(|((operation, words), count)| in_words(operation, words, *count)).collect()
    }
}

fn in_words(operation: &str, words: &str, count: u64) -> String {
    format!("`{operation}`, {count} times: {words}")
}

/// Bodies are searched for canaries as they stream, whether or not their JSON is read as well.
fn is_harmless(words: &str) -> bool {
    words.contains("JSON")
}
