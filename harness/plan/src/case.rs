//! Case files: a scenario, all of it in one text, with a script of what is to be done.

use std::collections::BTreeSet;
use std::fmt::Write;

use coalmine_core::case::{CASE_FORMAT, Case};
use coalmine_core::plan::Purpose;
use coalmine_core::script::Script;
use serde_json::Value;

use crate::node::{self, Kind, Node, Word};
use crate::problem::{Problems, ScenarioErrors};
use crate::scenario::{self, Scenario};
use crate::source::{self, ReadFile, Sources};
use crate::span::Span;
use crate::written::written;

/// The key below which the scenario stands.
const SCENARIO: &str = "scenario";
/// What flows are no part of, or what names steps of flows that may be gone.
const OF_FLOWS: [&str; 3] = ["objects", "anonymous", "perturb"];
/// What is stated of the whole service, and says nothing about one leak.
const OF_THE_WHOLE: &str = "properties";

/// A case that was read from its file.
#[derive(Clone, Debug)]
pub struct CaseFile {
    /// What stands beside the scenario.
    pub case: Case,
    /// The scenario.
    pub scenario: Scenario,
    /// Its text.
    pub text: String,
}

/// A scenario as one text: what it includes is in it, and a profile is laid over it.
///
/// Files of accounts and certificates are not taken in, since they hold secrets; their paths count from where the scenario stood.
///
/// # Errors
///
/// All problems of all files.
pub fn resolve(
    text: &str,
    file_name: &str,
    profile: Option<&str>,
    read_file: &mut ReadFile<'_>,
) -> Result<String, ScenarioErrors> {
    let (sources, links) = Sources::gather(text, file_name, read_file);
    let problems = Problems::of(&sources);
    links.tell(&problems);
    let root = scenario::root(&problems, &links, profile).map(|mut root| {
        if let Kind::Map(entries) = &mut root.kind {
            entries.retain(|(key, _)| !["include", "profiles"].contains(&key.written()));
        }
        for path in [&["tenants", "accounts"][..], &["tenants", "accounts", "file"], &["target", "tls", "ca"]] {
            move_path(&mut root, path, file_name);
        }
        for path in [&["target", "tls", "client", "cert"][..], &["target", "tls", "client", "key"]] {
            move_path(&mut root, path, file_name);
        }
        written(&root, 0)
    });
    problems.or(root)
}

/// A path that counts from the scenario's file becomes one that counts from where that file's path does.
fn move_path(root: &mut Node, keys: &[&str], file_name: &str) {
    let value = keys.iter().try_fold(root, |node, key| node.value_of_mut(key));
    if let Some(Node { kind: Kind::Scalar { text, .. }, .. }) = value
        && !text.starts_with('/')
    {
        *text = source::beside(file_name, text);
    }
}

impl CaseFile {
    /// Reads a case file. `file_name` is only shown in errors, and paths of accounts and certificates count from it.
    ///
    /// # Errors
    ///
    /// All problems of the scenario in it, or what is wrong with the rest.
    pub fn parse(text: &str, file_name: &str, read_file: &mut ReadFile<'_>) -> Result<Self, ScenarioErrors> {
        let sources = Sources::single(text, file_name);
        let problems = Problems::of(&sources);
        let root = node::read(&problems, 0, &mut 0);
        let read = root.and_then(|root| {
            let case = case_of(&root, &problems);
            let Some(inner) = root.value_of(SCENARIO) else {
                problems.absent(Span::default(), format!("`{SCENARIO}` is missing"), None);
                return None;
            };
            let scenario = Scenario::of_root(inner, file_name, &problems, read_file)?;
            Some(Self { case: case?, scenario, text: written(inner, 0) })
        });
        let read = problems.or(read);
        read.map(|read| Self { scenario: read.scenario.with_sources(sources), ..read })
    }

    /// The text of a case file; `remarks` stand above it, each line as a comment.
    pub fn write(case: &Case, scenario: &str, remarks: &[String]) -> String {
        let mut out = String::new();
        for line in remarks.iter().flat_map(|remark| remark.lines()) {
            let _ = writeln!(out, "# {line}").is_ok();
        }
        let json = serde_json::to_string(case).unwrap_or_default();
        out.push_str(&tree(&json).map_or(json, |tree| written(&tree, 0)));
        let _ = writeln!(out, "{SCENARIO}:").is_ok();
        for line in scenario.lines() {
            let _ = writeln!(out, "  {line}").is_ok();
        }
        out
    }
}

/// A scenario without the flows of which a script has no pass, where it means the same without them; otherwise as it is.
pub fn without_idle_flows(scenario: &str, script: &Script, file_name: &str, read_file: &mut ReadFile<'_>) -> String {
    let flows: BTreeSet<&str> = script.passes.iter().filter_map(|pass| pass.flow.split('+').next()).collect();
    let names_objects = |purpose: &Purpose| matches!(purpose, Purpose::Probe { .. } | Purpose::Unknown { .. });
    let with_objects = script.lines().any(|(.., line)| names_objects(&line.purpose));
    let Some(mut root) = tree(scenario) else { return scenario.to_owned() };
    if let Some(Node { kind: Kind::Map(entries), .. }) = root.value_of_mut("flows") {
        entries.retain(|(key, _)| flows.contains(key.written()));
    }
    if let Kind::Map(entries) = &mut root.kind {
        entries.retain(|(key, _)| key.written() != OF_THE_WHOLE);
    }
    if let (false, Kind::Map(entries)) = (with_objects, &mut root.kind) {
        entries.retain(|(key, _)| !OF_FLOWS.contains(&key.written()));
    }
    let kept = written(&root, 0);
    if let Some(Node { kind: Kind::Map(entries), .. }) = root.value_of_mut("canaries") {
        entries.retain(|(key, _)| kept.contains(&format!("canary.{}", key.written())));
    }
    let smaller = written(&root, 0);
    match Scenario::parse_with(&smaller, file_name, None, read_file) {
        Ok(_) => smaller,
        Err(_) => scenario.to_owned(),
    }
}

fn tree(text: &str) -> Option<Node> {
    let sources = Sources::single(text, "");
    node::read(&Problems::of(&sources), 0, &mut 0)
}

/// All but the scenario. What is wrong with it is told at the key in which it stands.
fn case_of(root: &Node, problems: &Problems<'_>) -> Option<Case> {
    let entries: Vec<&(Node, Node)> = root.entries().iter().filter(|(key, _)| key.written() != SCENARIO).collect();
    let map = entries.iter().map(|(key, value)| (key.written().to_owned(), value_of(value))).collect();
    match serde_json::from_value::<Case>(Value::Object(map)) {
        Ok(case) if case.format == CASE_FORMAT => Some(case),
        Ok(case) => {
            let span =
                entries.iter().find(|(key, _)| key.written() == "coalmine-case").map_or(root.span, |(_, it)| it.span);
            let message =
                format!("this case has format {}; this version of Coalmine reads format {CASE_FORMAT}", case.format);
            problems.misread(span, message, None);
            None
        }
        Err(error) => {
            let script = entries.iter().find(|(key, _)| key.written() == "script").filter(|_| is_else_right(&entries));
            let span = script.map_or(Span { start: root.span.start, end: root.span.start }, |(key, _)| key.span);
            problems.misread(span, format!("this is no case: {error}"), Some(HELP.to_owned()));
            None
        }
    }
}

/// Where the shape of cases is told.
const HELP: &str = "`coalmine replay --help` says what stands in a case; `coalmine shrink` writes one";

/// Whether all but the script can be read.
fn is_else_right(entries: &[&(Node, Node)]) -> bool {
    let map = entries.iter().map(|(key, value)| match key.written() {
        "script" => ("script".to_owned(), serde_json::json!(Script::default())),
        key => (key.to_owned(), value_of(value)),
    });
    serde_json::from_value::<Case>(Value::Object(map.collect())).is_ok()
}

fn value_of(node: &Node) -> Value {
    match (&node.kind, node.word()) {
        (Kind::Map(entries), _) => {
            Value::Object(entries.iter().map(|(key, value)| (key.written().to_owned(), value_of(value))).collect())
        }
        (Kind::List(items), _) => Value::Array(items.iter().map(value_of).collect()),
        (_, Some(Word::Bool(it))) => it.into(),
        (_, Some(Word::Unsigned(it))) => it.into(),
        (_, Some(Word::Signed(it))) => it.into(),
        (_, Some(Word::Float(it))) => it.into(),
        (_, Some(Word::Text(it) | Word::Huge(it))) => it.into(),
        (_, Some(Word::Null) | None) => Value::Null,
    }
}
