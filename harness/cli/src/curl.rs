//! What of a script curl can show: a line a request, with shell variables for all that is secret or not known before.

use coalmine_core::function::Function;
use coalmine_core::plan::{Plan, Purpose};
use coalmine_core::step::{Action, Payload};
use coalmine_core::template::{CanaryRef, Fill, Level, MemberValue, VariableRef};
use coalmine_core::{Script, Seed};
use coalmine_plan::{Overrides, Scenario};
use serde_json::Value;

/// More lines than that say less.
const LINES_MAX: usize = 40;

/// The requests of a script in the order of its lanes. What curl cannot show is named.
pub(crate) fn lines(scenario: &Scenario, script: &Script) -> Vec<String> {
    let target_url = scenario.target_url().map_or_else(|| Some("http://127.0.0.1".to_owned()), |_| None);
    let overrides = Overrides { target_url, ..Overrides::default() };
    // The names of variables are those of the scenario, whoever the people are.
    let Ok(plan) = coalmine_plan::perform(scenario, script, Seed(0), &overrides) else { return vec![] };
    let mut lines = vec![
        String::new(),
        "By hand, lane after lane, with TARGET set; $A0_TOKEN is the `token` of person 0:".to_owned(),
    ];
    let ops = plan.ops().map(|(_, principal, op)| (principal.0, op.scope.0, op.purpose, op.step));
    lines.extend(ops.take(LINES_MAX).map(|(by, scope, purpose, step)| {
        let names = Names {
            plan: &plan,
            by,
            host: host(purpose).map_or(by, |pass| plan.scopes[pass as usize].principal.0),
            scope,
        };
        names.line(&plan.step(step).action).unwrap_or_else(|| format!("({} of person {by})", plan.step(step).name))
    }));
    lines
}

fn host(purpose: Purpose) -> Option<u32> {
    match purpose {
        Purpose::Probe { victim: host, .. } | Purpose::Visit { host } | Purpose::Anonymous { host } => Some(host.0),
        _ => None,
    }
}

struct Names<'a> {
    plan: &'a Plan,
    by: u32,
    /// Of whom flow variables are.
    host: u32,
    scope: u32,
}

impl Names<'_> {
    fn line(&self, action: &Action) -> Option<String> {
        let Action::Request(request) = action else { return None };
        let mut line = format!(
            "curl -X {} {}",
            request.method,
            quoted(&format!("$TARGET{}", text(&request.path.fill(self).ok()?)))
        );
        for (name, value) in &request.headers {
            line = format!("{line} -H {}", quoted(&format!("{name}: {}", text(&value.fill(self).ok()?))));
        }
        match &request.body {
            Some(Payload::Json(tree)) => Some(format!("{line} --json {}", quoted(&tree.fill(self).ok()?.to_string()))),
            Some(Payload::Text(body)) => Some(format!("{line} --data {}", quoted(&text(&body.fill(self).ok()?)))),
            Some(_) => Some(format!("{line} --data-binary @body")),
            None => Some(line),
        }
    }

    fn named(by: u32, name: &str) -> String {
        let word: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        format!("$A{by}_{word}")
    }

    fn flow(&self, level: Level) -> usize {
        match level {
            Level::Session => 0,
            _ => usize::from(self.plan.scopes[self.scope as usize].flow.0),
        }
    }
}

/// In double quotes, so that a shell fills in its variables and nothing else.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('`', "\\`"))
}

fn text(value: &str) -> String {
    value.to_owned()
}

impl Fill for Names<'_> {
    fn canary(&self, canary: CanaryRef) -> Value {
        let spec = self.plan.flows[self.flow(canary.level)].canaries.get(usize::from(canary.slot));
        Self::named(self.by, &format!("SECRET_{}", spec.map_or("?", |spec| &spec.name))).into()
    }

    fn variable(&self, variable: VariableRef) -> Option<Value> {
        let name = self.plan.flows[self.flow(variable.level)].variables.get(usize::from(variable.slot))?;
        let by = if variable.level == Level::Session { self.by } else { self.host };
        Some(Self::named(by, name).into())
    }

    fn attribute(&self, slot: u16) -> String {
        Self::named(self.by, self.plan.attributes.get(usize::from(slot)).map_or("?", String::as_str))
    }

    fn input(&self, slot: u16) -> Option<Value> {
        self.plan.inputs.get(usize::from(slot)).map(|input| format!("${}", input.name).into())
    }

    fn member(&self, _: Level, _: u16, _: MemberValue) -> Option<Value> {
        Some("$MEMBER".into())
    }

    fn call(&self, function: Function, _: &[Value]) -> Result<Value, String> {
        Ok(format!("${}", function.name().to_ascii_uppercase()).into())
    }

    fn webhook(&self, _: u16) -> String {
        "$WEBHOOK".to_owned()
    }

    fn random(&self, _: u32) -> Vec<u8> {
        vec![]
    }
}
