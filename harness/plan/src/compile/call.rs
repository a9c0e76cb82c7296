//! Holes that are more than a name: functions, and the values that a scenario names.

use coalmine_core::function::Function;
use coalmine_core::template::{Segment, Template};

use super::Compiler;
use super::words::Planting;
use crate::document::{Content, Document};
use crate::expression::{self, Expression};
use crate::hole::Hole;
use crate::span::{Span, Spanned};
use crate::suggestion;

/// Named values that are put in, in all places of a scenario together: values that use values must not explode.
const EXPANSIONS_MAX: u32 = 10_000;
/// Prefixes of names that stand for a word of a function.
const WORDS: [(&str, Function); 2] = [("shared.", Function::Shared), ("chosen.", Function::Chosen)];

/// A value of the scenario's `values`.
pub(super) struct NamedValue<'a> {
    content: &'a Spanned<Content>,
    name: &'a Spanned<String>,
    is_used: bool,
    is_open: bool,
}

impl<'a> Compiler<'a> {
    pub(super) fn declare_values(&mut self, document: &'a Document) {
        for (name, content) in &document.values.0 {
            self.check_name(name, "value");
            let value = NamedValue { content, name, is_used: false, is_open: false };
            self.values.insert(name.value.clone(), value);
        }
    }

    /// A misspelt use would otherwise go unnoticed where a captured variable happens to have that name.
    pub(super) fn check_values_used(&self) {
        for value in self.values.values().filter(|value| !value.is_used) {
            self.problems.absent(value.name.span, format!("the value `{}` is never used", value.name.value), None);
        }
    }

    /// What stands in a hole.
    pub(super) fn hole(&mut self, hole: Hole<'_>, span: Span, planting: Planting) -> Segment {
        let place = self.problems.locate(hole.written, span);
        match expression::parse(hole.name) {
            Ok(expression) => self.expression(&expression, place, planting),
            Err(malformed) => {
                let help = "write a name, or a function such as `base64(canary.note)`".to_owned();
                self.problems.add(place, format!("`{}`: {}", hole.written, malformed.why), Some(help));
                Segment::Text(String::new())
            }
        }
    }

    fn expression(&mut self, expression: &Expression<'_>, place: Span, planting: Planting) -> Segment {
        match expression {
            Expression::Text(text) => Segment::Text((*text).to_owned()),
            Expression::Number(number) => Segment::Text(number.to_string()),
            Expression::Call(name, arguments) => self.call(name, arguments, place, planting),
            Expression::Name(name) => {
                let word = WORDS.iter().find_map(|(prefix, function)| Some((name.strip_prefix(prefix)?, *function)));
                match word {
                    Some((word, function)) => Segment::Call { function, arguments: vec![Template::text(word)] },
                    None => self.name(name, place, planting),
                }
            }
        }
    }

    fn call(&mut self, name: &str, arguments: &[Expression<'_>], place: Span, planting: Planting) -> Segment {
        let Some(function) = Function::ALL.into_iter().find(|function| function.name() == name) else {
            let help = suggestion::help(name, Function::ALL.map(Function::name));
            self.problems.absent(place, format!("there is no function `{name}`"), help);
            return Segment::Text(String::new());
        };
        let wanted = function.arguments();
        if !(function.arguments_min()..=wanted.len()).contains(&arguments.len()) {
            let help = format!("write `{function}({})`", wanted.join(", "));
            self.problems.add(place, format!("`{function}` wants other arguments"), Some(help));
        }
        let arguments =
            arguments.iter().map(|argument| Template { segments: vec![self.expression(argument, place, planting)] });
        Segment::Call { function, arguments: arguments.collect() }
    }

    /// The value of that name, if the scenario names one.
    pub(super) fn named_value(&mut self, name: &str, place: Span) -> Option<Segment> {
        let value = self.values.get_mut(name)?;
        value.is_used = true;
        let content = value.content;
        let is_open = std::mem::replace(&mut value.is_open, true);
        self.expansions += 1;
        if is_open {
            self.problems.add(place, format!("the value `{name}` contains itself"), None);
            return Some(Segment::Text(String::new()));
        }
        let tree = if self.expansions <= EXPANSIONS_MAX {
            self.tree(content)
        } else {
            let message = format!("values are put in at more than {EXPANSIONS_MAX} places");
            self.problems.absent(place, message, None);
            coalmine_core::template::Tree::Value(serde_json::Value::Null)
        };
        if let Some(value) = self.values.get_mut(name) {
            value.is_open = false;
        }
        Some(Segment::Named(Box::new(tree)))
    }
}
