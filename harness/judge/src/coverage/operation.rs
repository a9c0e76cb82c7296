//! How each operation of the scenario ended.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use coalmine_core::TenantId;
use coalmine_core::history::{Event, Happening};
use coalmine_core::plan::{Phase, Policy};
use coalmine_core::step::Action;
use coalmine_core::verdict::{Controls, Operation, Sent, Shortfall, ShortfallKind};

use super::reasons::Reasons;
use crate::round::{Place, Round};

/// Operations of which the verdict says why they did not end ok.
const REASONS_SAID_MAX: usize = 3;

/// The operations of all rounds, by their names.
#[derive(Default)]
pub(super) struct Operations {
    all: Vec<Counted>,
    by_name: HashMap<String, usize>,
    /// For each step of the current round, its place in `all`.
    here: Vec<usize>,
}

/// One operation, while it is being counted.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) name: String,
    pub(super) route: String,
    pub(super) sent: Sent,
    pub(super) controls: Controls,
    pub(super) overlapped: u64,
    /// Has to show own canaries.
    pub(super) sees: bool,
    /// Sends own canaries.
    pub(super) plants: bool,
    /// Flows do it, and it takes time: it can be in flight together with others.
    pub(super) overlaps: bool,
    role: Role,
    /// Why it did not end ok.
    pub(super) reasons: Reasons,
    /// Tenants that did not see a canary of theirs.
    pub(super) missed: HashSet<TenantId>,
}

/// What an operation is in the plans for; the later outweighs the earlier.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// No plan has it.
    #[default]
    Unplanned,
    /// It ends sessions beside the flows, in rounds that have such sessions.
    EndsSessions,
    /// The plan leaves it out because it writes.
    LeftOut,
    /// It only removes what was made.
    CleansUp,
    /// Anything else.
    Acts,
    /// It looks into a store, and is no operation of the service.
    Searches,
    /// It lets time pass, and is no operation of the service.
    Pauses,
}

impl Operations {
    /// Enters the round's steps.
    pub(super) fn begin(&mut self, round: &Round) {
        self.here.clear();
        for step in &round.plan.steps {
            let next = self.all.len();
            let index = *self.by_name.entry(step.name.clone()).or_insert(next);
            if index == next {
                let (name, route) = (step.name.clone(), step.route());
                let sees = !step.sees.is_empty() || !step.sees_of_turns.is_empty();
                let plants = !step.sends().is_empty();
                self.all.push(Counted { name, route, sees, plants, ..Counted::default() });
            }
            self.here.push(index);
        }
        let ends = round.plan.logout.iter().flat_map(|logout| &logout.steps).map(|step| (step, Role::EndsSessions));
        let left_out = round.plan.left_out.iter().map(|step| (step, Role::LeftOut));
        for (step, role) in ends.chain(left_out) {
            if let Some(index) = self.here.get(usize::from(step.0)) {
                let known = &mut self.all[*index].role;
                *known = (*known).max(role);
            }
        }
        for (_, place, _) in round.ops() {
            let role = match place.phase {
                _ if round.step(place).is_pause() => Role::Pauses,
                Phase::Cleanup => Role::CleansUp,
                _ if round.step(place).is_search() => Role::Searches,
                _ => Role::Acts,
            };
            let overlaps = takes_part(round, place) && place.purpose.is_flow();
            let counted = self.of(place);
            counted.overlaps |= overlaps;
            counted.role = counted.role.max(role);
        }
    }

    /// Something happened to an operation.
    pub(super) fn event(&mut self, round: &Round, event: &Event) {
        let (Happening::Fail { why, .. } | Happening::Info { why, .. }) = &event.what else { return };
        if let Some(place) = round.place(event.op).filter(|place| place.purpose.is_allowed()) {
            self.of(place).reasons.count(why);
        }
    }

    /// The operation's place among all.
    pub(super) fn index(&self, place: Place) -> usize {
        self.here[usize::from(place.step.0)]
    }

    /// The operation at a place of the current round.
    pub(super) fn of(&mut self, place: Place) -> &mut Counted {
        let index = self.index(place);
        &mut self.all[index]
    }

    /// The operation of that number.
    pub(super) fn at(&mut self, index: usize) -> &mut Counted {
        &mut self.all[index]
    }

    /// All of them, in the scenario's order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Counted> {
        self.all.iter()
    }

    /// The controls of all operations.
    pub(super) fn controls(&self) -> Controls {
        super::sum(self.iter().map(|operation| operation.controls))
    }

    /// Operations that never ended ok, and too small a share of all.
    pub(super) fn shortfalls(&self, policy: &Policy) -> Vec<Shortfall> {
        let shortfall = |operation: Option<&str>, message| Shortfall {
            kind: ShortfallKind::Operation,
            operation: operation.map(str::to_owned),
            message,
        };
        let counted = || self.iter().filter(|operation| operation.role != Role::CleansUp);
        let silent = counted().filter_map(|operation| {
            let why = operation.never_ok()?;
            Some(shortfall(Some(&operation.name), format!("`{}` {why}", operation.name)))
        });
        let mut out: Vec<_> = silent.collect();
        out.extend(counted().filter_map(|operation| {
            let why = operation.searched_in_part()?;
            Some(shortfall(Some(&operation.name), format!("`{}` {why}", operation.name)))
        }));
        let (ok, invoked) = counted()
            .fold((0, 0), |(ok, invoked), operation| (ok + operation.sent.ok, invoked + operation.sent.invoked()));
        if ok * 100 < invoked * u64::from(policy.ok_min_percent) {
            let share = ok * 100 / invoked;
            let message = format!(
                "{ok} of {invoked} operations ended ok ({share} %); the policy demands {} %{}",
                policy.ok_min_percent,
                self.most_reasons()
            );
            out.push(shortfall(None, message));
        }
        out
    }

    /// What most often kept operations from ending ok, in words that follow others.
    fn most_reasons(&self) -> String {
        let mut most: Vec<_> = self.iter().filter_map(|counted| Some((counted, counted.reasons.first()?))).collect();
        most.sort_by_key(|(_, (_, times))| Reverse(*times));
        most.truncate(REASONS_SAID_MAX);
        let words = most.iter().map(|(counted, (why, times))| {
            let Counted { name, sent, .. } = counted;
            format!("`{name}` {why} ({times} of {})", sent.invoked())
        });
        match words.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => none,
            words => format!("; most often: {words}"),
        }
    }

    /// What was not cleaned up, and what the target found too much.
    pub(super) fn notes(&self) -> Vec<String> {
        let left = self
            .iter()
            .filter(|operation| operation.role == Role::CleansUp && operation.sent.invoked() > operation.sent.ok);
        let words = left.map(|operation| {
            let Counted { name, sent, .. } = operation;
            format!("cleaning up failed: `{name}` ended ok {} of {} times", sent.ok, sent.invoked())
        });
        let idle = self
            .iter()
            .filter(|operation| matches!(operation.role, Role::Acts | Role::Searches) && operation.is_never_due());
        let idle =
            idle.map(|Counted { name, sent, .. }| format!("`{name}` was never due ({} times planned)", sent.planned));
        words.chain(idle).chain(self.too_many()).collect()
    }

    fn too_many(&self) -> Option<String> {
        let times: u64 = self.iter().map(|operation| operation.reasons.too_many()).sum();
        let words =
            || format!("{times} answers said that too much was asked (429): `budget: {{rate: 20/s}}` slows down");
        (times > 0).then(words)
    }

    /// As the verdict has them.
    pub(super) fn into_coverage(self) -> Vec<Operation> {
        let operations = self.all.into_iter().filter(|counted| counted.role != Role::Pauses);
        let words = operations.map(|counted| {
            let Counted { name, route, sent, controls, overlapped, .. } = counted;
            Operation { name, route, sent, controls, overlapped }
        });
        words.collect()
    }
}

/// Whether it is done while flows are, and takes time of the service. A look into its store is none of its operations.
pub(super) fn takes_part(round: &Round, place: Place) -> bool {
    let step = round.step(place);
    let closes = matches!(step.action, Action::Close { .. });
    let is_anonymous = round.receiver(place.scope).is_anonymous();
    place.phase == Phase::Flows && !closes && !step.is_pause() && !step.is_search() && !is_anonymous
}

impl Counted {
    /// Whether it was planned only for cases that did not come.
    pub(super) fn is_never_due(&self) -> bool {
        self.sent.planned > 0 && self.sent.due() == 0
    }

    /// What one search did not see no other one has seen: each looks as another tenant.
    fn searched_in_part(&self) -> Option<String> {
        let Sent { ok, .. } = self.sent;
        let invoked = self.sent.invoked();
        let why = self.reasons.first().map_or(String::new(), |(why, _)| format!(": {why}"));
        (self.role == Role::Searches && (1..invoked).contains(&ok))
            .then(|| format!("ended ok {ok} of {invoked} times{why}"))
    }

    fn never_ok(&self) -> Option<String> {
        let Sent { ok, skipped, .. } = self.sent;
        let planned = self.sent.due();
        match (self.role, planned, ok) {
            (Role::Pauses | Role::EndsSessions, ..) => None,
            (Role::LeftOut, ..) => Some("writes, and was left out".to_owned()),
            (Role::Unplanned, ..) => Some("is in no plan".to_owned()),
            (_, 1.., 0) if skipped == planned => Some(format!("was never sent ({planned} planned)")),
            (_, 1.., 0) => {
                let why = self.reasons.first().map_or(String::new(), |(why, _)| format!(": {why}"));
                Some(format!("never ended ok ({planned} planned, {} sent){why}", self.sent.invoked()))
            }
            _ => None,
        }
    }
}
