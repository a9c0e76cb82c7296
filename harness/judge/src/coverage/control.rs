//! Positive controls: did everyone see their own?

use std::collections::HashSet;

use coalmine_canary::{CanaryId, Found, Strength};
use coalmine_core::history::{Answer, Event, EventFrame, Happening, Opcode, Receipt};
use coalmine_core::plan::{OpId, ScopeId};
use coalmine_core::step::{Action, SocketSlot, Step};
use coalmine_core::verdict::{Controls, Shortfall, ShortfallKind};

use super::operation::{Counted, Operations};
use crate::round::{Place, Round};

/// Own canaries that were due and those that came.
#[derive(Default)]
pub(super) struct Control {
    /// Own canaries that came in as messages.
    in_messages: HashSet<(ScopeId, Source, CanaryId)>,
    /// Due in one of these; decided when the round is over, as its messages have an order of their own.
    pending: Vec<(OpId, CanaryId)>,
    /// Passes of the round in which one was not met.
    unmet: HashSet<ScopeId>,
}

/// From where messages come in.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    /// From a WebSocket or an event stream of the scope.
    Line(SocketSlot),
    /// As webhooks, which belong to the session.
    Webhook,
}

impl Control {
    /// Something happened to an operation.
    pub(super) fn event(&mut self, round: &Round, event: &Event, operations: &mut Operations) {
        let Some(place) = round.place(event.op) else { return };
        match &event.what {
            Happening::Ok(answer) if place.purpose.is_allowed() => self.due(round, event.op, answer, operations),
            Happening::Frame(frame) => self.frame(round, place, frame),
            _ => {}
        }
    }

    fn due(&mut self, round: &Round, op: OpId, answer: &Answer, operations: &mut Operations) {
        let Some(place) = round.place(op) else { return };
        let step = round.step(place);
        for canary in round.controls(place) {
            let met = canary.is_some_and(|canary| shows(&answer.receipt, canary));
            match canary {
                Some(canary) if !met && source_of(step).is_some() => self.pending.push((op, canary)),
                _ => self.decide(round, place, met, operations),
            }
        }
    }

    fn frame(&mut self, round: &Round, place: Place, frame: &EventFrame) {
        let source = match frame.opcode {
            Opcode::Webhook => Some(Source::Webhook),
            _ => source_of(round.step(place)),
        };
        let Some(source) = source else { return };
        let scope = room_of(round, place, source);
        let owner = round.receiver(place.scope).id.owner();
        for seen in &frame.receipt.seen {
            if let Found::Canary { id, strength: Strength::Exact } = seen.sighting.found
                && id.owner == owner
            {
                self.in_messages.insert((scope, source, id));
            }
        }
    }

    /// The round is over; these of its passes did not show all that they had to.
    pub(super) fn end(&mut self, round: &Round, operations: &mut Operations) -> HashSet<ScopeId> {
        for (op, canary) in std::mem::take(&mut self.pending) {
            let Some(place) = round.place(op) else { continue };
            let came = |source| self.in_messages.contains(&(room_of(round, place, source), source, canary));
            let met = source_of(round.step(place)).is_some_and(came);
            self.decide(round, place, met, operations);
        }
        self.in_messages.clear();
        std::mem::take(&mut self.unmet)
    }

    fn decide(&mut self, round: &Round, place: Place, met: bool, operations: &mut Operations) {
        let operation = operations.of(place);
        operation.controls.due += 1;
        if met {
            operation.controls.met += 1;
        } else {
            operation.missed.insert(round.receiver(place.scope).tenant);
            self.unmet.insert(round.plan.pass_of(place.scope));
        }
    }

    /// Controls that were not met, or could not be.
    pub(super) fn shortfalls(operations: &Operations, all: Controls) -> Vec<Shortfall> {
        let named = |operation: &Counted, message: String| Shortfall {
            kind: ShortfallKind::Control,
            operation: Some(operation.name.clone()),
            message: format!("`{}` {message}", operation.name),
        };
        let missed = operations.iter().filter_map(|operation| {
            let Controls { due, met } = operation.controls;
            let tenants = operation.missed.len();
            let unmet = || format!("showed {met} of {due} own canaries; tenants that missed theirs: {tenants}");
            let why = match operation.sent.ok {
                _ if operation.is_never_due() => "was never due",
                0 => "never ended ok",
                _ => "never followed anything that sends them and was due",
            };
            let never = || format!("{why}, so that nobody saw their own canaries");
            match (due, due - met) {
                (0, _) if operation.sees && operation.sent.planned > 0 => Some(named(operation, never())),
                (_, 1..) => Some(named(operation, unmet())),
                _ => None,
            }
        });
        missed.chain(blind(operations, all)).collect()
    }
}

/// A scenario that could not have seen a leak.
fn blind(operations: &Operations, all: Controls) -> Option<Shortfall> {
    let plants = operations.iter().any(|operation| operation.plants);
    let sees = operations.iter().any(|operation| operation.sees);
    let what = match (plants, sees, all.due) {
        (false, ..) => "no operation plants a canary",
        (_, false, _) => "no operation has to show its own canary",
        _ => return None,
    };
    let message = format!("{what}: this scenario could not have seen a leak");
    Some(Shortfall { kind: ShortfallKind::Control, operation: None, message })
}

fn shows(receipt: &Receipt, canary: CanaryId) -> bool {
    let whole = Found::Canary { id: canary, strength: Strength::Exact };
    receipt.seen.iter().any(|seen| seen.sighting.found == whole)
}

fn source_of(step: &Step) -> Option<Source> {
    Some(match &step.action {
        Action::Request(_)
        | Action::SearchPostgres(_)
        | Action::SearchRedis(_)
        | Action::SearchLogs(_)
        | Action::Pause { .. } => return None,
        Action::AwaitWebhook(_) => Source::Webhook,
        Action::Open(open) => Source::Line(open.socket),
        Action::Subscribe(subscribe) => Source::Line(subscribe.socket),
        Action::Receive(receive) => Source::Line(receive.socket),
        Action::Send { socket, .. }
        | Action::Ping { socket }
        | Action::AwaitClose { socket, .. }
        | Action::Close { socket, .. } => Source::Line(*socket),
    })
}

/// The scope that the source belongs to.
fn room_of(round: &Round, place: Place, source: Source) -> ScopeId {
    match source {
        Source::Line(_) => round.plan.pass_of(place.scope),
        Source::Webhook => round.plan.session_scope(round.receiver(place.scope).id),
    }
}
