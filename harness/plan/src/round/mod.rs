//! From a checked scenario, a seed and a round to a plan.

mod anonymous;
mod fresh;
mod interference;
mod member;
mod people;
mod performance;
mod population;
mod probe;
mod reading;
mod revalidation;
mod role;
mod room;
mod shake;
mod short;
mod size;
mod sought;
mod stage;
mod timing;
mod visit;

use std::collections::BTreeMap;

use coalmine_canary::{CanaryId, MintError, Minter, Shape};
use coalmine_core::perturb::Perturbation;
use coalmine_core::plan::{Cast, ClientCertificate, Input, PLAN_FORMAT, Plan, Schedule, ScopeOf, Target, Tls};
use coalmine_core::step::StepId;
use coalmine_core::{Budget, Principal, Seed};

use crate::attribute::ATTRIBUTES;
use crate::compile::{Compiled, InputSettings};
use crate::scenario::Scenario;
use crate::target::{BaseUrl, BaseUrlError};
pub use performance::perform;
use room::Rooms;
use shake::{Mood, Wanted};
use size::Size;

/// What the command line says instead of the scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Where the traffic goes: `http://host:port`.
    pub target_url: Option<String>,
    /// How many tenants act.
    pub tenants: Option<u32>,
    /// How often each user goes through each flow.
    pub repeat: Option<u32>,
    /// Values of the scenario's variables, but for secrets.
    pub inputs: std::collections::BTreeMap<String, String>,
    /// Whether tenants act at the same time.
    pub schedule: Schedule,
    /// Whether the target is shaken.
    pub shaking: Shaking,
    /// Pairs of operations, by their names, that the round should bring together.
    pub wanted: Vec<(String, String)>,
    /// What happens to steps that write.
    pub writes: Writes,
    /// More tenants than that do not act, unless `tenants` says so.
    pub tenants_max: Option<u32>,
    /// Users do not go through a flow more often than that, unless `repeat` says so.
    pub repeat_max: Option<u32>,
    /// Limits that go before those of the scenario.
    pub budget: Budget,
    /// Limits where neither the scenario nor `budget` has one.
    pub budget_default: Budget,
    /// Whence people are numbered, where that does not follow from the round.
    pub numbering: Option<Numbering>,
}

/// Whence the people of a round are numbered: in a campaign, rounds are of different sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbering {
    /// The number of the round that performs a script.
    pub round: u32,
    /// The first principal's number.
    pub principal_first: u32,
    /// The first tenant's number; of no concern where accounts exist already.
    pub tenant_first: u32,
}

/// Whether the target is shaken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shaking {
    /// As the scenario says.
    #[default]
    On,
    /// Not at all: the flows alone.
    Off,
}

/// What happens to steps that change something that stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writes {
    /// They are planned as any other.
    #[default]
    Sent,
    /// They are left out.
    LeftOut,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A script does not fit its scenario.
    #[error("the script does not fit its scenario: {0}")]
    Script(String),
    /// Neither the scenario nor the overrides say where the traffic goes.
    #[error("there is no target: give one with `--target`, or as `target: {{url: ...}}` in the scenario")]
    NoTarget,
    /// More tenants are asked for than the file of accounts has.
    #[error("{asked} tenants are asked for, and the file of accounts has {there}")]
    FewAccounts {
        /// How many were asked for.
        asked: u32,
        /// How many there are.
        there: u32,
    },
    /// A variable without a default was not set.
    #[error("the variable `{name}` has no value: set it in the environment, or give it a default in the scenario")]
    NoValue {
        /// Its name.
        name: String,
    },
    /// The overriding address is not one.
    #[error(transparent)]
    Target(#[from] BaseUrlError),
    /// The target is neither loopback nor listed.
    #[error("the host `{host}` is neither loopback nor listed under `target: {{hosts: [...]}}` in the scenario")]
    HostNotListed {
        /// The host.
        host: String,
    },
    /// An override is out of its range.
    #[error("{what} may be {min} to {max}, not {value}")]
    OutOfRange {
        /// What is overridden.
        what: &'static str,
        /// What was asked for.
        value: u32,
        /// The least that may be.
        min: u32,
        /// The most that may be.
        max: u32,
    },
    /// The round would be too large.
    #[error("the round would have {count} {what}, and {max} is the limit: take fewer tenants, users or repetitions")]
    TooLarge {
        /// Of what there are too many.
        what: &'static str,
        /// How many there would be.
        count: u64,
        /// How many there may be.
        max: u64,
    },
    /// So many canaries of one shape cannot be told apart any more.
    #[error("there are not enough different canaries of the shape {shape} for this round: {source}")]
    CanariesExhausted {
        /// The shape.
        shape: Shape,
        /// What the canary crate says.
        source: MintError,
    },
}

/// Resolves one round. The same arguments give the same plan, to the byte.
///
/// Rounds of a run share the seed and differ in `round`, from 0; ids of tenants and principals go on counting over rounds.
///
/// # Errors
///
/// When the target is missing or must not be reached, or when the round would be too large; see [`PlanError`].
pub fn plan(scenario: &Scenario, seed: Seed, round: u32, overrides: &Overrides) -> Result<Plan, PlanError> {
    let calm = (overrides.writes == Writes::LeftOut).then(|| reading::only(scenario.compiled()));
    let compiled = calm.as_ref().unwrap_or(scenario.compiled());
    let target = target(scenario, overrides)?;
    let size = Size::of(compiled, overrides, round)?;
    let people = population::people(compiled, &size, seed, round);
    let mut rooms = Rooms::new(compiled, &size, &people, (seed, round));
    let is_shaken = overrides.shaking == Shaking::On && overrides.schedule == Schedule::Together;
    let budget = overrides.budget.or(compiled.budget).or(overrides.budget_default);
    let has_few_connections = budget.connections_max.is_some();
    let mood = if is_shaken { Mood::draw(compiled, seed, round, has_few_connections) } else { Mood::still() };
    let wanted = wanted(compiled, &overrides.wanted);
    let course = stage::stages(compiled, &size, seed, round, &mut rooms, &mood, &wanted);
    let scopes = rooms.into_scopes();
    let drawn = Drawn {
        round,
        principals: people.into_principals(),
        scopes,
        course,
        schedule: overrides.schedule,
        demanded: if is_shaken { compiled.shaking.demanded.clone() } else { vec![] },
        rules: if is_shaken { compiled.reactions.iter().map(|rule| rule.name.clone()).collect() } else { vec![] },
        left_out: calm.iter().flat_map(|calm| calm.writes.iter().copied()).collect(),
        budget,
    };
    assemble(scenario, compiled, (seed, target), overrides, drawn)
}

/// What of a plan does not follow from the scenario alone.
struct Drawn {
    round: u32,
    principals: Vec<Principal>,
    scopes: Vec<ScopeOf>,
    course: stage::Course,
    schedule: Schedule,
    demanded: Vec<Perturbation>,
    rules: Vec<String>,
    left_out: Vec<StepId>,
    budget: Budget,
}

/// The rest comes from the scenario.
fn assemble(
    scenario: &Scenario,
    compiled: &Compiled,
    (seed, target): (Seed, Target),
    overrides: &Overrides,
    drawn: Drawn,
) -> Result<Plan, PlanError> {
    let tenants = drawn.principals.iter().filter(|one| !one.is_anonymous()).map(|one| one.tenant.0 + 1).max();
    check_canaries(drawn.scopes.iter().flat_map(|scope| &scope.canaries), &drawn.principals, seed)?;
    Ok(Plan {
        format: PLAN_FORMAT,
        scenario: scenario.name().to_owned(),
        seed,
        round: drawn.round,
        target,
        schedule: drawn.schedule,
        inputs: inputs(compiled, overrides)?,
        attributes: attributes(compiled),
        secret_attributes: secret_attributes(compiled),
        sought: sought::sought(compiled, tenants.unwrap_or(0)),
        cast: if compiled.tenants.accounts.is_some() { Cast::Same } else { Cast::New },
        principals: drawn.principals,
        steps: compiled.steps.clone(),
        conditions: compiled.conditions.clone(),
        flows: compiled.flows.clone(),
        scopes: drawn.scopes,
        stages: drawn.course.stages,
        op_count: drawn.course.op_count,
        gates: drawn.course.gates,
        usual_us: BTreeMap::new(),
        shared_connections: drawn.course.shared_connections,
        demanded: drawn.demanded,
        rules: drawn.rules,
        identities: compiled.identities.clone(),
        objects: compiled.objects.clone(),
        sharing: compiled.sharing.clone(),
        event_type: compiled.event_type.clone(),
        event_part: compiled.event_part.clone(),
        cookies: compiled.cookies,
        renewal: compiled.renewal.clone(),
        voiding: compiled.voiding.clone(),
        logout: compiled.logout.clone(),
        credentials: compiled.credentials.clone(),
        webhooks: compiled.webhooks.clone(),
        policy: compiled.policy.clone(),
        properties: compiled.properties.clone(),
        left_out: drawn.left_out,
        budget: drawn.budget,
        earlier: None,
        shapes: coalmine_core::plan::Shapes::default(),
    })
}

/// Steps by their names; what has no such name is of another scenario.
fn wanted(compiled: &Compiled, names: &[(String, String)]) -> Wanted {
    let step = |name: &str| {
        let at = compiled.steps.iter().position(|step| step.name == name)?;
        u16::try_from(at).ok().map(StepId)
    };
    names.iter().filter_map(|(one, other)| Some((step(one)?, step(other)?))).collect()
}

fn attributes(compiled: &Compiled) -> Vec<String> {
    let own = compiled.tenants.attributes.iter().map(|attribute| attribute.name.clone());
    let columns = account_columns(compiled).map(|(name, _)| name).filter(|name| !ATTRIBUTES.contains(&name.as_str()));
    ATTRIBUTES.map(str::to_owned).into_iter().chain(own).chain(columns).collect()
}

/// Those that the run alone knows.
fn secret_attributes(compiled: &Compiled) -> Vec<u16> {
    let secret: Vec<String> =
        account_columns(compiled).filter(|(_, is_secret)| *is_secret).map(|(name, _)| name).collect();
    let slots = (0..=u16::MAX).zip(attributes(compiled));
    slots.filter(|(_, name)| secret.contains(name)).map(|(slot, _)| slot).collect()
}

/// Attributes that accounts of a file have, and whether they are secrets.
fn account_columns(compiled: &Compiled) -> impl Iterator<Item = (String, bool)> {
    let columns = compiled.tenants.accounts.iter().flat_map(|accounts| &accounts.columns);
    columns.map(|column| (format!("user.{}", column.name), column.is_secret))
}

fn inputs(compiled: &Compiled, overrides: &Overrides) -> Result<Vec<Input>, PlanError> {
    let input = |settings: &InputSettings| {
        let name = settings.name.clone();
        if settings.is_secret {
            return Ok(Input { name, value: None });
        }
        let value = overrides.inputs.get(&name).or(settings.default.as_ref()).cloned();
        if value.is_some() { Ok(Input { name, value }) } else { Err(PlanError::NoValue { name }) }
    };
    compiled.inputs.iter().map(input).collect()
}

fn target(scenario: &Scenario, overrides: &Overrides) -> Result<Target, PlanError> {
    let settings = &scenario.compiled().target;
    let overriding = overrides.target_url.as_deref().map(BaseUrl::parse).transpose()?;
    let url = overriding.or_else(|| settings.url.clone()).ok_or(PlanError::NoTarget)?;
    if !url.may_be_reached(&settings.hosts) {
        return Err(PlanError::HostNotListed { host: url.host().to_owned() });
    }
    Ok(Target {
        base_url: url.as_str().to_owned(),
        allowed_hosts: settings.hosts.clone(),
        ready_path: settings.ready_path.clone(),
        ready_limit_ms: settings.ready_limit_ms,
        host_header: settings.host_header.clone(),
        compression: settings.compression,
        http: settings.http,
        tls: tls(scenario, &settings.tls),
    })
}

fn tls(scenario: &Scenario, settings: &Tls) -> Tls {
    let client = settings.client.as_ref();
    Tls {
        ca: settings.ca.as_ref().map(|file| scenario.beside(file)),
        name: settings.name.clone(),
        client: client
            .map(|client| ClientCertificate { cert: scenario.beside(&client.cert), key: scenario.beside(&client.key) }),
    }
}

/// Narrow shapes have room for few owners and serials. Both only grow, so the last of each shape speaks for all.
fn check_canaries<'a>(
    canaries: impl Iterator<Item = &'a CanaryId>,
    principals: &[Principal],
    seed: Seed,
) -> Result<(), PlanError> {
    let mut last = std::collections::BTreeMap::new();
    for canary in canaries {
        let serial = last.entry(canary.shape).or_insert(canary.serial);
        *serial = canary.serial.max(*serial);
    }
    let Some(owner) = principals.last().map(|principal| principal.id.owner()) else { return Ok(()) };
    let minter = Minter::new(&seed.run_key());
    for (shape, serial) in last {
        minter.mint(owner, serial, shape).map_err(|source| PlanError::CanariesExhausted { shape, source })?;
    }
    Ok(())
}
