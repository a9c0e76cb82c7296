//! `coalmine plan`: what would be sent, without its secrets.

use coalmine_core::condition::{Condition, Given, Is, Test};
use coalmine_core::function::Function;
use coalmine_core::plan::{Op, Phase, Purpose};
use coalmine_core::step::{Action, AnswerTest, Bytes, Part, PartContent, Payload, Request, Step};
use coalmine_core::template::{CanaryRef, Fill, Level, MemberValue, Template, VariableRef, plain};
use coalmine_core::{Plan, Principal};
use coalmine_plan::Overrides;
use serde_json::Value;

use super::{say, seed_or_chance};
use crate::args::PlanArgs;
use crate::exit::{Exit, Failed};
use crate::inputs::Inputs;
use crate::source;

/// Plans the first round and prints the operations of one user, or of all.
pub(crate) fn run(args: &PlanArgs) -> Result<Exit, Failed> {
    let scenario = source::read(&args.scenario.source)?;
    let seed = seed_or_chance(args.scenario.seed);
    let inputs = Inputs::read(args.scenario.source.variables.as_deref())?;
    let overrides = Overrides { inputs: inputs.values(&scenario), ..source::overrides(&args.scenario) };
    let plan = coalmine_plan::plan(&scenario, seed, 0, &overrides).map_err(Failed::usage)?;
    let users = plan.principals.iter().filter(|principal| !principal.is_anonymous()).count();
    let operations = plan.op_count;
    say(
        "Plan",
        format_args!(
            "{}: {users} users, {operations} operations, seed {seed}, to {}",
            plan.scenario, plan.target.base_url
        ),
    );
    for stage in &plan.stages {
        say("Stage", format_args!("{}, {} users at once", phase(stage.phase), stage.lanes.len()));
        let shown = if args.all { stage.lanes.len() } else { 1 };
        for lane in stage.lanes.iter().take(shown) {
            let Some(principal) = plan.principal(lane.principal) else { continue };
            lane.ops.iter().for_each(|op| print(&plan, principal, op));
        }
        if stage.lanes.len() > shown {
            say("", format_args!("and {} users like this one", stage.lanes.len() - shown));
        }
    }
    Ok(Exit::Pass)
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Auth => "sessions are made",
        Phase::Flows => "flows",
        Phase::Probe => "others' objects are tried",
        Phase::Confirm => "their owners look at them",
        Phase::Cleanup => "what was made is removed",
    }
}

fn print(plan: &Plan, principal: &Principal, op: &Op) {
    let step = plan.step(op.step);
    let words = Redacted { plan, principal, op };
    let sent = match &step.action {
        Action::Request(request) => words.request(request),
        Action::Subscribe(subscribe) => format!("SSE {}", words.request(&subscribe.request)),
        Action::Open(open) => format!("WS {}", words.text(&open.path)),
        Action::Send { payload, .. } => format!("send {}", words.payload(payload)),
        Action::Receive(receive) => format!("receive {}", receive.events.join(", ")),
        Action::Ping { .. } => "ping".to_owned(),
        Action::AwaitClose { codes, .. } => format!("await a close with {codes:?}"),
        Action::AwaitWebhook(awaited) => {
            format!("await {} webhooks at {}", awaited.count, words.webhook(awaited.webhook))
        }
        Action::SearchPostgres(_) => "search a PostgreSQL".to_owned(),
        Action::SearchRedis(search) => format!("search a Redis for `{}`", search.keys),
        Action::SearchLogs(search) => {
            let files: Vec<String> = search.files.iter().map(|file| words.text(file)).collect();
            format!("search the logs {}", files.join(", "))
        }
        Action::Close { .. } => "close".to_owned(),
        Action::Pause { .. } => format!("{} ms", plan.pause_ms(op).unwrap_or_default()),
    };
    let cases = words.cases(step);
    let why = match op.purpose {
        Purpose::Probe { victim, .. } | Purpose::Anonymous { host: victim } => {
            let owner = plan.principal(plan.scope(victim).principal).map(ToString::to_string).unwrap_or_default();
            format!(" with the id of {owner}")
        }
        _ => String::new(),
    };
    let turn = turn(plan, op);
    say(&format!("op {}", op.id.0), format_args!("{principal}: {}{turn}{why}: {sent}{cases}", step.name));
}

/// Which turns of which blocks an operation belongs to, from the outermost in, counted from 1.
fn turn(plan: &Plan, op: &Op) -> String {
    let turns = plan.around(op.scope).filter_map(|scope| plan.scope(scope).turn);
    let mut numbers: Vec<String> = turns.map(|turn| (turn.index + 1).to_string()).collect();
    numbers.reverse();
    if numbers.is_empty() { String::new() } else { format!(" [turn {}]", numbers.join(".")) }
}

/// Fills holes with the names of what will stand there.
struct Redacted<'a> {
    plan: &'a Plan,
    principal: &'a Principal,
    op: &'a Op,
}

impl Redacted<'_> {
    fn request(&self, request: &Request) -> String {
        let body = request.body.as_ref().map(|body| format!(" {}", self.payload(body))).unwrap_or_default();
        format!("{} {}{body}", request.method, self.text(&request.path))
    }

    /// When a step is due, what is done at the same time, and when it is enough.
    fn cases(&self, step: &Step) -> String {
        let group = step.group.map(|it| format!(", in parallel {} group {}", it.parallel + 1, it.number + 1));
        let due = step.due.iter().map(|due| {
            let here = Op { scope: self.plan.scope_at(self.op.scope, due.at), ..self.op.clone() };
            let there = Redacted { op: &here, ..*self };
            there.condition(&self.plan.conditions[usize::from(due.condition)])
        });
        let until = step.until.as_ref().map(|until| {
            let tests: Vec<String> = until.tests.iter().map(|test| self.answer_test(test)).collect();
            format!(", until {}, every {} ms", tests.join(" and "), until.every_ms)
        });
        group.into_iter().chain(due).chain(until).collect()
    }

    fn condition(&self, condition: &Condition) -> String {
        let (word, tests) = match condition {
            Condition::When(tests) => ("when", tests),
            Condition::Unless(tests) => ("unless", tests),
        };
        let test = |test: &Test| {
            let given = match &test.given {
                Given::Role => "<role>".to_owned(),
                Given::Value(template) => self.text(template),
            };
            match &test.is {
                Is::OneOf(texts) => format!("{given} is {}", texts.join(" or ")),
                Is::Empty => format!("{given} is empty"),
                Is::Present => format!("{given} is not empty"),
            }
        };
        format!(", {word} {}", tests.iter().map(test).collect::<Vec<_>>().join(" and "))
    }

    fn answer_test(&self, test: &AnswerTest) -> String {
        match test {
            AnswerTest::Status(statuses) => format!("status is one of {statuses:?}"),
            AnswerTest::OneOf { path, texts } => {
                let texts: Vec<String> = texts.iter().map(|text| self.text(text)).collect();
                format!("{path} is {}", texts.join(" or "))
            }
            AnswerTest::Present { path, present: true } => format!("{path} is not empty"),
            AnswerTest::Present { path, present: false } => format!("{path} is empty"),
        }
    }

    fn text(&self, template: &Template) -> String {
        template.fill(self).unwrap_or_default()
    }

    fn bytes(&self, bytes: &Bytes) -> String {
        match bytes {
            Bytes::Fixed(fixed) => format!("<{} bytes>", fixed.len()),
            Bytes::Random(_) => String::from_utf8_lossy(&bytes.fill(self)).into_owned(),
        }
    }

    fn payload(&self, payload: &Payload) -> String {
        match payload {
            Payload::Json(tree) => tree.fill(self).map(|json| json.to_string()).unwrap_or_default(),
            Payload::Text(template) | Payload::Binary(template) => self.text(template),
            Payload::Bytes(bytes) => self.bytes(bytes),
            Payload::Multipart(parts) => {
                let texts = |part: &Part| -> Vec<String> {
                    if let PartContent::Bytes(bytes) = &part.content {
                        return vec![self.bytes(bytes)];
                    }
                    part.content.templates().into_iter().map(|text| self.text(text)).collect()
                };
                let parts = parts.iter().map(|part| format!("{}={}", part.name, texts(part).join(",")));
                parts.collect::<Vec<_>>().join("&")
            }
            Payload::Form(fields) => {
                let fields = fields.iter().map(|(name, value)| format!("{name}={}", self.text(value)));
                fields.collect::<Vec<_>>().join("&")
            }
        }
    }

    fn flow(&self, level: Level) -> &coalmine_core::plan::Flow {
        let scope = match self.op.purpose {
            Purpose::Visit { host } | Purpose::Role { host, .. } => host,
            _ => self.op.scope,
        };
        self.plan.flow(self.plan.scope(self.plan.scope_at(scope, level)).flow)
    }
}

impl Fill for Redacted<'_> {
    fn canary(&self, canary: CanaryRef) -> Value {
        let spec = self.flow(canary.level).canaries.get(usize::from(canary.slot));
        spec.map_or_else(String::new, |spec| format!("<{} {}>", spec.shape, spec.name)).into()
    }

    fn variable(&self, variable: VariableRef) -> Option<Value> {
        let name = self.flow(variable.level).variables.get(usize::from(variable.slot));
        Some(format!("<{}>", name.map_or("captured", String::as_str)).into())
    }

    fn attribute(&self, slot: u16) -> String {
        let slot = usize::from(slot);
        match self.plan.attributes.get(slot).map(String::as_str) {
            Some(name) if self.plan.secret_attributes.iter().any(|secret| usize::from(*secret) == slot) => {
                format!("<secret {name}>")
            }
            Some("user.password") | None => "<password>".to_owned(),
            Some(_) => self.principal.attributes.get(slot).cloned().unwrap_or_default(),
        }
    }

    fn random(&self, count: u32) -> Vec<u8> {
        format!("<{count} random bytes>").into_bytes()
    }

    fn webhook(&self, slot: u16) -> String {
        let names = self.plan.webhooks.as_ref().map(|webhooks| webhooks.names.as_slice()).unwrap_or_default();
        format!("<webhook {}>", names.get(usize::from(slot)).map_or("url", String::as_str))
    }

    fn member(&self, _: Level, member: u16, _: MemberValue) -> Option<Value> {
        Some(format!("<of member {member}>").into())
    }

    fn input(&self, slot: u16) -> Option<Value> {
        let input = self.plan.inputs.get(usize::from(slot))?;
        Some(input.value.clone().unwrap_or_else(|| format!("<secret {}>", input.name)).into())
    }

    fn call(&self, function: Function, arguments: &[Value]) -> Result<Value, String> {
        let arguments: Vec<_> = arguments.iter().map(|argument| plain(argument).into_owned()).collect();
        Ok(format!("{}({})", function.name(), arguments.join(", ")).into())
    }
}
