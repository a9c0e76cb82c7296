//! The History: what happened, in order, append-only, on disk while the run goes on.
//!
//! A file is a row of zstd frames, each with a checksum, each holding whole lines; a line is one [`Record`] as JSON. So
//! `zstdcat history.jsonl.zst | jq` reads it, and a file whose end was torn off by a kill is read up to there.

mod event;
mod reader;
mod reading;
mod writer;

pub use event::{
    Answer, Astray, Channel, ConnectionId, CutOff, Decision, Digest, Event, EventFrame, Happening, Hop, IdentityFact,
    NotDue, Opcode, OpenFor, OpenTable, Outline, Receipt, Seen, Shaken,
};
pub use reader::{HistoryError, Reader, Tail};
pub use reading::{Caching, Compared, Directive, ETag, EchoFact, Leaf, LeafValue, ReadValue, Reading, Veiled};
pub use writer::{Writer, encode};

use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::step::StepId;

/// Version of the file; a reader refuses others.
pub const HISTORY_FORMAT: u32 = 1;

/// One line of a history.
#[expect(clippy::large_enum_variant, reason = "nearly all records are events; a box for each would cost more")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// The first line.
    Header(Header),
    /// A round begins.
    Round(Box<Plan>),
    /// Something happened in the round.
    Event(Event),
    /// The round is over.
    RoundEnd(RoundEnd),
    /// The last line: the run ended by itself, in whatever way. A history without it was killed.
    RunEnd {
        /// Microseconds since the start of the run.
        at_us: u64,
        /// Whether it was stopped from outside.
        interrupted: bool,
    },
}

/// The first line of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`HISTORY_FORMAT`].
    pub format: u32,
    /// Version of Coalmine that wrote it.
    pub coalmine: String,
    /// Wall-clock start, milliseconds since 1970 UTC.
    pub started_unix_ms: u64,
    /// The command line that brings the run back.
    pub reproduce: String,
}

/// How a round ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundEnd {
    /// Every stage was gone through.
    Completed,
    /// It was stopped from outside.
    Interrupted,
    /// The target could not be tested: it did not answer, or a session could not be made.
    Untestable {
        /// The step that failed; none when the target was never ready.
        step: Option<StepId>,
        /// What was wrong.
        why: String,
    },
}
