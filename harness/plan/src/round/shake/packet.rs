//! Races in one packet: over HTTP/2 all members of a race go over one connection, as through a gateway, and their last frames go out
//! by one write.

use std::collections::BTreeMap;

use coalmine_core::perturb::{GateId, Pace, Perturbation, Via};
use coalmine_core::plan::{HttpVersion, Lane, Op};
use coalmine_core::step::Action;
use coalmine_core::template::{Segment, Template};

use super::Mood;
use crate::compile::Compiled;
use crate::draw::Draw;

/// Each race in one packet takes a connection of its own.
const PACKETS_MAX: u16 = 64;

/// Puts half of the races that can go so into one packet each. Returns how many connections are shared, besides those that are already.
pub(crate) fn pack(compiled: &Compiled, mood: &Mood, lanes: &mut [Lane], shared: u16, draw: &mut Draw) -> u16 {
    if compiled.target.http != HttpVersion::Http2 || mood.permille(Perturbation::Share) == 0 {
        return 0;
    }
    let mut races: BTreeMap<GateId, Vec<&mut Op>> = BTreeMap::new();
    for op in lanes.iter_mut().flat_map(|lane| &mut lane.ops) {
        if let Some(gate) = op.manner.gate {
            races.entry(gate).or_default().push(op);
        }
    }
    let mut packets = 0;
    for members in races.values_mut() {
        let fits = members.iter().all(|op| fits(compiled, mood, op));
        if !fits || packets == PACKETS_MAX || draw.below(2) == 0 {
            continue;
        }
        let Some(connection) = shared.checked_add(packets) else { break };
        for op in members {
            (op.manner.via, op.manner.pace) = (Via::Shared(connection), Pace::Full);
        }
        packets += 1;
    }
    packets
}

/// Whether it is a whole request to the target, of which chance alone says how it goes.
fn fits(compiled: &Compiled, mood: &Mood, op: &Op) -> bool {
    let step = &compiled.steps[usize::from(op.step.0)];
    let Action::Request(request) = &step.action else { return false };
    let is_plain = op.manner.cut.is_none() && op.manner.freeze.is_none() && op.manner.rule.is_none();
    is_plain && leads_to_target(&request.path) && mood.is_for(Perturbation::Share, op.step)
}

fn leads_to_target(path: &Template) -> bool {
    matches!(path.segments.first(), Some(Segment::Text(text)) if text.starts_with('/'))
}
