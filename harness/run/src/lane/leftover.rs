//! What a run made and could not remove, with the command that removes it.

use coalmine_core::function::Function;
use coalmine_core::plan::Op;
use coalmine_core::step::{Action, Payload, Request};
use coalmine_core::template::{CanaryRef, Fill, Level, MemberValue, VariableRef};
use serde_json::Value;

use super::Lane;
use super::path::fill_path;
use crate::progress::Leftover;

impl Lane {
    /// What an operation that cleans up would have removed; none where there was nothing to remove, because what it needs was
    /// never captured.
    pub(crate) fn leftover(&self, op: &Op) -> Option<Leftover> {
        let step = self.round.plan.step(op.step);
        let Action::Request(request) = &step.action else { return None };
        self.build(op, request).ok()?;
        let command = self.command(op, request)?;
        Some(Leftover { step: step.name.clone(), command })
    }

    /// A line for a shell, with all that came from the target in quotes. Ids that were captured are written out; what the
    /// session knows is named.
    fn command(&self, op: &Op, request: &Request) -> Option<String> {
        let shown = Shown { lane: self, op };
        let place = fill_path(&request.path, &self.round.destinations, &shown).ok()?;
        let url = place.url().replace("%3C", "<").replace("%3E", ">");
        let mut line = format!("curl -X {} {}", request.method, quoted(&url));
        for (name, value) in &request.headers {
            line = format!("{line} -H {}", quoted(&format!("{name}: {}", value.fill(&shown).ok()?)));
        }
        if !request.cookies.is_empty() {
            line.push_str(" -b '<cookies>'");
        }
        match &request.body {
            Some(Payload::Json(tree)) => {
                Some(format!("{line} --json {}", quoted(&tree.fill(&shown).ok()?.to_string())))
            }
            Some(_) => Some(format!("{line} --data '<body>'")),
            None => Some(line),
        }
    }
}

/// Quotes for a shell of POSIX.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Fills ids of the operation's own pass, and names for everything else.
struct Shown<'a> {
    lane: &'a Lane,
    op: &'a Op,
}

impl Shown<'_> {
    fn name(&self, variable: VariableRef) -> Option<&str> {
        let scope = self.lane.values(self.op).scope_of(variable.level);
        let flow = self.lane.round.plan.scope(scope).flow;
        self.lane.round.plan.flow(flow).variables.get(usize::from(variable.slot)).map(String::as_str)
    }
}

impl Fill for Shown<'_> {
    fn canary(&self, _: CanaryRef) -> Value {
        "<canary>".into()
    }

    fn variable(&self, variable: VariableRef) -> Option<Value> {
        match variable.level {
            Level::Flow | Level::Outer(_) => self.lane.values(self.op).variable(variable),
            Level::Session => Some(named(self.name(variable)?).into()),
        }
    }

    fn attribute(&self, slot: u16) -> String {
        let name = self.lane.round.plan.attributes.get(usize::from(slot)).map_or("attribute", String::as_str);
        named(name)
    }

    fn input(&self, slot: u16) -> Option<Value> {
        self.lane.round.plan.inputs.get(usize::from(slot)).map(|input| named(&input.name).into())
    }

    fn member(&self, _: Level, _: u16, _: MemberValue) -> Option<Value> {
        Some("<member>".into())
    }

    fn call(&self, function: Function, _: &[Value]) -> Result<Value, String> {
        Ok(named(function.name()).into())
    }

    fn webhook(&self, _: u16) -> String {
        "<webhook>".to_owned()
    }

    fn random(&self, _: u32) -> Vec<u8> {
        b"<bytes>".to_vec()
    }
}

/// `token` as `<token>`.
fn named(name: &str) -> String {
    format!("<{name}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_target_stays_in_its_quotes() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
