//! What an answer says, read to be compared with what it should say: lists, figures, values that were sent.

use coalmine_canary::Found as Sighted;
use coalmine_core::history::{Compared, Digest, EchoFact, ReadValue, Reading, Veiled};
use coalmine_core::model::{Asks, EchoPlace, Key, Model};
use coalmine_core::plan::Op;
use coalmine_core::step::Step;
use coalmine_core::template::plain;
use serde_json::Value;

use super::Lane;
use super::capture::Caught;

/// Rows of one answer that are kept.
const ROWS_MAX: usize = 4_096;

impl Lane {
    /// What is compared later, where the step wants it; `caught` is what came, where it was as expected.
    pub(super) fn compared(&self, op: &Op, step: &Step, caught: Option<Caught<'_>>) -> Option<Box<Compared>> {
        let readings = caught.map(|caught| self.readings(step, caught.json)).unwrap_or_default();
        let compared = Compared { readings, echoes: self.echoes(op, step, caught) };
        (compared != Compared::default()).then(|| Box::new(compared))
    }

    /// What stands at the paths of the step's models.
    fn readings(&self, step: &Step, json: Option<&Value>) -> Vec<Reading> {
        let models = (0u16..).zip(&step.models);
        models.map(|(number, model)| Reading { model: number, value: self.read_value(model, json) }).collect()
    }

    fn read_value(&self, model: &Model, json: Option<&Value>) -> ReadValue {
        let Some(json) = json else { return ReadValue::Unreadable };
        let found = self.round.lens.paths.get(&model.path).query(json).all();
        match &model.asks {
            Asks::Rows { key, .. } => {
                let rows = found.iter().filter(|value| !value.is_null());
                let rows: Vec<Digest> = rows.take(ROWS_MAX).map(|value| self.row(*key, value)).collect();
                let dropped = found.len().saturating_sub(ROWS_MAX) as u64;
                ReadValue::Rows { rows, dropped }
            }
            Asks::Count | Asks::Sum { .. } => match found.as_slice() {
                [one] => number(one).map_or(ReadValue::Unreadable, |number| {
                    ReadValue::Figure(Veiled::new(self.round.plan.seed, number))
                }),
                _ => ReadValue::Unreadable,
            },
            Asks::Nothing => ReadValue::Filled(found.iter().filter(|value| is_something(value)).count() as u64),
        }
    }

    /// A canary is recognised however it is written.
    fn row(&self, key: Key, value: &Value) -> Digest {
        let digest_key = &self.round.lens.digest_key;
        if matches!(key, Key::Canary { .. }) {
            let sightings = self.round.lens.detector.scan(plain(value).as_bytes());
            let mut canaries = sightings.iter().filter_map(|sighting| match sighting.found {
                Sighted::Canary { id, .. } => Some(id),
                _ => None,
            });
            if let Some(id) = canaries.next() {
                return Digest::of_canary(digest_key, id);
            }
        }
        Digest::of(digest_key, value)
    }

    /// The values that were sent, and what came back in their places.
    fn echoes(&self, op: &Op, step: &Step, caught: Option<Caught<'_>>) -> Vec<EchoFact> {
        let key = &self.round.lens.digest_key;
        let facts = (0u16..).zip(&step.echoes).filter_map(|(number, echo)| {
            let sent = echo.value.fill(&self.values(op)).ok()?;
            let came = caught.and_then(|caught| self.came(&echo.place, caught));
            Some(EchoFact {
                echo: number,
                sent: Digest::of(key, &sent.into()),
                came: came.map(|it| Digest::of(key, &it)),
            })
        });
        facts.collect()
    }

    fn came(&self, place: &EchoPlace, caught: Caught<'_>) -> Option<Value> {
        match place {
            EchoPlace::Json(path) => self.round.lens.paths.get(path).query(caught.json?).first().cloned(),
            EchoPlace::Header(name) => caught.headers.get(name).and_then(|value| value.to_str().ok()).map(Value::from),
        }
    }
}

/// A number, also one that is written as text.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Null => 0.0,
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty() && text.parse() != Ok(0.0),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let table = [(json!(3), Some(3.0)), (json!("12.50"), Some(12.5)), (json!(null), Some(0.0)), (json!("x"), None)];
        for (value, read) in table {
            assert_eq!(number(&value), read, "{value}");
        }
    }

    #[test]
    fn nothing_is_what_is_empty_or_zero() {
        for nothing in [json!(null), json!(0), json!("0.00"), json!(""), json!([]), json!({}), json!(false)] {
            assert!(!is_something(&nothing), "{nothing}");
        }
        for something in [json!(1), json!("a"), json!([0]), json!({"a": null}), json!(true)] {
            assert!(is_something(&something), "{something}");
        }
    }
}
