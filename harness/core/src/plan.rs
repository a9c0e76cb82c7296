//! The Plan: everything that one round will do, resolved before anything is sent.

use std::collections::BTreeMap;

use coalmine_canary::{CanaryId, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::condition::Condition;
use crate::earlier::EarlierRound;
use crate::fit::Fit;
use crate::history::Channel;
use crate::perturb::{Gate, Manner, Perturbation};
use crate::principal::{Principal, PrincipalId, Scope};
use crate::property::Property;
use crate::seed::Seed;
use crate::sharing::{Member, Sharing};
use crate::sought::Sought;
use crate::step::{Action, Step, StepId};
use crate::template::{CanaryRef, Level, Template, VariableRef};
use crate::worth::WorthRule;

/// Version of the plan as it is written into a history.
pub const PLAN_FORMAT: u32 = 1;

/// What one round does: a pure function of the scenario, the seed and the round's number.
///
/// It holds no canary's bytes: they are minted from the seed when they are sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: Seed,
    /// The round's number, from 0.
    pub round: u32,
    /// Where it goes.
    pub target: Target,
    /// Whether tenants act at the same time.
    pub schedule: Schedule,
    /// Variables that whoever starts the run may set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
    /// Names of the values that every principal has, such as `tenant.name`.
    pub attributes: Vec<String>,
    /// Which of them are secrets of accounts: they stand in no plan, and the run alone knows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret_attributes: Vec<u16>,
    /// Those of them that are looked for; the number in this list is that in the detector's dictionary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sought: Vec<Sought>,
    /// Whether each round has other people.
    #[serde(default, skip_serializing_if = "Cast::is_new")]
    pub cast: Cast,
    /// Those who act. Their ids are consecutive; one who has no credentials comes last.
    pub principals: Vec<Principal>,
    /// The operations' descriptions; [`StepId`] is an index into it.
    pub steps: Vec<Step>,
    /// On what steps may depend; [`crate::step::DueIf`] has the index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Names of the variables and canaries of each flow; [`FlowId`] is an index into it. The first is the session's own.
    pub flows: Vec<Flow>,
    /// Each pass of a principal through a flow; [`ScopeId`] is an index into it.
    pub scopes: Vec<ScopeOf>,
    /// What is done: stage by stage, in each stage lane beside lane, in each lane one operation after another.
    pub stages: Vec<Stage>,
    /// How many operations there are; [`OpId`]s run from 0 to it.
    pub op_count: u32,
    /// Operations that are released together; [`crate::perturb::GateId`] is an index into it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// How long answers to these steps take as a rule, in microseconds, where that is known before the round: a cancel at a part of
    /// that time needs it from the first operation on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub usual_us: BTreeMap<StepId, u32>,
    /// How many connections there are that several tenants use.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shared_connections: u16,
    /// Perturbations that the scenario asks for by name: a verdict wants to see that each hit its point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub demanded: Vec<Perturbation>,
    /// The scenario's rules about operations of different tenants, by name: a verdict wants to see that each was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Fields of answers that say whose they are.
    pub identities: Vec<IdentityRule>,
    /// Objects that others must not reach.
    pub objects: Vec<ObjectRule>,
    /// Who may see more than the scopes of canaries say.
    #[serde(default, skip_serializing_if = "Sharing::is_empty")]
    pub sharing: Sharing,
    /// How the type of an event is read, as a JSONPath.
    pub event_type: Option<String>,
    /// Which part of a text message on a WebSocket is JSON: the first group of a regular expression. All of it where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_part: Option<String>,
    /// Whether each session keeps the cookies that it is given, and sends them back as a browser does.
    #[serde(default)]
    pub cookies: Cookies,
    /// When a session is made anew, if it ever is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
    /// How a session ends, if the scenario says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logout: Option<Logout>,
    /// How a session is made anew, where what it showed itself by before is refused from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voiding: Option<Voiding>,
    /// Values by which a session shows who it is, where nothing else does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<VariableRef>,
    /// Where webhooks are received, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Webhooks>,
    /// What the verdict demands.
    pub policy: Policy,
    /// What the scenario states of the service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
    /// Steps that no operation does because they write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<StepId>,
    /// How much the whole run, of which this is a round, may cost the target.
    #[serde(default, skip_serializing_if = "Budget::is_unbounded")]
    pub budget: Budget,
    /// Whether histories say what the JSON of answers is made of.
    #[serde(default, skip_serializing_if = "Shapes::are_untold")]
    pub shapes: Shapes,
    /// Set in a campaign, whose rounds have a history each: what those before have planted, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Vec<EarlierRound>>,
}

/// A variable that whoever starts the run may set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its value; none for a secret, which the run alone knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Who acts in the rounds of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cast {
    /// Others in each round.
    #[default]
    New,
    /// Accounts that exist: the same in each round, in the same places, under new numbers.
    Same,
}

impl Cast {
    /// Whether others act in each round.
    pub fn is_new(&self) -> bool {
        *self == Self::New
    }
}

/// What a session does with the cookies that an answer sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cookies {
    /// Keeps them in a jar of its own, as a browser does.
    Jar,
    /// Forgets them. The default of plans that were written before there were jars.
    #[default]
    Off,
}

/// What is done about a session that the target no longer accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// The steps that make a session; they send the same canaries again.
    pub steps: Vec<StepId>,
    /// Statuses that say so, of an operation whose session worked before.
    pub statuses: Vec<u16>,
    /// How often one session may be made anew in a round.
    pub renewals_max: u32,
}

/// How a session is made once more, and how it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logout {
    /// The steps that make a session; what they capture is the session's own.
    pub login: Vec<StepId>,
    /// The steps that end it.
    pub steps: Vec<StepId>,
}

/// How a session is made, and how it is made anew, so that what it showed itself by before is void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voiding {
    /// The steps that make a session; what they capture is the session's own.
    pub login: Vec<StepId>,
    /// The steps that make it anew.
    pub renew: Vec<StepId>,
}

/// A receiver of webhooks. Each principal has a URL of its own for each name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Webhooks {
    /// `address:port` on which Coalmine listens; port 0 is a free one.
    pub listen: String,
    /// `http://host:port` as the target reaches it, where that is not the address on which Coalmine listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// The names that the scenario uses.
    pub names: Vec<String>,
    /// By what the target shows on whose behalf it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
}

/// Where a credential stands in a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialFrom {
    /// A header field, by name.
    Header(String),
    /// The first value at a JSONPath (RFC 9535) of the body.
    Json(String),
}

/// A credential that webhooks carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// Where it stands.
    pub from: CredentialFrom,
    /// What stands there in webhooks for me; made of values of the session.
    pub mine: Template,
}

/// Where the traffic goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `http://host:port` or `https://host:port`; paths of steps stand behind a path in it.
    pub base_url: String,
    /// Hosts besides loopback to which traffic may go.
    pub allowed_hosts: Vec<String>,
    /// A path that answers with a status from 200 to 299 once the target is ready.
    pub ready_path: Option<String>,
    /// How long that may take.
    pub ready_limit_ms: u64,
    /// The name by which the target is called, `host` or `host:port`, where that is not the one in its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_header: Option<String>,
    /// What requests and event streams are sent in; WebSockets are opened over HTTP/1.1.
    #[serde(default, skip_serializing_if = "HttpVersion::is_http1")]
    pub http: HttpVersion,
    /// Whether requests say that their answers may be compressed, as those of browsers do.
    #[serde(default, skip_serializing_if = "Compression::is_off")]
    pub compression: Compression,
    /// Whom to trust, and as whom to come, where the target speaks TLS.
    #[serde(default, skip_serializing_if = "Tls::is_default")]
    pub tls: Tls,
}

/// Whether answers may be compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// In every way that can be read back.
    On,
    /// Nothing is said. The default of plans that were written before there was a choice.
    #[default]
    Off,
}

impl Compression {
    /// Whether nothing is said.
    pub fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HttpVersion {
    /// HTTP/1.1.
    #[default]
    #[serde(rename = "1.1", alias = "1")]
    Http1,
    /// HTTP/2: by prior knowledge, or as TLS agrees on it.
    #[serde(rename = "2")]
    Http2,
}

impl HttpVersion {
    /// Whether it is HTTP/1.1.
    pub fn is_http1(&self) -> bool {
        *self == Self::Http1
    }
}

/// Whom to trust besides the authorities of the web, and as whom to come. Files are in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// A file with certificates: of authorities, or those that servers show themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The name for which the target's certificate must stand, where that is not the host of its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A certificate to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientCertificate>,
}

/// A certificate that all connections show, and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCertificate {
    /// A file with the certificate, and those between it and its authority.
    pub cert: String,
    /// A file with its private key.
    pub key: String,
}

impl Tls {
    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether tenants act at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// All lanes of a stage at once.
    #[default]
    Together,
    /// One tenant after another: what a harness without concurrency would do.
    OneAtATime,
    /// All lanes of a stage, but one operation at a time, in the order of their numbers, which ascend in every lane.
    InTurn,
}

/// Whether histories say what the JSON of answers is made of, by which a campaign tells states of a service apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shapes {
    /// They do not.
    #[default]
    Untold,
    /// They do.
    Told,
}

impl Shapes {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn are_untold(&self) -> bool {
        *self == Self::Untold
    }
}

/// Index into [`Plan::flows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlowId(pub u16);

impl FlowId {
    /// The flow that makes a session.
    pub const SESSION: FlowId = FlowId(0);
}

/// The names that a flow's slots have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// `auth` for the session.
    pub name: String,
    /// Captured values.
    pub variables: Vec<String>,
    /// Canaries.
    pub canaries: Vec<CanarySpec>,
    /// Names of WebSockets.
    pub sockets: Vec<String>,
    /// With whom each pass shares what it makes; the session's members share in all passes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// Set where it is a block of steps in another, with a scope of its own for each turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Block>,
}

/// Steps of a flow that are gone through in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The flow or block in which it stands.
    pub within: FlowId,
    /// The list that has an item for each turn; without it, every turn is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Items>,
}

/// A captured list, of which each turn of a block has one item. Turns beyond its end are not due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    /// The list, as seen from the scope around the block.
    pub list: VariableRef,
    /// The turn's variable in which its item stands.
    pub item: u16,
}

/// A canary that the scenario names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanarySpec {
    /// The name.
    pub name: String,
    /// What it looks like.
    pub shape: Shape,
    /// Who may see it.
    pub scope: Scope,
    /// The step that sends it first.
    pub planted_by: StepId,
    /// What its field allows, where that is less than its shape takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
}

/// Index into [`Plan::scopes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeId(pub u32);

/// One pass of one principal through one flow: the room in which its variables and canaries live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeOf {
    /// Whose pass.
    pub principal: PrincipalId,
    /// Through which flow.
    pub flow: FlowId,
    /// Its number among the passes of this principal through this flow, from 0.
    pub pass: u32,
    /// One for each [`Flow::canaries`].
    pub canaries: Vec<CanaryId>,
    /// One for each [`Flow::members`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<PrincipalId>,
    /// Set where it is a turn of a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
}

/// Which turn of a block a scope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The pass or turn in which the block stands; a scope with a smaller number.
    pub within: ScopeId,
    /// Its number among the turns there, from 0.
    pub index: u32,
}

/// A stretch of the round; the next begins when all lanes are through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// What it is for.
    pub phase: Phase,
    /// Those who act in it.
    pub lanes: Vec<Lane>,
}

/// What a stage is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Makes the sessions. The target cannot be tested when it fails.
    Auth,
    /// The flows of the scenario.
    Flows,
    /// Tries to reach others' objects.
    Probe,
    /// Owners look at the objects that were tried.
    Confirm,
    /// Removes what was made.
    Cleanup,
}

/// One principal's operations in one stage, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Who acts.
    pub principal: PrincipalId,
    /// In order.
    pub ops: Vec<Op>,
    /// Set where it is a short session beside the principal's own lane: it begins once this operation of that lane has ended, and
    /// what it has opened stays open until all other lanes of the stage are through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<OpId>,
}

/// An operation's number within its round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpId(pub u32);

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// Its number.
    pub id: OpId,
    /// What is done.
    pub step: StepId,
    /// Whose canaries it sends, and where its captures go.
    pub scope: ScopeId,
    /// Set where it has another purpose than the flow itself.
    #[serde(default, skip_serializing_if = "Purpose::is_flow")]
    pub purpose: Purpose,
    /// How it is done, where that is not the plain way.
    #[serde(default, skip_serializing_if = "Manner::is_plain")]
    pub manner: Manner,
}

/// Why an operation is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// It is part of a flow.
    #[default]
    Flow,
    /// It tries an object that belongs to another: its flow variables come from `victim`'s scope.
    Probe {
        /// Whose object.
        victim: ScopeId,
        /// Index into [`Plan::objects`].
        object: u16,
        /// What is tried.
        access: Access,
    },
    /// A member looks at what was shared with it: flow variables and the canaries that it must see are those of `host`.
    Visit {
        /// Whose pass.
        host: ScopeId,
    },
    /// A user of another role does the step in a colleague's pass: flow variables are those of `host`.
    Role {
        /// Whose pass.
        host: ScopeId,
        /// Whether the role may.
        allowed: bool,
    },
    /// It tries an object that nobody has: the id is that of `like`'s scope, changed into another of the same form.
    Unknown {
        /// Whose object's id is changed.
        like: ScopeId,
        /// Index into [`Plan::objects`].
        object: u16,
        /// What is tried.
        #[serde(default, skip_serializing_if = "is_default")]
        access: Access,
    },
    /// One of many answers of which the time is compared: half of them are to the id of another's object, half to one that nobody has.
    Timed {
        /// Whose object.
        like: ScopeId,
        /// Index into [`Plan::objects`].
        object: u16,
        /// Which id.
        id: TimedId,
    },
    /// One of many looks of one user at the same thing of its own: before some of them another tenant has worked, before others it has
    /// been silent.
    Twin {
        /// The latest pass of that other.
        with: ScopeId,
        /// What the other has done since the look before.
        neighbour: Neighbour,
    },
    /// Somebody without credentials does the step: flow variables, and what says where something stands, are those of `host`.
    Anonymous {
        /// Whose pass.
        host: ScopeId,
    },
    /// It shakes the target: it is cut off, or sent again, or removes what such an operation may have made. Whether it ends ok says
    /// nothing, and nothing is captured of it.
    Shake,
    /// Somebody who has made nothing looks whether there is something.
    Fresh,
    /// It asks whether what it has is still good, with the ETag that another was given by the same step.
    Revalidate {
        /// Whose pass.
        other: ScopeId,
    },
    /// The owner looks at the object after it was tried.
    Confirm {
        /// The operation that tried it.
        probe: OpId,
    },
    /// It is part of a short session: one more of the same user, which is made and ended while the other goes on.
    Short {
        /// Where the values live that make the session.
        session: ScopeId,
        /// Which part.
        part: Part,
    },
}

/// The id that an answer is about of which the time is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimedId {
    /// That of another's object.
    Others,
    /// One that nobody has, the same each time.
    Nobodys,
}

/// What another tenant has done between two looks of a user at what is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Neighbour {
    /// It does not matter yet: both get used to each other.
    WarmingUp,
    /// Nothing.
    Silent,
    /// It has gone through a flow.
    Active,
}

/// A part of a short session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// It makes the session.
    Login,
    /// It reads while the session lasts.
    Before,
    /// It opens a WebSocket or an event stream, which is not closed when the session ends.
    Listen,
    /// It ends the session.
    Logout,
    /// It makes the session anew, by which what it showed itself by before is void.
    Renew,
    /// It reads when the session has ended, with what it showed itself by until then. A service may take a moment; so it is tried more than once, and the last try counts.
    After,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Purpose {
    /// Whether the operation is part of a flow.
    pub fn is_flow(&self) -> bool {
        *self == Self::Flow
    }

    /// Whether it is done while the flows are, be it to shake the target.
    pub fn is_traffic(&self) -> bool {
        matches!(self, Self::Flow | Self::Shake)
    }

    /// Whether it does what the scenario allows and expects to end ok.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Flow | Self::Visit { .. })
    }
}

/// What is tried with another's object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// To see its content.
    #[default]
    Read,
    /// To change it.
    Update,
    /// To remove it.
    Delete,
    /// To list what belongs to it.
    List,
    /// To export it.
    Export,
}

impl Access {
    /// All of them.
    pub const ALL: [Access; 5] = [Self::Read, Self::Update, Self::Delete, Self::List, Self::Export];
}

impl ObjectRule {
    /// The step that does it.
    pub fn step(&self, access: Access) -> Option<StepId> {
        match access {
            Access::Read => Some(self.read),
            Access::Update => self.update,
            Access::Delete => self.delete,
            Access::List => self.list,
            Access::Export => self.export,
        }
    }
}

/// A field of answers and events that says whose the content is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRule {
    /// The name given in the scenario, such as `user`.
    pub name: String,
    /// RFC 9535; every value that it finds in a JSON answer or event is looked at.
    pub path: String,
    /// What mine is.
    pub mine: Mine,
    /// Who else may stand there: with `tenant`, any user of my tenant.
    pub scope: Scope,
}

/// What the identity of the receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mine {
    /// Any value that was captured into this variable in any scope of mine of that flow.
    Variable {
        /// Which flow's variable ([`FlowId::SESSION`] for the session).
        flow: FlowId,
        /// Its slot.
        slot: u16,
    },
    /// My attribute.
    Attribute(u16),
}

/// An object that others must not reach: a captured id and the steps that use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRule {
    /// The name given in the scenario.
    pub name: String,
    /// The flow in which it is made.
    pub flow: FlowId,
    /// The captured id.
    pub id: VariableRef,
    /// Reads it.
    pub read: StepId,
    /// Changes it.
    pub update: Option<StepId>,
    /// Removes it.
    pub delete: Option<StepId>,
    /// Lists what belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<StepId>,
    /// Exports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<StepId>,
    /// Statuses with which others are refused; empty: nothing is said about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<u16>,
    /// Whether others must not be able to tell its id from one that nobody has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub indistinguishable: bool,
}

/// What the verdict demands besides the absence of violations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Each operation of a flow must have been in flight this often together with another tenant's operation.
    pub overlap_min: u32,
    /// This share of the pairs of operations must have been in flight together for different tenants.
    pub overlap_pairs_min_percent: u8,
    /// This share of the operations that were sent must have ended ok.
    pub ok_min_percent: u8,
    /// What caches may be told about private answers.
    #[serde(default, skip_serializing_if = "CachingRule::is_default")]
    pub caching: CachingRule,
    /// Oracles that are not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oracles_off: Vec<crate::verdict::OracleId>,
    /// Oracles that are asked though they are not by default, and those of which what they find is a violation though it would be a note.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oracles_on: Vec<crate::verdict::OracleId>,
    /// The same of which what they find is a note, and no violation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oracles_warn: Vec<crate::verdict::OracleId>,
    /// A pass must show at 95 % that fewer than so many of a million trials leak; 0: any number of trials will do.
    #[serde(default, skip_serializing_if = "is_default")]
    pub leak_rate_max_ppm: u32,
    /// This share of the passes must have been gone through whole; 0: nothing is said about them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub passes_min_percent: u8,
    /// No more operations that were due may stay unsent; none: any number may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsent_max: Option<u32>,
    /// What the tenants are worth, and how much of it must come through unharmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected: Option<WorthRule>,
}

/// What caches may be told about private answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CachingRule {
    /// Nothing that lets a shared cache give them to others for certain.
    #[default]
    Certain,
    /// They must say that shared caches keep out, and no two users are given the same strong ETag.
    Strict,
}

impl CachingRule {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Policy {
    /// Whether the oracle is asked.
    pub fn asks(&self, oracle: crate::verdict::OracleId) -> bool {
        let is_named = |named: &[crate::verdict::OracleId]| named.contains(&oracle);
        if oracle.is_opt_in() {
            is_named(&self.oracles_on) || is_named(&self.oracles_warn)
        } else {
            !is_named(&self.oracles_off)
        }
    }

    /// Whether what the oracle finds is a note, and no violation.
    pub fn is_note(&self, oracle: crate::verdict::OracleId) -> bool {
        if oracle.is_advice() { !self.oracles_on.contains(&oracle) } else { self.oracles_warn.contains(&oracle) }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            overlap_min: 1,
            overlap_pairs_min_percent: 25,
            ok_min_percent: 90,
            caching: CachingRule::Certain,
            oracles_off: vec![],
            oracles_on: vec![],
            oracles_warn: vec![],
            leak_rate_max_ppm: 0,
            passes_min_percent: 0,
            unsent_max: None,
            protected: None,
        }
    }
}

impl Plan {
    /// The step's description.
    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[usize::from(id.0)]
    }

    /// The scope.
    pub fn scope(&self, id: ScopeId) -> &ScopeOf {
        &self.scopes[id.0 as usize]
    }

    /// The flow's names.
    pub fn flow(&self, id: FlowId) -> &Flow {
        &self.flows[usize::from(id.0)]
    }

    /// The principal of that number, if it acts in this round.
    pub fn principal(&self, id: PrincipalId) -> Option<&Principal> {
        let first = self.principals.first()?.id.0;
        self.principals.get(id.0.checked_sub(first)? as usize)
    }

    /// Whether the owner is this principal, in this round or in an earlier one.
    pub fn is_self(&self, principal: PrincipalId, owner: PrincipalId) -> bool {
        let count = u32::try_from(self.principals.len()).unwrap_or(u32::MAX).max(1);
        let before = || principal.0.checked_sub(owner.0).is_some_and(|back| back % count == 0);
        principal == owner || self.cast == Cast::Same && before()
    }

    /// Where the session's canaries and variables of a principal live. Session scopes come first, in the principals' order.
    pub fn session_scope(&self, principal: PrincipalId) -> ScopeId {
        let first = self.principals.first().map_or(0, |principal| principal.id.0);
        ScopeId(principal.0 - first)
    }

    /// The scope that a level means, seen from a scope.
    pub fn scope_at(&self, scope: ScopeId, level: Level) -> ScopeId {
        match level {
            Level::Flow => scope,
            Level::Session => self.session_scope(self.scope(scope).principal),
            Level::Outer(levels) => self.around(scope).nth(usize::from(levels)).unwrap_or(scope),
        }
    }

    /// The scope itself, and then those around it: from a turn out to the pass.
    pub fn around(&self, scope: ScopeId) -> impl Iterator<Item = ScopeId> + '_ {
        // What is around has a smaller number, so that this ends also in a plan that was tampered with.
        let outward = |inner: &ScopeId| self.scope(*inner).turn.map(|turn| turn.within).filter(|outer| outer < inner);
        std::iter::successors(Some(scope), outward)
    }

    /// The pass to which a scope belongs: itself, or the one around all its blocks.
    pub fn pass_of(&self, scope: ScopeId) -> ScopeId {
        self.around(scope).last().unwrap_or(scope)
    }

    /// Which canary a reference of a step means in a scope.
    pub fn canary(&self, scope: ScopeId, canary: CanaryRef) -> CanaryId {
        self.scope(self.scope_at(scope, canary.level)).canaries[usize::from(canary.slot)]
    }

    /// What is said of the canary that a reference of a step means in a scope.
    pub fn canary_spec(&self, scope: ScopeId, canary: CanaryRef) -> &CanarySpec {
        let flow = self.scope(self.scope_at(scope, canary.level)).flow;
        &self.flow(flow).canaries[usize::from(canary.slot)]
    }

    /// Every canary, and what is said of it.
    pub fn canaries(&self) -> impl Iterator<Item = (CanaryId, &CanarySpec)> + Clone {
        self.scopes.iter().flat_map(|scope| scope.canaries.iter().copied().zip(&self.flow(scope.flow).canaries))
    }

    /// The principal that is a member of a scope, of its pass or else of its session.
    pub fn member(&self, scope: ScopeId, level: Level, member: u16) -> Option<PrincipalId> {
        let scope = match level {
            Level::Flow | Level::Outer(_) => self.pass_of(scope),
            Level::Session => self.session_scope(self.scope(scope).principal),
        };
        self.scope(scope).members.get(usize::from(member)).copied()
    }

    /// Whether making a session captures the variable, so that each session of a user has a value of its own.
    pub fn is_of_login(&self, variable: VariableRef) -> bool {
        let login = self.logout.iter().flat_map(|logout| &logout.login);
        let anew = self.voiding.iter().flat_map(|voiding| voiding.login.iter().chain(&voiding.renew));
        let mut captures = login.chain(anew).flat_map(|step| &self.step(*step).captures);
        variable.level == Level::Session && captures.any(|capture| capture.variable == variable)
    }

    /// How long the operation waits, if it is a pause: what the seed draws from its range.
    pub fn pause_ms(&self, op: &Op) -> Option<u64> {
        let Action::Pause { ms_min, ms_max } = self.step(op.step).action else { return None };
        let hash = blake3::keyed_hash(&self.seed.derive("coalmine pauses v1", self.round), &op.id.0.to_le_bytes());
        let (head, _) = hash.as_bytes().split_first_chunk::<8>().expect("a BLAKE3 hash has 32 bytes");
        let span = u128::from(ms_max.saturating_sub(ms_min)) + 1;
        let share = (u128::from(u64::from_le_bytes(*head)) * span) >> 64;
        Some(ms_min.saturating_add(u64::try_from(share).unwrap_or_default()))
    }

    /// Whose canaries the operation must show: its own scope's, or its host's.
    pub fn whose_canaries(&self, op: &Op) -> ScopeId {
        match op.purpose {
            Purpose::Visit { host } => host,
            _ => op.scope,
        }
    }

    /// Every operation with the phase and the principal that it belongs to, in the order of stages and lanes.
    pub fn ops(&self) -> impl Iterator<Item = (Phase, PrincipalId, &Op)> {
        self.stages.iter().flat_map(|stage| {
            let lanes = stage.lanes.iter();
            lanes.flat_map(move |lane| lane.ops.iter().map(move |op| (stage.phase, lane.principal, op)))
        })
    }

    /// The path of a principal's URL for webhooks, without the slash: 32 letters and digits that nobody guesses who does not
    /// know the seed.
    pub fn webhook_path(&self, principal: PrincipalId, slot: u16) -> String {
        let key = self.seed.derive("coalmine webhooks v1", 0);
        let hash = blake3::keyed_hash(&key, format!("{}/{slot}", principal.0).as_bytes());
        hash.to_hex()[..32].to_owned()
    }

    /// Whether something may come in through the channel.
    pub fn uses(&self, channel: Channel) -> bool {
        let does = |wanted: fn(&Action) -> bool| self.steps.iter().any(|step| wanted(&step.action));
        match channel {
            Channel::StatusLine | Channel::Header | Channel::Body | Channel::Trailer => true,
            Channel::TextFrame | Channel::BinaryFrame | Channel::CloseReason => {
                does(|action| matches!(action, Action::Open(_)))
            }
            Channel::SseEvent => does(|action| matches!(action, Action::Subscribe(_))),
            Channel::Webhook => self.webhooks.is_some(),
            Channel::Store => does(|action| matches!(action, Action::SearchPostgres(_) | Action::SearchRedis(_))),
        }
    }
}
