//! Text and JSON with holes that are filled when an operation is sent.
//!
//! The plan resolves every name to a slot, so that filling a hole is a look-up that cannot misspell anything.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::function::Function;

/// Where the value of a hole lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// In the principal's session: made by the `auth` steps, the same for all of its flows.
    Session,
    /// In the scope of the operation itself: one pass through a flow, or one turn of a block in it.
    Flow,
    /// So many scopes further out: from a turn, 1 is what the block stands in.
    Outer(u8),
}

/// A canary that the scenario names: the slot in [`crate::plan::ScopeOf::canaries`] of the scope at that level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CanaryRef {
    /// Session or flow.
    pub level: Level,
    /// Index into the canaries of that scope.
    pub slot: u16,
}

/// A captured value that the scenario names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VariableRef {
    /// Session or flow.
    pub level: Level,
    /// Index into the variables of that scope.
    pub slot: u16,
}

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segment {
    /// As it stands.
    Text(String),
    /// The bytes of a canary of the sender.
    Canary(CanaryRef),
    /// A value captured from an earlier answer.
    Variable(VariableRef),
    /// Index into [`crate::Principal::attributes`] of the sender.
    Attribute(u16),
    /// Index into [`crate::Plan::inputs`].
    Input(u16),
    /// A value of somebody with whom the sender shares.
    Member {
        /// Whether the session names the member, or the flow.
        level: Level,
        /// Index into [`crate::plan::ScopeOf::members`] of the scope at that level.
        member: u16,
        /// Which value of the member's.
        value: MemberValue,
    },
    /// What a function makes of values.
    Call {
        /// Which function.
        function: Function,
        /// Its arguments; one that is a single hole keeps the type of its value.
        arguments: Vec<Template>,
    },
    /// A value that the scenario names under `values`.
    Named(Box<Tree>),
    /// The sender's own URL at which webhooks are received: index into [`crate::plan::Webhooks::names`].
    Webhook(u16),
}

/// A value that is known of another principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberValue {
    /// Index into its [`crate::Principal::attributes`].
    Attribute(u16),
    /// A variable of its session.
    Variable(u16),
}

/// Text with holes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template {
    /// The pieces, in order.
    pub segments: Vec<Segment>,
}

/// JSON of which the leaves are templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tree {
    /// A value without holes.
    Value(serde_json::Value),
    /// Text with holes. A leaf that is one hole and nothing else keeps the type of its value: an integer canary becomes a
    /// JSON number, a captured number stays one.
    Leaf(Template),
    /// A JSON array.
    List(Vec<Tree>),
    /// A JSON object, in the order of the scenario.
    Map(Vec<(String, Tree)>),
}

/// Fills holes. `run` implements it over what it has captured.
pub trait Fill {
    /// The bytes of a canary as JSON: a number for integer shapes, text otherwise.
    fn canary(&self, canary: CanaryRef) -> serde_json::Value;
    /// The captured value, if it has been captured.
    fn variable(&self, variable: VariableRef) -> Option<serde_json::Value>;
    /// The principal's attribute.
    fn attribute(&self, slot: u16) -> String;
    /// The value of a variable that whoever starts the run sets.
    fn input(&self, slot: u16) -> Option<serde_json::Value>;
    /// A value of a member, if it is known by now.
    fn member(&self, level: Level, member: u16, value: MemberValue) -> Option<serde_json::Value>;
    /// What the function makes of its arguments. The error says in words why it makes nothing of them, without the values.
    fn call(&self, function: Function, arguments: &[serde_json::Value]) -> Result<serde_json::Value, String>;
    /// The principal's URL for webhooks of that name.
    fn webhook(&self, slot: u16) -> String;
    /// So many bytes that are the operation's own.
    fn random(&self, count: u32) -> Vec<u8>;
}

/// A hole could not be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfilled {
    /// Nothing was captured for it.
    #[error("the variable has no value")]
    Variable(VariableRef),
    /// A secret that the run was not given.
    #[error("a secret has no value")]
    Input(u16),
    /// The function makes nothing of its arguments.
    #[error("`{function}` {why}")]
    Function {
        /// Which function.
        function: Function,
        /// In words, without the values.
        why: String,
    },
}

impl Template {
    /// A template without holes.
    pub fn text(text: impl Into<String>) -> Self {
        Self { segments: vec![Segment::Text(text.into())] }
    }

    /// The text with every hole filled; fails on the first that has no value.
    pub fn fill(&self, values: &impl Fill) -> Result<String, Unfilled> {
        self.fill_encoded(values, str::to_owned)
    }

    /// The text with every hole filled by its encoded value: what is put into a path must not change the path.
    pub fn fill_encoded(&self, values: &impl Fill, encode: impl Fn(&str) -> String) -> Result<String, Unfilled> {
        let mut out = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => out.push_str(text),
                hole => out.push_str(&encode(&plain(&fill_hole(hole, values)?))),
            }
        }
        Ok(out)
    }

    /// The canaries that stand in it.
    pub fn canaries(&self) -> impl Iterator<Item = CanaryRef> + '_ {
        let mut found = vec![];
        self.each_hole(&mut |hole| {
            if let Segment::Canary(canary) = hole {
                found.push(*canary);
            }
        });
        found.into_iter()
    }

    /// Whether the variable stands in it.
    pub fn uses(&self, variable: VariableRef) -> bool {
        let mut found = false;
        self.each_hole(&mut |hole| found |= *hole == Segment::Variable(variable));
        found
    }

    /// Shows every hole, those in arguments and named values too.
    pub fn each_hole(&self, show: &mut dyn FnMut(&Segment)) {
        for segment in &self.segments {
            match segment {
                Segment::Text(_) => {}
                Segment::Call { arguments, .. } => {
                    show(segment);
                    for argument in arguments {
                        argument.each_hole(show);
                    }
                }
                Segment::Named(tree) => tree.each_hole(show),
                hole => show(hole),
            }
        }
    }

    /// The value: that of the only hole with its type, or else the text with every hole filled.
    pub fn fill_value(&self, values: &impl Fill) -> Result<serde_json::Value, Unfilled> {
        self.fill_leaf(values)
    }

    fn fill_leaf(&self, values: &impl Fill) -> Result<serde_json::Value, Unfilled> {
        match self.segments.as_slice() {
            [
                hole @ (Segment::Canary(_)
                | Segment::Variable(_)
                | Segment::Member { .. }
                | Segment::Call { .. }
                | Segment::Named(_)),
            ] => fill_hole(hole, values),
            _ => self.fill(values).map(serde_json::Value::String),
        }
    }
}

fn fill_hole(hole: &Segment, values: &impl Fill) -> Result<serde_json::Value, Unfilled> {
    match hole {
        Segment::Text(text) => Ok(text.clone().into()),
        Segment::Canary(canary) => Ok(values.canary(*canary)),
        Segment::Variable(variable) => values.variable(*variable).ok_or(Unfilled::Variable(*variable)),
        Segment::Attribute(slot) => Ok(values.attribute(*slot).into()),
        Segment::Member { level, member, value } => {
            let slot = match value {
                MemberValue::Attribute(slot) | MemberValue::Variable(slot) => *slot,
            };
            let missing = Unfilled::Variable(VariableRef { level: Level::Session, slot });
            values.member(*level, *member, *value).ok_or(missing)
        }
        Segment::Input(slot) => values.input(*slot).ok_or(Unfilled::Input(*slot)),
        Segment::Named(tree) => tree.fill(values),
        Segment::Call { function, arguments } => {
            let filled = arguments.iter().map(|argument| argument.fill_leaf(values)).collect::<Result<Vec<_>, _>>()?;
            values.call(*function, &filled).map_err(|why| Unfilled::Function { function: *function, why })
        }
        Segment::Webhook(slot) => Ok(values.webhook(*slot).into()),
    }
}

/// A JSON value as plain text: a string without its quotes, anything else as JSON.
pub fn plain(value: &serde_json::Value) -> Cow<'_, str> {
    match value {
        serde_json::Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}

/// What RFC 3986 reserves: all but its unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Text as it stands in a path or a query without changing them: everything but letters, digits and `-._~` as `%XX`.
pub fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

impl Tree {
    /// The JSON with every hole filled.
    pub fn fill(&self, values: &impl Fill) -> Result<serde_json::Value, Unfilled> {
        Ok(match self {
            Self::Value(value) => value.clone(),
            Self::Leaf(template) => template.fill_leaf(values)?,
            Self::List(items) => items.iter().map(|item| item.fill(values)).collect::<Result<_, _>>()?,
            Self::Map(entries) => {
                let filled = entries.iter().map(|(key, tree)| Ok((key.clone(), tree.fill(values)?)));
                serde_json::Value::Object(filled.collect::<Result<_, _>>()?)
            }
        })
    }

    /// The canaries that stand in its leaves.
    pub fn canaries(&self) -> Vec<CanaryRef> {
        let mut found = vec![];
        self.each_hole(&mut |hole| {
            if let Segment::Canary(canary) = hole {
                found.push(*canary);
            }
        });
        found
    }

    /// Whether the variable stands in it.
    pub fn uses(&self, variable: VariableRef) -> bool {
        let mut found = false;
        self.each_hole(&mut |hole| found |= *hole == Segment::Variable(variable));
        found
    }

    /// Shows every hole of its leaves.
    pub fn each_hole(&self, show: &mut dyn FnMut(&Segment)) {
        match self {
            Self::Value(_) => {}
            Self::Leaf(template) => template.each_hole(show),
            Self::List(items) => {
                for item in items {
                    item.each_hole(show);
                }
            }
            Self::Map(entries) => {
                for (_, item) in entries {
                    item.each_hole(show);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    struct Values;

    impl Fill for Values {
        fn canary(&self, canary: CanaryRef) -> Value {
            if canary.slot == 0 { json!("secret") } else { json!(1234) }
        }
        fn variable(&self, variable: VariableRef) -> Option<Value> {
            (variable.slot == 0).then(|| json!(7))
        }
        fn attribute(&self, _: u16) -> String {
            "acme".into()
        }
        fn member(&self, _: Level, _: u16, _: MemberValue) -> Option<Value> {
            None
        }
        fn input(&self, _: u16) -> Option<Value> {
            None
        }
        fn call(&self, function: Function, arguments: &[Value]) -> Result<Value, String> {
            if function == Function::Upper { Err("fails".into()) } else { Ok(json!(arguments)) }
        }
        fn random(&self, count: u32) -> Vec<u8> {
            vec![7; count as usize]
        }

        fn webhook(&self, _: u16) -> String {
            "http://hook".into()
        }
    }

    fn canary(slot: u16) -> Segment {
        Segment::Canary(CanaryRef { level: Level::Flow, slot })
    }

    fn variable(slot: u16) -> Segment {
        Segment::Variable(VariableRef { level: Level::Flow, slot })
    }

    #[test]
    fn holes_are_filled_in_place() {
        let template =
            Template { segments: vec![Segment::Text("/t/".into()), variable(0), canary(0), Segment::Attribute(0)] };
        assert_eq!(template.fill(&Values).unwrap(), "/t/7secretacme");
    }

    #[test]
    fn a_leaf_of_one_hole_keeps_its_type() {
        let leaf = |segment| Tree::Leaf(Template { segments: vec![segment] });
        let tree = Tree::Map(vec![("a".into(), leaf(canary(1))), ("b".into(), Tree::List(vec![leaf(variable(0))]))]);
        assert_eq!(tree.fill(&Values).unwrap(), json!({"a": 1234, "b": [7]}));
    }

    #[test]
    fn a_call_gets_values_with_their_types_and_shows_its_canaries() {
        let argument = |segment| Template { segments: vec![segment] };
        let call = |function| Segment::Call { function, arguments: vec![argument(canary(1)), argument(variable(0))] };
        let named = Segment::Named(Box::new(Tree::Leaf(argument(call(Function::Base64)))));
        let template = argument(named);
        assert_eq!(Tree::Leaf(template.clone()).fill(&Values).unwrap(), json!([1234, 7]));
        assert_eq!(template.canaries().count(), 1);
        assert!(template.uses(VariableRef { level: Level::Flow, slot: 0 }));
        let failed = argument(call(Function::Upper)).fill(&Values).unwrap_err();
        assert_eq!(failed.to_string(), "`upper` fails");
    }

    #[test]
    fn values_are_encoded_and_text_between_them_is_not() {
        let template = Template { segments: vec![Segment::Text("/t/".into()), canary(0)] };
        assert_eq!(template.fill_encoded(&Values, str::to_uppercase).unwrap(), "/t/SECRET");
    }

    #[test]
    fn reserved_characters_cannot_change_the_path() {
        assert_eq!(percent_encode("a/b?c=d&é ~"), "a%2Fb%3Fc%3Dd%26%C3%A9%20~");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let template = Template { segments: vec![variable(3)] };
        let missing = VariableRef { level: Level::Flow, slot: 3 };
        assert_eq!(template.fill(&Values), Err(Unfilled::Variable(missing)));
    }
}
