//! Values taken from an answer and kept on the board.

use coalmine_core::history::{Digest, Receipt};
use coalmine_core::plan::{Op, Part, Purpose};
use coalmine_core::step::{Capture, CaptureFrom, Step, Which};
use coalmine_core::template::plain;
use coalmine_core::{Principal, Scope};
use hyper::HeaderMap;
use serde_json::Value;

use super::Lane;
use crate::inbox::Closed;
use crate::jar::set_cookies;
use crate::observe::json_of;
use crate::onlooker::Scene;
use crate::page;
use crate::paths::{PathError, Paths};

/// Items that a capture of all keeps.
const ITEMS_MAX: usize = 1_000;

/// What a capture may look at.
#[derive(Clone, Copy)]
pub(super) struct Caught<'a> {
    pub(super) json: Option<&'a Value>,
    pub(super) headers: &'a HeaderMap,
    /// The body, where it was kept.
    pub(super) body: &'a [u8],
    pub(super) status: Option<u16>,
    /// How a WebSocket was closed.
    pub(super) closed: Option<&'a Closed>,
}

impl<'a> Caught<'a> {
    /// An event, which has neither headers nor a body besides its JSON.
    pub(super) fn event(json: Option<&'a Value>, headers: &'a HeaderMap) -> Self {
        Self { json, headers, body: &[], status: None, closed: None }
    }

    /// The end of a WebSocket.
    pub(super) fn closed(closed: &'a Closed, headers: &'a HeaderMap) -> Self {
        Self { closed: Some(closed), ..Self::event(None, headers) }
    }
}

/// Whether the one who acts may keep what comes back.
fn keeps(purpose: Purpose) -> bool {
    match purpose {
        Purpose::Probe { .. }
        | Purpose::Unknown { .. }
        | Purpose::Timed { .. }
        | Purpose::Twin { .. }
        | Purpose::Fresh
        | Purpose::Revalidate { .. } => false,
        Purpose::Short { part, .. } => matches!(part, Part::Login | Part::Renew),
        _ => true,
    }
}

impl Lane {
    /// Keeps what the step captures. The error names what is missing.
    pub(super) fn capture(
        &self,
        op: &Op,
        step: &Step,
        caught: Caught<'_>,
        receipt: &mut Receipt,
    ) -> Result<(), String> {
        if !keeps(op.purpose) {
            return Ok(());
        }
        if let Purpose::Short { session, part: Part::Renew } = op.purpose {
            self.round.board.set_aside(session);
        }
        for capture in &step.captures {
            let mut values = found(&self.round.lens.paths, &capture.from, capture.which, caught);
            let value = match capture.which {
                Which::First if values.first().is_none_or(Value::is_null) && capture.otherwise.is_some() => {
                    capture.otherwise.clone().into()
                }
                Which::First if values.is_empty() => {
                    return Err(format!("nothing to capture at {}", place(&capture.from)));
                }
                Which::First => values.swap_remove(0),
                Which::All => {
                    values.truncate(ITEMS_MAX);
                    Value::Array(values)
                }
            };
            let other_role = matches!(op.purpose, Purpose::Role { .. });
            if other_role && (value.is_null() || value.as_array().is_some_and(Vec::is_empty)) {
                continue;
            }
            self.show_captured(op, capture, &value);
            receipt.captured.push((capture.variable, Digest::of(&self.round.lens.digest_key, &value)));
            // What somebody else captures in a pass must not take the place of what its owner has.
            if other_role {
                continue;
            }
            if let Some(scope) = capture.for_all_of {
                self.hand_on(scope, capture.variable.slot, &value);
            }
            self.round.board.set(self.values(op).home_of(capture.variable), capture.variable.slot, value);
        }
        Ok(())
    }

    fn show_captured(&self, op: &Op, capture: &Capture, value: &Value) {
        self.show(op, || {
            let scope = self.values(op).scope_of(capture.variable.level);
            let plan = &self.round.plan;
            let name = plan.flow(plan.scope(scope).flow).variables.get(usize::from(capture.variable.slot));
            Scene::Captures { name: name.map_or("", String::as_str), value }
        });
    }

    /// What was captured once for a tenant or a user, all its sessions have. Principals of a tenant stand side by side.
    fn hand_on(&self, scope: Scope, slot: u16, value: &Value) {
        let plan = &self.round.plan;
        let of_tenant = |other: &&Principal| other.tenant == self.principal.tenant;
        let (before, after) = plan.principals.split_at(plan.session_scope(self.principal.id).0 as usize);
        let near = before.iter().rev().take_while(of_tenant).chain(after.iter().take_while(of_tenant));
        for other in near.filter(|other| other.may_see(&self.principal, scope)) {
            self.round.board.set(plan.session_scope(other.id), slot, value.clone());
        }
    }
}

/// All that stand there, or at least the first.
fn found(patterns: &Paths, from: &CaptureFrom, which: Which, caught: Caught<'_>) -> Vec<Value> {
    let text = || String::from_utf8_lossy(caught.body);
    let one = |value: Option<Value>| value.into_iter().collect();
    match from {
        CaptureFrom::Json(path) => caught
            .json
            .map_or(vec![], |json| patterns.get(path).query(json).all().into_iter().take(ITEMS_MAX).cloned().collect()),
        CaptureFrom::Header(name) => {
            one(caught.headers.get(name).and_then(|value| value.to_str().ok()).map(Value::from))
        }
        CaptureFrom::Cookie(name) => {
            let set = set_cookies(caught.headers).find(|cookie| cookie.name() == name);
            one(set.map(|cookie| cookie.value().into()))
        }
        CaptureFrom::Regex(pattern) => matches(patterns, pattern, &text()),
        CaptureFrom::Css { selector, attribute } => {
            let all = which == Which::All;
            let found = page::values(&text(), patterns.selector(selector), attribute.as_deref(), all);
            found.into_iter().map(Value::from).collect()
        }
        CaptureFrom::Body => vec![text().into()],
        CaptureFrom::Status => one(caught.status.map(Value::from)),
        CaptureFrom::CloseCode => one(caught.closed.map(|closed| closed.code.into())),
        CaptureFrom::CloseReason => one(caught.closed.map(|closed| closed.reason.as_str().into())),
        CaptureFrom::Part { whole, regex } => {
            let mut values = found(patterns, whole, which, caught);
            if which == Which::First {
                values.truncate(1);
            }
            let texts = values.iter().map(plain);
            texts.flat_map(|text| matches(patterns, regex, &text)).take(ITEMS_MAX).collect()
        }
    }
}

/// What a regular expression finds: its first group, or all of it.
fn matches(patterns: &Paths, regex: &str, text: &str) -> Vec<Value> {
    let found = patterns.regex(regex).captures_iter(text).take(ITEMS_MAX);
    let group = |found: regex::Captures<'_>| found.get(1).or(found.get(0)).map(|it| it.as_str().into());
    found.filter_map(group).collect()
}

/// What a capture finds in the body of an answer without headers, in the way in which a run looks: no body and no pattern that can
/// be compiled makes it panic or take long.
///
/// # Errors
///
/// The pattern is not one.
pub fn captured(from: &CaptureFrom, which: Which, body: &[u8]) -> Result<Vec<Value>, PathError> {
    let patterns = Paths::of_capture(from)?;
    let json = json_of(body);
    let headers = HeaderMap::new();
    Ok(found(
        &patterns,
        from,
        which,
        Caught { json: json.as_ref(), headers: &headers, body, status: None, closed: None },
    ))
}

fn place(from: &CaptureFrom) -> String {
    match from {
        CaptureFrom::Json(path) => format!("`{path}`"),
        CaptureFrom::Header(name) => format!("the header `{name}`"),
        CaptureFrom::Cookie(name) => format!("the cookie `{name}`"),
        CaptureFrom::Regex(pattern) => format!("the regular expression `{pattern}`"),
        CaptureFrom::Css { selector, attribute: None } => format!("`{selector}`"),
        CaptureFrom::Css { selector, attribute: Some(name) } => format!("`{name}` of `{selector}`"),
        CaptureFrom::Body => "the body".to_owned(),
        CaptureFrom::Status => "the status".to_owned(),
        CaptureFrom::CloseCode | CaptureFrom::CloseReason => "the end of the WebSocket".to_owned(),
        CaptureFrom::Part { whole, regex } => format!("`{regex}` in {}", place(whole)),
    }
}
