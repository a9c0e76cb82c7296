//! On what a step may depend: values that were captured, roles, attributes.

use serde::{Deserialize, Serialize};

use crate::principal::Principal;
use crate::template::{Fill, Template, Unfilled, plain};

/// What must hold for steps to be due. It is looked at once in each scope, when the first of them is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// All of these hold.
    When(Vec<Test>),
    /// Not all of these hold.
    Unless(Vec<Test>),
}

/// One value and what it is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// The value.
    pub given: Given,
    /// What it must be.
    pub is: Is,
}

/// A value that is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Given {
    /// One hole: a captured value, an attribute, what a function makes of them.
    Value(Template),
    /// The role of the one who acts.
    Role,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Is {
    /// One of these texts; values that are no text are compared as JSON.
    OneOf(Vec<String>),
    /// No value, null, an empty text, list or map.
    Empty,
    /// Anything else.
    Present,
}

impl Condition {
    /// Whether it holds. `missing` says of a hole without a value whether that is because nothing was due.
    ///
    /// # Errors
    ///
    /// The first hole that has no value for another reason.
    pub fn holds(
        &self,
        principal: &Principal,
        values: &impl Fill,
        missing: impl Fn(&Unfilled) -> bool,
    ) -> Result<bool, Unfilled> {
        let (tests, wanted) = match self {
            Self::When(tests) => (tests, true),
            Self::Unless(tests) => (tests, false),
        };
        for test in tests {
            if !test.holds(principal, values, &missing)? {
                return Ok(!wanted);
            }
        }
        Ok(wanted)
    }
}

impl Test {
    fn holds(
        &self,
        principal: &Principal,
        values: &impl Fill,
        missing: impl Fn(&Unfilled) -> bool,
    ) -> Result<bool, Unfilled> {
        let value = match &self.given {
            Given::Role => principal.role.as_deref().map_or(serde_json::Value::Null, Into::into),
            Given::Value(template) => match template.fill_value(values) {
                Err(unfilled) if missing(&unfilled) => serde_json::Value::Null,
                filled => filled?,
            },
        };
        Ok(self.is.fits(&value))
    }
}

impl Is {
    fn fits(&self, value: &serde_json::Value) -> bool {
        let empty = match value {
            serde_json::Value::Null => true,
            serde_json::Value::String(text) => text.is_empty(),
            serde_json::Value::Array(items) => items.is_empty(),
            serde_json::Value::Object(entries) => entries.is_empty(),
            _ => false,
        };
        match self {
            Self::OneOf(texts) => !value.is_null() && texts.iter().any(|text| *text == plain(value)),
            Self::Empty => empty,
            Self::Present => !empty,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_empty_and_equal_to_no_text() {
        for nothing in [json!(null), json!(""), json!([]), json!({})] {
            assert!(Is::Empty.fits(&nothing) && !Is::Present.fits(&nothing), "{nothing}");
        }
        assert!(!Is::OneOf(vec!["null".into()]).fits(&json!(null)));
    }

    #[test]
    fn numbers_and_truth_values_are_something_and_compared_as_text() {
        for (value, text) in [(json!(0), "0"), (json!(false), "false"), (json!("x"), "x")] {
            assert!(Is::Present.fits(&value) && !Is::Empty.fits(&value), "{value}");
            assert!(Is::OneOf(vec!["other".into(), text.into()]).fits(&value), "{value}");
            assert!(!Is::OneOf(vec!["other".into()]).fits(&value), "{value}");
        }
    }
}
