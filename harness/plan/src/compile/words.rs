//! Text with holes becomes templates.

use coalmine_core::function::Function;
use coalmine_core::plan::{CanarySpec, Flow};
use coalmine_core::template::{CanaryRef, Segment, Template, Tree, VariableRef};

use super::Compiler;
use super::room::Room;
use crate::document::Content;
use crate::hole::{self, Piece};
use crate::span::{Span, Spanned};
use crate::suggestion;

/// Whether a canary that was not sent before may stand here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Planting {
    /// It may: this text is sent by the step that is being compiled.
    Allowed,
    /// It may not.
    Refused,
}

impl Compiler<'_> {
    pub(super) fn template(&mut self, text: &Spanned<String>) -> Template {
        self.template_with(text, Planting::Allowed, str::to_owned)
    }

    /// A template of which the text between the holes goes through `clean`.
    pub(super) fn template_with(
        &mut self,
        text: &Spanned<String>,
        planting: Planting,
        clean: impl Fn(&str) -> String,
    ) -> Template {
        let mut segments: Vec<Segment> = vec![];
        for piece in self.pieces(text) {
            match piece {
                Piece::Hole(hole) => segments.push(self.hole(hole, text.span, planting)),
                Piece::Text(text) => match segments.last_mut() {
                    Some(Segment::Text(before)) => before.push_str(&clean(text)),
                    _ => segments.push(Segment::Text(clean(text))),
                },
            }
        }
        Template { segments }
    }

    pub(super) fn pieces<'t>(&self, text: &'t Spanned<String>) -> Vec<Piece<'t>> {
        hole::split(&text.value).unwrap_or_else(|hole::Unclosed(rest)| {
            let help = "close it with `}}`; a literal `{{` is written `{{ \"{{\" }}`".to_owned();
            self.problems.add(self.problems.locate(rest, text.span), "this hole is not closed", Some(help));
            vec![]
        })
    }

    pub(super) fn tree(&mut self, content: &Spanned<Content>) -> Tree {
        match &content.value {
            Content::Value(value) => Tree::Value(value.clone()),
            Content::List(items) => Tree::List(items.iter().map(|item| self.tree(item)).collect()),
            Content::Map(entries) => {
                Tree::Map(entries.0.iter().map(|(key, item)| (self.fixed(key), self.tree(item))).collect())
            }
            Content::Text(text) => {
                let template = self.template(&content.with(text.clone()));
                match template.segments.as_slice() {
                    [] => Tree::Value(String::new().into()),
                    [Segment::Text(text)] => Tree::Value(text.clone().into()),
                    _ => Tree::Leaf(template),
                }
            }
        }
    }

    /// Text in which no hole is filled, such as a key; one that stands there all the same is a mistake.
    pub(super) fn fixed(&self, text: &Spanned<String>) -> String {
        if text.value.contains("{{") {
            self.problems.add(text.span, "no hole is filled here", None);
        }
        text.value.clone()
    }

    /// The value that a name in a hole stands for.
    pub(super) fn name(&mut self, name: &str, place: Span, planting: Planting) -> Segment {
        let nothing = Segment::Text(String::new());
        if let Some((value, function)) = name.split_once('|') {
            let help = format!("a function stands before its value: `{}({})`", function.trim(), value.trim());
            self.problems.add(place, "there are no filters", Some(help));
            return nothing;
        }
        if let Some(name) = name.strip_prefix("canary.") {
            return self.canary(name, place, planting).unwrap_or(nothing);
        }
        if let Some(slot) = self.attribute(name) {
            self.check_password(name, place);
            self.check_some_role(name, place);
            if self.room.is_anonymous && name != "run.id" {
                self.problems.absent(place, format!("somebody without credentials has no `{name}`"), None);
            }
            return Segment::Attribute(slot);
        }
        if let Some(name) = name.strip_prefix("env.") {
            return self.input(name, place).map_or(nothing, Segment::Input);
        }
        if let Some(segment) = self.member_hole(name, place) {
            return segment;
        }
        if let Some(hook) = name.strip_prefix("webhook.") {
            return self.webhook(hook, place).map_or(nothing, Segment::Webhook);
        }
        if let Some(variable) = self.captured_variable(name) {
            return Segment::Variable(variable);
        }
        if let Some(value) = self.named_value(name, place) {
            return value;
        }
        self.unknown_hole(name, place);
        nothing
    }

    /// A variable of this room, or of what is around it, or else of the session.
    pub(super) fn captured_variable(&self, name: &str) -> Option<VariableRef> {
        let around = || {
            let mut rooms = self.outer.iter().enumerate().rev();
            rooms.find_map(|(at, room)| Some(VariableRef { level: self.level(at), ..room.variable(name)? }))
        };
        let session = || self.session.as_ref().and_then(|session| session.variable(name));
        self.room.variable(name).or_else(around).or_else(session)
    }

    /// A canary that this room, or what is around it, has sent before.
    pub(super) fn planted(&self, name: &str) -> Option<CanaryRef> {
        let around = || {
            let mut rooms = self.outer.iter().enumerate().rev();
            rooms.find_map(|(at, room)| Some(CanaryRef { level: self.level(at), ..room.canary(name)? }))
        };
        self.room.canary(name).or_else(around)
    }

    /// A canary of one name is of the turns of blocks, or of what is around them, and of one group.
    fn check_planting(&self, name: &str, place: Span) {
        let help = || Some(format!("declare another canary beside `{name}`, and send that one"));
        let mut rooms = self.outer.iter().chain([&self.room]);
        if self.room.canary_of_turns(name).next().is_some() {
            let message = format!("the turns of a block before this step have sent a canary `{name}` each");
            self.problems.add(place, message, help());
        } else if rooms.any(|room| room.hides_canary(name)) {
            let message = format!("another group sends the canary `{name}` at the same time");
            self.problems.add(place, message, help());
        }
    }

    fn canary(&mut self, name: &str, place: Span, planting: Planting) -> Option<Segment> {
        let session = self.session.as_ref().and_then(|session| session.canary(name));
        if let Some(canary) = session.or_else(|| self.planted(name)) {
            return Some(Segment::Canary(canary));
        }
        let Some(declared) = self.canaries.get(name).cloned() else {
            let help = suggestion::help(name, self.canaries.keys().map(String::as_str))
                .unwrap_or_else(|| format!("declare it: `canaries: {{{name}: token}}`"));
            self.problems.absent(place, format!("there is no canary `{name}`"), Some(help));
            return None;
        };
        if planting == Planting::Refused {
            self.problems.absent(place, format!("the canary `{name}` was not sent before"), None);
            return None;
        }
        if self.once_for.is_some() {
            let help = "canaries belong to a session: send them in `auth` or in a flow".to_owned();
            self.problems.absent(place, format!("no session sends the canary `{name}` here"), Some(help));
            return None;
        }
        self.check_planting(name, place);
        let spec = CanarySpec {
            name: name.to_owned(),
            shape: declared.shape,
            scope: declared.scope,
            planted_by: self.next_step(place),
            fit: declared.fit,
        };
        self.slot(self.room.canaries.len(), place);
        self.room.canaries.push(spec);
        self.room.canary(name).map(Segment::Canary)
    }

    pub(super) fn unknown_hole(&self, name: &str, place: Span) {
        let rooms = self.outer.iter().chain([&self.room]);
        if rooms.flat_map(|room| &room.turns).any(|turn| turn.variables.iter().any(|variable| variable == name)) {
            let help = "use it in the block, or in the block's `cleanup`".to_owned();
            let message = format!("each turn of a block captures its own `{name}`, which means nothing outside of it");
            self.problems.absent(place, message, Some(help));
            return;
        }
        if self.room.hides_variable(name) {
            let help = "use it after the groups".to_owned();
            self.problems.absent(place, format!("another group captures `{name}` at the same time"), Some(help));
            return;
        }
        if self.room.captured_somewhere.iter().any(|captured| captured == name) {
            let help = "move the step that captures it before this one".to_owned();
            self.problems.absent(place, format!("`{name}` is used before it is captured"), Some(help));
            return;
        }
        if let Some(function) = Function::ALL.into_iter().find(|function| function.name() == name) {
            let help = format!("write `{function}({})`", function.arguments().join(", "));
            self.problems.absent(place, format!("`{name}` is a function"), Some(help));
            return;
        }
        if self.canaries.contains_key(name) {
            let help = Some(format!("did you mean `canary.{name}`?"));
            self.problems.absent(place, format!("nothing is called `{name}`"), help);
            return;
        }
        let is_elsewhere = |flow: &&Flow| flow.variables.iter().any(|variable| variable == name);
        if let Some(flow) = self.flows.iter().find(is_elsewhere) {
            let help = format!("the flow `{}` captures one, but flows do not share variables", flow.name);
            self.problems.absent(place, format!("nothing is called `{name}` in this flow"), Some(help));
            return;
        }
        let canaries: Vec<String> = self.canaries.keys().map(|name| format!("canary.{name}")).collect();
        let of = |room: Option<&'_ Room>| room.map_or(vec![], |room| room.variables.clone());
        let values = self.values.keys().cloned().collect();
        let around = self.outer.iter().flat_map(|room| room.variables.clone()).collect();
        let variables = [of(Some(&self.room)), around, of(self.session.as_ref()), values].concat();
        let known = variables.iter().chain(&canaries).map(String::as_str).chain(self.attribute_names());
        self.problems.absent(place, format!("nothing is called `{name}`"), suggestion::help(name, known));
    }
}
