//! One step of a scenario, compiled: what is sent, what must come back, what is remembered of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::function::Function;
use crate::plan::FlowId;
use crate::sharing::Public;
use crate::template::{CanaryRef, Fill, Level, Segment, Template, Tree, VariableRef};

/// Index into [`crate::Plan::steps`]. Reports call a step an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u16);

/// Index of a WebSocket or an event stream among those of one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SocketSlot(pub u16);

/// What a principal does in one operation, once for all principals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The name given in the scenario, unique in it.
    pub name: String,
    /// The flow that it belongs to; `auth` for the steps that make a session.
    pub flow: String,
    /// Line of the scenario file, counted from 1.
    pub line: u32,
    /// What is done.
    pub action: Action,
    /// Own canaries that the answer must show; each is a positive control.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sees: Vec<CanaryRef>,
    /// Set where everybody may see what the answer shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<Public>,
    /// What the answer must agree with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<crate::model::Model>,
    /// Values that the answer must give back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub echoes: Vec<crate::model::Echo>,
    /// Whether others ask for it with the ETag that somebody else was given.
    #[serde(default, skip_serializing_if = "is_default")]
    pub revalidated: bool,
    /// Roles that may do it; empty: nothing is said about roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// What later steps use of the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<Capture>,
    /// Own canaries of the turns of blocks before it that the answer must show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sees_of_turns: Vec<TurnCanary>,
    /// On what it depends; where one of these does not hold, it is not due.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub due: Vec<DueIf>,
    /// Set where other groups of steps are done at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// Set where it is done again until its answer is the one that is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// What must stand in an answer of the expected status; one in which it does not is a refusal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expects: Vec<AnswerTest>,
    /// The step fails when it has not ended by then.
    pub time_limit_ms: u64,
}

/// A canary of every turn of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnCanary {
    /// The scope whose turns are meant, and the turns of these.
    pub of: Level,
    /// The block.
    pub block: FlowId,
    /// Index into the block's [`crate::plan::Flow::canaries`].
    pub slot: u16,
}

/// A condition that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueIf {
    /// Index into [`crate::Plan::conditions`].
    pub condition: u16,
    /// The scope in which it is looked at.
    pub at: Level,
}

/// Steps that one principal does while it does those of other groups, on a connection of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Which groups belong together: unique in the plan.
    pub parallel: u16,
    /// Its number among them.
    pub number: u16,
    /// The scope in which they stand.
    pub at: Level,
}

/// How a request is repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// All of these hold of the answer that ends it.
    pub tests: Vec<AnswerTest>,
    /// From an answer to the next request.
    pub every_ms: u64,
    /// Requests at most.
    pub attempts_max: u32,
}

/// What an answer must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerTest {
    /// It has one of these statuses.
    Status(Vec<u16>),
    /// One of the values at a JSONPath (RFC 9535) is one of these texts.
    OneOf {
        /// Where it stands.
        path: String,
        /// The texts.
        texts: Vec<Template>,
    },
    /// Whether something stands at a JSONPath: no null, no empty text, list or map.
    Present {
        /// Where it stands.
        path: String,
        /// Whether it must, or must not.
        present: bool,
    },
}

impl AnswerTest {
    /// The JSONPath, where it has one.
    pub fn path(&self) -> Option<&String> {
        match self {
            Self::Status(_) => None,
            Self::OneOf { path, .. } | Self::Present { path, .. } => Some(path),
        }
    }

    fn texts(&self) -> &[Template] {
        match self {
            Self::OneOf { texts, .. } => texts,
            Self::Status(_) | Self::Present { .. } => &[],
        }
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// An HTTP request and its answer.
    Request(Request),
    /// Opens a WebSocket, which stays open until it is closed or the scope ends.
    Open(Open),
    /// Opens a stream of server-sent events, which stays open until it is closed or the scope ends.
    Subscribe(Subscribe),
    /// Sends a message on an open WebSocket.
    Send {
        /// Which one.
        socket: SocketSlot,
        /// The message.
        payload: Payload,
    },
    /// Waits for events on an open WebSocket or event stream.
    Receive(Receive),
    /// Sends a ping on an open WebSocket and waits for its pong: what the target had sent before it has come by then.
    Ping {
        /// Which one.
        socket: SocketSlot,
    },
    /// Waits until the target closes a WebSocket.
    AwaitClose {
        /// Which one.
        socket: SocketSlot,
        /// The codes of which it must give one; 1005 stands for none.
        codes: Vec<u16>,
    },
    /// Waits for webhooks.
    AwaitWebhook(AwaitWebhook),
    /// Looks through the tables of a PostgreSQL as one tenant sees them.
    SearchPostgres(PostgresSearch),
    /// Looks through the keys of a Redis for what belongs to one tenant.
    SearchRedis(RedisSearch),
    /// Looks through the ends of log files for what belongs to one tenant.
    SearchLogs(LogSearch),
    /// Does nothing for a while; how long, [`crate::Plan::pause_ms`] says.
    Pause {
        /// At least so long.
        ms_min: u64,
        /// At most so long.
        ms_max: u64,
    },
    /// Closes a WebSocket or an event stream.
    Close {
        /// Which one.
        socket: SocketSlot,
        /// What it is.
        #[serde(default, skip_serializing_if = "is_default")]
        wire: Wire,
        /// With a close frame, or by hanging up.
        manner: Closing,
        /// The code in the close frame; 1000 where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
    },
}

/// A search through the tables of a PostgreSQL, in a transaction that can only read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostgresSearch {
    /// Its address: a secret of whoever starts the run.
    pub address: Template,
    /// Settings by which the database knows the tenant, in force for one transaction.
    pub settings: Vec<(String, Template)>,
    /// Tables by name, with or without their schema; empty: all of which a policy holds for the role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// Columns that say whose a row is, in small letters; a table with one of them should have a policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenant_columns: Vec<String>,
}

/// A search through the keys of a Redis, by commands that only read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RedisSearch {
    /// Its address: a secret of whoever starts the run.
    pub address: Template,
    /// Which keys, as a pattern of Redis.
    pub keys: String,
    /// Texts of which a key holds one where it names whose its value is.
    pub names: Vec<Template>,
}

/// A search through the ends of log files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogSearch {
    /// Their paths; in the last part of each, `*` stands for anything.
    pub files: Vec<Template>,
    /// What stands there of the user that is no secret: without it they are other logs, or nothing is written yet.
    pub mentions: Template,
}

/// What events come in on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wire {
    /// A WebSocket.
    #[default]
    WebSocket,
    /// A stream of server-sent events.
    EventStream,
}

/// How a WebSocket ends. An event stream has one way only: to hang up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Closing {
    /// With a close frame and the peer's answer.
    #[default]
    Handshake,
    /// The connection is dropped without a word, as a lost network would.
    HangUp,
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// Path and query, beginning with `/`, or a whole URL. Values put into it are percent-encoded.
    pub path: Template,
    /// Header fields, those of the session (`auth.send`) included.
    pub headers: Vec<(String, Template)>,
    /// Cookies besides those of the principal's jar, those of the session included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cookies: Vec<(String, Template)>,
    /// The body.
    pub body: Option<Payload>,
    /// Statuses that count as ok; empty means any from 200 to 299.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
    /// How many redirects are followed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub follow: u8,
}

impl Request {
    /// Whether the target is asked to do it once, however often it is sent.
    pub fn has_idempotency_key(&self) -> bool {
        self.headers.iter().any(|(name, _)| is_idempotency_key(name))
    }
}

/// Opens a WebSocket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// Its slot in the scope.
    pub socket: SocketSlot,
    /// Path and query.
    pub path: Template,
    /// Header fields of the handshake.
    pub headers: Vec<(String, Template)>,
    /// Cookies besides those of the principal's jar.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cookies: Vec<(String, Template)>,
    /// Subprotocols that are offered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subprotocols: Vec<String>,
    /// It outlives its pass and ends with the stage.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keep: bool,
}

/// Opens a stream of server-sent events, as the answer to a request of any method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscribe {
    /// Its slot in the scope.
    pub socket: SocketSlot,
    /// The request whose answer is the stream.
    pub request: Request,
    /// Sends the id of the last event that came on the stream that had this slot before, as `Last-Event-ID`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resume: bool,
    /// It outlives its pass and ends with the stage.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keep: bool,
}

/// Waits until each of the events has arrived, in this order unless any will do; events between them are passed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receive {
    /// On which WebSocket or stream.
    pub socket: SocketSlot,
    /// What it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub wire: Wire,
    /// The types waited for.
    pub events: Vec<String>,
    /// Only events in which this holds are counted, so that events of my other runs do not answer for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// Only messages in whose bytes these stand are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<Payload>,
    /// The order says nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub any_order: bool,
    /// A later request of the same pass that ends ok only when all events have been sent. With it and a ping after it, an
    /// event that never came is proved to be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<StepId>,
}

/// Waits until webhooks have arrived at a URL of the principal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AwaitWebhook {
    /// Which URL: index into [`crate::plan::Webhooks::names`].
    pub webhook: u16,
    /// How many.
    pub count: u16,
    /// Only those in whose JSON this holds are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
}

/// A condition on an event: the value at a JSONPath equals a filled template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// RFC 9535.
    pub path: String,
    /// What stands there.
    pub equals: Template,
}

/// Bytes to send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// `application/json`; a text frame on a WebSocket.
    Json(Tree),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, Template)>),
    /// `text/plain`; a text frame.
    Text(Template),
    /// `application/octet-stream`; a binary frame.
    Binary(Template),
    /// The same, of bytes that are no text.
    Bytes(Bytes),
    /// `multipart/form-data`.
    Multipart(Vec<Part>),
}

/// Bytes that are no text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bytes {
    /// These.
    Fixed(Vec<u8>),
    /// So many, drawn by the seed: others in each operation.
    Random(u32),
}

impl Bytes {
    /// The bytes themselves.
    pub fn fill(&self, values: &impl Fill) -> Vec<u8> {
        match self {
            Self::Fixed(bytes) => bytes.clone(),
            Self::Random(count) => values.random(*count),
        }
    }
}

/// A part of a [`Payload::Multipart`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name, where it is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its content type, where it is not the one that follows from the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What is in it.
    pub content: PartContent,
}

/// What is in a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartContent {
    /// Text.
    Text(Template),
    /// Bytes that are no text.
    Bytes(Bytes),
    /// Rows of a table, as comma-separated values.
    Csv(Vec<Vec<Template>>),
    /// Rows of a table, as a workbook of one sheet.
    Xlsx(Vec<Vec<Template>>),
}

impl PartContent {
    /// The content type that is said of it; a field that is no file needs none.
    pub fn media_type(&self, is_file: bool) -> Option<&'static str> {
        match self {
            Self::Text(_) => is_file.then_some("text/plain; charset=utf-8"),
            Self::Bytes(_) => Some("application/octet-stream"),
            Self::Csv(_) => Some("text/csv"),
            Self::Xlsx(_) => Some("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        }
    }

    /// All texts in it.
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Text(text) => vec![text],
            Self::Bytes(_) => vec![],
            Self::Csv(rows) | Self::Xlsx(rows) => rows.iter().flatten().collect(),
        }
    }
}

/// A value taken from an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Where it is kept.
    pub variable: VariableRef,
    /// Where it stands in the answer.
    pub from: CaptureFrom,
    /// Whether all that stand there are kept, as a list, or the first.
    #[serde(default, skip_serializing_if = "Which::is_first")]
    pub which: Which,
    /// What is kept where nothing, or null, stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// Who gets it besides the session that captures it: all sessions of its tenant, or of its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_all_of: Option<crate::principal::Scope>,
}

/// Which of several values is captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// The first; the step fails where there is none.
    #[default]
    First,
    /// All, as a list, which may be empty.
    All,
}

impl Which {
    /// Whether it is the first.
    pub fn is_first(&self) -> bool {
        *self == Self::First
    }
}

/// Where a captured value stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureFrom {
    /// The first value at a JSONPath (RFC 9535) of a JSON body, or of the last event or webhook that was waited for.
    Json(String),
    /// A header field, by name.
    Header(String),
    /// A cookie that the answer sets, by name.
    Cookie(String),
    /// The first group of a regular expression, or all that it matches where it has no group, in the body as text.
    Regex(String),
    /// An element of an HTML page.
    Css {
        /// As [`crate::selector::Selector`] reads it.
        selector: String,
        /// Which of its attributes; its text where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
    },
    /// The whole body, as text.
    Body,
    /// The status, as a number.
    Status,
    /// The code with which the target closed a WebSocket; 1005 where it gave none.
    CloseCode,
    /// The reason that it gave, empty where it gave none.
    CloseReason,
    /// A part of what stands elsewhere: the first group of a regular expression, or all that it matches.
    Part {
        /// Where the whole stands.
        whole: Box<CaptureFrom>,
        /// The regular expression.
        regex: String,
    },
}

impl CaptureFrom {
    /// Where it stands, without regard to which part of that is taken.
    pub fn place(&self) -> &Self {
        match self {
            Self::Part { whole, .. } => whole.place(),
            other => other,
        }
    }
}

/// Whether the header field of that name asks the target to do something once, however often it is sent.
pub fn is_idempotency_key(name: &str) -> bool {
    name.eq_ignore_ascii_case("idempotency-key")
}

impl Step {
    /// Whether a word stands in it that the client chooses.
    pub fn chooses(&self) -> bool {
        let mut chooses = false;
        self.each_hole(&mut |hole| {
            chooses |= matches!(hole, Segment::Call { function: Function::Chosen, .. });
        });
        chooses
    }

    /// Shows every hole of what it sends, waits for and expects.
    fn each_hole(&self, show: &mut dyn FnMut(&Segment)) {
        match &self.action {
            Action::Request(request) => request.each_hole(show),
            Action::Subscribe(subscribe) => subscribe.request.each_hole(show),
            Action::Open(open) => {
                open.path.each_hole(show);
                open.headers.iter().chain(&open.cookies).for_each(|(_, value)| value.each_hole(show));
            }
            Action::Send { payload, .. } => payload.each_hole(show),
            Action::Receive(receive) => {
                receive.about.iter().for_each(|about| about.equals.each_hole(show));
                receive.contains.iter().for_each(|payload| payload.each_hole(show));
            }
            Action::AwaitWebhook(awaited) => awaited.about.iter().for_each(|about| about.equals.each_hole(show)),
            Action::SearchPostgres(search) => {
                search.address.each_hole(show);
                search.settings.iter().for_each(|(_, value)| value.each_hole(show));
            }
            Action::SearchRedis(search) => {
                search.address.each_hole(show);
                search.names.iter().for_each(|name| name.each_hole(show));
            }
            Action::SearchLogs(search) => {
                search.files.iter().chain([&search.mentions]).for_each(|text| text.each_hole(show));
            }
            Action::Ping { .. } | Action::AwaitClose { .. } | Action::Pause { .. } | Action::Close { .. } => {}
        }
        let tests = self.expects.iter().chain(self.until.iter().flat_map(|until| &until.tests));
        for text in tests.flat_map(AnswerTest::texts) {
            text.each_hole(show);
        }
        self.echoes.iter().for_each(|echo| echo.value.each_hole(show));
    }

    /// The canaries that the step sends.
    pub fn sends(&self) -> Vec<CanaryRef> {
        match &self.action {
            Action::Request(request) => request.canaries(),
            Action::Open(open) => with_fields(&open.path, &open.headers, &open.cookies),
            Action::Subscribe(subscribe) => subscribe.request.canaries(),
            Action::Send { payload, .. } => payload.canaries(),
            Action::Receive(_)
            | Action::Ping { .. }
            | Action::AwaitClose { .. }
            | Action::AwaitWebhook(_)
            | Action::SearchPostgres(_)
            | Action::SearchRedis(_)
            | Action::SearchLogs(_)
            | Action::Pause { .. }
            | Action::Close { .. } => vec![],
        }
    }

    /// How many random bytes it sends at a time, if it does.
    pub fn random_bytes(&self) -> Option<u32> {
        let random = |bytes: &Bytes| match bytes {
            Bytes::Random(count) => Some(*count),
            Bytes::Fixed(_) => None,
        };
        let payload = match &self.action {
            Action::Request(request) => request.body.as_ref(),
            Action::Send { payload, .. } => Some(payload),
            _ => None,
        };
        match payload? {
            Payload::Bytes(bytes) => random(bytes),
            Payload::Multipart(parts) => {
                let bytes = parts.iter().filter_map(|part| match &part.content {
                    PartContent::Bytes(bytes) => random(bytes),
                    _ => None,
                });
                bytes.max()
            }
            _ => None,
        }
    }

    /// Whether it looks into a store, which knows tenants and none of their users.
    pub fn is_search(&self) -> bool {
        matches!(self.action, Action::SearchPostgres(_) | Action::SearchRedis(_) | Action::SearchLogs(_))
    }

    /// Whether it only lets time pass: it is no operation of the service.
    pub fn is_pause(&self) -> bool {
        matches!(self.action, Action::Pause { .. })
    }

    /// `GET /threads/{thread}`-like words for reports; holes show as `{}`.
    pub fn route(&self) -> String {
        match &self.action {
            Action::Request(request) => format!("{} {}", request.method, skeleton(&request.path)),
            Action::Open(open) => format!("WS {}", skeleton(&open.path)),
            Action::Subscribe(Subscribe { request, .. }) => {
                format!("SSE {} {}", request.method, skeleton(&request.path))
            }
            Action::Send { .. } => "WS send".to_owned(),
            Action::Receive(receive) => format!("{} receive", receive.wire.word()),
            Action::Ping { .. } => "WS ping".to_owned(),
            Action::AwaitClose { .. } => "WS closed by the target".to_owned(),
            Action::AwaitWebhook(_) => "webhook receive".to_owned(),
            Action::SearchPostgres(_) => "PostgreSQL search".to_owned(),
            Action::SearchRedis(_) => "Redis search".to_owned(),
            Action::SearchLogs(_) => "log search".to_owned(),
            Action::Pause { .. } => "pause".to_owned(),
            Action::Close { wire, .. } => format!("{} close", wire.word()),
        }
    }
}

/// The type of text messages in which none is found, on a WebSocket and, as their standard says, on event streams.
pub const MESSAGE: &str = "message";

/// The type of binary messages in which none is found.
pub const BINARY: &str = "binary";

impl Wire {
    fn word(self) -> &'static str {
        match self {
            Self::WebSocket => "WS",
            Self::EventStream => "SSE",
        }
    }
}

impl Request {
    fn canaries(&self) -> Vec<CanaryRef> {
        let mut found = with_fields(&self.path, &self.headers, &self.cookies);
        found.extend(self.body.iter().flat_map(Payload::canaries));
        found
    }

    /// Shows every hole of its path, header fields, cookies and body.
    pub fn each_hole(&self, show: &mut dyn FnMut(&Segment)) {
        self.path.each_hole(show);
        for (_, value) in self.headers.iter().chain(&self.cookies) {
            value.each_hole(show);
        }
        self.body.iter().for_each(|body| body.each_hole(show));
    }

    /// Whether an answer with this status is the one that the scenario expects.
    pub fn accepts(&self, status: u16) -> bool {
        if self.statuses.is_empty() { (200..300).contains(&status) } else { self.statuses.contains(&status) }
    }
}

impl Payload {
    fn each_hole(&self, show: &mut dyn FnMut(&Segment)) {
        match self {
            Self::Json(tree) => tree.each_hole(show),
            Self::Form(fields) => fields.iter().for_each(|(_, value)| value.each_hole(show)),
            Self::Text(text) | Self::Binary(text) => text.each_hole(show),
            Self::Multipart(parts) => {
                parts.iter().flat_map(|part| part.content.templates()).for_each(|text| text.each_hole(show));
            }
            Self::Bytes(_) => {}
        }
    }

    fn canaries(&self) -> Vec<CanaryRef> {
        match self {
            Self::Json(tree) => tree.canaries(),
            Self::Form(fields) => fields.iter().flat_map(|(_, value)| value.canaries()).collect(),
            Self::Text(template) | Self::Binary(template) => template.canaries().collect(),
            Self::Bytes(_) => vec![],
            Self::Multipart(parts) => {
                let texts = parts.iter().flat_map(|part| part.content.templates());
                texts.flat_map(Template::canaries).collect()
            }
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn with_fields(path: &Template, headers: &[(String, Template)], cookies: &[(String, Template)]) -> Vec<CanaryRef> {
    let values = headers.iter().chain(cookies).map(|(_, value)| value);
    std::iter::once(path).chain(values).flat_map(Template::canaries).collect()
}

/// The path without its query, with `{}` for each hole.
fn skeleton(path: &Template) -> String {
    let mut out = String::new();
    for segment in &path.segments {
        match segment {
            crate::template::Segment::Text(text) => out.push_str(text),
            _ => out.push_str("{}"),
        }
    }
    out.split('?').next().unwrap_or_default().to_owned()
}
