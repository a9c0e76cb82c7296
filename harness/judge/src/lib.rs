//! A History becomes a Verdict.
//!
//! [`judge`] is pure and total: it opens nothing, reads no clock, and whatever stands in the history it answers. What it
//! cannot decide is a [`coalmine_core::verdict::Shortfall`], never a pass. It reads the history twice, so that its memory is
//! bounded by one round's plan and the findings: the first pass asks the oracles and counts what was exercised, the second
//! looks up when the secrets of the few findings were planted.
//!
//! What a pass does not prove: it speaks of the operations, canaries and overlaps that the coverage lists, and of no others.

mod book;
mod coverage;
mod credentials;
#[cfg(test)]
mod fixture;
mod floods;
mod fold;
mod guard;
mod identities;
mod judge;
mod judgement;
mod lead;
mod listing;
mod making;
mod oracle;
mod pattern;
mod planting;
mod probes;
mod records;
mod round;
mod sharing;
mod waived;

pub use judge::judge;
pub use judgement::{Ending, Judgement};
pub use records::{Kept, Records};
