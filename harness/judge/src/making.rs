//! What was made, when, and whether it was removed: what lists, counts and sums are compared with.

use std::collections::{BTreeSet, HashMap};

use coalmine_core::history::{Digest, Event, Happening, ReadValue, Reading};
use coalmine_core::model::{Key, Model};
use coalmine_core::plan::{FlowId, OpId, Plan, Purpose, ScopeId};
use coalmine_core::step::StepId;
use coalmine_core::template::Level;
use coalmine_core::{Principal, PrincipalId, Scope};

use crate::round::Place;
use crate::sharing::Shares;

/// An operation that makes something.
pub(crate) struct Making {
    pub(crate) step: StepId,
    /// In whose pass it is made; that of the host where somebody else makes it.
    pub(crate) scope: ScopeId,
    /// Who did it, where that is somebody else.
    by: Option<ScopeId>,
    pub(crate) owner: PrincipalId,
    begun: u64,
    ended: Option<u64>,
    end: End,
    captured: Vec<(u16, Digest)>,
}

/// Whether it was made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Refused,
    /// Nobody knows, or not yet.
    Perhaps,
}

/// An operation that removes what was made in a pass.
struct Removal {
    step: StepId,
    begun: u64,
    /// When it had certainly happened.
    done: Option<u64>,
}

/// A stretch of the history in which something was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) begun: u64,
    pub(crate) ended: u64,
}

/// Whether something was there while it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Certain,
    Perhaps,
    /// It had been removed before.
    Removed,
    /// It had not been made, or was refused.
    Never,
}

/// Whether somebody has a part in what was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is among what the model speaks of.
    Own,
    /// Somebody shares it; whether it is shown is not said.
    Shared,
    /// It is somebody else's.
    Foreign,
}

/// Everything that was made in a round.
#[derive(Default)]
pub(crate) struct Makings {
    makers: BTreeSet<StepId>,
    removers: BTreeSet<StepId>,
    askers: BTreeSet<StepId>,
    made: Vec<Making>,
    by_op: HashMap<OpId, usize>,
    removals: HashMap<ScopeId, Vec<Removal>>,
    removal_of: HashMap<OpId, (ScopeId, usize)>,
    asked: HashMap<OpId, u64>,
    answers: Vec<Answered>,
    rows: usize,
    unkept: u64,
}

/// An answer in which something was read.
pub(crate) struct Answered {
    pub(crate) op: OpId,
    pub(crate) place: Place,
    pub(crate) window: Window,
    pub(crate) at_us: u64,
    pub(crate) readings: Vec<Reading>,
    /// Whether it shows a canary that its receiver may not see: what else is foreign in it is told by that.
    pub(crate) leaks: bool,
}

/// One value of an answer, and what it must agree with.
#[derive(Clone, Copy)]
pub(crate) struct Read<'m> {
    pub(crate) answer: &'m Answered,
    pub(crate) number: u16,
    pub(crate) model: &'m Model,
    pub(crate) value: &'m ReadValue,
}

/// Rows of all lists of a round that are kept; beyond it, lists are not compared.
const ROWS_MAX: usize = 4 << 20;

impl Makings {
    /// Nothing was made yet.
    pub(crate) fn new(plan: &Plan) -> Self {
        let models = || plan.steps.iter().flat_map(|step| &step.models);
        let asks = |step: &coalmine_core::step::Step| !step.models.is_empty();
        Self {
            makers: models().flat_map(|model| model.made_by.iter().copied()).collect(),
            removers: models().flat_map(|model| model.removed_by.iter().copied()).collect(),
            askers: (0..).map(StepId).zip(&plan.steps).filter(|(_, step)| asks(step)).map(|(id, _)| id).collect(),
            ..Self::default()
        }
    }

    /// Takes notice of an event.
    pub(crate) fn note(&mut self, plan: &Plan, event: &Event, place: Place) {
        if matches!(event.what, Happening::Invoke { .. }) && self.askers.contains(&place.step) {
            self.asked.insert(event.op, event.seq);
        }
        if self.makers.contains(&place.step) {
            self.note_making(plan, event, place);
        }
        if self.removers.contains(&place.step) {
            self.note_removal(event, place);
        }
    }

    fn note_making(&mut self, plan: &Plan, event: &Event, place: Place) {
        if matches!(event.what, Happening::Invoke { .. }) {
            let scope = aimed_at(place);
            let owner = plan.scope(scope).principal;
            self.by_op.insert(event.op, self.made.len());
            self.made.push(Making {
                step: place.step,
                scope,
                by: (scope != place.scope).then_some(place.scope),
                owner,
                begun: event.seq,
                ended: None,
                end: End::Perhaps,
                captured: vec![],
            });
            return;
        }
        let making = self.by_op.get(&event.op).and_then(|index| self.made.get_mut(*index));
        let (Some(making), Some(end)) = (making, end_of(&event.what)) else { return };
        making.ended = Some(event.seq);
        making.end = if place.purpose.is_flow() { end } else { End::Perhaps };
        if let Happening::Ok(answer) = &event.what {
            let captured = answer.receipt.captured.iter().filter(|(variable, _)| variable.level == Level::Flow);
            making.captured = captured.map(|(variable, value)| (variable.slot, *value)).collect();
        }
    }

    fn note_removal(&mut self, event: &Event, place: Place) {
        if matches!(event.what, Happening::Invoke { .. }) {
            let scope = aimed_at(place);
            let removals = self.removals.entry(scope).or_default();
            self.removal_of.insert(event.op, (scope, removals.len()));
            removals.push(Removal { step: place.step, begun: event.seq, done: None });
        } else if matches!(event.what, Happening::Ok(_))
            && place.purpose.is_flow()
            && let Some((scope, index)) = self.removal_of.get(&event.op)
            && let Some(removal) = self.removals.get_mut(scope).and_then(|removals| removals.get_mut(*index))
        {
            removal.done = Some(event.seq);
        }
    }

    /// Keeps what was read in an answer until the round is over.
    pub(crate) fn note_answer(&mut self, event: &Event, place: Place, leaks: bool) {
        let Happening::Ok(answer) = &event.what else { return };
        let Some(begun) = self.asked.remove(&event.op) else { return };
        let rows = answer.receipt.readings().iter().map(|reading| match &reading.value {
            ReadValue::Rows { rows, .. } => rows.len(),
            _ => 1,
        });
        self.rows += rows.sum::<usize>();
        if self.rows > ROWS_MAX {
            self.unkept += 1;
        } else if !answer.receipt.readings().is_empty() {
            let (window, readings) = (Window { begun, ended: event.seq }, answer.receipt.readings().to_vec());
            self.answers.push(Answered { op: event.op, place, window, at_us: event.at_us, readings, leaks });
        }
    }

    /// Everything that was read, with the model of which it speaks.
    pub(crate) fn answers<'m>(&'m self, plan: &'m Plan) -> impl Iterator<Item = Read<'m>> + 'm {
        self.answers.iter().flat_map(move |answer| {
            let models = &plan.step(answer.place.step).models;
            answer.readings.iter().filter_map(move |reading| {
                let model = models.get(usize::from(reading.model))?;
                Some(Read { answer, number: reading.model, model, value: &reading.value })
            })
        })
    }

    /// Answers that were not kept, because there were too many.
    pub(crate) fn unkept(&self) -> u64 {
        self.unkept
    }

    /// What the model speaks of, whoever made it.
    pub(crate) fn of<'m>(&'m self, model: &'m Model) -> impl Iterator<Item = &'m Making> + 'm {
        self.made.iter().filter(|making| model.made_by.contains(&making.step))
    }

    /// Whether it was there in that stretch.
    pub(crate) fn presence(&self, model: &Model, making: &Making, window: Window) -> Presence {
        if making.end == End::Refused || making.begun > window.ended {
            return Presence::Never;
        }
        let is_made = making.end == End::Done && making.ended.is_some_and(|ended| ended < window.begun);
        let all = self.removals.get(&making.scope).map_or(&[][..], Vec::as_slice);
        let mut perhaps_removed = false;
        for removal in all.iter().filter(|removal| model.removed_by.contains(&removal.step)) {
            let after = making.end == End::Done && making.ended.is_some_and(|ended| ended < removal.begun);
            if after && removal.done.is_some_and(|done| done < window.begun) {
                return Presence::Removed;
            }
            perhaps_removed |= removal.begun <= window.ended;
        }
        if is_made && !perhaps_removed { Presence::Certain } else { Presence::Perhaps }
    }

    /// Whether something of those passes was being made or removed in that stretch.
    pub(crate) fn is_moving(&self, model: &Model, making: &Making, window: Window) -> bool {
        let overlaps =
            |begun: u64, ended: Option<u64>| begun <= window.ended && ended.is_none_or(|ended| ended >= window.begun);
        let all = self.removals.get(&making.scope).map_or(&[][..], Vec::as_slice);
        let removals = all.iter().filter(|removal| model.removed_by.contains(&removal.step));
        overlaps(making.begun, making.ended)
            || removals.into_iter().any(|removal| overlaps(removal.begun, removal.done))
    }
}

impl Making {
    /// What it is recognised by in lists; none where that is not known.
    pub(crate) fn key(&self, plan: &Plan, digest_key: &[u8; 32], key: Key) -> Option<Digest> {
        match key {
            Key::Variable { slot, .. } => self.captured.iter().find(|(of, _)| *of == slot).map(|(_, value)| *value),
            Key::Canary { flow, slot } => {
                // What somebody else makes in a pass carries that one's own canaries.
                let scope = plan.scope(self.by.unwrap_or(self.scope));
                let canary = scope.canaries.get(usize::from(slot)).filter(|_| scope.flow == flow)?;
                Some(Digest::of_canary(digest_key, *canary))
            }
        }
    }

    /// Whether the one who asks there has a part in it.
    pub(crate) fn part(&self, plan: &Plan, shares: &Shares, asker: (&Principal, Place), scope: Scope) -> Part {
        let (receiver, place) = asker;
        let Some(owner) = plan.principal(self.owner) else { return Part::Foreign };
        let of_pass = |scope: ScopeId| self.scope == scope || self.by == Some(scope);
        let own = match scope {
            Scope::Operation => of_pass(place.host()),
            _ => receiver.may_see(owner, scope),
        };
        if own {
            return Part::Own;
        }
        let maker = self.by.and_then(|by| plan.principal(plan.scope(by).principal));
        let shared = plan.sharing.by_role(receiver, owner)
            || maker.is_some_and(|maker| receiver.may_see(maker, scope))
            || shares.acquaintances(receiver.id).any(|id| id == self.owner)
            || of_pass(place.host());
        if shared { Part::Shared } else { Part::Foreign }
    }
}

/// The key of the digests of a run, which the run uses as well.
pub(crate) fn digest_key(plan: &Plan) -> [u8; 32] {
    plan.seed.derive("coalmine digest v1", 0)
}

/// In whose pass something is done.
fn aimed_at(place: Place) -> ScopeId {
    match place.purpose {
        Purpose::Probe { victim, .. } => victim,
        Purpose::Visit { host } | Purpose::Role { host, .. } => host,
        _ => place.scope,
    }
}

/// A failure with a status of success is one of Coalmine's own: something was missing in the answer.
fn end_of(what: &Happening) -> Option<End> {
    match what {
        Happening::Ok(_) => Some(End::Done),
        Happening::Fail { answer, .. } if answer.status.is_none_or(|status| status >= 400) => Some(End::Refused),
        Happening::Fail { .. } | Happening::Info { .. } => Some(End::Perhaps),
        Happening::Skipped { .. } => Some(End::Refused),
        _ => None,
    }
}

/// The flow in which a model's things are made.
pub(crate) fn flow_of(plan: &Plan, model: &Model) -> Option<FlowId> {
    let step = plan.steps.get(usize::from(model.made_by.first()?.0))?;
    let found = (0..).map(FlowId).zip(&plan.flows).find(|(_, flow)| flow.name == step.flow);
    found.map(|(flow, _)| flow)
}

impl Answered {
    /// Whether a foreign canary in the same answer tells it already.
    pub(crate) fn leads_elsewhere(&self, round: &crate::round::Round) -> bool {
        self.leaks && round.asks(coalmine_core::verdict::OracleId::ForeignCanary)
    }
}

impl Making {
    /// Whether it can be in an answer of that stretch at all.
    pub(crate) fn was_begun_before(&self, window: Window) -> bool {
        self.begun < window.ended
    }

    /// In which pass its canaries live.
    pub(crate) fn maker(&self) -> ScopeId {
        self.by.unwrap_or(self.scope)
    }
}
