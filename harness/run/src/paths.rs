//! The plan's JSONPaths, regular expressions and selectors, compiled once a round.

use std::collections::HashMap;

use coalmine_core::Plan;
use coalmine_core::model::EchoPlace;
use coalmine_core::plan::CredentialFrom;
use coalmine_core::selector::Selector;
use coalmine_core::step::{Action, AnswerTest, CaptureFrom, Step};
use regex::Regex;
use serde_json_path::JsonPath;

/// Compiled patterns, found by their text.
pub(crate) struct Paths {
    by_text: HashMap<String, JsonPath>,
    regexes: HashMap<String, Regex>,
    selectors: HashMap<String, Selector>,
}

/// A pattern of the plan is not one; the scenario's parser lets none pass.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be searched for: {why}")]
pub struct PathError {
    path: String,
    why: String,
}

impl Paths {
    pub(crate) fn compile(plan: &Plan) -> Result<Self, PathError> {
        let of_steps = plan.steps.iter().flat_map(of_step);
        let credential = plan.webhooks.iter().filter_map(|webhooks| match &webhooks.credential.as_ref()?.from {
            CredentialFrom::Json(path) => Some(path),
            CredentialFrom::Header(_) => None,
        });
        let of_plan = plan.identities.iter().map(|rule| &rule.path).chain(&plan.event_type).chain(credential);
        let mut by_text = HashMap::new();
        for text in of_steps.chain(of_plan) {
            if !by_text.contains_key(text) {
                let failed =
                    |error: serde_json_path::ParseError| PathError { path: text.clone(), why: error.to_string() };
                by_text.insert(text.clone(), JsonPath::parse(text).map_err(failed)?);
            }
        }
        let mut paths = Self { by_text, regexes: HashMap::new(), selectors: HashMap::new() };
        for capture in plan.steps.iter().flat_map(|step| &step.captures) {
            paths.add(&capture.from)?;
        }
        if let Some(part) = &plan.event_part {
            paths.add(&CaptureFrom::Regex(part.clone()))?;
        }
        Ok(paths)
    }

    /// What one capture needs.
    pub(crate) fn of_capture(from: &CaptureFrom) -> Result<Self, PathError> {
        let mut paths = Self { by_text: HashMap::new(), regexes: HashMap::new(), selectors: HashMap::new() };
        paths.add(from)?;
        let mut whole = from;
        while let CaptureFrom::Part { whole: of, .. } = whole {
            whole = of;
        }
        if let CaptureFrom::Json(text) = whole {
            let failed = |error: serde_json_path::ParseError| PathError { path: text.clone(), why: error.to_string() };
            paths.by_text.insert(text.clone(), JsonPath::parse(text).map_err(failed)?);
        }
        Ok(paths)
    }

    fn add(&mut self, from: &CaptureFrom) -> Result<(), PathError> {
        let failed = |path: &String, why: String| PathError { path: path.clone(), why };
        match from {
            CaptureFrom::Regex(text) => {
                let regex = Regex::new(text).map_err(|error| failed(text, error.to_string()))?;
                self.regexes.insert(text.clone(), regex);
            }
            CaptureFrom::Css { selector: text, .. } => {
                let selector = Selector::parse(text).map_err(|error| failed(text, error.to_string()))?;
                self.selectors.insert(text.clone(), selector);
            }
            CaptureFrom::Part { whole, regex } => {
                self.add(whole)?;
                self.add(&CaptureFrom::Regex(regex.clone()))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The regular expression of that text, which stands in the plan.
    pub(crate) fn regex(&self, text: &str) -> &Regex {
        self.regexes.get(text).expect("every regular expression of the plan was compiled")
    }

    /// The selector of that text, which stands in the plan.
    pub(crate) fn selector(&self, text: &str) -> &Selector {
        self.selectors.get(text).expect("every selector of the plan was parsed")
    }

    /// The path of that text, which stands in the plan.
    pub(crate) fn get(&self, text: &str) -> &JsonPath {
        self.by_text.get(text).expect("every path of the plan was compiled")
    }
}

fn of_step(step: &Step) -> Vec<&String> {
    let captures = step.captures.iter().filter_map(|capture| match capture.from.place() {
        CaptureFrom::Json(path) => Some(path),
        _ => None,
    });
    let models = step.models.iter().map(|model| &model.path);
    let echoes = step.echoes.iter().filter_map(|echo| match &echo.place {
        EchoPlace::Json(path) => Some(path),
        EchoPlace::Header(_) => None,
    });
    let captures = captures.chain(models).chain(echoes);
    let about = match &step.action {
        Action::Receive(receive) => receive.about.as_ref().map(|about| &about.path),
        Action::AwaitWebhook(awaited) => awaited.about.as_ref().map(|about| &about.path),
        _ => None,
    };
    let until = step.until.iter().flat_map(|until| until.tests.iter().filter_map(AnswerTest::path));
    let expects = step.expects.iter().filter_map(AnswerTest::path);
    captures.chain(about).chain(until).chain(expects).collect()
}
