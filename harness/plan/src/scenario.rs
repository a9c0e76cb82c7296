//! A scenario that was read and checked.

use crate::compile::{self, Compiled};
use crate::document::Document;
use crate::node::{self, Kind, Node};
use crate::problem::{Problems, ScenarioErrors};
use crate::source::{self, Links, ReadFile, Sources};
use crate::span::Span;
use crate::{deserializer, suggestion};

/// What the user wrote, checked: every name means something, every rule of the language holds.
#[derive(Clone, Debug)]
pub struct Scenario {
    compiled: Compiled,
    /// Names of its profiles.
    profiles: Vec<String>,
    /// The path of its file.
    file: String,
    sources: Sources,
}

impl Scenario {
    /// Reads YAML in the language that this crate's documentation describes. `file_name` is only shown in errors.
    /// Other files cannot be included.
    ///
    /// # Errors
    ///
    /// All problems of the text, not just the first. That it names another file is one.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, ScenarioErrors> {
        let none = &mut |_: &str| Err("this text stands alone".to_owned());
        Self::parse_with(text, file_name, None, none)
    }

    /// The same with the files that the text includes, which `read_file` hands out by their paths, and with one of its
    /// profiles laid over it.
    ///
    /// # Errors
    ///
    /// All problems of all files; also when there is no such profile.
    pub fn parse_with(
        text: &str,
        file_name: &str,
        profile: Option<&str>,
        read_file: &mut ReadFile<'_>,
    ) -> Result<Self, ScenarioErrors> {
        let (sources, links) = Sources::gather(text, file_name, read_file);
        let problems = Problems::of(&sources);
        links.tell(&problems);
        let scenario =
            root(&problems, &links, profile).and_then(|root| Self::of_root(&root, file_name, &problems, read_file));
        let scenario = problems.or(scenario);
        scenario.map(|scenario| scenario.with_sources(sources))
    }

    /// What the tree of all its files says.
    pub(crate) fn of_root(
        root: &Node,
        file_name: &str,
        problems: &Problems<'_>,
        read_file: &mut ReadFile<'_>,
    ) -> Option<Self> {
        let document = deserializer::read::<Document>(root, problems)?;
        let mut beside = |name: &str| read_file(&beside(file_name, name));
        let compiled = compile::compile(&document, problems, &mut beside);
        Some(Self { compiled, profiles: profiles_of(root), file: file_name.to_owned(), sources: Sources::default() })
    }

    /// The same with the texts that it was read from, to show where something stands.
    pub(crate) fn with_sources(self, sources: Sources) -> Self {
        Self { sources, ..self }
    }

    /// Something about a step that went wrong later, shown as the problems of a scenario are, at the step's id. None where no
    /// step has that id.
    pub fn about_step(&self, id: &str, message: &str) -> Option<ScenarioErrors> {
        let span = self.compiled.ids.get(id)?;
        Some(ScenarioErrors::one(&self.sources, *span, message))
    }

    /// Ids of its steps.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.compiled.ids.keys().map(String::as_str)
    }

    /// Names of its profiles, in the order of the text.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.profiles.iter().map(String::as_str)
    }

    /// What the scenario is called in reports.
    pub fn name(&self) -> &str {
        &self.compiled.name
    }

    /// Where its traffic goes when nothing else is said.
    pub fn target_url(&self) -> Option<&str> {
        self.compiled.target.url.as_ref().map(crate::target::BaseUrl::as_str)
    }

    /// Names of the variables that may be set, but for secrets.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.compiled.inputs.iter().filter(|input| !input.is_secret).map(|input| input.name.as_str())
    }

    /// Names of the secrets that a run needs.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.compiled.inputs.iter().filter(|input| input.is_secret).map(|input| input.name.as_str())
    }

    /// Secrets of accounts: the tenant's and the user's number, the attribute's name, the value.
    pub fn account_secrets(&self) -> impl Iterator<Item = (u32, u32, String, &str)> {
        let tenants = self.compiled.tenants.accounts.iter().flat_map(|accounts| (0..).zip(&accounts.tenants));
        let users =
            tenants.flat_map(|(tenant, of)| (0..).zip(&of.users).map(move |(user, account)| (tenant, user, account)));
        users.flat_map(|(tenant, user, account)| {
            let columns = self.compiled.tenants.accounts.iter().flat_map(|accounts| &accounts.columns);
            let secret = columns.zip(&account.values).filter(|(column, _)| column.is_secret);
            secret.map(move |(column, value)| (tenant, user, format!("user.{}", column.name), value.expose()))
        })
    }

    /// Where a file lies that the scenario names.
    pub(crate) fn beside(&self, file: &str) -> String {
        beside(&self.file, file)
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.compiled
    }
}

/// The path of a file that a scenario's file names.
fn beside(file_name: &str, file: &str) -> String {
    if file.starts_with('/') { file.to_owned() } else { source::beside(file_name, file) }
}

/// The tree of all files, with the profile over it.
pub(crate) fn root(problems: &Problems<'_>, links: &Links, profile: Option<&str>) -> Option<Node> {
    let mut next_id = 0;
    let mut root = node::read(problems, 0, &mut next_id)?;
    for file in &links.included {
        if let Some(other) = node::read(problems, *file, &mut next_id) {
            source::join(&mut root, other, problems);
        }
    }
    put_profiles_in(&mut root, links, problems, &mut next_id);
    if let Some(profile) = profile {
        lay_over(&mut root, profile, problems);
    }
    Some(root)
}

/// Profiles that stand in files of their own take the places of their paths.
fn put_profiles_in(root: &mut Node, links: &Links, problems: &Problems<'_>, next_id: &mut u32) {
    let Some(profiles) = root.value_of_mut("profiles") else { return };
    let Kind::Map(profiles) = &mut profiles.kind else { return };
    for (_, value) in profiles {
        if value.is_text() {
            let file = links.profiles.get(&value.span.start);
            let read = file.and_then(|file| node::read(problems, *file, next_id));
            value.kind = Kind::Broken;
            if let Some(read) = read {
                *value = read;
            }
        }
    }
}

fn lay_over(root: &mut Node, name: &str, problems: &Problems<'_>) {
    let profile =
        root.value_of("profiles").and_then(|profiles| profiles.value_of(name)).map(|it| it.entries().to_vec());
    let Kind::Map(entries) = &mut root.kind else { return };
    if let Some(profile) = profile {
        source::overlay(entries, &profile);
        return;
    }
    let place = entries.iter().find(|(key, _)| key.written() == "profiles");
    let names = place.map_or(&[][..], |(_, profiles)| profiles.entries()).iter().map(|(key, _)| key.written());
    let help = suggestion::help(name, names).or_else(|| Some("the scenario has no `profiles`".to_owned()));
    let span = place.map_or(Span::default(), |(key, _)| key.span);
    problems.absent(span, format!("there is no profile `{name}`"), help);
}

fn profiles_of(root: &Node) -> Vec<String> {
    let profiles = root.value_of("profiles").map_or(&[][..], Node::entries);
    profiles.iter().map(|(key, _)| key.written().to_owned()).collect()
}
