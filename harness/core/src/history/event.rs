//! What an operation did and what it brought back.

use coalmine_canary::{CanaryId, CutReason, Encoding, Sighting};
use serde::{Deserialize, Serialize};

use crate::budget::Limit;
use crate::perturb::{Moment, Perturbation};
use crate::plan::OpId;
use crate::principal::PrincipalId;
use crate::step::StepId;
use crate::template::{VariableRef, plain};

/// Something happened to an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the one order of all events of the run, from 0.
    pub seq: u64,
    /// Microseconds since the start of the run, by a clock that only goes forward; never less than that of an earlier `seq`.
    pub at_us: u64,
    /// To which operation of the current round. For frames, the one that opened the WebSocket or the event stream, or that was
    /// the first to tell the URL at which the webhook came in.
    pub op: OpId,
    /// What.
    pub what: Happening,
}

/// What happened. Every `invoke` is followed by at most one of `ok`, `fail` and `info`, and before it by any number of `attempt`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// It is about to be sent.
    Invoke {
        /// On which connection; none where it opens one of its own or waits on an open one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connection: Option<ConnectionId>,
    },
    /// It is about to be sent once more: the connection that was kept open for it turned out to be closed, and a second sending is
    /// the same to the target.
    SentAgain {
        /// On which connection.
        connection: ConnectionId,
    },
    /// It happened, and the whole answer is here.
    Ok(Answer),
    /// It certainly did not happen as asked: refused, or never sent.
    Fail {
        /// What came back.
        answer: Answer,
        /// In words, without secrets.
        why: String,
    },
    /// It may have happened: no whole answer, a time-out, a server's error.
    Info {
        /// What came back before it broke off.
        answer: Answer,
        /// In words, without secrets.
        why: String,
    },
    /// The session of the operation was made anew, since the target no longer accepted it. The operation is invoked again.
    Renewed,
    /// An answer came that was not the last: the operation goes on. There may be several between `invoke` and the end.
    Attempt {
        /// What came back.
        answer: Answer,
        /// Why it was not the last, in words, without secrets.
        why: String,
        /// What was sent, where that is not the operation itself: a step that makes its session anew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
    },
    /// It was planned and not sent.
    Skipped {
        /// In words.
        why: String,
    },
    /// The client shook the target with this operation, or could not: between its `invoke` and its end.
    Perturbed(Shaken),
    /// It was planned and not sent, because the run's budget was used up.
    Withheld {
        /// Which limit was reached.
        limit: Limit,
    },
    /// It was planned for a case that did not come, and not sent. Nothing is missing because of that.
    NotDue {
        /// Which case.
        because: NotDue,
    },
    /// A message came in on a WebSocket or an event stream, or as a webhook.
    Frame(EventFrame),
    /// Who one principal is, for each of [`crate::Plan::identities`] that is known once its session is made.
    Identity {
        /// Whose.
        principal: PrincipalId,
        /// The values.
        values: Vec<IdentityFact>,
    },
    /// What one principal's webhooks must carry, by [`crate::plan::Webhooks::credential`].
    Credential {
        /// Whose.
        principal: PrincipalId,
        /// The value.
        value: Digest,
    },
    /// The detector was shown a forged leak in the receive path; it is never part of the findings.
    SelfTest {
        /// Through which channel.
        channel: Channel,
        /// Whether the forged canary was found.
        found: bool,
    },
}

/// What became of a perturbation of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shaken {
    /// Which.
    pub what: Perturbation,
    /// Whether the point that was aimed at was reached.
    pub reached: bool,
    /// When it was, in microseconds: of a race, from the opening of the gate to the last byte; of a cancel, from the last byte that was
    /// sent to the hang-up; of a delay, how long it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_us: Option<u32>,
    /// What was decided about it on the way, where no plan could say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decision>,
}

/// What was decided while a round ran, from what had happened in it by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Of a race: how many were let go together, and how long this one would have waited for the others. Those who wait lose
    /// patience where gates do not fill.
    LetGo {
        /// Itself among them.
        company: u16,
        /// In microseconds.
        patience_us: u32,
    },
    /// Of a cancel at a part of the usual time: what the operation's answers usually took by then, and how long after the last byte of
    /// the request it was to be given up.
    GivenUp {
        /// In microseconds.
        usual_us: u32,
        /// In microseconds.
        wait_us: u32,
    },
    /// Of what waits for another operation: how far that had come when it went on, and how long that took.
    Awaited {
        /// None where it was not ready by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        come: Option<Moment>,
        /// In microseconds.
        waited_us: u32,
    },
}

impl Shaken {
    /// Without more that is known about it.
    pub fn new(what: Perturbation, reached: bool) -> Self {
        Self { what, reached, after_us: None, decided: None }
    }
}

/// Why an operation was not due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotDue {
    /// The list of its block has no item for its turn.
    Item,
    /// A condition does not hold.
    Condition,
    /// It uses what another operation would have captured that was not due itself.
    Value,
}

/// A connection's number in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionId(pub u32);

/// The answer to an operation, or the part of it that arrived.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status, also that of a WebSocket handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Bytes of body that arrived.
    #[serde(default, skip_serializing_if = "is_default")]
    pub body_bytes: u64,
    /// The redirects that were followed before this answer.
    #[serde(default, skip_serializing_if = "<[Hop]>::is_empty")]
    pub hops: Box<[Hop]>,
    /// For a `receive`: the events of the list that arrived, by index, in the order of arrival.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrived: Vec<u16>,
    /// What it looks like from outside, for tries at objects that must not differ from unknown ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outline: Option<Outline>,
    /// All that it says, value by value, for looks that are compared with each other.
    #[serde(default, skip_serializing_if = "<[super::Leaf]>::is_empty")]
    pub leaves: Box<[super::Leaf]>,
    /// What its JSON is made of, as a number: the same keys and types give the same, in every round. Only where the plan asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<u16>,
    /// What it tells caches, in the answer to a read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caching: Option<Box<super::Caching>>,
    /// Microseconds from `invoke` until all of the request was handed to the system, where that was watched: elsewhere it is at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_us: Option<u32>,
    /// Microseconds from `invoke` until the head of the answer was here; none where none came. Of an operation that is answered
    /// several times, or redirected, those of its last request alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_us: Option<u32>,
    /// What was recognised in it.
    #[serde(default, skip_serializing_if = "Receipt::is_empty")]
    pub receipt: Receipt,
}

/// A redirect that was followed. What was recognised in it stands in the receipt of the last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The HTTP status.
    pub status: u16,
    /// Bytes of its body.
    pub body_bytes: u64,
}

/// What an answer looks like to somebody who does not read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// The names of its header fields, sorted, those left out that change by themselves.
    pub fields: Digest,
    /// Length of the body without the id that was asked for, each time that it is quoted.
    pub bytes: u64,
    /// Length of that id.
    pub id_bytes: u32,
}

/// A message that came in on a WebSocket, its close frame, a block of an event stream, or a webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventFrame {
    /// Its number on this WebSocket or stream, or at this URL, from 0.
    pub index: u32,
    /// Of what kind.
    pub opcode: Opcode,
    /// Length of its payload.
    pub bytes: u64,
    /// The event's type, where [`crate::Plan::event_type`] finds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// What was recognised in it.
    #[serde(default, skip_serializing_if = "Receipt::is_empty")]
    pub receipt: Receipt,
}

/// Kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Opcode {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
    /// The end, with a code and a reason.
    Close,
    /// A block of an event stream: an event, or comments in which something was recognised.
    Event,
    /// What came of a block of an event stream before the stream ended in the middle of it.
    EventCut,
    /// A webhook.
    Webhook,
}

/// What was recognised in what one principal received.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Canaries: others' first, then those of the receiver's own that the step must show (in a frame, any of them).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// Sightings of others' canaries that were not kept because there were too many.
    #[serde(default, skip_serializing_if = "is_default")]
    pub seen_dropped: u32,
    /// Values at the paths of [`crate::Plan::identities`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentityFact>,
    /// Variables that were captured, and a digest of their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captured: Vec<(VariableRef, Digest)>,
    /// What is compared with what the answer should say, where the scenario says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Box<super::Compared>>,
    /// What could not be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut_off: Vec<CutOff>,
    /// In a search: tables that show the role the rows of all tenants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_tables: Vec<OpenTable>,
    /// In a search: own canaries under keys that do not name their owner, or in logs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub astray: Vec<Astray>,
    /// In a webhook: what stood where [`crate::plan::Webhooks::credential`] says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Digest>,
}

/// A table of which a column says whose each row is, and no policy holds for the role by which it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTable {
    /// With its schema, in the quotes that it needs.
    pub table: String,
    /// The column.
    pub column: String,
    /// Why no policy holds.
    pub why: OpenFor,
}

/// A canary under a key that does not name its owner, or in a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Astray {
    /// The canary.
    pub canary: CanaryId,
    /// The key, without what may be a value in it; the file and where in it.
    pub place: String,
}

/// Why no policy of a table holds for a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpenFor {
    /// The table has row-level security switched off.
    Everybody,
    /// The role owns the table, and it is not forced on its owner.
    ItsOwner,
    /// The role is a superuser, or bypasses row-level security.
    TheRole,
}

/// Something received that could not be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutOff {
    /// JSON of more than so many bytes was scanned for canaries, and not read for identities and captures.
    Json {
        /// The limit.
        bytes_max: u64,
    },
    /// Of a body only this much was taken.
    Body {
        /// The limit.
        bytes_max: u64,
    },
    /// Only so many rows of a table were looked at.
    Rows {
        /// The limit.
        rows_max: u32,
    },
    /// Only so many tables were looked at.
    Tables {
        /// The limit.
        tables_max: u32,
    },
    /// Only so many keys were looked at.
    Keys {
        /// The limit.
        keys_max: u32,
    },
    /// Values of a kind that is not known were not looked at.
    Kinds,
    /// Only so many identity values of an answer were kept.
    Identities {
        /// The limit.
        kept: u32,
    },
    /// An archive, or an encoding in an encoding, was not scanned to its end.
    Scan {
        /// What it was.
        encoding: Encoding,
        /// Why.
        reason: CutReason,
    },
}

/// A sighting and the channel it came through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Where.
    pub channel: Channel,
    /// What; its offset counts within the channel's bytes of this answer.
    pub sighting: Sighting,
}

/// The part of an answer in which something is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// The reason phrase.
    StatusLine,
    /// A header field, name and value.
    Header,
    /// The body.
    Body,
    /// A trailer field.
    Trailer,
    /// A WebSocket text message.
    TextFrame,
    /// A WebSocket binary message.
    BinaryFrame,
    /// The reason in a WebSocket close frame.
    CloseReason,
    /// The bytes of a server-sent event as they came, comments and unfinished events included.
    SseEvent,
    /// The request line, the header and the body of a webhook, looked at as one text.
    Webhook,
    /// A value in a store that the harness was let look into.
    Store,
}

/// The value that stood at an identity's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdentityFact {
    /// Index into [`crate::Plan::identities`].
    pub rule: u16,
    /// The value.
    pub value: Digest,
}

/// A keyed digest that stands for a value: equal values have equal digests, and the value does not come back out of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u64);

impl Channel {
    /// All of them, in the order of a report.
    pub const ALL: [Channel; 10] = [
        Self::StatusLine,
        Self::Header,
        Self::Body,
        Self::Trailer,
        Self::TextFrame,
        Self::BinaryFrame,
        Self::CloseReason,
        Self::SseEvent,
        Self::Webhook,
        Self::Store,
    ];
}

impl CutOff {
    /// Whether a canary may have hidden there.
    pub fn may_hide_canaries(self) -> bool {
        !matches!(self, Self::Json { .. } | Self::Identities { .. })
    }
}

impl std::fmt::Display for CutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json { bytes_max } => write!(f, "JSON of more than {bytes_max} bytes was not read for identities"),
            Self::Body { bytes_max } => write!(f, "a body of more than {bytes_max} bytes was not taken to its end"),
            Self::Rows { rows_max } => write!(f, "of a table only {rows_max} rows were looked at"),
            Self::Tables { tables_max } => write!(f, "only {tables_max} tables were looked at"),
            Self::Keys { keys_max } => write!(f, "only {keys_max} keys were looked at"),
            Self::Kinds => f.write_str("values of a kind that is not known were not looked at"),
            Self::Identities { kept } => write!(f, "only {kept} values of identity fields were kept"),
            Self::Scan { encoding, reason } => {
                let why = match reason {
                    CutReason::Depth => "it lay too deep in other encodings",
                    CutReason::Ratio => "it unpacks to too many bytes",
                    CutReason::Crowd => "too many seemed to begin at the same place",
                    _ => "it is damaged",
                };
                write!(f, "{encoding} was not scanned to its end: {why}")
            }
        }
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::StatusLine => "status line",
            Self::Header => "header",
            Self::Body => "body",
            Self::Trailer => "trailer",
            Self::TextFrame => "text frame",
            Self::BinaryFrame => "binary frame",
            Self::CloseReason => "close reason",
            Self::SseEvent => "SSE event",
            Self::Webhook => "webhook",
            Self::Store => "store",
        })
    }
}

impl Receipt {
    /// Values at the paths of [`crate::step::Step::models`].
    pub fn readings(&self) -> &[super::Reading] {
        self.compared.as_ref().map_or(&[], |compared| &compared.readings)
    }

    /// Values of [`crate::step::Step::echoes`].
    pub fn echoes(&self) -> &[super::EchoFact] {
        self.compared.as_ref().map_or(&[], |compared| &compared.echoes)
    }

    /// Whether nothing was recognised, captured or cut off.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Digest {
    /// The digest of a canary's name.
    pub fn of_canary(key: &[u8; 32], canary: coalmine_canary::CanaryId) -> Self {
        let name = format!("canary {}/{}/{}", canary.owner.0, canary.serial.0, canary.shape);
        Self::of(key, &name.into())
    }

    /// The digest of a value under a key of the run ([`crate::Seed::derive`] with the purpose `coalmine digest v1`).
    pub fn of(key: &[u8; 32], value: &serde_json::Value) -> Self {
        let hash = blake3::keyed_hash(key, plain(value).as_bytes());
        let (head, _) = hash.as_bytes().split_first_chunk::<8>().expect("a BLAKE3 hash has 32 bytes");
        Self(u64::from_le_bytes(*head))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
