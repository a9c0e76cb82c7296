//! Hand-written histories: a small honest story, and the ways in which tests bend it.

use std::collections::BTreeMap;

use coalmine_canary::{CanaryId, Found, Owner, Serial, Shape, Sighting, Strength};
use coalmine_core::history::{
    Answer, Channel, Digest, Event, EventFrame, HISTORY_FORMAT, Happening, Header, HistoryError, IdentityFact, Opcode,
    ReadValue, Reading, Receipt, Record, RoundEnd, Seen, Tail,
};
use coalmine_core::model::Model;
use coalmine_core::perturb::Manner;
use coalmine_core::plan::{
    Access, CanarySpec, Flow, FlowId, IdentityRule, Lane, Mine, ObjectRule, Op, OpId, PLAN_FORMAT, Phase, Plan, Policy,
    Purpose, Schedule, ScopeId, ScopeOf, Stage, Target,
};
use coalmine_core::sharing::Sharing;
use coalmine_core::step::{
    Action, Closing, Open, Payload, PostgresSearch, Receive, Request, SocketSlot, Step, StepId, Wire,
};
use coalmine_core::template::{CanaryRef, Level, Segment, Template, VariableRef};
use coalmine_core::verdict::OracleId;
use coalmine_core::{Budget, Principal, PrincipalId, Scope, Seed, TenantId};

use crate::judge::judge_with;
use crate::judgement::Judgement;
use crate::oracle::{self, Oracle};
use crate::records::Records;

pub(crate) const LOGIN: StepId = StepId(0);
pub(crate) const CREATE: StepId = StepId(1);
pub(crate) const READ: StepId = StepId(2);
pub(crate) const OPEN: StepId = StepId(3);
pub(crate) const RECEIVE: StepId = StepId(4);
pub(crate) const UPDATE: StepId = StepId(5);
pub(crate) const DELETE: StepId = StepId(6);
pub(crate) const CLOSE: StepId = StepId(7);

/// Slot of the secret that a flow plants and reads.
pub(crate) const SECRET: u16 = 0;
/// Slot of the secret that only tries to change an object send.
pub(crate) const CHANGE: u16 = 1;

/// The rule whose value is an attribute of the tenant.
pub(crate) const USER: u16 = 0;
/// The rule whose value is the id of a note, captured in its flow.
pub(crate) const NOTE: u16 = 1;

const NOTES: FlowId = FlowId(1);
const SOCKET: SocketSlot = SocketSlot(0);

/// One round of a few tenants, each with one user and one pass through one flow, and what happens in it.
pub(crate) struct Story {
    pub(crate) plan: Plan,
    pub(crate) events: Vec<Event>,
    pub(crate) end: Option<RoundEnd>,
    pub(crate) run_end: Option<bool>,
}

/// Records in memory.
pub(crate) struct Told {
    records: std::vec::IntoIter<Result<Record, HistoryError>>,
    tail: Tail,
}

impl Iterator for Told {
    type Item = Result<Record, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.records.next()
    }
}

impl Records for Told {
    fn tail(&self) -> Tail {
        self.tail
    }
}

impl Story {
    /// A round in which everything is as it should be: everyone sees their own and is refused what is others'.
    pub(crate) fn honest(tenants: u32) -> Self {
        Self::honest_round(tenants, 0)
    }

    /// The same with a search through the store as its last step, in which everyone finds their own.
    pub(crate) fn searching(tenants: u32) -> Self {
        let mut story = Self::honest(tenants);
        let sees = story.plan.steps[usize::from(READ.0)].sees.clone();
        let (settings, tables, tenant_columns) = (vec![], vec![], vec![]);
        let search = PostgresSearch { address: Template::default(), settings, tables, tenant_columns };
        let step = &mut story.plan.steps[usize::from(CLOSE.0)];
        (step.name, step.sees, step.action) = ("search".to_owned(), sees, Action::SearchPostgres(search));
        for tenant in 0..tenants {
            let own = seen(Channel::Store, story.canary(tenant, SECRET));
            story.answers(story.op(tenant, CLOSE), |answer| answer.receipt.seen.push(own));
        }
        story
    }

    /// The same with tenants that are numbered from another first one.
    pub(crate) fn honest_round(tenants: u32, first: u32) -> Self {
        let mut story =
            Self { plan: plan(tenants, first), events: vec![], end: Some(RoundEnd::Completed), run_end: Some(false) };
        for channel in Channel::ALL {
            story.add(OpId(u32::MAX), Happening::SelfTest { channel, found: true });
        }
        for step in [LOGIN, CREATE, READ, OPEN, RECEIVE, CLOSE] {
            story.everyone(step);
        }
        let others: Vec<_> =
            story.plan.ops().filter(|(_, _, op)| !op.purpose.is_flow()).map(|op| op.2.clone()).collect();
        for op in others {
            story.add(op.id, Happening::Invoke { connection: None });
            story.add(op.id, story.honest_end(&op));
        }
        story
    }

    fn everyone(&mut self, step: StepId) {
        let ops: Vec<_> = self
            .plan
            .ops()
            .filter(|(_, _, op)| op.step == step && op.purpose.is_flow())
            .map(|op| op.2.clone())
            .collect();
        for op in &ops {
            self.add(op.id, Happening::Invoke { connection: None });
        }
        for (index, op) in (0..).zip(&ops) {
            if step == LOGIN {
                let principal = self.plan.scope(op.scope).principal;
                self.add(op.id, Happening::Identity { principal, values: vec![fact(USER, value_of(USER, index))] });
            }
            if step == RECEIVE {
                let open = self.op(index, OPEN);
                self.add(open, frame("done", vec![seen(Channel::TextFrame, self.canary(index, SECRET))], vec![]));
            }
            self.add(op.id, self.honest_end(op));
        }
    }

    fn honest_end(&self, op: &Op) -> Happening {
        let tenant = self.tenant_of(op.scope);
        let mut receipt = Receipt::default();
        match (op.purpose, op.step) {
            (Purpose::Probe { .. }, _) => return fail(404, receipt),
            (_, CREATE) => {
                let id = VariableRef { level: Level::Flow, slot: 0 };
                receipt.captured.push((id, value_of(NOTE, tenant)));
                receipt.identities.push(fact(NOTE, value_of(NOTE, tenant)));
            }
            (_, READ) => {
                receipt.seen.push(seen(Channel::Body, self.canary(tenant, SECRET)));
                receipt.identities.push(fact(USER, value_of(USER, tenant)));
            }
            _ => {}
        }
        let arrived = if op.step == RECEIVE { vec![0, 1] } else { vec![] };
        Happening::Ok(Answer { status: Some(200), arrived, receipt, ..Answer::default() })
    }

    /// Appends an event.
    pub(crate) fn add(&mut self, op: OpId, what: Happening) {
        let seq = self.events.len() as u64;
        self.events.push(Event { seq, at_us: seq * 10, op, what });
    }

    /// Appends an event of another time than its place says.
    pub(crate) fn add_at(&mut self, at_us: u64, op: OpId, what: Happening) {
        self.add(op, what);
        if let Some(event) = self.events.last_mut() {
            event.at_us = at_us;
        }
    }

    /// Changes how an operation ended.
    pub(crate) fn ends(&mut self, op: OpId, what: Happening) {
        let at = self.end_of(op);
        self.events[at].what = what;
    }

    /// Changes what came back at the end of an operation.
    pub(crate) fn answers(&mut self, op: OpId, change: impl FnOnce(&mut Answer)) {
        let at = self.end_of(op);
        match &mut self.events[at].what {
            Happening::Ok(answer) | Happening::Fail { answer, .. } | Happening::Info { answer, .. } => change(answer),
            _ => unreachable!("end_of finds ends"),
        }
    }

    /// Puts an event before the end of an operation.
    pub(crate) fn before_end(&mut self, op: OpId, what: Happening) {
        let at = self.end_of(op);
        self.events.insert(at, Event { seq: 0, at_us: 0, op, what });
        self.number();
    }

    /// Removes every event of an operation from its end on.
    pub(crate) fn never_ends(&mut self, op: OpId) {
        let at = self.end_of(op);
        self.events.remove(at);
        self.number();
    }

    /// Numbers the events anew, in their order.
    pub(crate) fn number(&mut self) {
        for (seq, event) in (0..).zip(&mut self.events) {
            (event.seq, event.at_us) = (seq, seq * 10);
        }
    }

    fn end_of(&self, op: OpId) -> usize {
        let ends = |event: &Event| {
            event.op == op && matches!(event.what, Happening::Ok(_) | Happening::Fail { .. } | Happening::Info { .. })
        };
        self.events.iter().position(ends).unwrap()
    }

    /// A tenant's operation of the flow.
    pub(crate) fn op(&self, tenant: u32, step: StepId) -> OpId {
        let mine = |op: &Op| op.purpose.is_flow() && op.step == step && self.tenant_of(op.scope) == tenant;
        self.plan.ops().find(|(_, _, op)| mine(op)).unwrap().2.id
    }

    /// A tenant's try at the next tenant's note.
    pub(crate) fn probe(&self, attacker: u32, access: Access) -> OpId {
        let tries = |op: &Op| matches!(op.purpose, Purpose::Probe { access: this, .. } if this == access);
        let ops = self.plan.ops().map(|(_, _, op)| op);
        ops.into_iter().find(|op| tries(op) && self.tenant_of(op.scope) == attacker).unwrap().id
    }

    /// The owner's look after a tenant's try.
    pub(crate) fn confirm(&self, attacker: u32, access: Access) -> OpId {
        let probe = self.probe(attacker, access);
        self.plan.ops().find(|(_, _, op)| op.purpose == Purpose::Confirm { probe }).unwrap().2.id
    }

    /// Everybody's read shows these values; `read` says what to whom.
    pub(crate) fn reads(&mut self, model: Model, read: impl Fn(&Self, u32) -> ReadValue) {
        let step = &mut self.plan.steps[usize::from(READ.0)];
        let number = u16::try_from(step.models.len()).unwrap();
        step.models.push(model);
        for tenant in 0..u32::try_from(self.plan.principals.len()).unwrap() {
            let value = read(self, tenant);
            self.read_is(tenant, number, value);
        }
    }

    /// One tenant's read shows another value.
    pub(crate) fn read_is(&mut self, tenant: u32, model: u16, value: ReadValue) {
        self.answers(self.op(tenant, READ), |answer| {
            let readings = &mut answer.receipt.compared.get_or_insert_default().readings;
            readings.retain(|reading| reading.model != model);
            readings.push(Reading { model, value });
        });
    }

    /// A tenant's canary.
    pub(crate) fn canary(&self, tenant: u32, slot: u16) -> CanaryId {
        let tenants = self.plan.principals.len();
        self.plan.scopes[tenants + tenant as usize].canaries[usize::from(slot)]
    }

    fn tenant_of(&self, scope: ScopeId) -> u32 {
        self.plan.scope(scope).principal.0 - self.plan.principals[0].id.0
    }

    /// The history's lines.
    pub(crate) fn records(&self) -> Vec<Record> {
        records(&[self])
    }

    pub(crate) fn judge(&self) -> Judgement {
        judge_records(&self.records(), Tail::Whole)
    }

    /// The findings' oracles and operations.
    pub(crate) fn found(&self) -> Vec<(OracleId, String)> {
        let findings = self.judge().verdict.findings;
        findings.into_iter().map(|finding| (finding.oracle, finding.operation)).collect()
    }
}

/// The lines of a run of several rounds.
pub(crate) fn records(stories: &[&Story]) -> Vec<Record> {
    let header = Header { format: HISTORY_FORMAT, coalmine: "0".into(), started_unix_ms: 0, reproduce: String::new() };
    let mut lines = vec![Record::Header(header)];
    let mut seq = 0;
    for story in stories {
        lines.push(Record::Round(Box::new(story.plan.clone())));
        let begins_us = seq * 10;
        for event in &story.events {
            lines.push(Record::Event(Event { seq, at_us: begins_us + event.at_us, ..event.clone() }));
            seq += 1;
        }
        lines.extend(story.end.clone().map(Record::RoundEnd));
    }
    let end = stories.last().and_then(|story| story.run_end);
    lines.extend(end.map(|interrupted| Record::RunEnd { at_us: seq * 10, interrupted }));
    lines
}

/// Judges lines that end like this.
pub(crate) fn judge_records(records: &[Record], tail: Tail) -> Judgement {
    judge_by(records, tail, oracle::all)
}

/// Judges lines with other oracles.
pub(crate) fn judge_by(records: &[Record], tail: Tail, oracles: impl Fn() -> Vec<Box<dyn Oracle>>) -> Judgement {
    let open = || {
        let records: Vec<_> = records.iter().cloned().map(Ok).collect();
        Ok(Told { records: records.into_iter(), tail })
    };
    judge_with(open, oracles()).unwrap()
}

/// Lines followed by an error.
pub(crate) fn told(records: Vec<Result<Record, HistoryError>>) -> Told {
    Told { records: records.into_iter(), tail: Tail::Whole }
}

pub(crate) fn seen(channel: Channel, canary: CanaryId) -> Seen {
    seen_as(channel, canary, Strength::Exact)
}

pub(crate) fn seen_as(channel: Channel, id: CanaryId, strength: Strength) -> Seen {
    let found = Found::Canary { id, strength };
    Seen {
        channel,
        sighting: Sighting { found, encodings: vec![], offset: 8, len: 32, context: "{\"a\":\"…\"}".into() },
    }
}

pub(crate) fn fact(rule: u16, value: Digest) -> IdentityFact {
    IdentityFact { rule, value }
}

/// The digest of a tenant's value for a rule.
pub(crate) fn value_of(rule: u16, tenant: u32) -> Digest {
    Digest(u64::from(rule) * 1_000_000 + u64::from(tenant))
}

pub(crate) fn fail(status: u16, receipt: Receipt) -> Happening {
    let answer = Answer { status: Some(status), receipt, ..Answer::default() };
    Happening::Fail { answer, why: format!("status {status}") }
}

pub(crate) fn frame(event_type: &str, seen: Vec<Seen>, identities: Vec<IdentityFact>) -> Happening {
    let receipt = Receipt { seen, identities, ..Receipt::default() };
    let event_type = Some(event_type.to_owned());
    Happening::Frame(EventFrame { index: 0, opcode: Opcode::Text, bytes: 10, event_type, receipt })
}

fn plan(tenants: u32, first: u32) -> Plan {
    let mut plan = Plan {
        format: PLAN_FORMAT,
        scenario: "notes".into(),
        seed: Seed(1),
        round: first,
        target: Target { base_url: "http://127.0.0.1:1".into(), ready_limit_ms: 1, ..Target::default() },
        schedule: Schedule::Together,
        inputs: vec![],
        attributes: vec!["tenant.name".into()],
        secret_attributes: vec![],
        sought: vec![],
        cast: coalmine_core::plan::Cast::New,
        principals: (first..first + tenants).map(principal).collect(),
        conditions: vec![],
        steps: steps(),
        flows: flows(),
        scopes: scopes(tenants, first),
        stages: vec![],
        op_count: 0,
        gates: vec![],
        usual_us: BTreeMap::new(),
        shared_connections: 0,
        demanded: vec![],
        rules: vec![],
        identities: identities(),
        objects: vec![object()],
        sharing: Sharing::default(),
        event_type: Some("$.type".into()),
        event_part: None,
        cookies: coalmine_core::plan::Cookies::Off,
        renewal: None,
        logout: None,
        voiding: None,
        credentials: vec![],
        webhooks: None,
        policy: Policy { overlap_pairs_min_percent: 30, ..Policy::default() },
        properties: vec![],
        left_out: vec![],
        budget: Budget::default(),
        earlier: None,
        shapes: coalmine_core::plan::Shapes::default(),
    };
    add_stages(&mut plan, tenants, first);
    plan
}

fn add_stages(plan: &mut Plan, tenants: u32, first: u32) {
    let session = |tenant: u32| ScopeId(tenant);
    let flow = |tenant: u32| ScopeId(tenants + tenant);
    let accesses = [(READ, Access::Read), (UPDATE, Access::Update), (DELETE, Access::Delete)];
    stage(plan, Phase::Auth, tenants, first, |tenant| vec![(LOGIN, session(tenant), Purpose::Flow)]);
    stage(plan, Phase::Flows, tenants, first, |tenant| {
        [CREATE, READ, OPEN, RECEIVE, CLOSE].map(|step| (step, flow(tenant), Purpose::Flow)).to_vec()
    });
    for (step, access) in accesses {
        let from = plan.op_count;
        stage(plan, Phase::Probe, tenants, first, |attacker| {
            let victim = flow((attacker + 1) % tenants);
            vec![(step, flow(attacker), Purpose::Probe { victim, object: 0, access })]
        });
        stage(plan, Phase::Confirm, tenants, first, |owner| {
            let probe = OpId(from + (owner + tenants - 1) % tenants);
            vec![(READ, flow(owner), Purpose::Confirm { probe })]
        });
    }
}

fn stage(
    plan: &mut Plan,
    phase: Phase,
    tenants: u32,
    first: u32,
    ops: impl Fn(u32) -> Vec<(StepId, ScopeId, Purpose)>,
) {
    let mut lanes = Vec::new();
    for tenant in 0..tenants {
        let mut lane = Lane { principal: PrincipalId(first + tenant), ops: vec![], beside: None };
        for (step, scope, purpose) in ops(tenant) {
            lane.ops.push(Op { id: OpId(plan.op_count), step, scope, purpose, manner: Manner::default() });
            plan.op_count += 1;
        }
        lanes.push(lane);
    }
    plan.stages.push(Stage { phase, lanes });
}

fn principal(number: u32) -> Principal {
    Principal {
        id: PrincipalId(number),
        tenant: TenantId(number),
        user: 0,
        session: 0,
        role: None,
        attributes: vec![format!("tenant-{number}")],
    }
}

fn scopes(tenants: u32, first: u32) -> Vec<ScopeOf> {
    let of = |flow: FlowId| {
        move |number: u32| {
            let id = |slot: u32| CanaryId { owner: Owner(number), serial: Serial(slot), shape: Shape::Token };
            let canaries = if flow == NOTES { vec![id(0), id(1)] } else { vec![] };
            ScopeOf { principal: PrincipalId(number), flow, pass: 0, canaries, members: vec![], turn: None }
        }
    };
    let numbers = first..first + tenants;
    numbers.clone().map(of(FlowId::SESSION)).chain(numbers.map(of(NOTES))).collect()
}

fn flows() -> Vec<Flow> {
    let canary = |name: &str, planted_by| CanarySpec {
        name: name.into(),
        shape: Shape::Token,
        scope: Scope::Tenant,
        planted_by,
        fit: None,
    };
    vec![
        Flow {
            name: "auth".into(),
            variables: vec![],
            canaries: vec![],
            sockets: vec![],
            members: vec![],
            block: None,
        },
        Flow {
            name: "notes".into(),
            variables: vec!["id".into()],
            canaries: vec![canary("secret", CREATE), canary("change", UPDATE)],
            sockets: vec!["events".into()],
            members: vec![],
            block: None,
        },
    ]
}

fn steps() -> Vec<Step> {
    let canary = |slot: u16| Segment::Canary(CanaryRef { level: Level::Flow, slot });
    let sends = |slot: u16| Some(Payload::Text(Template { segments: vec![canary(slot)] }));
    let note = || {
        let id = Segment::Variable(VariableRef { level: Level::Flow, slot: 0 });
        Template { segments: vec![Segment::Text("/notes/".into()), id] }
    };
    let sees = vec![CanaryRef { level: Level::Flow, slot: SECRET }];
    let events = vec!["started".to_owned(), "done".to_owned()];
    let open = Open {
        socket: SOCKET,
        path: Template::text("/ws"),
        headers: vec![],
        cookies: vec![],
        subprotocols: vec![],
        keep: false,
    };
    vec![
        step("login", "auth", request("POST", Template::text("/login"), None)),
        step("create", "notes", request("POST", Template::text("/notes"), sends(SECRET))),
        Step { sees: sees.clone(), ..step("read", "notes", request("GET", note(), None)) },
        step("open", "notes", Action::Open(open)),
        Step {
            sees,
            ..step(
                "receive",
                "notes",
                Action::Receive(Receive {
                    socket: SOCKET,
                    wire: Wire::WebSocket,
                    events,
                    contains: None,
                    about: None,
                    any_order: false,
                    confirmed_by: None,
                }),
            )
        },
        step("update", "notes", request("PUT", note(), sends(CHANGE))),
        step("delete", "notes", request("DELETE", note(), None)),
        step(
            "close",
            "notes",
            Action::Close { socket: SOCKET, wire: Wire::WebSocket, manner: Closing::Handshake, code: None },
        ),
    ]
}

fn step(name: &str, flow: &str, action: Action) -> Step {
    Step {
        name: name.into(),
        flow: flow.into(),
        line: 1,
        action,
        sees: vec![],
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
        time_limit_ms: 1,
    }
}

fn request(method: &str, path: Template, body: Option<Payload>) -> Action {
    Action::Request(Request {
        method: method.into(),
        path,
        headers: vec![],
        cookies: vec![],
        body,
        statuses: vec![],
        follow: 0,
    })
}

fn identities() -> Vec<IdentityRule> {
    let rule =
        |name: &str, mine| IdentityRule { name: name.into(), path: format!("$.{name}"), mine, scope: Scope::Tenant };
    vec![rule("user", Mine::Attribute(0)), rule("note", Mine::Variable { flow: NOTES, slot: 0 })]
}

fn object() -> ObjectRule {
    ObjectRule {
        name: "note".into(),
        flow: NOTES,
        id: VariableRef { level: Level::Flow, slot: 0 },
        read: READ,
        update: Some(UPDATE),
        delete: Some(DELETE),
        list: None,
        export: None,
        refused: vec![],
        indistinguishable: false,
    }
}
