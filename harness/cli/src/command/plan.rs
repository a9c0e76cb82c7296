//! `coalmine plan`: what would be sent, without its secrets.

use coalmine_core::function::Function;
use coalmine_core::plan::{Op, Phase, Purpose};
use coalmine_core::step::{Action, Part, Payload, Request};
use coalmine_core::template::{CanaryRef, Fill, Level, MemberValue, Template, VariableRef, plain};
use coalmine_core::{Plan, Principal};
use coalmine_plan::Overrides;
use serde_json::Value;

use super::gate::{overrides_of, read};
use super::{say, seed_or_chance};
use crate::args::PlanArgs;
use crate::exit::{Exit, Failed};
use crate::inputs;

/// Plans the first round and prints the operations of one user, or of all.
pub(crate) fn run(args: &PlanArgs) -> Result<Exit, Failed> {
    let scenario = read(&args.scenario)?;
    let seed = seed_or_chance(args.seed);
    let overrides = Overrides { inputs: inputs::values(&scenario), ..overrides_of(args) };
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
        Action::Close { .. } => "close".to_owned(),
    };
    let why = match op.purpose {
        Purpose::Probe { victim, .. } | Purpose::Anonymous { host: victim } => {
            let owner = plan.principal(plan.scope(victim).principal).map(ToString::to_string).unwrap_or_default();
            format!(" with the id of {owner}")
        }
        _ => String::new(),
    };
    say(&format!("op {}", op.id.0), format_args!("{principal}: {}{why}: {sent}", step.name));
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

    fn text(&self, template: &Template) -> String {
        template.fill(self).unwrap_or_default()
    }

    fn payload(&self, payload: &Payload) -> String {
        match payload {
            Payload::Json(tree) => tree.fill(self).map(|json| json.to_string()).unwrap_or_default(),
            Payload::Text(template) | Payload::Binary(template) => self.text(template),
            Payload::Multipart(parts) => {
                let texts = |part: &Part| -> Vec<String> {
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
        match level {
            Level::Session => self.plan.flow(coalmine_core::plan::FlowId::SESSION),
            Level::Flow => self.plan.flow(self.plan.scope(self.op.scope).flow),
        }
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
