//! Requests that are sent again until the answer is the one that is waited for.

use std::time::Duration;

use coalmine_core::history::Happening;
use coalmine_core::perturb::Manner;
use coalmine_core::plan::{Op, Purpose};
use coalmine_core::step::{AnswerTest, Request, Step, Until};
use coalmine_core::template::{Template, Unfilled, plain};
use serde_json::Value;
use tokio::time::Instant;

use super::request::Exchanged;
use super::{Lane, limit};
use crate::due::Unsent;

/// What an answer is compared with, its templates filled.
enum Test<'a> {
    Status(&'a [u16]),
    OneOf { path: &'a str, texts: Vec<String> },
    Present { path: &'a str, present: bool },
}

impl Lane {
    /// What is sent again, if the operation is of a kind for which that makes sense: who tries another's object is answered once.
    pub(super) fn until<'s>(op: &Op, step: &'s Step) -> Option<&'s Until> {
        let waits = match op.purpose {
            Purpose::Flow | Purpose::Visit { .. } | Purpose::Confirm { .. } => true,
            Purpose::Shake => op.manner.is_plain(),
            _ => false,
        };
        step.until.as_ref().filter(|_| waits)
    }

    /// Every answer but the last is recorded as an attempt. Nothing is captured of it.
    pub(super) async fn poll(
        &mut self,
        op: &Op,
        step: &Step,
        request: &Request,
        until: &Until,
    ) -> Result<Happening, Unsent> {
        let tests = self.tests(op, &until.tests).map_err(|unfilled| self.unfilled(op, unfilled))?;
        self.build(op, request).map_err(|error| self.unsendable(op, error))?;
        if let Err(withheld) = self.admit().await {
            return Ok(withheld);
        }
        let (begin, pause) = (Instant::now(), Duration::from_millis(until.every_ms));
        // It is shaken once.
        let again = Op { manner: Manner::default(), ..op.clone() };
        for attempt in 1.. {
            let left = limit(step).saturating_sub(begin.elapsed());
            let one = if attempt == 1 { op } else { &again };
            let exchanged = self.exchange(one, step, request, (attempt == 1, left)).await?;
            let Some(why) = self.unmet(&tests, request, &exchanged) else {
                return Ok(self.classify(op, step, request, exchanged));
            };
            let enough = attempt >= until.attempts_max || begin.elapsed() + pause >= limit(step);
            if enough || self.admit().await.is_err() {
                let why = format!("{why}, after {attempt} requests in {:?}", begin.elapsed());
                return Ok(Happening::Info { answer: exchanged.answer, why });
            }
            self.round.recorder.event(op.id, Happening::Attempt { answer: exchanged.answer, why, step: None });
            tokio::time::sleep(pause).await;
        }
        unreachable!("the number of attempts has a limit")
    }

    fn tests<'u>(&self, op: &Op, tests: &'u [AnswerTest]) -> Result<Vec<Test<'u>>, Unfilled> {
        let fill = |texts: &[Template]| texts.iter().map(|text| text.fill(&self.values(op))).collect::<Result<_, _>>();
        let test = |test: &'u AnswerTest| {
            Ok(match test {
                AnswerTest::Status(statuses) => Test::Status(statuses),
                AnswerTest::OneOf { path, texts } => Test::OneOf { path, texts: fill(texts)? },
                AnswerTest::Present { path, present } => Test::Present { path, present: *present },
            })
        };
        tests.iter().map(test).collect()
    }

    /// What of an answer is not as it is wanted yet; none also where it never will be, since it broke off or was refused.
    fn unmet(&self, tests: &[Test<'_>], request: &Request, exchanged: &Exchanged) -> Option<String> {
        let status = exchanged.answer.status.filter(|_| exchanged.outcome.is_ok())?;
        let other = |test: &Test<'_>| matches!(test, Test::Status(statuses) if !statuses.contains(&status));
        if tests.iter().any(other) {
            return Some(format!("status {status}"));
        }
        let unmet = tests
            .iter()
            .filter(|_| request.accepts(status))
            .find_map(|test| self.differs(test, exchanged.json.as_ref()));
        unmet.map(|path| format!("`{path}` is not so yet"))
    }

    /// What of an answer is not as the step expects it.
    pub(super) fn unexpected(&self, op: &Op, step: &Step, json: Option<&Value>) -> Option<String> {
        match self.tests(op, &step.expects) {
            Ok(tests) => {
                let path = tests.iter().find_map(|test| self.differs(test, json))?;
                Some(format!("`{path}` is not as it is expected"))
            }
            Err(unfilled) => Some(format!("nobody knows what is expected: {unfilled}")),
        }
    }

    /// The path at which something else stands than what is wanted.
    fn differs<'t>(&self, test: &Test<'t>, json: Option<&Value>) -> Option<&'t str> {
        match test {
            Test::OneOf { path, texts } => {
                (!self.at(path, json, |value| texts.contains(&plain(value).into()))).then_some(path)
            }
            Test::Present { path, present } => (self.at(path, json, is_something) != *present).then_some(path),
            Test::Status(_) => None,
        }
    }

    /// Whether it holds of any value at the path.
    fn at(&self, path: &str, json: Option<&Value>, holds: impl Fn(&Value) -> bool) -> bool {
        let found = json.map(|json| self.round.lens.paths.get(path).query(json).all());
        found.into_iter().flatten().any(holds)
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
        _ => true,
    }
}
