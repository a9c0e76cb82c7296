//! The files of a scenario: its own, those that it includes, and those that hold profiles.
//!
//! Their texts stand one behind the other in one text, so that a place in any of them is a single number. Which files there
//! are is found out first, from the roots of their trees; what is wrong with a file is told when it is read again.
//!
//! An included path counts from the file that names it, and may lead upwards: a login that several folders share stands
//! beside them, and whoever may write a scenario decides already where its traffic goes. It may not be absolute, so that a
//! scenario means the same in every checkout.

use std::collections::BTreeMap;

use crate::node::{self, Kind, Node, TEXT_BYTES_MAX};
use crate::problem::Problems;
use crate::span::Span;

/// Files of a scenario, its own among them.
const FILES_MAX: usize = 64;
/// How deep files may include each other.
const DEPTH_MAX: usize = 8;

/// Hands out the text of a file by its path; the error says why there is none.
pub type ReadFile<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

/// A file and where its text stands among all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// As it is shown.
    pub(crate) name: String,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// All files of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(crate) text: String,
    /// The first is the scenario's own.
    pub(crate) files: Vec<SourceFile>,
}

/// What joins the files.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Files that are joined to the first one, in the order in which they are named.
    pub(crate) included: Vec<usize>,
    /// The file that stands for the value at this place.
    pub(crate) profiles: BTreeMap<usize, usize>,
    /// What is wrong with the links.
    refused: Vec<(Span, String, Option<String>)>,
}

/// A file that another one names.
struct Mention {
    path: String,
    span: Span,
    is_profile: bool,
}

impl Sources {
    /// A scenario of one file.
    pub(crate) fn single(text: &str, name: &str) -> Self {
        let mut sources = Self::default();
        sources.push(text, name);
        sources
    }

    /// The scenario and everything that it names.
    pub(crate) fn gather(text: &str, name: &str, read: &mut ReadFile<'_>) -> (Self, Links) {
        let sources = Self::single(text, name);
        let mut gathering = Gathering { sources, links: Links::default(), included_by: BTreeMap::new(), read };
        let own_name = name.rsplit('/').next().unwrap_or_default();
        gathering.follow(0, &mut vec![beside(name, own_name)]);
        (gathering.sources, gathering.links)
    }

    /// The file in which a place lies.
    pub(crate) fn file_at(&self, place: usize) -> &SourceFile {
        let after = self.files.partition_point(|file| file.start <= place);
        &self.files[after.saturating_sub(1)]
    }

    pub(crate) fn text_of(&self, file: usize) -> &str {
        let SourceFile { start, end, .. } = self.files[file];
        &self.text[start..end]
    }

    /// A line's end follows each text, so that no line belongs to two files.
    fn push(&mut self, text: &str, name: &str) -> usize {
        let start = self.text.len();
        self.text.push_str(text);
        let end = self.text.len();
        self.text.push('\n');
        self.files.push(SourceFile { name: name.to_owned(), start, end });
        self.files.len() - 1
    }
}

impl Links {
    /// Says what is wrong with them.
    pub(crate) fn tell(&self, problems: &Problems<'_>) {
        for (span, message, help) in &self.refused {
            problems.misread(*span, message.clone(), help.clone());
        }
    }

    fn refuse(&mut self, span: Span, message: String, help: Option<&str>) {
        self.refused.push((span, message, help.map(str::to_owned)));
    }
}

struct Gathering<'r, 'f> {
    sources: Sources,
    links: Links,
    /// For each included file, the one that includes it.
    included_by: BTreeMap<String, String>,
    read: &'r mut ReadFile<'f>,
}

impl Gathering<'_, '_> {
    /// Takes in what the file names; `path` leads from the scenario to the file.
    fn follow(&mut self, file: usize, path: &mut Vec<String>) {
        for mention in self.mentions(file) {
            let name = beside(path.last().map_or("", String::as_str), &mention.path);
            if let Some(next) = self.take(&mention, &name, path) {
                if mention.is_profile {
                    self.links.profiles.insert(mention.span.start, next);
                } else {
                    self.links.included.push(next);
                    path.push(name);
                    self.follow(next, path);
                    path.pop();
                }
            }
        }
    }

    fn mentions(&self, file: usize) -> Vec<Mention> {
        let alone = Sources::single(self.sources.text_of(file), "");
        let problems = Problems::of(&alone);
        let Some(root) = node::read(&problems, 0, &mut 0) else { return vec![] };
        let offset = self.sources.files[file].start;
        let mention = |node: &Node, is_profile| Mention {
            path: node.written().to_owned(),
            span: Span { start: node.span.start + offset, end: node.span.end + offset },
            is_profile,
        };
        let included = root.value_of("include").map_or(&[][..], Node::one_or_more);
        let included = included.iter().filter(|node| node.is_text()).map(|node| mention(node, false));
        let profiles = root.value_of("profiles").map_or(&[][..], Node::entries);
        let profiles = profiles.iter().filter(|(_, value)| value.is_text()).map(|(_, value)| mention(value, true));
        included.chain(profiles).collect()
    }

    fn take(&mut self, mention: &Mention, name: &str, path: &[String]) -> Option<usize> {
        let Mention { span, is_profile, .. } = *mention;
        if mention.path.starts_with('/') || mention.path.contains(['\\', ':']) {
            let help = "a path counts from the file that names it: `include: [shared/login.yaml]`";
            self.links.refuse(span, format!("`{}` is not a relative path", mention.path), Some(help));
            return None;
        }
        if path.iter().any(|above| above == name) {
            let message = format!("files include each other in a circle: {} -> {name}", path.join(" -> "));
            self.links.refuse(span, message, None);
            return None;
        }
        if let Some(first) = self.included_by.get(name).filter(|_| !is_profile) {
            let message = format!("`{name}` is included twice; first in `{first}`");
            self.links.refuse(span, message, Some("include it once: what it says holds for all files"));
            return None;
        }
        if path.len() > DEPTH_MAX || self.sources.files.len() >= FILES_MAX {
            let message =
                format!("a scenario has at most {FILES_MAX} files, which include each other {DEPTH_MAX} deep");
            self.links.refuse(span, message, None);
            return None;
        }
        let taken = self.read(span, name);
        let by = path.last().cloned().unwrap_or_default();
        self.included_by.extend(taken.filter(|_| !is_profile).map(|_| (name.to_owned(), by)));
        taken
    }

    fn read(&mut self, span: Span, name: &str) -> Option<usize> {
        let text = match (self.read)(name) {
            Ok(text) => text,
            Err(why) => {
                self.links.refuse(span, format!("cannot read `{name}`: {why}"), None);
                return None;
            }
        };
        if self.sources.text.len() + text.len() > TEXT_BYTES_MAX {
            let message = format!("a scenario has at most {TEXT_BYTES_MAX} bytes, with all files that it includes");
            self.links.refuse(span, message, None);
            return None;
        }
        Some(self.sources.push(&text, name))
    }
}

/// The path as it is seen from where the including file is seen, without needless steps up and down.
pub(crate) fn beside(file: &str, path: &str) -> String {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').collect();
    let is_rooted = file.starts_with('/');
    parts.retain(|part| !part.is_empty() && *part != ".");
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{}{}", if is_rooted { "/" } else { "" }, parts.join("/"))
}

/// Joins the trees of the included files to that of the scenario. What is no map may stand in one file only.
pub(crate) fn join(root: &mut Node, other: Node, problems: &Problems<'_>) {
    let span = other.span;
    let Kind::Map(entries) = other.kind else {
        if !matches!(other.kind, Kind::Broken) {
            problems.misread(span, "an included file is a map, as a scenario is", None);
        }
        return;
    };
    let Kind::Map(into) = &mut root.kind else { return };
    let entries = entries.into_iter().filter(|(key, value)| match key.written() {
        "coalmine" => check_version(value, problems),
        key => key != "include",
    });
    join_entries(into, entries, problems);
}

/// Whether the entry is to be joined, which a version is not.
fn check_version(value: &Node, problems: &Problems<'_>) -> bool {
    if value.written() != crate::compile::LANGUAGE.to_string() {
        let help = format!("this program reads version {}", crate::compile::LANGUAGE);
        problems.add(value.span, format!("version {} of the language is not known", value.written()), Some(help));
    }
    false
}

fn join_entries(into: &mut Vec<(Node, Node)>, entries: impl Iterator<Item = (Node, Node)>, problems: &Problems<'_>) {
    for (key, value) in entries {
        let Some((first, present)) = into.iter_mut().find(|(present, _)| present.written() == key.written()) else {
            into.push((key, value));
            continue;
        };
        match (&mut present.kind, value.kind) {
            (Kind::Map(present), Kind::Map(more)) => join_entries(present, more.into_iter(), problems),
            _ => {
                let at = problems.describe_place(first.span);
                let message = format!("`{}` stands in two files; the first is {at}", key.written());
                problems.misread(
                    key.span,
                    message,
                    Some("maps are joined; anything else stands in one file".to_owned()),
                );
            }
        }
    }
}

/// Lays a profile over the scenario: maps entry by entry, anything else instead of what was there.
pub(crate) fn overlay(into: &mut Vec<(Node, Node)>, profile: &[(Node, Node)]) {
    for (key, value) in profile {
        let Some((_, present)) = into.iter_mut().find(|(present, _)| present.written() == key.written()) else {
            into.push((key.clone(), value.clone()));
            continue;
        };
        match (&mut present.kind, &value.kind) {
            (Kind::Map(present), Kind::Map(over)) => overlay(present, over),
            (Kind::Map(present), Kind::Scalar { .. }) if key.written() == "tenants" => set_count(present, value),
            _ => *present = value.clone(),
        }
    }
}

/// `tenants: 3` is short for a count, and leaves alone what else is said about them.
fn set_count(tenants: &mut [(Node, Node)], count: &Node) {
    if let Some((_, present)) = tenants.iter_mut().find(|(key, _)| key.written() == "count") {
        *present = count.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_from_the_file_that_names_them() {
        assert_eq!(beside("scenario.yaml", "login.yaml"), "login.yaml");
        assert_eq!(beside("scenarios/a/gate.yaml", "../shared/login.yaml"), "scenarios/shared/login.yaml");
        assert_eq!(beside("/etc/coalmine/gate.yaml", "./login.yaml"), "/etc/coalmine/login.yaml");
        assert_eq!(beside("../gate.yaml", "../login.yaml"), "../../login.yaml");
    }
}
