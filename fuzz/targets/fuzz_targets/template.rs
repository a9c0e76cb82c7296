//! No text with holes and no answer make the reader of templates, the functions or the filling panic.
//!
//! The first line of the input is the text, what follows is what an earlier answer said.

#![no_main]

use coalmine_core::Seed;
use coalmine_core::function::Function;
use coalmine_core::step::{Action, Payload};
use coalmine_core::template::{CanaryRef, Fill, Level, MemberValue, VariableRef, percent_encode};
use coalmine_plan::{Overrides, Scenario, plan};
use coalmine_run::computed;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// What the holes are filled with.
struct Answer(Value);

impl Fill for Answer {
    fn canary(&self, canary: CanaryRef) -> Value {
        if canary.slot == 0 { "canary".into() } else { 7.into() }
    }
    fn variable(&self, _: VariableRef) -> Option<Value> {
        Some(self.0.clone())
    }
    fn attribute(&self, _: u16) -> String {
        "acme".to_owned()
    }
    fn input(&self, _: u16) -> Option<Value> {
        Some(self.0.clone())
    }
    fn member(&self, _: Level, _: u16, _: MemberValue) -> Option<Value> {
        None
    }
    fn call(&self, function: Function, arguments: &[Value]) -> Result<Value, String> {
        computed(function, arguments)
    }
    fn webhook(&self, _: u16) -> String {
        "http://127.0.0.1:1/hook".to_owned()
    }
    fn random(&self, count: u32) -> Vec<u8> {
        vec![7; count as usize]
    }
}

/// JSON is YAML: no text can end its own quotes.
fn scenario(text: &str) -> String {
    json!({
        "coalmine": 1, "name": "template", "target": {"url": "http://127.0.0.1:1"}, "tenants": 2,
        "canaries": {"text": "text", "number": "integer"},
        "variables": {"region": {"default": "eu"}},
        "values": {"claims": {"sub": "{{user.name}}", "n": 1}},
        "flows": {"f": {"steps": [
            {"id": "a", "post": "/a", "json": {"a": "{{canary.text}}", "b": "{{canary.number}}"}, "capture": {"it": "$.it"}},
            {"id": "b", "post": format!("/{text}"), "json": {"value": text}},
            {"id": "c", "post": "/c", "headers": {"x-text": text}, "form": {"value": text}},
        ]}},
    })
    .to_string()
}

fuzz_target!(|input: &str| {
    let (text, answer) = input.split_once('\n').unwrap_or((input, "null"));
    let Ok(scenario) = Scenario::parse(&scenario(text), "template.yaml") else { return };
    let overrides = Overrides { tenants: Some(2), repeat: Some(1), ..Overrides::default() };
    let plan = plan(&scenario, Seed(1), 0, &overrides).expect("what was compiled can be planned");
    let answer = Answer(serde_json::from_str(answer).unwrap_or_else(|_| answer.into()));
    for step in &plan.steps {
        let Action::Request(request) = &step.action else { continue };
        let path = request.path.fill_encoded(&answer, percent_encode);
        assert!(path.is_err() || path.is_ok_and(|path| path.starts_with('/')));
        for (_, value) in &request.headers {
            let _ = value.fill(&answer);
        }
        if let Some(Payload::Json(tree)) = &request.body {
            let _ = tree.fill(&answer);
        }
    }
});
