//! What was received and could not be looked at.

use std::collections::BTreeMap;

use coalmine_core::history::{CutOff, Event};
use coalmine_core::verdict::{Shortfall, ShortfallKind};

use crate::round::{Round, receipt_of};

/// Different words that are kept.
const KINDS_MAX: usize = 1000;

/// Sightings that were dropped, and parts of answers that were not looked at.
#[derive(Default)]
pub(super) struct Unseen {
    dropped: BTreeMap<String, u64>,
    unread: BTreeMap<(String, CutOff), u64>,
}

impl Unseen {
    /// Something happened to an operation.
    pub(super) fn event(&mut self, round: &Round, event: &Event) {
        let (Some(place), Some(receipt)) = (round.place(event.op), receipt_of(&event.what)) else { return };
        if receipt.seen_dropped > 0 {
            let name = round.step(place).name.clone();
            *self.dropped.entry(name).or_default() += u64::from(receipt.seen_dropped);
        }
        for cut_off in &receipt.cut_off {
            let key = (round.step(place).name.clone(), *cut_off);
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
        let unread = self.unread.iter().filter(|((_, cut_off), _)| cut_off.may_hide_canaries());
        let unread = unread.map(|((operation, cut_off), count)| (operation, in_words(operation, *cut_off, *count)));
        let shortfall = |(operation, message): (&String, String)| Shortfall {
            kind: ShortfallKind::CutOff,
            operation: Some(operation.clone()),
            message,
        };
        dropped.chain(unread).map(shortfall).collect()
    }

    /// What has hidden no canary.
    pub(super) fn notes(&self) -> Vec<String> {
        let harmless = self.unread.iter().filter(|((_, cut_off), _)| !cut_off.may_hide_canaries());
        harmless.map(|((operation, cut_off), count)| in_words(operation, *cut_off, *count)).collect()
    }
}

fn in_words(operation: &str, cut_off: CutOff, count: u64) -> String {
    format!("`{operation}`, {count} times: {cut_off}")
}
