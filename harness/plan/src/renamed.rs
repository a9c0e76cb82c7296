//! A scenario for a service that goes by other names.
//!
//! What the service calls by a name (paths, fields, parameters, headings, kinds of events, roles) is called by another one, and so are the
//! steps and flows of the scenario. Values that are sent stay, and so do names that only the scenario knows: canaries, and what is captured.

use crate::node::{self, Kind, Node};
use crate::problem::Problems;
use crate::source::Sources;
use crate::written::written;

/// Other names for a service, and for steps and flows.
pub trait Naming {
    /// Another word for one of the service's.
    fn word(&self, word: &str) -> String;

    /// Whether the values of a field are words of the service's as well.
    fn is_worded(&self, field: &str) -> bool;

    /// Another id for a step, or another name for a flow.
    fn alias(&self, id: &str) -> String;
}

/// The scenario under other names. Text that is no scenario comes back as it is, and reactions keep the names that they mention.
pub fn renamed(scenario: &str, naming: &dyn Naming) -> String {
    let sources = Sources::single(scenario, "");
    let Some(mut root) = node::read(&Problems::of(&sources), 0, &mut 0) else { return scenario.to_owned() };
    Renaming(naming).scenario(&mut root);
    written(&root, 0)
}

struct Renaming<'a>(&'a dyn Naming);

impl Renaming<'_> {
    fn scenario(&self, root: &mut Node) {
        for (key, value) in entries_mut(root) {
            match key.written() {
                "target" => self.at(value, "ready", Self::path),
                "tenants" => self
                    .at(value, "users", |this, users| this.each(users, |this, user| this.at(user, "role", Self::word))),
                "register" | "auth" | "teardown" => self.all(value, |this, _, steps| this.each(steps, Self::step)),
                "identity" => self.all(value, |this, _, rule| this.at(rule, "field", Self::selector)),
                "events" => self.at(value, "type", Self::selector),
                "webhooks" => {
                    self.at(value, "credential", |this, credential| this.at(credential, "header", Self::word));
                }
                "flows" => self.all(value, Self::flow),
                "objects" => self.all(value, |this, _, object| this.all(object, Self::way)),
                "perturb" => {
                    self.all(value, |this, _, kind| {
                        this.at(kind, "steps", |this, steps| this.each(steps, Self::alias));
                    });
                }
                _ => {}
            }
        }
    }

    fn flow(&self, name: &mut Node, flow: &mut Node) {
        self.alias(name);
        self.at(flow, "by", |this, roles| this.each(roles, Self::word));
        for part in ["steps", "cleanup"] {
            self.at(flow, part, |this, steps| this.each(steps, Self::step));
        }
    }

    /// A step that leads to an object.
    fn way(&self, kind: &mut Node, step: &mut Node) {
        if matches!(kind.written(), "read" | "update" | "delete" | "list" | "export") {
            self.alias(step);
        }
    }

    fn step(&self, step: &mut Node) {
        self.all(step, Self::part);
    }

    fn part(&self, key: &mut Node, value: &mut Node) {
        match key.written() {
            "id" | "confirmed_by" => self.alias(value),
            "get" | "post" | "put" | "patch" | "delete" | "head" | "options" | "websocket" | "sse" => self.path(value),
            "json" | "send" | "query" | "form" => self.content(value),
            "headers" => self.all(value, |this, name, _| this.word(name)),
            "text" => self.table(value),
            "capture" => self.all(value, |this, _, from| this.selector(from)),
            "about" | "until" | "when" | "unless" => self.all(value, Self::condition),
            "echoes" => self.all(value, |this, field, _| this.selector(field)),
            "receive" | "allowed" => self.each(value, Self::word),
            "empty_for_fresh" => self.selector(value),
            "sums" => self.at(value, "value", Self::selector),
            "counts" => {
                self.at(value, "value", Self::selector);
                self.at(value, "of", Self::alias);
            }
            "steps" | "cleanup" => self.each(value, Self::step),
            _ => {}
        }
    }

    /// What is sent: names, and values only where they are words.
    fn content(&self, content: &mut Node) {
        match &mut content.kind {
            Kind::Map(entries) => {
                for (name, value) in entries {
                    match value.kind {
                        Kind::Scalar { .. } if self.0.is_worded(name.written()) => self.word(value),
                        _ => self.content(value),
                    }
                    self.word(name);
                }
            }
            Kind::List(items) => items.iter_mut().for_each(|item| self.content(item)),
            Kind::Scalar { .. } | Kind::Broken => {}
        }
    }

    fn condition(&self, field: &mut Node, value: &mut Node) {
        let last = field.written().rsplit('.').next().unwrap_or_default();
        if self.0.is_worded(last) {
            self.each(value, Self::word);
        }
        self.selector(field);
    }

    /// A table whose first line says what is in its columns.
    fn table(&self, table: &mut Node) {
        self.reword(table, |this, table| match table.split_once('\n') {
            Some((head, rows)) => format!("{}\n{rows}", this.words(head, ',')),
            None => table.to_owned(),
        });
    }

    fn path(&self, path: &mut Node) {
        self.reword(path, |this, path| this.words(path, '/'));
    }

    /// The names in a JSONPath.
    fn selector(&self, selector: &mut Node) {
        self.reword(selector, |this, selector| {
            let names = selector.split('.').map(|part| match part.split_once('[') {
                Some((name, index)) => format!("{}[{index}", this.0.word(name)),
                None => this.0.word(part),
            });
            names.collect::<Vec<_>>().join(".")
        });
    }

    fn word(&self, word: &mut Node) {
        self.reword(word, |this, word| this.0.word(word));
    }

    fn alias(&self, id: &mut Node) {
        self.reword(id, |this, id| this.0.alias(id));
    }

    fn words(&self, text: &str, between: char) -> String {
        let words: Vec<_> = text.split(between).map(|word| self.0.word(word)).collect();
        words.join(&between.to_string())
    }

    fn reword(&self, node: &mut Node, reword: impl FnOnce(&Self, &str) -> String) {
        if let Kind::Scalar { text, .. } = &mut node.kind {
            *text = reword(self, text);
        }
    }

    fn at(&self, node: &mut Node, key: &str, rename: impl FnOnce(&Self, &mut Node)) {
        if let Some(value) = node.value_of_mut(key) {
            rename(self, value);
        }
    }

    /// A list's items, or a single one.
    fn each(&self, node: &mut Node, rename: impl Fn(&Self, &mut Node)) {
        match &mut node.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| rename(self, item)),
            _ => rename(self, node),
        }
    }

    fn all(&self, node: &mut Node, rename: impl Fn(&Self, &mut Node, &mut Node)) {
        for (key, value) in entries_mut(node) {
            rename(self, key, value);
        }
    }
}

fn entries_mut(node: &mut Node) -> impl Iterator<Item = &mut (Node, Node)> {
    match &mut node.kind {
        Kind::Map(entries) => entries.iter_mut(),
        _ => [].iter_mut(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    struct Loud;

    impl Naming for Loud {
        fn word(&self, word: &str) -> String {
            match word {
                "notes" | "text" | "id" | "status" | "done" | "type" | "told" => word.to_uppercase(),
                _ => word.to_owned(),
            }
        }

        fn is_worded(&self, field: &str) -> bool {
            matches!(field, "status" | "type")
        }

        fn alias(&self, id: &str) -> String {
            format!("x-{id}")
        }
    }

    const NOTES: &str = r#"
coalmine: 1
name: notes
target: {url: http://127.0.0.1:1, ready: /notes}
tenants: 2
canaries: {text: text}
events: {type: $.type}
flows:
  notes:
    steps:
      - {id: write, post: /notes, json: {text: "notes, {{canary.text}}", status: done}, capture: {note: $.id}}
      - {id: read, get: "/notes/{{note}}", until: {$.status: done}, every: 20ms, within: 1s, sees: text}
      - {id: send-table, post: /notes, text: "id,text\n1,text\n"}
      - {id: hear, websocket: /notes, as: socket}
      - {id: be-told, on: socket, receive: [told], about: {$.id: "{{note}}"}, within: 1s}
objects:
  note: {id: note, read: read}
"#;

    #[test]
    fn names_change_and_values_stay() {
        let text = renamed(NOTES, &Loud);
        for changed in [
            "ready: /NOTES",
            "type: $.TYPE",
            "  x-notes:",
            "id: x-write",
            "post: /NOTES",
            r#"json: {TEXT: "notes, {{canary.text}}", STATUS: DONE}"#,
            "capture: {note: $.ID}",
            r#"get: "/NOTES/{{note}}""#,
            "until: {$.STATUS: DONE}",
            r#"text: "ID,TEXT\n1,text\n""#,
            "receive: [TOLD]",
            r#"about: {$.ID: "{{note}}"}"#,
            "note: {id: note, read: x-read}",
            "sees: text",
        ] {
            assert!(text.contains(changed), "{changed} is not in\n{text}");
        }
        Scenario::parse(&text, "").unwrap();
    }

    #[test]
    fn what_is_no_scenario_stays() {
        assert_eq!(renamed("a: [", &Loud), "a: [");
    }
}
