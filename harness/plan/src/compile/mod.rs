//! From a document to what a plan is made of: every name resolved, every rule checked, every problem collected.

mod accounts;
mod anonymous;
mod binary;
mod block;
mod budget;
mod call;
mod capture;
mod condition;
mod control;
mod flow;
mod logout;
mod model;
mod multipart;
mod object;
mod population;
mod property;
mod reaction;
mod request;
mod room;
mod settings;
mod shaking;
mod sharing;
mod socket;
mod step;
mod store;
mod stream;
mod transport;
mod until;
mod webhook;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use coalmine_canary::{Minter, Owner, Pattern, RunKey, Serial, Shape};
use coalmine_core::condition::Condition;
use coalmine_core::fit::Fit;
use coalmine_core::plan::{
    Block, Cookies, Flow, FlowId, IdentityRule, Logout, ObjectRule, Policy, Renewal, Voiding, Webhooks,
};
use coalmine_core::property::Property;
use coalmine_core::sharing::Sharing;
use coalmine_core::step::{Request, Step, StepId};
use coalmine_core::template::{Template, VariableRef};
use coalmine_core::{Budget, Principal, Scope};

use crate::accounts::Accounts;
use crate::document::{CanaryText, Document};
use crate::problem::Problems;
use crate::source::ReadFile;
use crate::span::{Span, Spanned};
use crate::suggestion;
pub(crate) use anonymous::{Anonymous, ShownBy};
use population::Once;
pub(crate) use population::TenantAttribute;
use property::Ground;
pub(crate) use reaction::{Deed, Reaction};
use room::Room;
pub(crate) use settings::{NamePiece, TENANTS_MAX, TargetSettings, Tenants};
pub(crate) use shaking::Shaking;
pub(crate) use sharing::MemberDraw;

/// The version of the language that is read.
pub(crate) const LANGUAGE: u32 = 1;

/// A scenario without any text of its file: what does not depend on seed, round and overrides.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub(crate) name: String,
    pub(crate) target: TargetSettings,
    pub(crate) tenants: Tenants,
    pub(crate) inputs: Vec<InputSettings>,
    pub(crate) register: Once,
    pub(crate) teardown: Once,
    pub(crate) steps: Vec<Step>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) flows: Vec<Flow>,
    /// One for each of `flows`.
    pub(crate) courses: Vec<Course>,
    pub(crate) identities: Vec<IdentityRule>,
    pub(crate) objects: Vec<ObjectRule>,
    pub(crate) sharing: Sharing,
    pub(crate) event_type: Option<String>,
    pub(crate) event_part: Option<String>,
    pub(crate) cookies: Cookies,
    pub(crate) renewal: Option<Renewal>,
    pub(crate) logout: Option<Logout>,
    pub(crate) voiding: Option<Voiding>,
    /// Values by which the session shows who it is, where nothing else does.
    pub(crate) credentials: Vec<VariableRef>,
    pub(crate) shown_by: ShownBy,
    pub(crate) webhooks: Option<Webhooks>,
    pub(crate) policy: Policy,
    /// What it states of the service.
    pub(crate) properties: Vec<Property>,
    pub(crate) budget: Budget,
    /// Steps that change something that stays.
    pub(crate) writes: BTreeSet<StepId>,
    /// Steps that carry nothing of what the session sends: they show nothing about it.
    pub(crate) without_auth: BTreeSet<StepId>,
    /// How many others try each principal's objects in each way.
    pub(crate) probes: u32,
    pub(crate) shaking: Shaking,
    /// Rules about operations of different tenants.
    pub(crate) reactions: Vec<Reaction>,
    /// What somebody without credentials does.
    pub(crate) anonymous: Option<Anonymous>,
    /// Where the ids of steps stand.
    pub(crate) ids: BTreeMap<String, Span>,
}

impl Compiled {
    /// The flow to which a block belongs; a flow belongs to itself.
    pub(crate) fn flow_of(&self, part: FlowId) -> FlowId {
        let around = |part: &FlowId| Some(self.courses[usize::from(part.0)].block?.within);
        std::iter::successors(Some(part), around).last().unwrap_or(part)
    }
}

/// A variable that whoever starts the run may set.
#[derive(Clone, Debug)]
pub(crate) struct InputSettings {
    pub(crate) name: String,
    pub(crate) default: Option<String>,
    pub(crate) is_secret: bool,
}

/// What a flow or a block does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    Step(StepId),
    /// All turns of a block.
    Block(FlowId),
}

/// The steps of a flow or a block, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    /// Passes of each user through a flow; turns of a block in each pass or turn around it.
    pub(crate) repeat: u32,
    /// What is done in order.
    pub(crate) legs: Vec<Leg>,
    /// The steps among them, without those of blocks.
    pub(crate) steps: Vec<StepId>,
    pub(crate) cleanup: Vec<StepId>,
    /// Roles of those who go through it; empty: all.
    pub(crate) by: Vec<String>,
    /// One for each of the flow's members: how it is drawn.
    pub(crate) draws: Vec<MemberDraw>,
    /// What members do, by their index.
    pub(crate) visits: Vec<(u16, Vec<StepId>)>,
    /// Set for a block with turns.
    pub(crate) block: Option<Block>,
    /// Whether those without credentials go through it, and nobody else.
    pub(crate) is_anonymous: bool,
}

impl Course {
    /// Whether the principal goes through it.
    pub(crate) fn is_for(&self, principal: &Principal) -> bool {
        if principal.is_anonymous() || self.is_anonymous {
            return principal.is_anonymous() && self.is_anonymous;
        }
        self.by.is_empty() || principal.role.as_ref().is_some_and(|role| self.by.contains(role))
    }
}

/// A canary that the file declares.
#[derive(Clone)]
struct Declared {
    shape: Shape,
    scope: Scope,
    fit: Option<Fit>,
}

/// Where a step stands.
#[derive(Clone, Copy)]
struct Place {
    step: StepId,
    flow: FlowId,
    in_cleanup: bool,
    span: Span,
}

/// Which steps of a session or a flow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stretch {
    /// What is done in order.
    Course,
    /// What others do in it.
    Visit,
    /// What removes what was made.
    Cleanup,
    /// What ends a session.
    Logout,
}

/// Names and values that go with every request.
#[derive(Default)]
struct Sends {
    headers: Vec<(String, Template)>,
    cookies: Vec<(String, Template)>,
    query: Vec<(String, Template)>,
}

impl Sends {
    fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.cookies.is_empty() && self.query.is_empty()
    }
}

struct Compiler<'a> {
    problems: &'a Problems<'a>,
    canaries: BTreeMap<String, Declared>,
    values: BTreeMap<String, call::NamedValue<'a>>,
    inputs: Vec<InputSettings>,
    tenant_attributes: Vec<TenantAttribute>,
    register: Once,
    teardown: Once,
    /// Set while steps are compiled that are done once for each tenant or each user.
    once_for: Option<Scope>,
    /// How often a named value was put in.
    expansions: u32,
    has_event_type: bool,
    /// Those that may be reached besides loopback.
    hosts: Vec<String>,
    /// Names of the URLs for webhooks; none where the scenario receives no webhooks.
    webhooks: Option<Vec<String>>,
    steps: Vec<Step>,
    places: BTreeMap<String, Place>,
    /// The flow or block that is being compiled.
    room: Room,
    /// What is around it, the flow first.
    outer: Vec<Room>,
    /// The blocks that the step which is being compiled stands in.
    nest: block::Nest,
    /// Blocks of parallel groups so far.
    parallels: usize,
    conditions: Vec<Condition>,
    /// The flow that makes the session, once it is compiled.
    session: Option<Room>,
    /// What the session adds to each request of the flows.
    sends: Sends,
    /// The steps that make a session once more, where the scenario names them.
    renewed_by: Option<Vec<StepId>>,
    /// How a session ends, once it is compiled.
    logout: Option<Logout>,
    flows: Vec<Flow>,
    courses: Vec<Course>,
    /// Which steps are compiled now.
    stretch: Stretch,
    writes: BTreeSet<StepId>,
    /// Steps that carry nothing of what the session sends.
    without_auth: BTreeSet<StepId>,
    /// Waits for events, and the names of the steps that confirm them; resolved when all steps are known.
    confirmations: Vec<(StepId, FlowId, Spanned<String>)>,
    /// What answers must agree with, until all steps are known.
    claims: Vec<model::Claim>,
    /// Roles of those who go through the flow that is being compiled; empty: all users.
    by: Vec<String>,
    /// Users of each tenant by their roles; where accounts come from a file, each role once.
    users: Vec<Option<String>>,
    /// Requests of flows as they are without credentials.
    bare: BTreeMap<StepId, Request>,
    /// Users of the largest tenant.
    users_max: usize,
    /// Attributes of accounts that come from a file, as `user.NAME`, and whether they are secrets; none where no file is named.
    columns: Option<Vec<(String, bool)>>,
}

/// Checks everything; the result means something only when no problem was added.
pub(crate) fn compile<'a>(document: &'a Document, problems: &'a Problems<'a>, read: &mut ReadFile<'_>) -> Compiled {
    version(&document.coalmine, problems);
    let event_type = document.events.as_ref().map(|events| settings::json_path(&events.kind, problems));
    let mut compiler = Compiler::new(problems, event_type.is_some());
    let mut tenants = settings::tenants(document.tenants.as_ref(), problems, read);
    compiler.users.clone_from(&tenants.users);
    compiler.users_max = tenants.accounts.as_ref().map_or(tenants.users.len(), Accounts::users_max);
    compiler.hosts = document.target.hosts.iter().map(|host| host.value.to_ascii_lowercase()).collect();
    compiler.declare(document, tenants.accounts.as_ref());
    tenants.attributes.clone_from(&compiler.tenant_attributes);
    compiler.webhooks = document.webhooks.as_ref().map(|_| vec![]);
    compiler.flows(document);
    compiler.resolve_confirmations();
    let objects = compiler.objects(document);
    let anonymous_flow = compiler.anonymous_flow(document);
    let anonymous = compiler.anonymous(document, &objects, anonymous_flow);
    compiler.models(&objects);
    compiler.check_fresh(&tenants, document);
    let identities = compiler.identities(document);
    let sharing = compiler.sharing(document);
    let webhooks = compiler.webhooks(document);
    let event_part = document.events.as_ref().and_then(|events| events.regex.as_ref()).map(|it| compiler.regex(it));
    compiler.check_values_used();
    let shaking = compiler.shaking(document);
    let reactions = compiler.reactions(document);
    let (mut policy, probes) = settings::policy(&document.policy, problems);
    policy.protected = compiler.protected(document);
    let has_credential = webhooks.as_ref().is_some_and(|webhooks| webhooks.credential.is_some());
    let renewal = compiler.renewal(document);
    let voiding = compiler.voiding(document);
    let credentials = compiler.credentials();
    let shown_by = compiler.shown_by(document.auth.as_ref());
    let ends = compiler.logout.is_some() || voiding.is_some();
    let ground = Ground { objects: &objects, identities: &identities, policy: &policy, has_credential, ends, shown_by };
    let properties = compiler.properties(document, &ground);
    Compiled {
        renewal,
        name: settings::title(&document.name, problems),
        target: settings::target(&document.target, problems),
        tenants,
        inputs: compiler.inputs,
        register: compiler.register,
        teardown: compiler.teardown,
        steps: compiler.steps,
        conditions: compiler.conditions,
        flows: compiler.flows,
        courses: compiler.courses,
        identities,
        objects,
        sharing,
        logout: compiler.logout,
        voiding,
        credentials,
        shown_by,
        event_type,
        event_part,
        cookies: document.auth.as_ref().map_or(Cookies::Jar, |auth| auth.cookies),
        webhooks,
        policy,
        properties,
        budget: budget::budget(&document.budget, problems),
        writes: compiler.writes,
        without_auth: compiler.without_auth,
        probes,
        shaking,
        reactions,
        anonymous,
        ids: compiler.places.into_iter().map(|(id, place)| (id, place.span)).collect(),
    }
}

impl<'a> Compiler<'a> {
    /// All that templates may name before any step has run.
    fn declare(&mut self, document: &'a Document, accounts: Option<&Accounts>) {
        self.declare_canaries(document);
        self.declare_values(document);
        self.declare_inputs(document);
        if let Some(crate::document::Either::Long(long)) = &document.tenants {
            self.declare_attributes(long);
        }
        self.declare_columns(document, accounts);
    }
}

fn version(written: &Spanned<u32>, problems: &Problems<'_>) {
    if written.value != LANGUAGE {
        let message = format!("version {} of the language is not known", written.value);
        problems.add(written.span, message, Some(format!("this program reads version {LANGUAGE}")));
    }
}

impl<'a> Compiler<'a> {
    fn new(problems: &'a Problems<'a>, has_event_type: bool) -> Self {
        Self {
            problems,
            canaries: BTreeMap::new(),
            values: BTreeMap::new(),
            expansions: 0,
            inputs: vec![],
            tenant_attributes: vec![],
            register: Once::default(),
            teardown: Once::default(),
            once_for: None,
            has_event_type,
            hosts: vec![],
            webhooks: None,
            steps: vec![],
            places: BTreeMap::new(),
            room: Room::default(),
            outer: vec![],
            nest: block::Nest::default(),
            parallels: 0,
            conditions: vec![],
            session: None,
            renewed_by: None,
            logout: None,
            sends: Sends::default(),
            flows: vec![],
            courses: vec![],
            stretch: Stretch::Course,
            writes: BTreeSet::new(),
            without_auth: BTreeSet::new(),
            confirmations: vec![],
            claims: vec![],
            by: vec![],
            users: vec![],
            bare: BTreeMap::new(),
            users_max: 0,
            columns: None,
        }
    }

    fn declare_canaries(&mut self, document: &Document) {
        for (name, canary) in &document.canaries.0 {
            self.check_name(name, "canary");
            let declared = match canary {
                crate::document::Either::Short(shape) => {
                    Declared { shape: self.shape(shape), scope: Scope::default(), fit: None }
                }
                crate::document::Either::Long(long) => {
                    let shape = self.shape(&long.shape);
                    Declared { shape, scope: long.may_see, fit: self.fit(shape, long) }
                }
            };
            self.canaries.insert(name.value.clone(), declared);
        }
    }

    fn fit(&self, shape: Shape, canary: &CanaryText) -> Option<Fit> {
        if let Some(pattern) = &canary.pattern {
            return self.pattern(shape, pattern, canary.max_length.is_some());
        }
        let chars = canary.max_length.as_ref()?;
        // How long a canary is does not depend on the key.
        let minter = Minter::new(&RunKey::derive(b"lengths"));
        match minter.mint_within(Owner(0), Serial(0), shape, chars.value as usize) {
            Ok(_) => Some(Fit::MaxLength(chars.value)),
            Err(error) => {
                let help = "`token` is the shortest shape that carries a whole name: 22 characters".to_owned();
                self.problems.add(chars.span, error.to_string(), Some(help));
                None
            }
        }
    }

    fn pattern(&self, shape: Shape, pattern: &Spanned<String>, has_length: bool) -> Option<Fit> {
        let refuse = |message: String, help: &str| {
            self.problems.add(pattern.span, message, Some(help.to_owned()));
            None
        };
        if shape != Shape::Token {
            return refuse(format!("a canary of the shape `{shape}` takes no `pattern`"), "give it the shape `token`");
        } else if has_length {
            return refuse("`pattern` and `max_length` exclude each other".to_owned(), "say the length in the pattern");
        }
        match Pattern::parse(pattern.as_str()) {
            Ok(_) => Some(Fit::Pattern(pattern.value.clone())),
            Err(error) => refuse(error.to_string(), "as in `^[A-Z0-9]{24,40}$`: all letters of one case, 30 in full"),
        }
    }

    fn shape(&self, written: &Spanned<String>) -> Shape {
        written.as_str().parse().unwrap_or_else(|_| {
            let names: Vec<String> = Shape::ALL.iter().map(ToString::to_string).collect();
            let help = suggestion::help(written.as_str(), names.iter().map(String::as_str));
            self.problems.add(written.span, format!("there is no shape `{}`", written.value), help);
            Shape::Token
        })
    }

    /// Names of canaries, variables, flows, steps and sockets: what can stand in a hole and in a report.
    fn check_name(&self, name: &Spanned<String>, what: &str) {
        const NAME_MAX: usize = 64;
        let letters = name.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let first = name.value.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !(letters && first && name.value.len() <= NAME_MAX) {
            let help = "a name is a letter, then letters, digits, `-` and `_`, 64 at most";
            self.problems.add(name.span, format!("`{}` is not a name for a {what}", name.value), Some(help.to_owned()));
        }
    }

    /// The number of something as a slot; too many of them are a problem.
    fn slot(&self, index: usize, span: Span) -> u16 {
        u16::try_from(index).unwrap_or_else(|_| {
            self.problems.add(span, "this is one too many: there are at most 65,536 of a kind", None);
            u16::MAX
        })
    }
}
