//! The plan's JSONPaths, compiled once a round.

use std::collections::HashMap;

use coalmine_core::Plan;
use coalmine_core::step::{Action, CaptureFrom, Step};
use serde_json_path::JsonPath;

/// Compiled JSONPaths, found by their text.
pub(crate) struct Paths {
    by_text: HashMap<String, JsonPath>,
}

/// A JSONPath of the plan is not one; the scenario's parser lets none pass.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` is no JSONPath: {why}")]
pub struct PathError {
    path: String,
    why: String,
}

impl Paths {
    pub(crate) fn compile(plan: &Plan) -> Result<Self, PathError> {
        let of_steps = plan.steps.iter().flat_map(of_step);
        let of_plan = plan.identities.iter().map(|rule| &rule.path).chain(&plan.event_type);
        let mut by_text = HashMap::new();
        for text in of_steps.chain(of_plan) {
            if !by_text.contains_key(text) {
                let failed =
                    |error: serde_json_path::ParseError| PathError { path: text.clone(), why: error.to_string() };
                by_text.insert(text.clone(), JsonPath::parse(text).map_err(failed)?);
            }
        }
        Ok(Self { by_text })
    }

    /// The path of that text, which stands in the plan.
    pub(crate) fn get(&self, text: &str) -> &JsonPath {
        self.by_text.get(text).expect("every path of the plan was compiled")
    }
}

fn of_step(step: &Step) -> Vec<&String> {
    let captures = step.captures.iter().filter_map(|capture| match &capture.from {
        CaptureFrom::Json(path) => Some(path),
        CaptureFrom::Header(_) => None,
    });
    let about = match &step.action {
        Action::Receive(receive) => receive.about.as_ref().map(|about| &about.path),
        _ => None,
    };
    captures.chain(about).collect()
}
