//! The documented schema and the reports that are really written do not drift apart.
//!
//! The validator knows the keywords that our schema uses and refuses any other, so that no rule but `pattern` is passed over
//! in silence. A full validator takes minutes to build and would tell us no more.
#![expect(clippy::unwrap_used, reason = "all of this crate is a test")]

mod sample;

use coalmine_core::diagnosis::{Ablation, Class};
use coalmine_core::history::{Channel, Record};
use coalmine_core::verdict::{OracleId, Outcome, Pattern, ShortfallKind};
use coalmine_report::{ModelMark, json, models_json};
use serde_json::{Map, Value};

const SCHEMA: &str = include_str!("../../schema/report.schema.json");
const MODELS_SCHEMA: &str = include_str!("../../schema/models.schema.json");
const HISTORY_SCHEMA: &str = include_str!("../../schema/history.schema.json");
const README: &str = include_str!("../../schema/README.md");

/// Keywords that only describe, and `pattern`, which would need a regular expression engine.
const WORDS: [&str; 6] = ["$schema", "$id", "$defs", "title", "description", "pattern"];

struct Schema {
    root: Value,
}

impl Schema {
    fn new() -> Self {
        Self { root: serde_json::from_str(SCHEMA).unwrap() }
    }

    fn of_history() -> Self {
        Self { root: serde_json::from_str(HISTORY_SCHEMA).unwrap() }
    }

    fn of_models() -> Self {
        Self { root: serde_json::from_str(MODELS_SCHEMA).unwrap() }
    }

    /// What is wrong with the value, each with its place.
    fn errors(&self, value: &Value) -> Vec<String> {
        let mut errors = Vec::new();
        self.check(&self.root, value, "$", &mut errors);
        errors
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
        for (keyword, rule) in schema.as_object().unwrap() {
            let holds = match keyword.as_str() {
                "$ref" => {
                    self.check(self.definition(rule), value, at, errors);
                    true
                }
                "properties" => {
                    self.check_properties(rule, value, at, errors);
                    true
                }
                "items" => {
                    let items = value.as_array().into_iter().flatten().enumerate();
                    items.for_each(|(index, item)| self.check(rule, item, &format!("{at}[{index}]"), errors));
                    true
                }
                "anyOf" => rule.as_array().unwrap().iter().any(|schema| self.accepts(schema, value)),
                "additionalProperties" => only_known(schema, value),
                keyword => holds(keyword, rule, value),
            };
            if !holds {
                errors.push(format!("{at}: {keyword} {rule} against {value}"));
            }
        }
    }

    fn check_properties(&self, rules: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
        for (name, rule) in rules.as_object().unwrap() {
            if let Some(value) = value.get(name) {
                self.check(rule, value, &format!("{at}.{name}"), errors);
            }
        }
    }

    fn accepts(&self, schema: &Value, value: &Value) -> bool {
        let mut errors = Vec::new();
        self.check(schema, value, "", &mut errors);
        errors.is_empty()
    }

    fn definition(&self, reference: &Value) -> &Value {
        let name = reference.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
        &self.root["$defs"][name]
    }
}

fn holds(keyword: &str, rule: &Value, value: &Value) -> bool {
    match keyword {
        "type" => match rule.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("unknown type {other}"),
        },
        "const" => value == rule,
        "enum" => rule.as_array().unwrap().contains(value),
        "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
        "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
        word if WORDS.contains(&word) => true,
        other => panic!("the validator does not know the keyword {other}"),
    }
}

fn only_known(schema: &Value, value: &Value) -> bool {
    let known = schema["properties"].as_object().unwrap();
    value.as_object().is_none_or(|object: &Map<String, Value>| object.keys().all(|name| known.contains_key(name)))
}

#[test]
fn every_report_fits_the_schema() {
    for report in [sample::pass(), sample::leak(), sample::inconclusive(), sample::regressed()] {
        let value = serde_json::from_str(&json(&report)).unwrap();
        assert_eq!(Schema::new().errors(&value), [""; 0]);
    }
}

#[test]
fn a_field_too_many_too_few_or_of_another_type_does_not() {
    let whole: Value = serde_json::from_str(&json(&sample::leak())).unwrap();
    let bend = |bend: fn(&mut Value)| {
        let mut value = whole.clone();
        bend(&mut value);
        Schema::new().errors(&value).len()
    };
    assert_eq!(bend(|value| value["extra"] = 1.into()), 1);
    assert_eq!(bend(|value| value["format"] = 2.into()), 1);
    assert_eq!(bend(|value| value["verdict"]["findings"][0]["count"] = "12".into()), 1);
    assert_eq!(bend(|value| value["verdict"]["findings"][0]["channel"] = "pigeon".into()), 1);
    assert_eq!(bend(|value| drop(value["verdict"]["coverage"].as_object_mut().unwrap().remove("trials"))), 1);
}

#[test]
fn every_name_that_can_stand_in_a_report_is_in_the_schema() {
    let schema = Schema::new();
    let names = |definition: &str| schema.root["$defs"][definition]["enum"].as_array().unwrap().clone();
    assert_eq!(names("channel"), to_values(&Channel::ALL));
    assert_eq!(names("shortfall-kind"), to_values(&ShortfallKind::ALL));
    assert_eq!(names("outcome"), to_values(&[Outcome::Pass, Outcome::Inconclusive, Outcome::Leak]));
    assert_eq!(names("pattern"), to_values(&Pattern::ALL));
    assert_eq!(names("class"), to_values(&Class::ALL));
    assert_eq!(names("ablation"), to_values(&Ablation::ALL));
    let oracles = to_values(&OracleId::ALL);
    assert!(oracles.iter().all(|oracle| names("oracle").contains(oracle)));
    assert_eq!(oracles.len(), names("oracle").len());
}

#[test]
fn what_came_of_models_fits_their_schema_and_nothing_else_does() {
    let schema = Schema::of_models();
    let whole: Value = serde_json::from_str(&models_json(&sample::models())).unwrap();
    assert_eq!(schema.errors(&whole), [""; 0]);
    let bend = |bend: fn(&mut Value)| {
        let mut value = whole.clone();
        bend(&mut value);
        schema.errors(&value).len()
    };
    assert_eq!(bend(|value| value["models"][0]["extra"] = 1.into()), 1);
    assert_eq!(bend(|value| value["models"][0]["mark"] = "green".into()), 1);
    assert_eq!(bend(|value| value["models"][0]["witnesses"][0]["iterations"] = (-1).into()), 1);
    assert_eq!(bend(|value| drop(value["models"][0].as_object_mut().unwrap().remove("replay"))), 1);
    assert_eq!(schema.root["$defs"]["mark"]["enum"], serde_json::to_value(ModelMark::ALL).unwrap());
}

#[test]
fn the_history_lines_in_the_readme_are_records() {
    let lines = README.split("```jsonl\n").skip(1).flat_map(|block| block.split("```").next().unwrap().lines());
    let lines: Vec<_> = lines.collect();
    let schema = Schema::of_history();
    for line in &lines {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(schema.errors(&value), [""; 0], "{line}");
        assert!(!schema.accepts(&schema.root, &bent(value)), "{line}");
        let record: Record = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(serde_json::to_value(&record).unwrap(), serde_json::from_str::<Value>(line).unwrap());
    }
    assert!(lines.len() >= 10);
}

/// The same with another key beside its kind.
fn bent(mut record: Value) -> Value {
    record["extra"] = 1.into();
    record
}

fn to_values<T: serde::Serialize>(all: &[T]) -> Vec<Value> {
    all.iter().map(|one| serde_json::to_value(one).unwrap()).collect()
}
