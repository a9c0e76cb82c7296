//! Conditions on values that are known when a step is reached.

use coalmine_core::condition::{Condition, Given, Is, Test};
use coalmine_core::template::{Segment, Template};

use super::Compiler;
use super::words::Planting;
use crate::attribute::ROLE;
use crate::document::{Content, Entries, StepText};
use crate::span::Spanned;
use crate::suggestion;

const EXAMPLE: &str = "write a text, a list of texts of which one must stand there, or `{empty: true}`";

/// What a value is compared with.
pub(super) enum Wanted {
    OneOf(Vec<Spanned<String>>),
    Empty(bool),
}

impl Compiler<'_> {
    /// The conditions that a step or a block has itself, as indices.
    pub(super) fn conditions_of(&mut self, step: &StepText) -> Vec<u16> {
        let mut found = vec![];
        for (written, is_when) in [(&step.when, true), (&step.unless, false)] {
            let Some(written) = written else { continue };
            let tests = self.tests(written);
            found.push(self.slot(self.conditions.len(), written.span));
            self.conditions.push(if is_when { Condition::When(tests) } else { Condition::Unless(tests) });
        }
        found
    }

    fn tests(&mut self, written: &Spanned<Entries<Spanned<Content>>>) -> Vec<Test> {
        if written.value.0.is_empty() {
            self.problems.add(written.span, "nothing is compared here", Some("write `{NAME: text}`".to_owned()));
        }
        let mut tests = vec![];
        for (name, value) in &written.value.0 {
            let Some(wanted) = self.wanted(value) else { continue };
            if name.value == ROLE {
                self.check_roles(&wanted);
            }
            let is = match wanted {
                Wanted::OneOf(texts) => Is::OneOf(texts.iter().map(|text| self.fixed(text)).collect()),
                Wanted::Empty(true) => Is::Empty,
                Wanted::Empty(false) => Is::Present,
            };
            tests.push(Test { given: self.given(name), is });
        }
        tests
    }

    fn given(&mut self, name: &Spanned<String>) -> Given {
        if name.value == ROLE {
            return Given::Role;
        }
        let segment = self.name(name.as_str(), name.span, Planting::Refused);
        if matches!(segment, Segment::Canary(_)) {
            let help = "compare a captured value, `user.role` or an attribute".to_owned();
            self.problems.add(name.span, "a canary is another each time", Some(help));
        }
        Given::Value(Template { segments: vec![segment] })
    }

    fn check_roles(&self, wanted: &Wanted) {
        let Wanted::OneOf(roles) = wanted else { return };
        for role in roles {
            // It says what is wrong with a role that nobody has.
            let _ = self.role(role);
        }
    }

    /// What stands beside a name that is compared.
    pub(super) fn wanted(&self, written: &Spanned<Content>) -> Option<Wanted> {
        match &written.value {
            Content::Map(entries) => match entries.0.as_slice() {
                [(key, value)] if key.value == "empty" => match &value.value {
                    Content::Value(serde_json::Value::Bool(empty)) => return Some(Wanted::Empty(*empty)),
                    _ => self.problems.add(value.span, "this is not `true` or `false`", None),
                },
                [(key, _), ..] if key.value != "empty" => {
                    let help = suggestion::help(key.as_str(), ["empty"]);
                    self.problems.add(key.span, format!("`{}` compares nothing", key.value), help);
                }
                _ => self.problems.add(written.span, "one thing is compared here", Some(EXAMPLE.to_owned())),
            },
            Content::List(items) if !items.is_empty() => {
                return items.iter().map(|item| self.compared(item)).collect::<Option<_>>().map(Wanted::OneOf);
            }
            Content::List(_) => self.problems.add(written.span, "nothing is one of none", Some(EXAMPLE.to_owned())),
            _ => return self.compared(written).map(|text| Wanted::OneOf(vec![text])),
        }
        None
    }

    fn compared(&self, written: &Spanned<Content>) -> Option<Spanned<String>> {
        match &written.value {
            Content::Text(text) => Some(written.with(text.clone())),
            Content::Value(value) if !value.is_null() => Some(written.with(value.to_string())),
            _ => {
                self.problems.add(written.span, "this is not a text", Some(EXAMPLE.to_owned()));
                None
            }
        }
    }
}
