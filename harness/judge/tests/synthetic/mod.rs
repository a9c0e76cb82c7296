//! A long history that is made while it is read: many rounds of tenants that write once and read often, with a leak from
//! the round before in each.

use std::collections::BTreeMap;

use coalmine_canary::{CanaryId, Found, Owner, Serial, Shape, Sighting, Strength};
use coalmine_core::history::{
    Answer, Channel, Digest, Event, HISTORY_FORMAT, Happening, Header, IdentityFact, Receipt, Record, RoundEnd, Seen,
};
use coalmine_core::plan::{
    CanarySpec, Flow, FlowId, IdentityRule, Lane, Mine, Op, OpId, PLAN_FORMAT, Phase, Plan, Policy, Purpose, Schedule,
    ScopeId, ScopeOf, Stage, Target,
};
use coalmine_core::sharing::Sharing;
use coalmine_core::step::{Action, Payload, Request, Step, StepId};
use coalmine_core::template::{CanaryRef, Level, Segment, Template, VariableRef};
use coalmine_core::{Principal, PrincipalId, Scope, Seed, TenantId};

/// Tenants of a round.
const TENANTS: u32 = 64;
/// Operations of a tenant in a round: it writes, then it reads.
const OPS: u32 = 32;
/// Operations of a round.
pub(crate) const ROUND_OPS: u32 = TENANTS * OPS;

const NOTE: FlowId = FlowId(1);
const SECRET: CanaryRef = CanaryRef { level: Level::Flow, slot: 0 };
const ID: VariableRef = VariableRef { level: Level::Flow, slot: 0 };

/// The lines of a history of that many rounds.
pub(crate) fn records(rounds: u32) -> impl Iterator<Item = Record> {
    let header = Header { format: HISTORY_FORMAT, coalmine: "0".into(), started_unix_ms: 0, reproduce: String::new() };
    let per_round = u64::from(2 * ROUND_OPS) + 3;
    let at_us = u64::from(rounds) * per_round * 10;
    let rounds = (0..rounds).flat_map(move |round| {
        let events = (u64::from(round) * per_round..).zip(happenings(round));
        let events = events.map(|(seq, (op, what))| Record::Event(Event { seq, at_us: seq * 10, op, what }));
        let plan = std::iter::once_with(move || Record::Round(Box::new(plan(round))));
        plan.chain(events).chain([Record::RoundEnd(RoundEnd::Completed)])
    });
    let end = Record::RunEnd { at_us, interrupted: false };
    std::iter::once(Record::Header(header)).chain(rounds).chain([end])
}

fn happenings(round: u32) -> impl Iterator<Item = (OpId, Happening)> {
    let forged = [Channel::StatusLine, Channel::Header, Channel::Body];
    let tests = forged.map(|channel| (OpId(u32::MAX), Happening::SelfTest { channel, found: true }));
    let turns = (0..OPS).flat_map(move |turn| {
        let op = move |tenant: u32| OpId(tenant * OPS + turn);
        let begin = (0..TENANTS).map(move |tenant| (op(tenant), Happening::Invoke { connection: None }));
        let end = (0..TENANTS).map(move |tenant| (op(tenant), Happening::Ok(answer(round, tenant, turn))));
        begin.chain(end)
    });
    tests.into_iter().chain(turns)
}

fn answer(round: u32, tenant: u32, turn: u32) -> Answer {
    let principal = round * TENANTS + tenant;
    let mut receipt = Receipt::default();
    let id = Digest(u64::from(principal));
    if turn == 0 {
        receipt.captured.push((ID, id));
    } else {
        receipt.seen.push(seen(principal));
        receipt.identities.push(IdentityFact { rule: 0, value: id });
    }
    if round > 0 && tenant == 0 && turn == 1 {
        receipt.seen.insert(0, seen(principal - 1));
        receipt.identities.push(IdentityFact { rule: 0, value: Digest(u64::MAX) });
    }
    Answer { status: Some(200), body_bytes: 512, receipt, ..Answer::default() }
}

fn seen(owner: u32) -> Seen {
    let found = Found::Canary { id: canary(owner), strength: Strength::Exact };
    let context = "{\"id\": 17, \"text\": \"********\", \"by\": \"tenant\"}".to_owned();
    Seen { channel: Channel::Body, sighting: Sighting { found, encodings: vec![], offset: 20, len: 32, context } }
}

fn canary(owner: u32) -> CanaryId {
    CanaryId { owner: Owner(owner), serial: Serial(0), shape: Shape::Token }
}

fn plan(round: u32) -> Plan {
    let first = round * TENANTS;
    let principals = first..first + TENANTS;
    Plan {
        format: PLAN_FORMAT,
        scenario: "synthetic".into(),
        seed: Seed(1),
        round,
        target: Target { ready_limit_ms: 1, ..Target::default() },
        schedule: Schedule::Together,
        inputs: vec![],
        attributes: vec![],
        secret_attributes: vec![],
        sought: vec![],
        cast: coalmine_core::plan::Cast::New,
        principals: principals.clone().map(principal).collect(),
        conditions: vec![],
        steps: vec![step("write", "POST", &[]), step("read", "GET", &[SECRET])],
        flows: vec![flow("auth", vec![]), flow("notes", vec![secret()])],
        scopes: scopes(&principals),
        stages: vec![Stage { phase: Phase::Flows, lanes: (0..TENANTS).map(|tenant| lane(first, tenant)).collect() }],
        op_count: ROUND_OPS,
        gates: vec![],
        usual_us: BTreeMap::new(),
        shared_connections: 0,
        demanded: vec![],
        rules: vec![],
        identities: vec![identity()],
        objects: vec![],
        sharing: Sharing::default(),
        event_type: None,
        event_part: None,
        cookies: coalmine_core::plan::Cookies::Off,
        renewal: None,
        logout: None,
        voiding: None,
        credentials: vec![],
        webhooks: None,
        policy: Policy::default(),
        properties: vec![],
        left_out: vec![],
        budget: coalmine_core::Budget::default(),
        earlier: None,
        shapes: coalmine_core::plan::Shapes::default(),
    }
}

fn principal(number: u32) -> Principal {
    let (id, tenant) = (PrincipalId(number), TenantId(number));
    Principal { id, tenant, user: 0, session: 0, role: None, attributes: vec![] }
}

fn scopes(principals: &std::ops::Range<u32>) -> Vec<ScopeOf> {
    let scope = |flow: FlowId, number: u32| {
        let canaries = if flow == NOTE { vec![canary(number)] } else { vec![] };
        ScopeOf { principal: PrincipalId(number), flow, pass: 0, canaries, members: vec![], turn: None }
    };
    let flows = [FlowId::SESSION, NOTE];
    flows.into_iter().flat_map(|flow| principals.clone().map(move |number| scope(flow, number))).collect()
}

fn lane(first: u32, tenant: u32) -> Lane {
    let op = |turn: u32| Op {
        id: OpId(tenant * OPS + turn),
        step: StepId(u16::from(turn > 0)),
        scope: ScopeId(TENANTS + tenant),
        purpose: Purpose::Flow,
        manner: coalmine_core::perturb::Manner::default(),
    };
    Lane { principal: PrincipalId(first + tenant), ops: (0..OPS).map(op).collect(), beside: None }
}

fn step(name: &str, method: &str, sees: &[CanaryRef]) -> Step {
    let body = sees.is_empty().then(|| Payload::Text(Template { segments: vec![Segment::Canary(SECRET)] }));
    let path = Template::text("/notes");
    let request =
        Request { method: method.into(), path, headers: vec![], cookies: vec![], body, statuses: vec![], follow: 0 };
    Step {
        name: name.into(),
        flow: "notes".into(),
        line: 1,
        action: Action::Request(request),
        sees: sees.to_vec(),
        public: None,
        models: vec![],
        echoes: vec![],
        revalidated: false,
        allowed: vec![],
        captures: vec![],
        sees_of_turns: vec![],
        due: vec![],
        group: None,
        until: None,
        expects: vec![],
        time_limit_ms: 1000,
    }
}

fn flow(name: &str, canaries: Vec<CanarySpec>) -> Flow {
    Flow { name: name.into(), variables: vec!["id".into()], canaries, sockets: vec![], members: vec![], block: None }
}

fn secret() -> CanarySpec {
    CanarySpec { name: "secret".into(), shape: Shape::Token, scope: Scope::Tenant, planted_by: StepId(0), fit: None }
}

fn identity() -> IdentityRule {
    let mine = Mine::Variable { flow: NOTE, slot: 0 };
    IdentityRule { name: "note".into(), path: "$.id".into(), mine, scope: Scope::Tenant }
}
