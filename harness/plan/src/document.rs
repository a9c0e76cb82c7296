//! What a scenario file may say, as plain serde structs: each field is a key of the language.

use std::fmt;
use std::marker::PhantomData;

use coalmine_core::Scope;
use coalmine_core::model::{Holds, Unknown};
use coalmine_core::plan::{CachingRule, Compression, Cookies, HttpVersion};
use coalmine_core::sharing::Reach;
use coalmine_core::step::Closing;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use crate::span::Spanned;

/// The whole file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Document {
    /// Version of the language.
    pub(crate) coalmine: Spanned<u32>,
    /// What the scenario is called in reports.
    pub(crate) name: Spanned<String>,
    /// Other files that are part of it; paths count from the file that names them.
    #[expect(dead_code, reason = "files are joined before the document is read; here the key is known and checked")]
    pub(crate) include: Option<OneOrMore>,
    /// What is otherwise in other surroundings, by the name that `--profile` chooses: here, or in a file of its own.
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "a profile is laid over the document before that is read; here all of them are checked"
    )]
    pub(crate) profiles: Entries<Either<Spanned<String>, ProfileText>>,
    /// Where the traffic goes.
    #[serde(default)]
    pub(crate) target: TargetText,
    /// How many tenants act, or more about them.
    pub(crate) tenants: Option<Either<Spanned<u32>, TenantsText>>,
    /// Unique secrets by name.
    #[serde(default)]
    pub(crate) canaries: Entries<Either<Spanned<String>, CanaryText>>,
    /// Values that whoever starts the run may set.
    #[serde(default)]
    pub(crate) variables: Entries<Either<Spanned<String>, VariableText>>,
    /// Done before any session, once for each tenant and each user.
    #[serde(default)]
    pub(crate) register: OnceText,
    /// Done at the very end, once for each user and each tenant.
    #[serde(default)]
    pub(crate) teardown: OnceText,
    /// JSON by name, put in wherever a hole names it.
    #[serde(default)]
    pub(crate) values: Entries<Spanned<Content>>,
    /// How a user gets a session.
    pub(crate) auth: Option<AuthText>,
    /// What somebody without credentials does; `off`: nothing.
    pub(crate) anonymous: Option<Either<Spanned<Switch>, AnonymousText>>,
    /// Fields of answers that say whose they are.
    #[serde(default)]
    pub(crate) identity: Entries<IdentityText>,
    /// About events.
    pub(crate) events: Option<EventsText>,
    /// Where webhooks are received.
    pub(crate) webhooks: Option<WebhooksText>,
    /// What users do.
    pub(crate) flows: Spanned<Entries<FlowText>>,
    /// Captured ids that others must not be able to use.
    #[serde(default)]
    pub(crate) objects: Entries<ObjectText>,
    /// Who may see more than `may_see` says.
    #[serde(default)]
    pub(crate) sharing: SharingText,
    /// What the verdict demands.
    #[serde(default)]
    pub(crate) policy: PolicyText,
    /// How the target is shaken: `off`, or how much of each perturbation.
    pub(crate) perturb: Option<Either<Spanned<String>, PerturbsText>>,
    /// Rules about operations of different tenants.
    #[serde(default)]
    pub(crate) reactions: Entries<ReactionText>,
    /// What is stated of the service: each is told as pass, fail or undecided.
    #[serde(default)]
    pub(crate) properties: Entries<PropertyText>,
    /// How much a run may cost the target.
    #[serde(default)]
    pub(crate) budget: BudgetText,
}

/// How much of each perturbation there is.
pub(crate) type PerturbsText = Entries<Either<Spanned<String>, PerturbText>>;

/// A statement about the service: no finding of these oracles in these steps. At least one of the three.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct PropertyText {
    /// The oracles that decide it; without it, all.
    pub(crate) oracles: Option<OneOrMore>,
    /// The steps that it is about; without it and `flows`, all.
    pub(crate) steps: Option<OneOrMore>,
    /// Flows of which it is about all steps.
    pub(crate) flows: Option<OneOrMore>,
}

/// What tenants are worth, and how much of it must come through unharmed.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ProtectedText {
    /// The attribute of tenants that says it: whole numbers.
    pub(crate) value: Spanned<String>,
    /// A pass must show that so much came through unharmed.
    pub(crate) minimum: Spanned<u64>,
}

/// How much of a perturbation there is, and where.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct PerturbText {
    /// Share of the operations, or passes, that it comes over.
    pub(crate) percent: Option<Spanned<u32>>,
    /// The steps that it may come over; without it, all that can.
    pub(crate) steps: Option<Spanned<OneOrMore>>,
}

/// A rule: what operations of one tenant do when another's have come so far. One of `begin`, `cancel` and `together`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ReactionText {
    /// The step that begins once another tenant's has come so far.
    pub(crate) begin: Option<Spanned<String>>,
    /// The step that is given up once another tenant's has come so far, in passes besides the others.
    pub(crate) cancel: Option<Spanned<String>>,
    /// Steps of as many tenants that are released together.
    pub(crate) together: Option<Spanned<OneOrMore>>,
    /// The moment that is waited for.
    pub(crate) once: Option<Spanned<MomentText>>,
    /// How it is given up: with RST, if nothing is said, or in HTTP/2 on its stream.
    pub(crate) by: Option<Spanned<HangUpText>>,
    /// How much later it comes at most; the seed chooses.
    pub(crate) jitter: Option<Spanned<String>>,
    /// Of how many of the operations, or passes: of all, if nothing is said.
    pub(crate) percent: Option<Spanned<u32>>,
}

/// How far an operation of another tenant has come: one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct MomentText {
    /// The step is about to be sent.
    pub(crate) in_flight: Option<Spanned<String>>,
    /// The step has ended, however it ended.
    pub(crate) ended: Option<Spanned<String>>,
}

/// How a request is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HangUpText {
    /// With RST.
    Reset,
    /// With FIN.
    Close,
    /// Our direction is closed with FIN; the answer is still read.
    HalfClose,
    /// Not at all: nothing more is written or read.
    Silence,
    /// In HTTP/2 with `RST_STREAM`; with FIN elsewhere.
    Stream,
}

/// What stands in a profile instead of what the scenario says: maps entry by entry, anything else as a whole.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct ProfileText {
    /// Where the traffic goes.
    pub(crate) target: TargetText,
    /// How many tenants act, or more about them.
    pub(crate) tenants: Option<Either<Spanned<u32>, TenantsText>>,
    /// Values that whoever starts the run may set.
    pub(crate) variables: Entries<Either<Spanned<String>, VariableText>>,
    /// Where webhooks are received.
    pub(crate) webhooks: Option<WebhooksText>,
    /// What the verdict demands.
    pub(crate) policy: PolicyText,
    /// How much a run may cost the target.
    pub(crate) budget: BudgetText,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct SharingText {
    /// What users of a role see besides their own.
    pub(crate) roles: Entries<Spanned<Reach>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct TargetText {
    /// `http://host:port`.
    pub(crate) url: Option<Spanned<String>>,
    /// A path that answers 2xx once the target is ready.
    pub(crate) ready: Option<Spanned<String>>,
    /// How long that may take.
    pub(crate) ready_within: Option<Spanned<String>>,
    /// Hosts besides loopback to which traffic may go.
    pub(crate) hosts: Vec<Spanned<String>>,
    /// The name by which the target is called.
    pub(crate) host_header: Option<Spanned<String>>,
    /// Whether answers may be compressed.
    pub(crate) compression: Option<Spanned<Compression>>,
    /// What requests are sent in.
    pub(crate) http: Option<Spanned<HttpVersion>>,
    /// Whom to trust, and as whom to come.
    pub(crate) tls: TlsText,
}

/// Files are in PEM, and stand beside the scenario.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct TlsText {
    /// A file with certificates that are trusted.
    pub(crate) ca: Option<Spanned<String>>,
    /// The name for which the target's certificate must stand.
    pub(crate) name: Option<Spanned<String>>,
    /// A file with a certificate to show.
    pub(crate) cert: Option<Spanned<String>>,
    /// A file with its key.
    pub(crate) key: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TenantsText {
    /// How many.
    pub(crate) count: Option<Spanned<u32>>,
    /// A table of accounts that exist already.
    pub(crate) accounts: Option<Either<Spanned<String>, AccountsText>>,
    /// Users of each: how many, or one by one.
    pub(crate) users: Option<Either<Spanned<u32>, Spanned<Vec<UserText>>>>,
    /// How many of them have all these users; in the others the first is alone.
    pub(crate) users_in: Option<Spanned<u32>>,
    /// What `tenant.name` is.
    pub(crate) name: Option<Spanned<String>>,
    /// Tenants besides those that make nothing.
    pub(crate) fresh: Option<Spanned<u32>>,
    /// Sessions of each user.
    pub(crate) sessions: Option<Spanned<u32>>,
    /// Values that tenants have in turn.
    #[serde(default)]
    pub(crate) attributes: Entries<OneOrMore>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct AccountsText {
    /// The table.
    pub(crate) file: Spanned<String>,
    /// Columns that are no secrets.
    #[serde(default)]
    pub(crate) open: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct VariableText {
    /// Its value where nobody sets it.
    pub(crate) default: Option<Spanned<String>>,
    /// Whether it must stand in no file and no output.
    #[serde(default)]
    pub(crate) secret: bool,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct OnceText {
    /// Once for each tenant, by its first user.
    pub(crate) tenant: Vec<Spanned<StepText>>,
    /// Once for each user, in its first session.
    pub(crate) user: Vec<Spanned<StepText>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct UserText {
    /// Its role in its tenant.
    pub(crate) role: Option<Spanned<String>>,
    /// How many like it (1).
    pub(crate) count: Option<Spanned<u32>>,
}

/// One with whom a pass shares what it makes.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct MemberText {
    /// Where it comes from.
    pub(crate) who: Spanned<Who>,
    /// The role that it has.
    pub(crate) role: Option<Spanned<String>>,
    /// How much of its tenant may see what is shared.
    pub(crate) scope: Option<Spanned<Scope>>,
    /// Which canaries it may see; without it, all of the pass.
    pub(crate) sees: Option<Spanned<OneOrMore>>,
}

/// Where a member comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Who {
    /// Another user of the same tenant.
    Colleague,
    /// A user of the tenant's partner, which is one fixed other tenant.
    Partner,
}

/// Where a member comes from, or more about it.
pub(crate) type MembersText = Entries<Either<Spanned<Who>, MemberText>>;

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CanaryText {
    /// What it looks like.
    pub(crate) shape: Spanned<String>,
    /// The most characters that its field takes.
    pub(crate) max_length: Option<Spanned<u32>>,
    /// A regular expression that its field must match as a whole; for the shape `token`.
    pub(crate) pattern: Option<Spanned<String>>,
    /// Who may see it.
    #[serde(default)]
    pub(crate) may_see: Scope,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct AuthText {
    /// Done once for each user.
    #[serde(default)]
    pub(crate) steps: Vec<Spanned<StepText>>,
    /// What each later request carries.
    #[serde(default)]
    pub(crate) send: SendText,
    /// With whom a user shares everything.
    #[serde(default)]
    pub(crate) members: MembersText,
    /// Ends a session. With it, some users make another session beside their own, and end it.
    pub(crate) logout: Option<Spanned<Vec<Spanned<StepText>>>>,
    /// When a session is made anew; `off`: never.
    pub(crate) renew: Option<Either<Spanned<Switch>, RenewText>>,
    /// Whether each session has a cookie jar.
    #[serde(default = "jar")]
    pub(crate) cookies: Cookies,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct RenewText {
    /// The steps that make it anew, where it is not those that capture what `send` needs.
    pub(crate) steps: Option<Spanned<OneOrMore>>,
    /// Statuses that say that a session is no longer accepted.
    pub(crate) status: Option<Either<Spanned<u32>, Vec<Spanned<u32>>>>,
    /// Whether what a session showed itself by before is refused from then on; then it is tried.
    pub(crate) voids: Option<Spanned<Switch>>,
    /// How often one session may be made anew in a round.
    pub(crate) at_most: Option<Spanned<u32>>,
}

fn jar() -> Cookies {
    Cookies::Jar
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct SendText {
    /// Header fields.
    pub(crate) headers: Entries<Spanned<String>>,
    /// Cookies.
    pub(crate) cookies: Entries<Spanned<String>>,
    /// The query.
    pub(crate) query: Entries<Spanned<String>>,
}

/// Whether something is done at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Switch {
    /// It is, as by default.
    On,
    /// It is not.
    Off,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct AnonymousText {
    /// Steps of flows that are tried without credentials; without it, those that read and need nothing captured.
    pub(crate) tries: Option<Spanned<OneOrMore>>,
    /// Steps of its own, which need no credentials.
    pub(crate) steps: Vec<Spanned<StepText>>,
    /// How often it goes through them.
    pub(crate) repeat: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct IdentityText {
    /// JSONPath of the field.
    pub(crate) field: Spanned<String>,
    /// A captured variable or an attribute: what stands there when the answer is mine.
    pub(crate) mine: Spanned<String>,
    /// Who else may stand there.
    #[serde(default)]
    pub(crate) may_see: Scope,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct EventsText {
    /// Which part of a text message on a WebSocket is JSON: the first group of a regular expression.
    pub(crate) regex: Option<Spanned<String>>,
    /// JSONPath of an event's type.
    #[serde(rename = "type")]
    pub(crate) kind: Spanned<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WebhooksText {
    /// `address:port`.
    pub(crate) listen: Option<Spanned<String>>,
    /// `http://host:port` as the target reaches it.
    pub(crate) public_url: Option<Spanned<String>>,
    /// By what the target shows on whose behalf it calls.
    pub(crate) credential: Option<Spanned<CredentialText>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CredentialText {
    /// The header field in which it stands.
    pub(crate) header: Option<Spanned<String>>,
    /// The JSONPath at which it stands.
    pub(crate) field: Option<Spanned<String>>,
    /// What stands there in webhooks for me.
    pub(crate) mine: Spanned<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct FlowText {
    /// How often each user goes through it.
    pub(crate) repeat: Option<Spanned<u32>>,
    /// What is done, in order.
    pub(crate) steps: Spanned<Vec<Spanned<StepText>>>,
    /// Roles of those who go through it; without it, all.
    pub(crate) by: Option<Spanned<OneOrMore>>,
    /// With whom each pass shares what it makes.
    #[serde(default)]
    pub(crate) members: MembersText,
    /// What members do, once all are through the flow.
    #[serde(default)]
    pub(crate) visits: Entries<Vec<Spanned<StepText>>>,
    /// What is done at the end of the round, in the same pass.
    #[serde(default)]
    pub(crate) cleanup: Vec<Spanned<StepText>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ObjectText {
    /// The captured id.
    pub(crate) id: Spanned<String>,
    /// The step that reads it.
    pub(crate) read: Spanned<String>,
    /// The step that changes it.
    pub(crate) update: Option<Spanned<String>>,
    /// The step that removes it.
    pub(crate) delete: Option<Spanned<String>>,
    /// The step that lists what belongs to it.
    pub(crate) list: Option<Spanned<String>>,
    /// The step that exports it.
    pub(crate) export: Option<Spanned<String>>,
    /// Statuses with which others are refused.
    pub(crate) refused: Option<Either<Spanned<u32>, Vec<Spanned<u32>>>>,
    /// Whether others cannot tell it from an unknown one.
    #[serde(default)]
    pub(crate) indistinguishable: bool,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct PolicyText {
    /// Operations must have been in flight this often together with another tenant's.
    pub(crate) overlap: Option<Spanned<u32>>,
    /// Share of the pairs of operations that must have been in flight together.
    pub(crate) overlap_pairs_percent: Option<Spanned<u32>>,
    /// Share of the operations that must have ended ok.
    pub(crate) ok_percent: Option<Spanned<u32>>,
    /// Share of the passes that must have been gone through whole.
    pub(crate) passes_percent: Option<Spanned<u32>>,
    /// How many operations that were due may stay unsent.
    pub(crate) unsent: Option<Spanned<u32>>,
    /// What tenants are worth, and how much of it must come through unharmed.
    pub(crate) protected: Option<Spanned<ProtectedText>>,
    /// A pass must show at 95 % that fewer trials leak than this share of them, such as `0.1%`.
    pub(crate) leak_rate: Option<Spanned<String>>,
    /// How many others try each user's objects.
    pub(crate) probes: Option<Spanned<u32>>,
    /// What caches may be told about private answers.
    pub(crate) caching: CachingRule,
    /// Oracles by name, `on` or `off`; some also `warn`.
    pub(crate) oracles: Entries<Spanned<String>>,
}

/// Limits of a run over all its rounds; what is planned beyond them is not sent, and makes the verdict inconclusive.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct BudgetText {
    /// Requests, handshakes and frames that are sent; those that clean up are reserved.
    pub(crate) requests: Option<Spanned<u64>>,
    /// How fast they may follow each other, those of all tenants together, in pairs: `5/s`, `30/m`.
    pub(crate) rate: Option<Spanned<String>>,
    /// Bytes in both directions: `10MB`.
    pub(crate) bytes: Option<Spanned<String>>,
    /// From the start of the run to the last request that does not clean up: `5m`.
    pub(crate) time: Option<Spanned<String>>,
    /// Connections that are open at the same time.
    pub(crate) connections: Option<Spanned<u32>>,
}

/// Struct name by which the deserializer knows how deep blocks of steps stand in each other.
pub(crate) const STEP: &str = "StepText";

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct StepText {
    /// Its name, unique in the scenario; a block and a pause have none.
    pub(crate) id: Option<Spanned<String>>,

    /// A block: its steps so many times.
    pub(crate) repeat: Option<Spanned<u32>>,
    /// A block: its steps for each item of a captured list, by the item's name.
    pub(crate) each: Option<Spanned<Entries<Spanned<String>>>>,
    /// Items at most.
    pub(crate) at_most: Option<Spanned<u32>>,
    /// A block: groups of steps at the same time.
    pub(crate) parallel: Option<Spanned<Vec<Spanned<StepsText>>>>,
    /// The steps of a block.
    pub(crate) steps: Option<Spanned<StepsText>>,
    /// What is done at the end of the round for each turn of a block.
    pub(crate) cleanup: Option<Spanned<StepsText>>,
    /// Due only where all of this holds.
    pub(crate) when: Option<Spanned<Entries<Spanned<Content>>>>,
    /// Due only where not all of this holds.
    pub(crate) unless: Option<Spanned<Entries<Spanned<Content>>>>,
    /// Does nothing for so long, or for a time between two.
    pub(crate) pause: Option<Spanned<OneOrMore>>,
    /// Sent again until all of this holds of the answer.
    pub(crate) until: Option<Spanned<Entries<Spanned<Content>>>>,
    /// The pause between an answer and the next request.
    pub(crate) every: Option<Spanned<String>>,
    /// Requests at most.
    pub(crate) attempts: Option<Spanned<u32>>,

    /// A GET request to this path.
    pub(crate) get: Option<Spanned<String>>,
    /// A POST request to this path.
    pub(crate) post: Option<Spanned<String>>,
    /// A PUT request to this path.
    pub(crate) put: Option<Spanned<String>>,
    /// A PATCH request to this path.
    pub(crate) patch: Option<Spanned<String>>,
    /// A DELETE request to this path.
    pub(crate) delete: Option<Spanned<String>>,
    /// A HEAD request to this path.
    pub(crate) head: Option<Spanned<String>>,
    /// An OPTIONS request to this path.
    pub(crate) options: Option<Spanned<String>>,
    /// A request as `METHOD /path`.
    pub(crate) request: Option<Spanned<String>>,
    /// Opens a WebSocket at this path.
    pub(crate) websocket: Option<Spanned<String>>,
    /// Opens a stream of server-sent events at this path.
    pub(crate) sse: Option<Spanned<String>>,
    /// Sends a text frame.
    pub(crate) send: Option<Spanned<Content>>,
    /// Sends a binary frame.
    pub(crate) send_binary: Option<Spanned<BinaryText>>,
    /// Waits for events of these types.
    pub(crate) receive: Option<Spanned<OneOrMore>>,
    /// Sends a ping on the WebSocket of this name and waits for the pong.
    pub(crate) ping: Option<Spanned<String>>,
    /// Waits until the target closes a WebSocket with one of these codes.
    pub(crate) expect_close: Option<Spanned<Codes>>,
    /// Waits for webhooks at the URL of this name.
    pub(crate) await_webhook: Option<Spanned<String>>,
    /// Looks through the tables of the PostgreSQL at this address, a secret variable.
    pub(crate) postgres: Option<Spanned<String>>,
    /// Settings by which the database knows the tenant.
    pub(crate) set: Option<Spanned<Entries<Spanned<String>>>>,
    /// Tables that are looked through; without it, all with a policy.
    pub(crate) tables: Option<Spanned<OneOrMore>>,
    /// Columns that say whose a row is: tables with one of them should have a policy.
    pub(crate) tenant_columns: Option<Spanned<OneOrMore>>,
    /// Looks through the keys of the Redis at this address, a secret variable.
    pub(crate) redis: Option<Spanned<String>>,
    /// Which keys are looked at, as a pattern of Redis; without it, all.
    pub(crate) keys: Option<Spanned<String>>,
    /// Looks through the ends of these log files for secrets of the user.
    pub(crate) logs: Option<Spanned<OneOrMore>>,
    /// What stands in the logs of the user that is no secret.
    pub(crate) mentions: Option<Spanned<String>>,
    /// What a key holds where it names whose its value is.
    pub(crate) names: Option<Spanned<OneOrMore>>,
    /// Closes a WebSocket or an event stream.
    pub(crate) close: Option<Spanned<Closing>>,

    /// A JSON body.
    pub(crate) json: Option<Spanned<Content>>,
    /// A form as body.
    pub(crate) form: Option<Spanned<Entries<Spanned<String>>>>,
    /// Text as body.
    pub(crate) text: Option<Spanned<String>>,
    /// Bytes as body.
    pub(crate) binary: Option<Spanned<BinaryText>>,
    /// Fields and files as body.
    pub(crate) multipart: Option<Spanned<Entries<FieldText>>>,
    /// Header fields.
    pub(crate) headers: Option<Spanned<Entries<Spanned<String>>>>,
    /// Cookies besides those of the jar.
    pub(crate) cookies: Option<Spanned<Entries<Spanned<String>>>>,
    /// The query.
    pub(crate) query: Option<Spanned<Entries<Spanned<String>>>>,
    /// Whether it carries what `auth.send` says, as it does without a word.
    pub(crate) auth: Option<Spanned<Switch>>,
    /// Subprotocols that are offered.
    pub(crate) subprotocols: Option<Spanned<Vec<Spanned<String>>>>,
    /// The name of the WebSocket or event stream that is opened.
    #[serde(rename = "as")]
    pub(crate) named: Option<Spanned<String>>,
    /// Whether the stream goes on after the last event that came on the one before.
    pub(crate) resume: Option<Spanned<bool>>,
    /// The id of the event after which the stream goes on.
    pub(crate) last_event_id: Option<Spanned<String>>,
    /// The name of the WebSocket or event stream that is used.
    pub(crate) on: Option<Spanned<String>>,
    /// The code in the close frame.
    pub(crate) code: Option<Spanned<u32>>,
    /// Whether a WebSocket or an event stream outlives its pass.
    pub(crate) keep: Option<Spanned<bool>>,
    /// Whether events must come in the order of the list.
    pub(crate) order: Option<Spanned<OrderText>>,
    /// A later step that ends ok only when all events have been sent.
    pub(crate) confirmed_by: Option<Spanned<String>>,
    /// How many are waited for.
    pub(crate) count: Option<Spanned<u32>>,
    /// Only events in which this holds count.
    pub(crate) about: Option<Spanned<Entries<Spanned<String>>>>,
    /// Only messages in whose bytes these stand count.
    pub(crate) contains: Option<Spanned<BinaryText>>,
    /// What the answer must be.
    pub(crate) expect: Option<Spanned<ExpectText>>,
    /// How many redirects are followed.
    pub(crate) follow: Option<Spanned<u32>>,
    /// What is remembered of the answer.
    pub(crate) capture: Option<Spanned<Entries<CaptureFromText>>>,
    /// Own canaries that the answer must show.
    pub(crate) sees: Option<Spanned<OneOrMore>>,
    /// Whether everybody may see what the answer shows, or which canaries of it.
    pub(crate) public: Option<Spanned<PublicText>>,
    /// The list in the answer holds what was made.
    pub(crate) lists: Option<Spanned<ListText>>,
    /// The number in the answer is how many were made.
    pub(crate) counts: Option<Spanned<CountText>>,
    /// The number in the answer is the sum of what was sent.
    pub(crate) sums: Option<Spanned<SumText>>,
    /// Where there is nothing for those who have made nothing.
    pub(crate) empty_for_fresh: Option<Spanned<String>>,
    /// Values that the answer gives back.
    pub(crate) echoes: Option<Spanned<Entries<Spanned<String>>>>,
    /// Whether others ask for it with the ETag that somebody else was given.
    pub(crate) revalidate: Option<Spanned<RevalidateText>>,
    /// Roles that may do it.
    pub(crate) allowed: Option<Spanned<OneOrMore>>,
    /// Whether it changes something that stays; without it, all but GET, HEAD and OPTIONS do, and what is sent on a WebSocket.
    pub(crate) writes: Option<Spanned<bool>>,
    /// How long it may take.
    pub(crate) within: Option<Spanned<String>>,
}

/// Steps and blocks of steps, in order.
pub(crate) type StepsText = Vec<Spanned<StepText>>;
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ListText {
    /// JSONPath of what the rows are recognised by.
    pub(crate) rows: Spanned<String>,
    /// The variable that was captured, or the `canary.NAME` that was sent, when a row was made.
    pub(crate) of: Spanned<String>,
    /// Whether it shows all.
    #[serde(default)]
    pub(crate) holds: Holds,
    /// Whether there may be rows that nobody is known to have made.
    #[serde(default)]
    pub(crate) unknown: Unknown,
    /// Whose rows it shows.
    #[serde(default)]
    pub(crate) may_see: Scope,
    /// Steps that remove what was made in their pass.
    pub(crate) removed_by: Option<Spanned<OneOrMore>>,
    /// The steps of a pass that give the same name are pages of one list.
    pub(crate) list: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CountText {
    /// JSONPath of the number.
    pub(crate) value: Spanned<String>,
    /// The steps that are counted.
    pub(crate) of: Spanned<OneOrMore>,
    /// Whose are counted.
    #[serde(default)]
    pub(crate) may_see: Scope,
    /// Steps that remove what was made in their pass.
    pub(crate) removed_by: Option<Spanned<OneOrMore>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SumText {
    /// JSONPath of the number.
    pub(crate) value: Spanned<String>,
    /// The canary that is summed up.
    pub(crate) of: Spanned<String>,
    /// Whose are summed up.
    #[serde(default)]
    pub(crate) may_see: Scope,
    /// Steps that remove what was made in their pass.
    pub(crate) removed_by: Option<Spanned<OneOrMore>>,
}

/// Who asks with somebody else's ETag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RevalidateText {
    /// Users of other tenants.
    Others,
}

/// All of it or none, or some canaries.
pub(crate) type PublicText = Either<Spanned<bool>, Vec<Spanned<String>>>;

/// A word or a list of words.
pub(crate) type OneOrMore = Either<Spanned<String>, Vec<Spanned<String>>>;

/// Text of a form, or more about a part of it.
pub(crate) type FieldText = Either<Spanned<String>, PartText>;

/// A JSONPath, or where else a captured value stands.
pub(crate) type CaptureFromText = Either<Spanned<String>, CaptureText>;

/// One close code or several.
pub(crate) type Codes = Either<Spanned<u32>, Vec<Spanned<u32>>>;

/// Whether events must come in the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OrderText {
    /// They must.
    Listed,
    /// They need not.
    Any,
}

/// A status, or more about what an answer must be.
pub(crate) type ExpectText = Either<Spanned<u32>, Entries<Spanned<Content>>>;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct CaptureText {
    /// A JSONPath.
    pub(crate) json: Option<Spanned<String>>,
    /// Name of a header field.
    pub(crate) header: Option<Spanned<String>>,
    /// Name of a cookie that the answer sets.
    pub(crate) cookie: Option<Spanned<String>>,
    /// A regular expression.
    pub(crate) regex: Option<Spanned<String>>,
    /// A selector of elements of a page.
    pub(crate) css: Option<Spanned<String>>,
    /// Which attribute of the element; its text where there is none.
    pub(crate) attribute: Option<Spanned<String>>,
    /// The whole body.
    pub(crate) body: Option<Spanned<BodyText>>,
    /// What the answer says of itself.
    pub(crate) answer: Option<Spanned<AnswerText>>,
    /// How the target closed the WebSocket.
    pub(crate) close: Option<Spanned<CloseText>>,
    /// All that stand there, as a list, instead of the first.
    pub(crate) all: Option<Spanned<bool>>,
    /// What is kept where nothing stands there.
    pub(crate) or: Option<Spanned<String>>,
    /// Whose the value is.
    #[serde(rename = "for")]
    pub(crate) holder: Option<Spanned<HolderText>>,
}

/// What is known of how a WebSocket was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CloseText {
    /// The code, a number.
    Code,
    /// The reason, a text.
    Reason,
}

/// Whose a captured value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HolderText {
    /// Of the turn of the block in which the step stands.
    Turn,
    /// Of the pass: later turns, and steps after the block, have it.
    Pass,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct PartText {
    /// The name of the file.
    pub(crate) file: Option<Spanned<String>>,
    /// Its content type.
    #[serde(rename = "type")]
    pub(crate) media_type: Option<Spanned<String>>,
    /// Text.
    pub(crate) text: Option<Spanned<String>>,
    /// Text, or bytes that are none.
    pub(crate) binary: Option<Spanned<BinaryText>>,
    /// Rows of comma-separated values.
    pub(crate) csv: Option<Spanned<Vec<Vec<Spanned<String>>>>>,
    /// Rows of a workbook's sheet.
    pub(crate) xlsx: Option<Spanned<Vec<Vec<Spanned<String>>>>>,
}

/// Text that is sent as bytes, or bytes that are no text.
pub(crate) type BinaryText = Either<Spanned<String>, BytesText>;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct BytesText {
    /// These, in base64.
    pub(crate) base64: Option<Spanned<String>>,
    /// These, as hexadecimal digits.
    pub(crate) hex: Option<Spanned<String>>,
    /// So many, drawn by the seed.
    pub(crate) random: Option<Spanned<u32>>,
}

/// How much of a body is captured.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BodyText {
    /// All of it.
    Whole,
}

/// What an answer says of itself.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AnswerText {
    /// The status, as a number.
    Status,
}

/// A map with keys of the user's choice, in the order of the file.
#[derive(Debug)]
pub(crate) struct Entries<V>(pub(crate) Vec<(Spanned<String>, V)>);

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<V> {
    type Value = Entries<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = vec![];
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

/// A short form, which is a scalar, or a long one, which is a list or a map.
#[derive(Debug)]
pub(crate) enum Either<S, L> {
    Short(S),
    Long(L),
}

impl<T> Either<T, Vec<T>> {
    /// One or several as several.
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::Short(one) => std::slice::from_ref(one),
            Self::Long(several) => several,
        }
    }
}

/// Enum name by which the deserializer knows that it must choose between the forms.
pub(crate) const EITHER: &str = "coalmine::Either";

impl<'de, S: Deserialize<'de>, L: Deserialize<'de>> Deserialize<'de> for Either<S, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum(EITHER, &["short", "long"], EitherVisitor(PhantomData))
    }
}

struct EitherVisitor<S, L>(PhantomData<(S, L)>);

impl<'de, S: Deserialize<'de>, L: Deserialize<'de>> Visitor<'de> for EitherVisitor<S, L> {
    type Value = Either<S, L>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a short or a long form")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Self::Value, A::Error> {
        let (long, value) = access.variant::<bool>()?;
        if long { value.newtype_variant().map(Either::Long) } else { value.newtype_variant().map(Either::Short) }
    }
}

/// JSON written as YAML.
#[derive(Debug)]
pub(crate) enum Content {
    /// Null, a truth value or a number.
    Value(serde_json::Value),
    /// Text, in which holes may stand.
    Text(String),
    /// An array.
    List(Vec<Spanned<Content>>),
    /// An object.
    Map(Entries<Spanned<Content>>),
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Value(serde_json::Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Value(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Value(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Value(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Content, E> {
        let number = serde_json::Number::from_f64(value);
        number.map(|number| Content::Value(number.into())).ok_or_else(|| E::custom("JSON has no such number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut items = vec![];
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Content, A::Error> {
        EntriesVisitor(PhantomData).visit_map(map).map(Content::Map)
    }
}
