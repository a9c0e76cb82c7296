//! What the round has captured so far, and the filling of templates from it.

use std::collections::HashMap;
use std::sync::PoisonError;

use coalmine_canary::{Canary, Minter, Shape};
use coalmine_core::function::Function;
use coalmine_core::perturb::Widen;
use coalmine_core::plan::{Op, Part, Purpose, ScopeId};
use coalmine_core::principal::Principal;
use coalmine_core::step::StepId;
use coalmine_core::template::{CanaryRef, Fill, Level, MemberValue, VariableRef, plain};
use coalmine_core::{Plan, fit};
use hyper::header::HeaderValue;
use serde_json::Value;

use crate::forgery::forged;
use crate::function::{self, CallSite};
use crate::secrets::Secrets;
use crate::sync::{Mutex, MutexGuard};
use crate::unknown;
use crate::webhook::Hooks;

/// The captured variables of every scope. Lanes share it, so that a probe can use the id that its victim captured.
pub(crate) struct Board {
    scopes: Vec<Mutex<Vec<Option<Value>>>>,
    /// The last ETag of each pass, of the steps at which others ask with it.
    etags: Mutex<HashMap<(ScopeId, StepId), HeaderValue>>,
    /// What short sessions held before they were made anew.
    aside: Mutex<HashMap<ScopeId, Vec<Option<Value>>>>,
}

impl Board {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self::with_slots(plan.scopes.iter().map(|scope| plan.flow(scope.flow).variables.len()))
    }

    /// One scope for each number of variables.
    fn with_slots(counts: impl Iterator<Item = usize>) -> Self {
        let scopes = counts.map(|count| Mutex::new(vec![None; count])).collect();
        Self { scopes, etags: Mutex::default(), aside: Mutex::default() }
    }

    pub(crate) fn get(&self, scope: ScopeId, slot: u16) -> Option<Value> {
        self.scope(scope).get(usize::from(slot)).cloned().flatten()
    }

    pub(crate) fn set(&self, scope: ScopeId, slot: u16, value: Value) {
        if let Some(variable) = self.scope(scope).get_mut(usize::from(slot)) {
            *variable = Some(value);
        }
    }

    pub(crate) fn etag(&self, scope: ScopeId, step: StepId) -> Option<HeaderValue> {
        self.etags.lock().unwrap_or_else(PoisonError::into_inner).get(&(scope, step)).cloned()
    }

    pub(crate) fn keep_etag(&self, scope: ScopeId, step: StepId, etag: HeaderValue) {
        self.etags.lock().unwrap_or_else(PoisonError::into_inner).insert((scope, step), etag);
    }

    /// The session is about to be made anew: what it holds is kept apart, the first time.
    pub(crate) fn set_aside(&self, session: ScopeId) {
        let now = self.scope(session).clone();
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).entry(session).or_insert(now);
    }

    /// What the session held before it was made anew, if it was.
    fn held(&self, session: ScopeId) -> Option<Vec<Option<Value>>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).get(&session).cloned()
    }

    /// Whether the operation shows what its session held before it was made anew.
    pub(crate) fn shows_what_was(&self, op: &Op) -> bool {
        let Purpose::Short { session, part: Part::After } = op.purpose else { return false };
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&session)
    }

    fn scope(&self, scope: ScopeId) -> MutexGuard<'_, Vec<Option<Value>>> {
        self.scopes[scope.0 as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fills the templates of one operation.
pub(crate) struct Values<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) board: &'a Board,
    pub(crate) minter: &'a Minter,
    pub(crate) hooks: &'a Hooks,
    pub(crate) principal: &'a Principal,
    pub(crate) op: &'a Op,
    pub(crate) secrets: &'a Secrets,
    /// Under it `uuid`, `chosen` and `shared` make their words.
    pub(crate) word_key: &'a [u8; 32],
}

impl Values<'_> {
    /// The variable that holds the object's id.
    pub(crate) fn id_of(&self, object: u16) -> Option<VariableRef> {
        self.plan.objects.get(usize::from(object)).map(|rule| rule.id)
    }

    /// Somebody without credentials uses what says where something of another stands, in whose pass it tries something.
    fn host_of_anonymous(&self) -> Option<&Principal> {
        let (Purpose::Probe { victim: host, .. } | Purpose::Unknown { like: host, .. } | Purpose::Anonymous { host }) =
            self.op.purpose
        else {
            return None;
        };
        self.plan.principal(self.plan.scope(host).principal).filter(|_| self.principal.is_anonymous())
    }

    /// Whose addresses are used.
    fn host(&self) -> &Principal {
        self.host_of_anonymous().unwrap_or(self.principal)
    }

    /// The scope that a variable of the operation lives in: a probe uses its victim's flow and its own session, a visit its
    /// host's flow.
    pub(crate) fn scope_of(&self, level: Level) -> ScopeId {
        let here = match self.op.purpose {
            Purpose::Probe { victim, .. } | Purpose::Unknown { like: victim, .. } => victim,
            Purpose::Visit { host } | Purpose::Role { host, .. } | Purpose::Anonymous { host } => host,
            _ => self.op.scope,
        };
        match level {
            Level::Session if self.host_of_anonymous().is_some() => self.plan.session_scope(self.host().id),
            Level::Session => self.plan.session_scope(self.principal.id),
            Level::Flow | Level::Outer(_) => self.plan.scope_at(here, level),
        }
    }
}

impl Values<'_> {
    /// The scope that a variable of the operation lives in: a short session has values of its own, where making it captures them.
    pub(crate) fn home_of(&self, variable: VariableRef) -> ScopeId {
        match self.op.purpose {
            Purpose::Short { session, .. } if self.plan.is_of_login(variable) => session,
            _ => self.scope_of(variable.level),
        }
    }
}

impl Values<'_> {
    /// A value of a short session that has ended; none where it was given once more what it had shown itself by.
    fn value_after(&self, session: ScopeId, variable: VariableRef) -> Option<Value> {
        let Some(held) = self.board.held(session) else { return self.board.get(session, variable.slot) };
        let before = |variable: &VariableRef| held.get(usize::from(variable.slot)).cloned().flatten();
        let shown = self.plan.credentials.iter().filter(|shown| shown.level == Level::Session);
        let mut changed = shown.filter(|shown| before(shown) != self.board.get(session, shown.slot));
        changed.next().and_then(|_| before(&variable))
    }

    fn credential_of_another(&self, variable: VariableRef) -> Option<Value> {
        let is_another = |other: &&Principal| other.tenant != self.principal.tenant && !other.is_anonymous();
        let others = self.plan.principals.iter().filter(is_another);
        others.map(|other| self.plan.session_scope(other.id)).find_map(|scope| self.board.get(scope, variable.slot))
    }
}

impl Fill for Values<'_> {
    fn canary(&self, canary: CanaryRef) -> Value {
        let id = self.plan.canary(self.op.scope, canary);
        let fit = self.plan.canary_spec(self.op.scope, canary).fit.as_ref();
        let minted = fit::mint(self.minter, id, fit).expect("the round minted every canary before it began");
        if let Some(widen) = self.op.manner.widen {
            return widened(widen, &minted).into();
        }
        match (id.shape, minted.expose().parse::<i64>()) {
            (Shape::Integer, Ok(number)) => number.into(),
            _ => minted.expose().into(),
        }
    }

    fn variable(&self, variable: VariableRef) -> Option<Value> {
        if let Purpose::Short { session, part: Part::After } = self.op.purpose
            && self.home_of(variable) == session
        {
            return self.value_after(session, variable);
        }
        let value = self.board.get(self.home_of(variable), variable.slot)?;
        if let Some(how) = self.op.manner.forge.filter(|_| self.plan.credentials.contains(&variable)) {
            let other = self.credential_of_another(variable);
            return forged(how, &plain(&value), other.as_ref().map(plain).as_deref()).map(Value::from);
        }
        match self.op.purpose {
            Purpose::Unknown { object, .. } if self.id_of(object) == Some(variable) => {
                Some(unknown::like(&value, &self.plan.seed.derive("coalmine unknown ids v1", self.op.id.0)))
            }
            _ => Some(value),
        }
    }

    fn attribute(&self, slot: u16) -> String {
        if self.plan.secret_attributes.contains(&slot) {
            let name = self.plan.attributes.get(usize::from(slot));
            let secret = name.and_then(|name| self.secrets.expose_of_account(self.principal, name));
            return secret.unwrap_or_default().to_owned();
        }
        self.host().attributes.get(usize::from(slot)).cloned().unwrap_or_default()
    }

    fn input(&self, slot: u16) -> Option<Value> {
        let input = self.plan.inputs.get(usize::from(slot))?;
        input.value.as_deref().or_else(|| self.secrets.expose(&input.name)).map(Value::from)
    }

    fn member(&self, level: Level, member: u16, value: MemberValue) -> Option<Value> {
        let member = self.plan.member(self.scope_of(level), level, member)?;
        match value {
            MemberValue::Attribute(slot) => {
                let attributes = &self.plan.principal(member)?.attributes;
                attributes.get(usize::from(slot)).map(|text| text.as_str().into())
            }
            MemberValue::Variable(slot) => self.board.get(self.plan.session_scope(member), slot),
        }
    }

    fn call(&self, function: Function, arguments: &[Value]) -> Result<Value, String> {
        let here = self.scope_of(Level::Flow);
        let pass = |scope: ScopeId| {
            let of = self.plan.scope(scope);
            (of.principal.0, format!("{}/{}/{}", self.plan.round, of.flow.0, of.pass))
        };
        let own = |scope: ScopeId| {
            let (principal, pass) = pass(scope);
            format!("{principal}/{pass}")
        };
        let chosen = own(self.op.manner.collide.unwrap_or(here));
        let site = CallSite { key: self.word_key, own: own(here), chosen, common: pass(here).1 };
        function::call(function, arguments, &site)
    }

    fn random(&self, count: u32) -> Vec<u8> {
        let key = self.plan.seed.derive("coalmine bytes v1", self.plan.round);
        let mut bytes = vec![0; count as usize];
        let mut drawn = blake3::Hasher::new_keyed(&key);
        drawn.update(&self.op.id.0.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn webhook(&self, slot: u16) -> String {
        self.hooks.tell(self.principal.id, slot, self.op.id)
    }
}

/// What rows of all tenants have in common with this secret.
fn widened(widen: Widen, canary: &Canary) -> &str {
    let Some(stem) = canary.stem() else { return "" };
    let mut words = canary.expose().rsplit(|letter: char| !letter.is_alphanumeric());
    match widen {
        Widen::Stem => stem,
        Widen::Word => words.find(|word| !word.is_empty() && !word.contains(stem)).unwrap_or_default(),
        Widen::Empty => "",
        Widen::Percent => "%",
        Widen::Star => "*",
    }
}

#[cfg(test)]
#[cfg(not(coalmine_loom))]
mod tests {
    use coalmine_canary::{Owner, RunKey, Serial};

    use super::*;

    #[test]
    fn a_wider_search_holds_nothing_of_the_secret() {
        let minter = Minter::new(&RunKey::derive(b"seed"));
        let table = [
            (Shape::Text, Widen::Word, true),
            (Shape::Text, Widen::Stem, true),
            (Shape::Email, Widen::Word, true),
            (Shape::Token, Widen::Stem, true),
            (Shape::Token, Widen::Word, false),
            (Shape::Integer, Widen::Stem, false),
        ];
        for (shape, widen, holds_something) in table {
            let [one, other] = [1, 2].map(|owner| minter.mint(Owner(owner), Serial(1), shape).unwrap());
            let wider = widened(widen, &one);
            assert_eq!(!wider.is_empty(), holds_something, "{shape} {widen:?}");
            let is_common = widen == Widen::Stem || shape == Shape::Email;
            assert!(!is_common || other.expose().to_lowercase().contains(&wider.to_lowercase()));
            assert!(wider.len() < 16, "{wider}");
        }
    }
}

#[cfg(all(test, coalmine_loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::sync::explore;

    #[test]
    fn what_one_lane_captures_another_sees_whole_in_order_and_in_its_own_scope() {
        explore(|| {
            let board = Arc::new(Board::with_slots([2, 1].into_iter()));
            let writing = [0, 1].map(|scope| {
                let board = Arc::clone(&board);
                thread::spawn(move || {
                    for slot in 0..2 {
                        board.set(ScopeId(scope), slot, format!("{scope}.{slot}").into());
                    }
                })
            });
            // The later one is looked at first: who sees it must see the earlier one.
            let (later, earlier) = (board.get(ScopeId(0), 1), board.get(ScopeId(0), 0));
            assert!(later.is_none_or(|later| later == "0.1" && earlier == Some("0.0".into())));
            writing.into_iter().for_each(|thread| thread.join().expect("writing does not panic"));
            assert_eq!([board.get(ScopeId(0), 1), board.get(ScopeId(1), 0)], [Some("0.1".into()), Some("1.0".into())]);
            assert_eq!(board.get(ScopeId(1), 1), None, "a slot that the scope does not have");
        });
    }
}
