//! The URLs of the principals.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use coalmine_core::Plan;
use coalmine_core::plan::OpId;
use coalmine_core::principal::{Principal, PrincipalId};

use crate::inbox::Mailbox;

/// All of them; none where the plan receives no webhooks.
#[derive(Default)]
pub(crate) struct Hooks {
    base_url: String,
    by_path: HashMap<String, usize>,
    all: Vec<Hook>,
    paths: Vec<String>,
    first: u32,
    names: usize,
}

/// One URL.
pub(crate) struct Hook {
    pub(crate) principal: Principal,
    pub(crate) mailbox: std::sync::Arc<Mailbox>,
    told_by: OnceLock<OpId>,
    /// Stands for the teller where the target knows the URL though no operation told it.
    first_op: OpId,
    next_index: AtomicU32,
}

impl Hooks {
    /// Those of a plan, at `base_url`.
    pub(crate) fn new(plan: &Plan, base_url: String) -> Self {
        let names = plan.webhooks.as_ref().map_or(0, |webhooks| webhooks.names.len());
        let first = plan.principals.first().map_or(0, |principal| principal.id.0);
        let mut hooks = Self { base_url, first, names, ..Self::default() };
        let mut first_ops = HashMap::new();
        for (_, principal, op) in plan.ops() {
            first_ops.entry(principal).or_insert(op.id);
        }
        for principal in &plan.principals {
            let first_op = first_ops.get(&principal.id).copied().unwrap_or(OpId(0));
            for slot in (0..=u16::MAX).take(names) {
                hooks.add(plan.webhook_path(principal.id, slot), Hook::new(principal.clone(), first_op));
            }
        }
        hooks
    }

    /// One more.
    pub(crate) fn add(&mut self, path: String, hook: Hook) {
        self.by_path.insert(path.clone(), self.all.len());
        self.all.push(hook);
        self.paths.push(path);
    }

    /// The hook of a request's path. Senders may append to the URL.
    pub(super) fn at(&self, path: &str) -> Option<&Hook> {
        let own = path.trim_start_matches('/').split('/').next()?;
        self.by_path.get(own).map(|place| &self.all[*place])
    }

    /// The hook of a principal.
    pub(crate) fn of(&self, principal: PrincipalId, slot: u16) -> Option<&Hook> {
        self.all.get(self.place(principal, slot)?)
    }

    /// The URL, which the operation is about to tell.
    pub(crate) fn tell(&self, principal: PrincipalId, slot: u16, op: OpId) -> String {
        let Some(place) = self.place(principal, slot) else { return String::new() };
        let (Some(hook), Some(path)) = (self.all.get(place), self.paths.get(place)) else { return String::new() };
        hook.told_by.get_or_init(|| op);
        format!("{}/{path}", self.base_url)
    }

    fn place(&self, principal: PrincipalId, slot: u16) -> Option<usize> {
        let principal = principal.0.checked_sub(self.first)? as usize;
        (usize::from(slot) < self.names).then_some(principal * self.names + usize::from(slot))
    }
}

impl Hook {
    pub(crate) fn new(principal: Principal, first_op: OpId) -> Self {
        let (mailbox, told_by, next_index) = Default::default();
        Self { principal, mailbox, told_by, first_op, next_index }
    }

    /// The operation that was the first to tell the URL.
    pub(super) fn op(&self) -> OpId {
        self.told_by.get().copied().unwrap_or(self.first_op)
    }

    pub(super) fn next_index(&self) -> u32 {
        self.next_index.fetch_add(1, Ordering::Relaxed)
    }
}
